#include "outbox/checkpoint.h"

#include <time.h>

#include "base/error.h"
#include "outbox/writer.h"

/* For readers who keep a checkpoint from being whole: ten seconds, as for
 * those who hold the write lock. */
#define MEND_WAIT_NS 10000000L
#define MEND_TRIES   1000

/* SQLite before 3.51.3 loses commits when a checkpoint runs beside a writer
 * that restarts the WAL. So nobody may write meanwhile: one connection holds
 * the write lock and writes nothing, the other one checkpoints. PASSIVE is the
 * mode that does not ask for the write lock itself. A failure is no loss: the
 * WAL stays and the next commit tries again. Most who open a spool never come
 * to it, so the second connection is made when it is needed. whole: nothing of
 * the WAL is needed any more, since no reader kept a part of it back. */
static enum spool_status checkpoint_locked(struct writer *w, bool *whole,
                                           struct spool_error *err)
{
    int frames = -1, done = -1;
    enum spool_status status = SPOOL_OK;
    if (w->checkpoint.handle == NULL) {
        status = db_open(&w->checkpoint, w->db.path, err);
    }
    /* What was opened by name just now must be the file that is locked. */
    if (status == SPOOL_OK) {
        status = site_check(&w->site, w->db.path, err);
    }
    if (status == SPOOL_OK) {
        status = db_begin(&w->db, err);
    }
    if (status != SPOOL_OK) {
        return status;
    }
    if (sqlite3_wal_checkpoint_v2(w->checkpoint.handle, "main",
                                  SQLITE_CHECKPOINT_PASSIVE, &frames,
                                  &done) != SQLITE_OK) {
        status = db_failed(&w->checkpoint, err, "cannot checkpoint");
        if (status == SPOOL_DAMAGED) {
            atomic_store(&w->db.corrupt, true);
        }
    }
    db_rollback(&w->db);
    w->db.wal_frames = 0;
    *whole = status == SPOOL_OK && frames == done;
    return status;
}

void checkpoint_try(struct writer *w)
{
    bool whole;
    (void)checkpoint_locked(w, &whole, NULL);
}

enum spool_status checkpoint_overwrite(struct writer *w,
                                       struct spool_error *err)
{
    enum spool_status status = db_begin(&w->db, err);
    if (status == SPOOL_OK) {
        status = db_run(&w->db, err, STATEMENT_STORE_RAISE_EPOCH, "");
        if (status == SPOOL_OK) {
            return db_commit(&w->db, err);
        }
        db_rollback(&w->db);
    }
    return status;
}

/* Readers are brief, but one of them may have just begun. */
static enum spool_status checkpoint_whole(struct writer *w,
                                          struct spool_error *err)
{
    static const struct timespec moment = {.tv_nsec = MEND_WAIT_NS};
    bool whole = false;
    for (int i = 0; i < MEND_TRIES; i++) {
        enum spool_status status = checkpoint_locked(w, &whole, err);
        if (status != SPOOL_OK || whole) {
            return status;
        }
        (void)nanosleep(&moment, NULL);
    }
    return failed(err, SPOOL_BUSY,
                  "%s was left by a program that did not end well, and cannot "
                  "be put in order while another one keeps reading it; end "
                  "that one and try again",
                  w->db.path);
}

enum spool_status checkpoint_mend(struct writer *w, struct spool_error *err)
{
    enum spool_status status = checkpoint_whole(w, err);
    if (status == SPOOL_FULL) {
        ballast_give_up(&w->ballast);
        status = checkpoint_whole(w, err);
    }
    return status == SPOOL_OK ? checkpoint_overwrite(w, err) : status;
}
