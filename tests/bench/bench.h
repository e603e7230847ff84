/* Parts of the benchmark: what ours is measured against, and the sink. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stddef.h>
#include <sys/types.h>

#include "support/lock_watch.h"

/* Seconds of the monotonic clock. */
double bench_now(void);

/* Ends the program with a sentence when ok is false. */
void bench_must(int ok, const char *what);

/* Bare SQLite with the pragmas that the outbox has, one table of two columns:
 * rows a second for n events of len bytes, per_commit to a transaction. */
double baseline_insert(const char *path, const char *event, size_t len,
                       size_t n, size_t per_commit);

/* Bare libcurl, one connection kept alive: requests a second for n posts of
 * the same prepared body. */
double baseline_post(int port, const char *body, size_t len, size_t n);

/* A process that answers every POST at once with a fixed 200. */
struct sink {
    pid_t pid;
    int port;
};
struct sink sink_start(void);
void sink_stop(struct sink *s);

/* How long the steps of retention held the write lock, told to watch (started),
 * in a spool whose events are delivered. sync_ms is the longest of as many bare
 * syncs in dir. */
struct outbox;
struct hold {
    double cpu_ms; /* the most of the processor's time for any */
    double sync_ms;
};
struct hold hold_measure(struct outbox *box, const char *dir,
                         struct lock_watch *watch);

#endif
