/* A program of a crash test as a child process: started, waited for until it is
 * at work, killed. What cannot be done ends the test program. */
#ifndef CRASH_WORKER_H
#define CRASH_WORKER_H

#include <stdbool.h>
#include <sys/types.h>

/* On this descriptor a worker says that it is at work: with one byte. */
#define WORKER_WORD_FD 3

struct worker {
    pid_t pid; /* 0: not running */
    int words;
};

/* argv[0] is the program's path. */
void worker_start(struct worker *w, char *const argv[]);

/* Waits until it is at work. False after twenty seconds, or when it has ended
 * before. */
bool worker_wait(struct worker *w);

/* kill -9. False when it had ended by itself, which none of them does unless
 * something is wrong; it has said what. A worker that does not run is killed
 * already. */
bool worker_kill(struct worker *w);

/* ---- in the worker ---- */

/* Ends with whoever started it. */
void worker_begin(void);

/* Any thread, any number of times. */
void worker_is_at_work(void);

#endif
