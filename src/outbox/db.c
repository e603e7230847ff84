#include "outbox/db.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "outbox/migrate.h"
#include "outbox/visit.h"

#define BUSY_TIMEOUT_MS 10000

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

sqlite3_file *db_wal(struct db *db)
{
    sqlite3_file *wal = NULL;
    int rc = sqlite3_file_control(db->handle, "main",
                                  SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    return rc == SQLITE_OK && wal != NULL && wal->pMethods != NULL ? wal : NULL;
}

/* A quota and a limit on the size of a file are a full disk to the user; SQLite
 * calls only ENOSPC by that name. It is the WAL that is written to. */
static bool is_full(struct db *db, int code)
{
    sqlite3_file *wal = code == SQLITE_IOERR_WRITE ? db_wal(db) : NULL;
    int why = 0;
    if (wal == NULL) {
        return false;
    }
    (void)wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &why);
    return why == EFBIG || why == EDQUOT;
}

static enum spool_status status_of(int code)
{
    switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return SPOOL_BUSY;
    case SQLITE_FULL:
        return SPOOL_FULL;
    case SQLITE_NOMEM:
        return SPOOL_NO_MEMORY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return SPOOL_DAMAGED;
    default: /* SQLite's codes are not ours to list */
        return SPOOL_IO;
    }
}

static enum spool_status read_only(const struct db *db, struct spool_error *err,
                                   const char *what)
{
    return failed(err, SPOOL_IO,
                  "%s %s: it or its file system is read-only; make it "
                  "writable and open the spool again",
                  what, db->path);
}

enum spool_status db_failed(struct db *db, struct spool_error *err,
                            const char *what)
{
    int code = sqlite3_extended_errcode(db->handle);
    enum spool_status status = is_full(db, code) ? SPOOL_FULL : status_of(code);
    if ((code & 0xFF) == SQLITE_READONLY ||
        (status == SPOOL_IO && sqlite3_system_errno(db->handle) == EROFS)) {
        return read_only(db, err, what);
    }
    switch (status) {
    case SPOOL_BUSY:
        return failed(err, status,
                      "%s %s: another process kept it locked for %d s; look "
                      "for one that holds it open and try again",
                      what, db->path, BUSY_TIMEOUT_MS / 1000);
    case SPOOL_FULL:
        return failed(err, status,
                      "%s %s: the disk is full; free some space, nothing was "
                      "changed",
                      what, db->path);
    case SPOOL_DAMAGED:
        atomic_store(&db->corrupt, true);
        return failed(err, status,
                      "%s %s: the file is damaged or is no spool (%s); run "
                      "spoolctl verify",
                      what, db->path, sqlite3_errmsg(db->handle));
    default: /* the others need no more than SQLite's words */
        return failed(err, status, "%s %s: %s (SQLite error %d)", what,
                      db->path, sqlite3_errmsg(db->handle), code);
    }
}

enum spool_status db_exec(struct db *db, const char *sql,
                          struct spool_error *err)
{
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK) {
        return db_failed(db, err, "cannot use");
    }
    return SPOOL_OK;
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
    (void)sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                            (int *)NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1,
                            (int *)NULL);
    /* Before the first pragma that would change a file that is not ours. */
    enum spool_status status = migrate_check(db, err);
    if (status == SPOOL_OK && sqlite3_db_readonly(db->handle, "main") == 1) {
        status = read_only(db, err, "cannot use"); /* opened, all the same */
    }
    if (status == SPOOL_OK) {
        status = db_exec(db, pragmas, err);
    }
    if (status == SPOOL_OK) {
        status = shape(db, err);
    }
    if (status == SPOOL_OK) {
        status = pragma_is(db, "journal_mode = WAL", "wal", err);
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

enum spool_status db_begin(struct db *db, struct spool_error *err)
{
    return db_run(db, err, STATEMENT_BEGIN, "");
}

enum spool_status db_begin_read(struct db *db, struct spool_error *err)
{
    return db_run(db, err, STATEMENT_BEGIN_READ, "");
}

enum spool_status db_commit(struct db *db, struct spool_error *err)
{
    struct spool_error why;
    enum spool_status status = db_run(db, &why, STATEMENT_COMMIT, "");
    if (status == SPOOL_OK) {
        return SPOOL_OK;
    }
    bool still_open = sqlite3_get_autocommit(db->handle) == 0;
    db_rollback(db);
    /* BUSY comes before anything is written. FULL comes from writing a frame,
     * so there is no whole commit record (with POWERSAFE_OVERWRITE, SQLite's
     * default: none is padded behind it), and SQLite has rolled back by itself.
     * Any other failure may have come behind the record: after a failed sync
     * the rows may well be there when the file is opened again. */
    if ((still_open && status == SPOOL_BUSY) || status == SPOOL_FULL) {
        return failed(err, status, "%s", why.message);
    }
    return failed(err, SPOOL_UNKNOWN,
                  "the commit to %s failed and may or may not be stored: %s; "
                  "open the spool again before putting more",
                  db->path, why.message);
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

void db_rollback(struct db *db)
{
    if (sqlite3_get_autocommit(db->handle) == 0) {
        (void)db_run(db, NULL, STATEMENT_ROLLBACK, "");
    }
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

static sqlite3_stmt *prepare(struct db *db, enum statement which)
{
    if (db->statements[which] == NULL) {
        (void)sqlite3_prepare_v3(db->handle, statement_sql[which], -1,
                                 SQLITE_PREPARE_PERSISTENT,
                                 &db->statements[which], NULL);
    }
    return db->statements[which];
}

static void bind(sqlite3_stmt *s, const char *types, va_list args)
{
    for (int n = 1; *types != '\0'; types++, n++) {
        if (*types == 'i') {
            (void)sqlite3_bind_int64(s, n, va_arg(args, int64_t));
        } else if (*types == 't') {
            (void)sqlite3_bind_text(s, n, va_arg(args, const char *), -1,
                                    SQLITE_STATIC);
        } else {
            const void *bytes = va_arg(args, const void *);
            size_t len = va_arg(args, size_t);
            (void)sqlite3_bind_blob64(s, n, bytes, len, SQLITE_STATIC);
        }
    }
}

sqlite3_stmt *db_query(struct db *db, enum statement which, const char *types,
                       ...)
{
    sqlite3_stmt *s = prepare(db, which);
    if (s != NULL) {
        va_list args;
        va_start(args, types);
        bind(s, types, args);
        va_end(args);
    }
    return s;
}

enum spool_status db_row(struct db *db, sqlite3_stmt *statement, bool *row,
                         struct spool_error *err)
{
    *row = false;
    int rc = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        *row = true;
        return SPOOL_OK;
    }
    enum spool_status status =
        rc == SQLITE_DONE ? SPOOL_OK : db_failed(db, err, "cannot use");
    (void)sqlite3_reset(statement);
    return status;
}

enum spool_status db_run(struct db *db, struct spool_error *err,
                         enum statement which, const char *types, ...)
{
    sqlite3_stmt *s = prepare(db, which);
    if (s == NULL) {
        return db_failed(db, err, "cannot use");
    }
    va_list args;
    va_start(args, types);
    bind(s, types, args);
    va_end(args);
    bool row = true;
    enum spool_status status = SPOOL_OK;
    while (row) {
        status = db_row(db, s, &row, err);
    }
    return status;
}

enum spool_status db_number(struct db *db, struct spool_error *err,
                            int64_t missing, int64_t *out, enum statement which,
                            const char *types, ...)
{
    sqlite3_stmt *s = prepare(db, which);
    if (s == NULL) {
        return db_failed(db, err, "cannot use");
    }
    va_list args;
    va_start(args, types);
    bind(s, types, args);
    va_end(args);
    bool row;
    enum spool_status status = db_row(db, s, &row, err);
    if (status == SPOOL_OK) {
        bool some = row && sqlite3_column_type(s, 0) != SQLITE_NULL;
        *out = some ? sqlite3_column_int64(s, 0) : missing;
        (void)sqlite3_reset(s);
    }
    return status;
}

void db_copy_text(sqlite3_stmt *statement, int column, char *out, size_t size)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    (void)snprintf(out, size, "%s", text == NULL ? "" : (const char *)text);
}
