#include "outbox/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "outbox/mark.h"

struct files {
    int fd[2]; /* the database, its WAL; -1: there is none */
};

static size_t read_files(void *arg, bool wal, uint64_t offset, void *out,
                         size_t n)
{
    const struct files *f = arg;
    ssize_t got = f->fd[wal] < 0 ? 0 : pread(f->fd[wal], out, n, (off_t)offset);
    return got > 0 ? (size_t)got : 0;
}

static uint64_t size_of(int fd)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

enum spool_status salvage_rows(const char *path, cell_found *each, void *arg,
                               struct spool_error *err)
{
    char wal[4300];
    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    struct files f = {{open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW),
                       open(wal, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)}};
    enum spool_status status = SPOOL_OK;
    if (f.fd[0] < 0 && errno != ENOENT) {
        status = failed_errno(err, "cannot read %s", path);
    }
    struct cells_source source = {read_files, &f, size_of(f.fd[0]),
                                  size_of(f.fd[1])};
    if (status == SPOOL_OK && !cells_scan(&source, each, arg)) {
        status = failed(err, SPOOL_NO_MEMORY, "out of memory");
    }
    for (int i = 0; i < 2; i++) {
        if (f.fd[i] >= 0) {
            (void)close(f.fd[i]);
        }
    }
    return status;
}

static bool keep_greatest(void *arg, const struct cell *cell)
{
    int64_t *last = arg;
    *last = cell->id > *last ? cell->id : *last;
    return true;
}

/* Reads only; what SQLite does not believe it says by an error. */
static sqlite3 *open_damaged(const char *path)
{
    sqlite3 *handle = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(path, &handle, flags, NULL) != SQLITE_OK ||
        sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                          (int *)NULL) != SQLITE_OK ||
        sqlite3_exec(handle,
                     "PRAGMA query_only = ON; PRAGMA wal_autocheckpoint = 0;"
                     "PRAGMA trusted_schema = OFF; PRAGMA mmap_size = 0;"
                     "PRAGMA cell_size_check = ON",
                     NULL, NULL, NULL) != SQLITE_OK) {
        (void)sqlite3_close(handle);
        return NULL;
    }
    return handle;
}

int64_t salvage_number(const char *path, const char *sql, int64_t missing)
{
    sqlite3 *handle = open_damaged(path);
    sqlite3_stmt *s = NULL;
    int64_t value = missing;
    if (handle != NULL &&
        sqlite3_prepare_v2(handle, sql, -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW &&
        sqlite3_column_type(s, 0) == SQLITE_INTEGER) {
        value = sqlite3_column_int64(s, 0);
    }
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(handle);
    return value;
}

int64_t salvage_last_id(const char *path, const char *file)
{
    char mark[4300];
    (void)snprintf(mark, sizeof mark, "%s-mark", path);
    int64_t last = mark_peek(mark);
    if (last > 0) {
        return last;
    }
    (void)salvage_rows(file, keep_greatest, &last, NULL);
    int64_t said = salvage_number(
        file,
        "SELECT max(dropped_to, coalesce((SELECT max(id) FROM spool_event), "
        "0)) FROM spool_store",
        0);
    return said > last ? said : last;
}

void salvage_store_id(const char *path, char out[UUID_SIZE])
{
    sqlite3 *handle = open_damaged(path);
    sqlite3_stmt *s = NULL;
    if (handle != NULL &&
        sqlite3_prepare_v2(handle, "SELECT store_id FROM spool_store", -1, &s,
                           NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW &&
        sqlite3_column_bytes(s, 0) == UUID_SIZE - 1) {
        db_copy_text(s, 0, out, UUID_SIZE);
    }
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(handle);
}

/* INSERT for the columns that a row of the damaged table has. */
static sqlite3_stmt *prepare_copy(sqlite3 *to, const char *table,
                                  sqlite3_stmt *row)
{
    char columns[1500] = "", values[300] = "", sql[2000];
    size_t c = 0, v = 0;
    for (int i = 0; i < sqlite3_column_count(row); i++) {
        c += (size_t)snprintf(columns + c, sizeof columns - c, "%s\"%s\"",
                              i > 0 ? ", " : "", sqlite3_column_name(row, i));
        v += (size_t)snprintf(values + v, sizeof values - v, "%s?",
                              i > 0 ? ", " : "");
        if (c >= sizeof columns || v >= sizeof values) {
            return NULL;
        }
    }
    (void)snprintf(sql, sizeof sql, "INSERT OR IGNORE INTO %s (%s) VALUES (%s)",
                   table, columns, values);
    sqlite3_stmt *s = NULL;
    (void)sqlite3_prepare_v2(to, sql, -1, &s, NULL);
    return s;
}

/* A row that the table's own rules refuse is one that could not be read. */
bool salvage_rows_of(sqlite3 *db, const char *table, sqlite3_stmt *from)
{
    bool whole = true;
    int rc = sqlite3_step(from);
    sqlite3_stmt *to = rc == SQLITE_ROW ? prepare_copy(db, table, from) : NULL;
    for (; rc == SQLITE_ROW; rc = sqlite3_step(from)) {
        for (int i = 0; to != NULL && i < sqlite3_column_count(from); i++) {
            (void)sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
        }
        whole = to != NULL && sqlite3_step(to) == SQLITE_DONE && whole;
        (void)sqlite3_reset(to);
    }
    (void)sqlite3_finalize(to);
    return whole && rc == SQLITE_DONE;
}

/* From the front up to where the tree is broken, and then from the back. */
bool salvage_table(struct db *db, const char *path, const char *table)
{
    static const char *const orders[] = {"ASC", "DESC"};
    sqlite3 *handle = open_damaged(path);
    bool whole = false;
    for (int i = 0; handle != NULL && i < 2 && !whole; i++) {
        sqlite3_stmt *s = NULL;
        char sql[128];
        (void)snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY 1 %s", table,
                       orders[i]);
        whole = sqlite3_prepare_v2(handle, sql, -1, &s, NULL) == SQLITE_OK &&
                salvage_rows_of(db->handle, table, s) && i == 0;
        (void)sqlite3_finalize(s);
    }
    (void)sqlite3_close(handle);
    return whole;
}

int64_t salvage_again(struct db *db, const char *path)
{
    static const char *const known[] = {
        "SELECT key, event FROM spool_key",
        "SELECT number, event FROM spool_order WHERE NOT EXISTS (SELECT 1 "
        "FROM spool_key WHERE key = number)"};
    static const enum statement by[] = {STATEMENT_KEY_GET, STATEMENT_ORDER_GET};
    sqlite3 *handle = open_damaged(path);
    int64_t again = 0;
    for (int i = 0; handle != NULL && i < 2; i++) {
        sqlite3_stmt *s = NULL;
        (void)sqlite3_prepare_v2(handle, known[i], -1, &s, NULL);
        while (s != NULL && sqlite3_step(s) == SQLITE_ROW) {
            int64_t event = sqlite3_column_int64(s, 1), now = event;
            (void)db_number(db, NULL, event, &now, by[i], "t",
                            (const char *)sqlite3_column_text(s, 0));
            again += now != event;
        }
        (void)sqlite3_finalize(s);
    }
    (void)sqlite3_close(handle);
    return again;
}

bool salvage_express(struct db *db, const char *path, int64_t destination,
                     int64_t to)
{
    char sql[160];
    sqlite3 *handle = open_damaged(path);
    sqlite3_stmt *s = NULL;
    (void)snprintf(sql, sizeof sql,
                   "SELECT * FROM spool_express WHERE destination = %lld "
                   "AND hi <= %lld",
                   (long long)destination, (long long)to);
    int rc = handle != NULL ? sqlite3_prepare_v2(handle, sql, -1, &s, NULL)
                            : SQLITE_CANTOPEN;
    bool whole =
        rc == SQLITE_ERROR || /* there is no such table */
        (rc == SQLITE_OK && salvage_rows_of(db->handle, "spool_express", s));
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(handle);
    return whole;
}

static bool add_tile(struct tile **out, size_t *n, size_t *room,
                     const struct tile *t)
{
    if (*n == *room) {
        size_t more = *room == 0 ? 64 : *room * 2;
        struct tile *tiles = realloc(*out, more * sizeof *tiles);
        if (tiles == NULL) {
            return false;
        }
        *out = tiles;
        *room = more;
    }
    (*out)[(*n)++] = *t;
    return true;
}

/* A state that a flip has turned into no word is not believed. */
static bool tile_is_sane(sqlite3_stmt *s, const struct tile *t)
{
    char state[16];
    db_copy_text(s, 7, state, sizeof state);
    return strcmp(state, tile_state_name(t->state)) == 0 && t->lo > 0 &&
           t->hi >= t->lo && t->attempts >= 0 &&
           strlen(t->key) == UUID_SIZE - 1;
}

bool salvage_tiles(const char *path, int64_t destination, int lane,
                   struct tile **out, size_t *n)
{
    static const char *const orders[] = {"ASC", "DESC"};
    sqlite3 *handle = open_damaged(path);
    bool whole = false;
    size_t room = 0;
    *out = NULL;
    *n = 0;
    for (int i = 0; handle != NULL && i < 2 && !whole; i++) {
        sqlite3_stmt *s = NULL;
        char sql[256];
        (void)snprintf(sql, sizeof sql,
                       "SELECT id, destination, lane, lo, hi, events, passed, "
                       "state, key, attempts, uncertain, unknown, next_at "
                       "FROM spool_batch NOT INDEXED ORDER BY id %s",
                       orders[i]);
        int rc = sqlite3_prepare_v2(handle, sql, -1, &s, NULL);
        bool good = rc == SQLITE_OK;
        while (good && (rc = sqlite3_step(s)) == SQLITE_ROW) {
            struct tile t;
            tile_read(s, &t);
            if (t.destination == destination && t.lane == lane) {
                good = !tile_is_sane(s, &t) || add_tile(out, n, &room, &t);
            }
        }
        whole = i == 0 && rc == SQLITE_DONE;
        (void)sqlite3_finalize(s);
    }
    (void)sqlite3_close(handle);
    return whole;
}
