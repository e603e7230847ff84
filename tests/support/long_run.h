/* What the long tests have in common: a seed, sizes, and how long they take. */
#ifndef SUPPORT_LONG_RUN_H
#define SUPPORT_LONG_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* SPOOL_TEST_FULL is 1: the size before a release instead of the everyday's. */
bool long_run_is_full(void);

/* The number behind a name such as --cuts; usual when it is not given. */
long long_run_option(int argc, char **argv, const char *name, long usual);

/* That of --seed, or a fresh one. Printed, so that the run can be brought back.
 */
uint64_t long_run_seed(int argc, char **argv);

/* A test that asks this between two cases may be told to end, by SIGTERM, and
 * still tells what it found until then: from the first question on the signal
 * is noted and no more. */
bool long_run_is_told_to_end(void);

/* Since a moment of CLOCK_MONOTONIC. */
double long_run_seconds(const struct timespec *from);

#endif
