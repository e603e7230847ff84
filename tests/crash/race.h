/* Bare SQLite connections, and the moment in which a checkpoint of theirs can
 * be made to lose rows without chance: it has read the WAL's header and copied
 * nothing yet. Linked to one program at a time: the VFS is the process's. */
#ifndef CRASH_RACE_H
#define CRASH_RACE_H

#include <sqlite3.h>

/* WAL and FULL. What fails ends the test. */
sqlite3 *bare_open(const char *path);
void bare_run(sqlite3 *db, const char *sql);

/* The first number of the first row; -1 when it cannot be read. */
long bare_number(sqlite3 *db, const char *sql);

/* Every file opened from here on calls this (NULL: nothing) in each
 * checkpoint's moment, until race_unhook. */
void race_hook(void (*call)(void));
void race_unhook(void);

#define RACE_ROWS 604

/* Writes in that moment, on connections that checkpoint whenever they like: how
 * many of RACE_ROWS acknowledged rows are left in the new file at path; -1 when
 * it cannot be read any more. */
long race_bare(const char *path);

#endif
