/* The guard: compares the outbox with what is known of it from outside, each
 * time it is opened. Six things are noticed:
 *
 *   damage      the log ends before the mark, in this epoch: commits are gone
 *   an old copy the store's epoch is below the mark's: a backup was restored
 *   set aside   a damaged file's events have not been put back
 *   a copy      the file is not the one that the store says it is
 *   a mark that is missing, torn or another store's: it is made again
 *   a writer that did not end well: what it left is put in order
 * (checkpoint_mend)
 *
 * Lost events are written down before anything else is (spool_lost, the audit
 * log), and their ids are not given out again. */
#ifndef OUTBOX_GUARD_H
#define OUTBOX_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "spool/error.h"

struct outbox;
struct db;

#define GUARD_NOTICES 6

struct guard {
    bool is_copy;
    int notices;
    char notice[GUARD_NOTICES][SPOOL_ERROR_SIZE];
};

/* Before a store is made in an empty file: SPOOL_DAMAGED when the mark beside
 * it says that there was one. */
enum spool_status guard_new(const char *path, struct spool_error *err);

/* Before anything is made or opened: SPOOL_DAMAGED when the file is missing or
 * empty and there was a store, by its mark or its -wal; SQLite would remove a
 * -wal beside an empty file, and a new file would make it useless. */
enum spool_status guard_empty(const char *path, struct spool_error *err);

/* Before SQLite opens the files: SPOOL_DAMAGED when the -wal is another
 * spool's, as far as the mark knows. */
enum spool_status guard_wal(const char *path, struct spool_error *err);

/* Once, while the outbox is being opened and nobody else has it. */
enum spool_status guard_open(struct outbox *box, struct spool_error *err);

/* Inside the write transaction in which a flusher starts. */
enum spool_status guard_raise_epoch(struct db *db, struct spool_error *err);

#endif
