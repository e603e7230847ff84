/* One SQLite connection: how it is opened, which pragmas it has and why, its
 * transactions and its prepared statements. Nothing outside src/outbox sees
 * SQLite, and no SQLITE_* code leaves this module: it becomes a spool_status
 * with a sentence.
 *
 * A connection is used by one thread at a time; the owner has the lock. */
#ifndef OUTBOX_DB_H
#define OUTBOX_DB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "outbox/statements.h"
#include "spool/error.h"

/* Who waits for a lock waits so long. */
#define DB_BUSY_TIMEOUT_MS 10000

struct visit;

struct db {
    sqlite3 *handle;
    const char *path;    /* borrowed; absolute */
    atomic_bool corrupt; /* SQLite has called the file damaged */
    atomic_bool misfit;  /* a statement did not fit its schema */
    int wal_frames;      /* in the WAL after this connection's last commit */
    int wal_synced;      /* of those, on disk for certain: the first so many */
    bool unsynced;       /* transactions are such that need not be on disk */
    bool owes_sync;      /* there was one since the last one that was synced */
    sqlite3_stmt *statements[STATEMENT_COUNT];
    const struct visit *visit; /* under way (visit.h) */
    /* What the mark is to say once the transaction is on disk. */
    struct {
        int64_t last, epoch;
    } told;
    bool wants_checkpoint; /* behind the transaction */
};

/* Opens an existing file. A zeroed db is closed. */
enum spool_status db_open(struct db *db, const char *path,
                          struct spool_error *err);
void db_close(struct db *db);

/* What SQLite said last, as a status and a sentence that begins with what. */
enum spool_status db_failed(struct db *db, struct spool_error *err,
                            const char *what);

/* Likewise, of a file that was opened and cannot be written. */
enum spool_status db_read_only(const struct db *db, struct spool_error *err,
                               const char *what);

/* Runs SQL that has no parameters and whose rows nobody wants. */
enum spool_status db_exec(struct db *db, const char *sql,
                          struct spool_error *err);

/* Takes the write lock at once: a transaction that reads first and writes
 * later could fail half-way. */
enum spool_status db_begin(struct db *db, struct spool_error *err);

/* A transaction of reads: one snapshot until db_rollback. Keep it short; the
 * WAL cannot restart while it is open. */
enum spool_status db_begin_read(struct db *db, struct spool_error *err);

/* SPOOL_UNKNOWN when the commit failed in a way that may have left it on disk;
 * any other failure means that nothing of it is stored. */
enum spool_status db_commit(struct db *db, struct spool_error *err);
void db_rollback(struct db *db);

/* Between two transactions: those that follow need not be on disk when they
 * are committed (their order is kept), until the next call says that they must.
 * A failure leaves that open: nothing may be acknowledged any more. */
enum spool_status db_set_unsynced(struct db *db, bool unsynced,
                                  struct spool_error *err);

/* The WAL as SQLite's own file, to be read, written and synced; NULL: it is not
 * open. */
sqlite3_file *db_wal(struct db *db);

/* SPOOL_MOVED when the file at path is not the one that is open. */
enum spool_status db_check_in_place(struct db *db, struct spool_error *err);

/* Binds and returns a prepared statement, ready for db_row. types has a letter
 * a parameter: i int64_t, t const char * (NULL allowed), b const void * and
 * size_t. Texts and blobs are borrowed until the statement is reset. NULL
 * when it cannot be prepared; db_failed says why. */
sqlite3_stmt *db_query(struct db *db, enum statement which, const char *types,
                       ...);

/* Steps: SPOOL_OK with *row true for a row, false at the end (and then the
 * statement is reset). On failure it is reset too. */
enum spool_status db_row(struct db *db, sqlite3_stmt *statement, bool *row,
                         struct spool_error *err);

/* Binds as db_query, runs to the end, resets. */
enum spool_status db_run(struct db *db, struct spool_error *err,
                         enum statement which, const char *types, ...);

/* Binds as db_query and gives the first column of the first row, or missing
 * when there is none or it is NULL. */
enum spool_status db_number(struct db *db, struct spool_error *err,
                            int64_t missing, int64_t *out, enum statement which,
                            const char *types, ...);

/* Copies a text column into a field of the caller's; "" for NULL. */
void db_copy_text(sqlite3_stmt *statement, int column, char *out, size_t size);

#endif
