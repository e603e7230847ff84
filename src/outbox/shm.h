/* OUTBOX-shm, SQLite's index of the WAL, is a file that all who use the outbox
 * have in their memory. SQLite makes room for it by one byte in each 4096.
 * Where the file system's blocks are smaller, holes are left, and whoever
 * writes to a hole when the disk is full is ended by the kernel (SIGBUS). */
#ifndef OUTBOX_SHM_H
#define OUTBOX_SHM_H

#include <stdbool.h>

#include <sqlite3.h>

/* Whether the outbox at path (absolute) can be opened without that. */
bool shm_has_room(const char *path);

/* Leaves no hole for later. Does nothing when the file cannot be read now. */
void shm_fill(sqlite3 *handle);

/* Whether the WAL has no frame by now, as far as the index says; also when that
 * cannot be told. For who has the write lock. */
bool shm_is_empty(sqlite3 *handle);

/* The pid of another process that keeps a snapshot of the outbox at path, so
 * that its WAL cannot be checkpointed as a whole; 0: not known. */
long shm_reader(const char *path);

#endif
