/* A program under strace, which kills it at the nth call of a group that it
 * makes. strace counts for each thread by itself: the first thread to reach n
 * is where the whole program dies.
 *
 * One at a time. Ends the test when a program cannot be run. */
#ifndef CRASH_STRIKE_H
#define CRASH_STRIKE_H

#include <stdbool.h>

/* Calls that change a file, make that last, or talk. */
enum strike_group { STRIKE_FILE, STRIKE_SYNC, STRIKE_SEND, STRIKE_GROUPS };

const char *strike_group_name(enum strike_group group);

struct strike {
    enum strike_group group;
    long n; /* from 1; 0: it lives */
};

/* Runs words, which end with NULL, with stdout going to the file out. True when
 * the strike killed it; *code is its exit status if not, 124 for one that hung
 * for hang_s seconds. */
bool strike_run(const struct strike *s, const char *const *words,
                const char *out, int hang_s, int *code);

/* Runs words unharmed and counts, in each group, the calls of the thread that
 * made the most. trace is a file for strace's words. */
void strike_count(const char *const *words, const char *out, const char *trace,
                  long calls[STRIKE_GROUPS]);

#endif
