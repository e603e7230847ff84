/* libuv and the flusher's thread as far as the flusher uses them, in virtual
 * time and one thread. The program that links loop.c gets these calls instead
 * of those, so the product is driven unchanged: what is ready is run in an
 * order drawn from the seed, and the time stands still until somebody moves it.
 */
#ifndef SIM_LOOP_H
#define SIM_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"

/* Forgets everything. What getentropy gives from now on is drawn from the
 * seed as well. */
void loop_reset(uint64_t seed);

/* The flusher looks at its destinations each second, not up to a minute late.
 * Until the next reset. */
void loop_be_punctual(void);

int64_t loop_now(void);

/* The clock moves on while nobody runs: a suspended machine. */
void loop_jump(int64_t ms);

/* Calls back once, ms from now. Not cancelled but by loop_forget. */
void loop_after(int64_t ms, void (*done)(void *arg), void *arg);
void loop_forget(void *arg);

/* A watched file changed. */
void loop_notify(void);

/* Runs until nothing is ready, then moves the time to what is next, for ms of
 * virtual time or until *until. False if it spun on without time passing. */
bool loop_run(int64_t ms, const bool *until);

/* Runs a few steps at most, so that somebody is caught in the middle. */
void loop_run_steps(int steps);

#endif
