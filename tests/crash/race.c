#include "crash/race.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

void bare_run(sqlite3 *db, const char *sql)
{
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) {
        fail_msg("%s: %s", sql, why);
    }
}

long bare_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;
    long n = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW) {
        n = (long)sqlite3_column_int64(s, 0);
    }
    (void)sqlite3_finalize(s);
    return n;
}

sqlite3 *bare_open(const char *path)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    bare_run(db, "PRAGMA journal_mode = WAL");
    bare_run(db, "PRAGMA synchronous = FULL");
    return db;
}

/* ---- the WAL-reset race ---- */

/* A VFS whose database files call moment() when a checkpoint has read the WAL's
 * header and has not begun to copy: that is when SQLite lets go of mapped
 * pages. */
static sqlite3_vfs *real_vfs;
static sqlite3_vfs vfs;
static sqlite3_io_methods methods;
static int (*real_unfetch)(sqlite3_file *, sqlite3_int64, void *);
static void (*moment)(void);

static int unfetch(sqlite3_file *f, sqlite3_int64 offset, void *page)
{
    if (moment != NULL && page == NULL) {
        moment();
    }
    return real_unfetch(f, offset, page);
}

static int open_file(sqlite3_vfs *self, const char *name, sqlite3_file *f,
                     int flags, int *out_flags)
{
    (void)self;
    int rc = real_vfs->xOpen(real_vfs, name, f, flags, out_flags);
    if (rc == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB) != 0) {
        methods = *f->pMethods;
        if (methods.xUnfetch != unfetch) {
            real_unfetch = methods.xUnfetch;
            methods.xUnfetch = unfetch;
        }
        f->pMethods = &methods;
    }
    return rc;
}

void race_hook(void (*call)(void))
{
    moment = call;
    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.zName = "spool-test-race";
    vfs.xOpen = open_file;
    assert_int_equal(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
}

void race_unhook(void)
{
    moment = NULL;
    (void)sqlite3_vfs_unregister(&vfs);
    (void)sqlite3_vfs_register(real_vfs, 1);
}

static sqlite3 *rival;
static long wrote; /* during a checkpoint */

static void insert_once(void)
{
    moment = NULL;
    wrote++;
    bare_run(rival, "INSERT INTO t VALUES (NULL, randomblob(1000))");
}

long race_bare(const char *path)
{
    wrote = 0;
    race_hook(NULL);
    sqlite3 *a = bare_open(path);
    bare_run(a, "PRAGMA wal_autocheckpoint = 0");
    bare_run(a, "CREATE TABLE t (id INTEGER PRIMARY KEY, body)");
    sqlite3 *b = bare_open(path);
    bare_run(b, "PRAGMA wal_autocheckpoint = 0");
    assert_int_equal(bare_number(b, "SELECT count(*) FROM t"), 0);
    for (int i = 0; i < 202; i++) {
        bare_run(a, "INSERT INTO t VALUES (NULL, randomblob(1000))");
    }
    bare_run(a,
             "PRAGMA wal_checkpoint(PASSIVE)"); /* all of the WAL is copied */
    rival = a;
    moment = insert_once;
    (void)bare_number(b, "PRAGMA wal_checkpoint(PASSIVE)");
    assert_int_equal(wrote, 1);
    for (int i = 0; i < 400; i++) {
        (void)sqlite3_exec(a, "INSERT INTO t VALUES (NULL, randomblob(1000))",
                           NULL, NULL, NULL);
    }
    (void)bare_number(b, "PRAGMA wal_checkpoint(PASSIVE)");
    (void)sqlite3_exec(a, "INSERT INTO t VALUES (NULL, randomblob(1000))", NULL,
                       NULL, NULL);
    (void)bare_number(a, "PRAGMA wal_checkpoint(TRUNCATE)");
    (void)sqlite3_close(a);
    (void)sqlite3_close(b);
    a = bare_open(path);
    long rows = bare_number(a, "SELECT count(body) FROM t");
    (void)sqlite3_close(a);
    race_unhook();
    return rows;
}
