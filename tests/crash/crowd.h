/* Bare SQLite under a crowd: writers in processes of their own, each
 * checkpointing whenever it likes, and a checkpointer that does nothing else.
 * It is what the spool does not do. */
#ifndef CRASH_CROWD_H
#define CRASH_CROWD_H

#include <stdbool.h>

/* Lets them write into a file in the folder until seconds are over or one of
 * them finds it damaged: whether it is, or an acknowledged row is gone.
 * program is run again as `program --bare KIND PATH ACKS`. */
bool crowd_corrupts(const char *program, const char *folder, int seconds);

/* One of the crowd, until it is killed; returns when the file is damaged. */
int crowd_play(const char *kind, const char *path, const char *acks);

#endif
