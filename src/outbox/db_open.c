/* How a connection is opened: its pragmas, and what is looked at before. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "outbox/db.h"
#include "outbox/migrate.h"
#include "outbox/visit.h"

/* Each with its reason. They are read back where a wrong value would lose
 * data. */
static const char pragmas[] =
    /* An acknowledged event survives a power cut: FULL syncs the WAL at every
     * commit. NORMAL loses acknowledged rows, OFF corrupts. */
    "PRAGMA synchronous = FULL;"
    /* A checkpoint that races with a writer which restarts the WAL loses
     * commits (SQLite before 3.51.3): ours are made under the write lock, by
     * checkpoint.c alone. */
    "PRAGMA wal_autocheckpoint = 0;"
    /* Frames spilled and rewritten before a rollback stay without a valid
     * checksum (SQLite before 3.50.2), and recovery stops there. */
    "PRAGMA cache_spill = OFF;"
    /* An I/O error or a truncated file must be an error, not a SIGBUS. */
    "PRAGMA mmap_size = 0;"
    /* The file may have been prepared by somebody else. */
    "PRAGMA trusted_schema = OFF;"
    "PRAGMA cell_size_check = ON;"
    "PRAGMA foreign_keys = OFF;"
    "PRAGMA temp_store = MEMORY;"
    /* Deleted payloads are overwritten where that costs no extra I/O. */
    "PRAGMA secure_delete = FAST;"
    "PRAGMA cache_size = -4096;";

static int on_commit_wal(void *arg, sqlite3 *handle, const char *name,
                         int frames)
{
    struct db *db = arg;
    (void)handle;
    (void)name;
    db->wal_frames = frames;
    if (!db->unsynced) {
        db->wal_synced = frames; /* and whatever lies in front of them */
    } else if (frames < db->wal_synced) {
        db->wal_synced = 0; /* begun anew */
    }
    db->owes_sync = db->unsynced;
    return SQLITE_OK;
}

static enum spool_status pragma_get(struct db *db, const char *pragma,
                                    char got[32], struct spool_error *err)
{
    sqlite3_stmt *s = NULL;
    char sql[64];
    got[0] = '\0';
    (void)snprintf(sql, sizeof sql, "PRAGMA %s", pragma);
    int rc = sqlite3_prepare_v2(db->handle, sql, -1, &s, NULL);
    if (rc == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
        db_copy_text(s, 0, got, 32);
    }
    rc = sqlite3_finalize(s);
    return rc == SQLITE_OK ? SPOOL_OK : db_failed(db, err, "cannot configure");
}

static enum spool_status pragma_is(struct db *db, const char *pragma,
                                   const char *want, struct spool_error *err)
{
    char got[32];
    enum spool_status status = pragma_get(db, pragma, got, err);
    if (status == SPOOL_OK && strcmp(got, want) != 0) {
        return failed(err, SPOOL_IO,
                      "cannot use %s: SQLite answers %s = %s where the spool "
                      "needs %s; is the file on a network or read-only file "
                      "system?",
                      db->path, pragma, got, want);
    }
    return status;
}

/* Both take effect on an empty file only. A drained spool can shrink; and a
 * page holds some twenty events, which are written and read in half as many
 * calls as with SQLite's 4096. Where it is so already nothing is said: SQLite
 * would commit it once more, at every opening. */
static enum spool_status shape(struct db *db, struct spool_error *err)
{
    char got[32];
    enum spool_status status = pragma_get(db, "auto_vacuum", got, err);
    if (status == SPOOL_OK && strcmp(got, "2") != 0) {
        return db_exec(db,
                       "PRAGMA page_size = 8192;"
                       "PRAGMA auto_vacuum = INCREMENTAL",
                       err);
    }
    return status;
}

/* Of several that open a new file one makes it so, and SQLite has the others
 * wait for that only where it is sure that nobody waits for them. */
static enum spool_status use_wal(struct db *db, struct spool_error *err)
{
    enum spool_status status;
    int waited = 0;
    (void)sqlite3_busy_timeout(db->handle, 0);
    do {
        status = pragma_is(db, "journal_mode = WAL", "wal", err);
        waited += status == SPOOL_BUSY ? sqlite3_sleep(10) : 0;
    } while (status == SPOOL_BUSY && waited < DB_BUSY_TIMEOUT_MS);
    (void)sqlite3_busy_timeout(db->handle, DB_BUSY_TIMEOUT_MS);
    return status;
}

enum spool_status db_open(struct db *db, const char *path,
                          struct spool_error *err)
{
    memset(db, 0, sizeof *db);
    db->path = path;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(path, &db->handle, flags, NULL) != SQLITE_OK) {
        enum spool_status status = db_failed(db, err, "cannot open");
        db_close(db);
        return status;
    }
    (void)sqlite3_busy_timeout(db->handle, DB_BUSY_TIMEOUT_MS);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                            (int *)NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1,
                            (int *)NULL);
    /* Before the first pragma that would change a file that is not ours. */
    enum spool_status status = migrate_check(db, err);
    if (status == SPOOL_OK && sqlite3_db_readonly(db->handle, "main") == 1) {
        status = db_read_only(db, err, "cannot use"); /* opened, all the same */
    }
    if (status == SPOOL_OK) {
        status = db_exec(db, pragmas, err);
    }
    if (status == SPOOL_OK) {
        status = shape(db, err);
    }
    if (status == SPOOL_OK) {
        status = use_wal(db, err);
    }
    if (status == SPOOL_OK) {
        status = pragma_is(db, "synchronous", "2", err);
    }
    if (status == SPOOL_OK) {
        status = pragma_is(db, "cache_spill", "0", err);
    }
    if (status == SPOOL_OK && visit_install(db) != SQLITE_OK) {
        status = db_failed(db, err, "cannot configure");
    }
    if (status != SPOOL_OK) {
        db_close(db);
        return status;
    }
    (void)sqlite3_wal_hook(db->handle, on_commit_wal, db);
    return SPOOL_OK;
}

void db_close(struct db *db)
{
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        (void)sqlite3_finalize(db->statements[i]);
        db->statements[i] = NULL;
    }
    (void)sqlite3_close(db->handle);
    db->handle = NULL; /* what is known of the file stays */
}

/* NORMAL syncs the WAL when it begins anew and when it is checkpointed, and
 * whoever commits with FULL syncs all that lies in it. SQLite does as this says
 * when it reads it; it is read back all the same. */
enum spool_status db_set_unsynced(struct db *db, bool unsynced,
                                  struct spool_error *err)
{
    enum spool_status status = db_exec(db,
                                       unsynced ? "PRAGMA synchronous = NORMAL"
                                                : "PRAGMA synchronous = FULL",
                                       err);
    db->unsynced = unsynced || status != SPOOL_OK;
    return status == SPOOL_OK
               ? pragma_is(db, "synchronous", unsynced ? "1" : "2", err)
               : status;
}

enum spool_status db_check_in_place(struct db *db, struct spool_error *err)
{
    int moved = 0;
    int rc = sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_HAS_MOVED,
                                  &moved);
    if (rc == SQLITE_OK && !moved) {
        return SPOOL_OK;
    }
    return failed(err, SPOOL_MOVED,
                  "%s was moved, removed or replaced while it was being "
                  "opened; open it again",
                  db->path);
}
