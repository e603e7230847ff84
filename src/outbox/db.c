#include "outbox/db.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"

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

enum spool_status db_read_only(const struct db *db, struct spool_error *err,
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
        return db_read_only(db, err, what);
    }
    switch (status) {
    case SPOOL_BUSY:
        return failed(err, status,
                      "%s %s: another process kept it locked for %d s; look "
                      "for one that holds it open and try again",
                      what, db->path, DB_BUSY_TIMEOUT_MS / 1000);
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

void db_rollback(struct db *db)
{
    if (sqlite3_get_autocommit(db->handle) == 0) {
        (void)db_run(db, NULL, STATEMENT_ROLLBACK, "");
    }
}

static sqlite3_stmt *prepare(struct db *db, enum statement which)
{
    if (db->statements[which] == NULL &&
        (sqlite3_prepare_v3(db->handle, statement_sql[which], -1,
                            SQLITE_PREPARE_PERSISTENT, &db->statements[which],
                            NULL) &
         0xFF) == SQLITE_ERROR) {
        atomic_store(&db->misfit, true);
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
