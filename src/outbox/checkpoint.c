#include "outbox/checkpoint.h"

#include <stdio.h>
#include <time.h>

#include "base/error.h"
#include "outbox/shm.h"
#include "outbox/wal.h"
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
    if (*whole) {
        w->db.wal_synced = 0; /* the next frame is the first, most likely */
        w->db.owes_sync = false;
        w->wal_frames_told = 0;
    }
    return status;
}

/* What a sync has failed to write is read as if it were on disk. In another WAL
 * than we know, all that there is may be such. Other processes that have it
 * open are told by the kernel, each at its own next sync (fsync(2), since Linux
 * 4.13), and end as well. */
void checkpoint_doubt(struct writer *w)
{
    uint32_t number = 0;
    bool known = wal_number(w->db.path, &number) && number == w->mark.wal;
    w->ended = SPOOL_UNKNOWN;
    int64_t synced = known ? w->db.wal_synced : 0;
    mark_doubt(&w->mark, synced > 0 ? number : 0, synced);
}

/* On a disk on which a write may damage the bytes beside it SQLite fills the
 * sector up with one more frame, and writes what is left of that behind the
 * sync. */
static bool fills_up(sqlite3_file *wal)
{
    return (wal->pMethods->xDeviceCharacteristics(wal) &
            SQLITE_IOCAP_POWERSAFE_OVERWRITE) == 0;
}

bool checkpoint_settle(struct writer *w)
{
    sqlite3_file *wal = db_wal(&w->db);
    if (wal == NULL || (!w->db.owes_sync && !fills_up(wal))) {
        return true;
    }
    if (wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL) != SQLITE_OK) {
        checkpoint_doubt(w);
        return false;
    }
    w->db.owes_sync = false;
    w->db.wal_synced = w->db.wal_frames;
    return true;
}

/* What is synced before the lock is taken need not be synced under it; and no
 * checkpoint begins on what could not be. */
void checkpoint_try(struct writer *w)
{
    bool whole;
    if (w->ended == SPOOL_OK && checkpoint_settle(w)) {
        (void)checkpoint_locked(w, &whole, NULL);
    }
}

enum spool_status checkpoint_overwrite(struct writer *w,
                                       struct spool_error *err)
{
    enum spool_status status = db_begin(&w->db, err);
    if (status == SPOOL_OK) {
        mark_begin(&w->mark, shm_is_empty(w->db.handle));
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
    char who[48] = "another one";
    long reader = shm_reader(w->db.path);
    if (reader > 0) {
        (void)snprintf(who, sizeof who, "process %ld", reader);
    }
    return failed(err, SPOOL_BUSY,
                  "%s was left by a program that did not end well, and cannot "
                  "be put in order while %s keeps reading it; end that one and "
                  "try again",
                  w->db.path, who);
}

/* Where what may not be on disk begins. */
static int64_t doubted_from(sqlite3_file *wal, const char *path, int64_t frames)
{
    int64_t sector = wal->pMethods->xSectorSize(wal);
    if (frames == 0 || !fills_up(wal) || sector <= 0) {
        return wal_offset(path, frames);
    }
    int64_t at = wal_offset(path, frames - 1);
    return (at + sector - 1) / sector * sector;
}

static int write_over(sqlite3_file *wal, int64_t at, int64_t end)
{
    char part[8192];
    int rc = SQLITE_OK;
    while (rc == SQLITE_OK && at < end) {
        int64_t left = end - at;
        int n = left < (int64_t)sizeof part ? (int)left : (int)sizeof part;
        rc = wal->pMethods->xRead(wal, part, n, at);
        if (rc == SQLITE_OK) {
            rc = wal->pMethods->xWrite(wal, part, n, at);
        }
        at += n;
    }
    return rc == SQLITE_OK ? wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL) : rc;
}

/* To the end. The head by itself, as SQLite does when it begins a WAL anew:
 * frames of the one before are not to be spoilt while they still count. */
static int rewrite(sqlite3_file *wal, int64_t at)
{
    sqlite3_int64 size = 0;
    int rc = wal->pMethods->xFileSize(wal, &size);
    if (rc == SQLITE_OK && at < WAL_HEAD && size >= WAL_HEAD) {
        rc = write_over(wal, 0, WAL_HEAD);
        at = WAL_HEAD;
    }
    return rc == SQLITE_OK ? write_over(wal, at, size) : rc;
}

/* The kernel takes pages that a sync failed to write for written: no sync
 * writes them any more. Written to once more, with the bytes that are read from
 * them, they are. What is on disk already is spared that, since what is being
 * written when the power goes out may be lost. Behind this the WAL is on disk
 * as it is read, and a checkpoint can be broken off anywhere. */
static enum spool_status write_again(struct writer *w, int64_t frames,
                                     struct spool_error *err)
{
    enum spool_status status = db_begin(&w->db, err); /* nobody appends */
    if (status != SPOOL_OK) {
        return status;
    }
    sqlite3_file *wal = db_wal(&w->db);
    int rc = wal == NULL ? SQLITE_OK
                         : rewrite(wal, doubted_from(wal, w->db.path, frames));
    db_rollback(&w->db);
    if (rc == SQLITE_OK) {
        return SPOOL_OK;
    }
    return failed(err, (rc & 0xFF) == SQLITE_FULL ? SPOOL_FULL : SPOOL_IO,
                  "%s-wal cannot be written to disk once more, after that "
                  "failed before (SQLite error %d); see what is wrong with the "
                  "disk and open the spool again",
                  w->db.path, rc);
}

static enum spool_status mend(struct writer *w, struct spool_error *err)
{
    uint32_t number = 0;
    int64_t frames;
    bool known = wal_number(w->db.path, &number);
    bool doubted = mark_doubts(&w->mark, number, &frames);
    enum spool_status status =
        doubted ? write_again(w, known ? frames : 0, err) : SPOOL_OK;
    if (status == SPOOL_OK) {
        status = checkpoint_whole(w, err);
        if (status == SPOOL_IO && !doubted) {
            mark_doubt(&w->mark, 0, 0); /* whose sync, nobody knows */
        }
    }
    return status;
}

enum spool_status checkpoint_mend(struct writer *w, struct spool_error *err)
{
    enum spool_status status = mend(w, err);
    if (status == SPOOL_FULL) {
        ballast_give_up(&w->ballast);
        status = mend(w, err);
    }
    return status == SPOOL_OK ? checkpoint_overwrite(w, err) : status;
}
