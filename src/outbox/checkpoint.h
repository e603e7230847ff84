/* Checkpoints: what the WAL holds goes into the database. SQLite makes none by
 * itself here; they are made by whoever leads the writer (writer.h), or while
 * the outbox is being opened, and only under the write lock. */
#ifndef OUTBOX_CHECKPOINT_H
#define OUTBOX_CHECKPOINT_H

#include <stdbool.h>

#include "spool/error.h"

struct writer;

/* A failure is no loss: the WAL stays, and the next one tries again; unless it
 * holds what may not be on disk, and that could not be synced: then the writer
 * ends, since the commits behind that would stand on it, and no checkpoint is
 * made any more. */
void checkpoint_try(struct writer *w);

/* For who leads: a sync failed. Nothing is accepted any more, and the next one
 * who opens the outbox mends it (checkpoint_mend). */
void checkpoint_doubt(struct writer *w);

/* Syncs what may not be on disk, without the write lock: a commit that need not
 * be, and on a disk on which a write may damage the bytes beside it the end of
 * any commit, which SQLite writes behind its sync. False: that failed, and the
 * writer has ended. */
bool checkpoint_settle(struct writer *w);

/* A commit that changes nothing but the epoch, since SQLite writes no page that
 * stays as it is. It lies over whatever a commit that failed has left in the
 * WAL, so that nobody takes that for one that is on disk; and behind a
 * checkpoint of all of the WAL it begins the WAL anew. */
enum spool_status checkpoint_overwrite(struct writer *w,
                                       struct spool_error *err);

/* Once, while the outbox is being opened and a writer that is gone did not end
 * well: what lies in the WAL need not be what is on the disk, though the next
 * commits would stand on it. Puts all of it into the database and begins the
 * WAL anew; on a full disk the ballast is given up for that. On failure
 * nothing may be acknowledged; nothing is lost either. SPOOL_BUSY: a reader
 * kept it from being done for ten seconds. What a failed sync has kept from the
 * disk is in memory only, and is written to the WAL once more before any of it
 * goes into the database: wherever the power goes out, the WAL or the database
 * is whole. */
enum spool_status checkpoint_mend(struct writer *w, struct spool_error *err);

#endif
