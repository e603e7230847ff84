/* A VFS that keeps a spool's files in memory: a database and its WAL, which can
 * be replaced beneath the connections that have them open, as if the machine
 * had gone down and come up again. The -shm is forgotten with it, so that the
 * next read recovers the WAL as the first one after a start does.
 *
 * One spool, one thread. Ends the program when it cannot go on. */
#ifndef CRASH_MEMORY_H
#define CRASH_MEMORY_H

#include "crash/disk.h"

/* From now on SQLite opens every file here. path is the database's; a file of
 * that name must exist, since others than SQLite look at it too. */
void memory_start(const char *path);

/* SQLite's own VFS is the default again. What is open stays so. */
void memory_stop(void);

/* Stopped, and nothing is open. */
void memory_free(void);

/* The files are these now. The images are exchanged for what was there: their
 * bytes are not copied. No transaction may be open. */
void memory_replace(struct disk_image images[DISK_FILES]);

/* Borrowed until the next write. */
const struct disk_image *memory_file(enum disk_file file);

#endif
