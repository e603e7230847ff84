#include "outbox/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "outbox/salvage.h"
#include "outbox/site.h"
#include "outbox/store.h"

#define NAME_SIZE 4300

void keep_name(const char *path, char *out, size_t size)
{
    if ((size_t)snprintf(out, size, "%s-destinations", path) >= size) {
        out[0] = '\0';
    }
}

/* A table as it is by now, columns of later releases and all. */
static bool copy_table(sqlite3 *to, struct db *db, const char *table)
{
    char sql[96];
    sqlite3_stmt *s = NULL;
    (void)snprintf(sql, sizeof sql,
                   "SELECT sql FROM sqlite_schema WHERE name = '%s'", table);
    bool done =
        sqlite3_prepare_v2(db->handle, sql, -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW &&
        sqlite3_exec(to, (const char *)sqlite3_column_text(s, 0), NULL, NULL,
                     NULL) == SQLITE_OK;
    (void)sqlite3_finalize(s);
    (void)snprintf(sql, sizeof sql, "SELECT * FROM %s", table);
    if (!done ||
        sqlite3_prepare_v2(db->handle, sql, -1, &s, NULL) != SQLITE_OK) {
        return false;
    }
    done = salvage_rows_of(to, table, s);
    (void)sqlite3_finalize(s);
    return done;
}

static bool copy_into(sqlite3 *to, struct db *db)
{
    return sqlite3_exec(to, "PRAGMA synchronous = OFF; BEGIN", NULL, NULL,
                        NULL) == SQLITE_OK &&
           copy_table(to, db, "spool_destination") &&
           copy_table(to, db, "spool_limit") &&
           copy_table(to, db, "spool_class") &&
           sqlite3_exec(to, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
}

static enum spool_status write_half(struct db *db, const char *half,
                                    struct spool_error *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
    sqlite3 *to = NULL;
    /* A plain file, renamed and synced as one, whatever the outbox lies on. */
    bool done = sqlite3_open_v2(half, &to, flags, "unix") == SQLITE_OK &&
                copy_into(to, db);
    (void)sqlite3_close(to);
    return done ? SPOOL_OK
                : failed(err, SPOOL_IO,
                         "cannot write %s, the copy of the destinations; "
                         "look whether the disk is full",
                         half);
}

static enum spool_status make_half(const char *path, const char *half,
                                   struct spool_error *err)
{
    (void)unlink(half); /* of one who was killed */
    int fd = open(half, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return failed_errno(err, "cannot make %s", half);
    }
    enum spool_status status = SPOOL_OK;
    if (fchmod(fd, site_mode(path)) != 0) {
        status = failed_errno(err, "cannot set the mode of %s", half);
    }
    (void)close(fd);
    return status;
}

enum spool_status keep_write(struct db *db, struct spool_error *err)
{
    char name[NAME_SIZE], half[NAME_SIZE + 8];
    keep_name(db->path, name, sizeof name);
    (void)snprintf(half, sizeof half, "%s-half", name);
    enum spool_status status = make_half(db->path, half, err);
    if (status == SPOOL_OK) {
        status = write_half(db, half, err);
    }
    if (status == SPOOL_OK) {
        status = site_replace(half, name, err);
    }
    if (status != SPOOL_OK) {
        (void)unlink(half);
    }
    return status;
}

bool keep_is_missing(const char *path)
{
    char name[NAME_SIZE];
    struct stat st;
    keep_name(path, name, sizeof name);
    return lstat(name, &st) != 0 && errno == ENOENT;
}

static enum spool_status salvage_destinations(struct db *db, const char *path,
                                              const char *name, int64_t now,
                                              struct spool_error *err)
{
    struct destination d;
    if (salvage_table(db, path, "spool_destination") ||
        salvage_table(db, name, "spool_destination")) {
        return SPOOL_OK;
    }
    destination_default(&d);
    return db_run(db, err, STATEMENT_DESTINATION_STAND_IN, "ittiiiiiiii",
                  (int64_t)KEEP_GONE_ID, DESTINATION_STAND_IN, d.profile,
                  (int64_t)d.lanes, (int64_t)d.batch_events, d.batch_bytes,
                  d.batch_age_ms, d.backoff_base_ms, d.backoff_cap_ms,
                  (int64_t)d.hold_after, now);
}

static void salvage_limits(struct db *db, const char *path, const char *name)
{
    static const char *const tables[] = {"spool_limit", "spool_class"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (!salvage_table(db, path, tables[i])) {
            (void)salvage_table(db, name, tables[i]);
        }
    }
    (void)salvage_table(db, path, "spool_toll");
}

enum spool_status keep_salvage(struct db *db, const char *path, int64_t now,
                               struct spool_error *err)
{
    char name[NAME_SIZE];
    keep_name(path, name, sizeof name);
    enum spool_status status = salvage_destinations(db, path, name, now, err);
    salvage_limits(db, path, name);
    return status;
}

int64_t keep_base(const char *path, int64_t id, int64_t behind)
{
    char name[NAME_SIZE], sql[100];
    keep_name(path, name, sizeof name);
    (void)snprintf(sql, sizeof sql,
                   "SELECT base FROM spool_destination WHERE id = %lld",
                   (long long)id);
    int64_t base = salvage_number(path, sql, -1);
    if (base < 0) {
        base = salvage_number(name, sql, -1);
    }
    return base < 0 && id == KEEP_GONE_ID ? behind : base;
}

enum spool_status keep_is_gone(struct db *db, bool *gone,
                               struct spool_error *err)
{
    struct destination d;
    return destination_row(
        db,
        db_query(db, STATEMENT_DESTINATION_BY_NAME, "t", DESTINATION_STAND_IN),
        gone, &d, err);
}
