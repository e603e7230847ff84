/* How long a writer holds the write lock, for what, and how often the disk is
 * synced meanwhile: from the statements it runs and a VFS over SQLite's own
 * that passes everything on. One writer, one thread. */
#ifndef SUPPORT_LOCK_WATCH_H
#define SUPPORT_LOCK_WATCH_H

#include "outbox/db.h"

enum lock_use {
    LOCK_COMMIT,     /* something was written */
    LOCK_BEGIN,      /* the WAL was begun anew, and nothing else */
    LOCK_CHECKPOINT, /* or a transaction that was rolled back */
    LOCK_USES
};

struct lock_watch {
    long n[LOCK_USES];
    long synced[LOCK_USES]; /* of those, with a sync while the lock was held */
    double longest[LOCK_USES]; /* seconds */
    double longest_sync;       /* of the database and its WAL */
};

/* What is opened from now on is watched. Every sync takes delay_ms more, as on
 * a slow disk. */
void lock_watch_start(struct lock_watch *w, int delay_ms);

/* Counts from now on, for this connection. */
void lock_watch_follow(struct lock_watch *w, struct db *db);

/* SQLite's own VFS is the default again; what is open stays watched. */
void lock_watch_stop(void);

#endif
