#include "outbox/migrate.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/error.h"
#include "outbox/db.h"

int migrate_newest(void)
{
    int newest = 0;
    for (const struct migration *m = migrations; m->version > 0; m++) {
        newest = m->version;
    }
    return newest;
}

static enum spool_status read_pragma(struct db *db, const char *sql, int *out,
                                     struct spool_error *err)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db->handle, sql, -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW) {
        *out = sqlite3_column_int(s, 0);
    }
    if (sqlite3_finalize(s) != SQLITE_OK) {
        return db_failed(db, err, "cannot read");
    }
    return SPOOL_OK;
}

static enum spool_status apply(struct db *db, const struct migration *m,
                               struct spool_error *err)
{
    char stamp[96];
    (void)snprintf(stamp, sizeof stamp,
                   "PRAGMA user_version = %d; PRAGMA application_id = %d",
                   m->version, MIGRATE_APPLICATION_ID);
    enum spool_status status = db_exec(db, m->sql, err);
    if (status == SPOOL_OK) {
        status = db_exec(db, stamp, err);
    }
    return status;
}

enum spool_status migrate_version(struct db *db, int *version,
                                  struct spool_error *err)
{
    return read_pragma(db, "PRAGMA user_version", version, err);
}

struct seen {
    int version, application, objects;
};

static enum spool_status look(struct db *db, struct seen *seen,
                              struct spool_error *err)
{
    enum spool_status status =
        read_pragma(db, "PRAGMA user_version", &seen->version, err);
    if (status == SPOOL_OK) {
        status =
            read_pragma(db, "PRAGMA application_id", &seen->application, err);
    }
    if (status == SPOOL_OK) {
        status = read_pragma(db, "SELECT count(*) FROM sqlite_schema",
                             &seen->objects, err);
    }
    return status;
}

enum spool_status migrate_damaged(struct db *db, struct spool_error *err)
{
    atomic_store(&db->corrupt, true);
    return failed(err, SPOOL_DAMAGED,
                  "cannot use %s: its schema is damaged; run spoolctl verify",
                  db->path);
}

enum spool_status migrate_check(struct db *db, struct spool_error *err)
{
    struct seen seen = {0};
    /* In one snapshot: another program may be making the spool. */
    enum spool_status status = db_begin_read(db, err);
    if (status == SPOOL_OK) {
        status = look(db, &seen, err);
        db_rollback(db);
    }
    if (status != SPOOL_OK) {
        return status;
    }
    if (seen.application != MIGRATE_APPLICATION_ID &&
        (seen.objects > 0 || seen.version > 0)) {
        return failed(err, SPOOL_DAMAGED,
                      "%s is an SQLite file of another program; it was not "
                      "touched, name another path for the spool",
                      db->path);
    }
    if (seen.version > migrate_newest()) {
        return failed(err, SPOOL_NEWER,
                      "%s has schema version %d and this program knows up to "
                      "%d; it was not touched, use a newer release of spool",
                      db->path, seen.version, migrate_newest());
    }
    return seen.version <= 0 && seen.objects > 0 ? migrate_damaged(db, err)
                                                 : SPOOL_OK;
}

static enum spool_status migrate_locked(struct db *db, struct spool_error *err)
{
    int version = 0;
    enum spool_status status =
        read_pragma(db, "PRAGMA user_version", &version, err);
    for (const struct migration *m = migrations; m->version > 0; m++) {
        if (m->version > version && status == SPOOL_OK) {
            status = apply(db, m, err);
        }
    }
    return status;
}

enum spool_status migrate(struct db *db, struct spool_error *err)
{
    int version = 0;
    enum spool_status status =
        read_pragma(db, "PRAGMA user_version", &version, err);
    if (status != SPOOL_OK || version == migrate_newest()) {
        return status;
    }
    /* Under the write lock, so that of two programs that create the spool one
     * finds it done. */
    status = db_begin(db, err);
    if (status != SPOOL_OK) {
        return status;
    }
    status = migrate_locked(db, err);
    if (status == SPOOL_OK) {
        return db_commit(db, err);
    }
    /* What a step makes is there already, or what it changes is not. */
    bool misfit = (sqlite3_errcode(db->handle) & 0xFF) == SQLITE_ERROR;
    db_rollback(db);
    return misfit ? migrate_damaged(db, err) : status;
}
