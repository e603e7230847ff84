#include "support/lock_watch.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct lock_watch *watch;
static sqlite3_vfs *real_vfs;
static sqlite3_vfs vfs;
static sqlite3_io_methods real, methods;
static struct timespec delay;
static long syncs;

static struct {
    enum lock_use use;
    double since;
    long syncs; /* before it */
} held;

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void keep_longest(double *longest, double seconds)
{
    *longest = seconds > *longest ? seconds : *longest;
}

static int sync_file(sqlite3_file *f, int flags)
{
    double start = now();
    syncs++;
    if (delay.tv_sec > 0 || delay.tv_nsec > 0) {
        (void)nanosleep(&delay, NULL);
    }
    int rc = real.xSync(f, flags);
    keep_longest(&watch->longest_sync, now() - start);
    return rc;
}

/* The database's methods are not those of its WAL, which is never locked. */
static int open_file(sqlite3_vfs *self, const char *name, sqlite3_file *f,
                     int flags, int *out_flags)
{
    static sqlite3_io_methods of_wal;
    (void)self;
    int rc = real_vfs->xOpen(real_vfs, name, f, flags, out_flags);
    bool wal = (flags & SQLITE_OPEN_WAL) != 0;
    if (rc == SQLITE_OK && (wal || (flags & SQLITE_OPEN_MAIN_DB) != 0)) {
        sqlite3_io_methods *m = wal ? &of_wal : &methods;
        real.xSync = f->pMethods->xSync;
        *m = *f->pMethods;
        m->xSync = sync_file;
        f->pMethods = m;
    }
    return rc;
}

void lock_watch_start(struct lock_watch *w, int delay_ms)
{
    *w = (struct lock_watch){0};
    watch = w;
    delay = (struct timespec){.tv_sec = delay_ms / 1000,
                              .tv_nsec = delay_ms % 1000 * 1000000L};
    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.zName = "spool-test-lock-watch";
    vfs.xOpen = open_file;
    if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK) {
        abort();
    }
}

void lock_watch_stop(void)
{
    (void)sqlite3_vfs_register(real_vfs, 1);
}

static void let_go(struct lock_watch *w)
{
    w->n[held.use]++;
    w->synced[held.use] += syncs > held.syncs;
    keep_longest(&w->longest[held.use], now() - held.since);
}

static int statement_ended(unsigned event, void *arg, void *statement, void *ns)
{
    const char *sql = sqlite3_sql(statement);
    (void)event;
    (void)ns;
    if (sql == NULL) {
        return 0;
    }
    if (strcmp(sql, statement_sql[STATEMENT_BEGIN]) == 0) {
        held.use = LOCK_COMMIT;
        held.since = now();
        held.syncs = syncs;
    } else if (strcmp(sql, statement_sql[STATEMENT_STORE_RAISE_EPOCH]) == 0) {
        held.use = LOCK_BEGIN;
    } else if (strcmp(sql, statement_sql[STATEMENT_COMMIT]) == 0) {
        let_go(arg);
    } else if (strcmp(sql, statement_sql[STATEMENT_ROLLBACK]) == 0) {
        held.use = LOCK_CHECKPOINT;
        let_go(arg);
    }
    return 0;
}

void lock_watch_follow(struct lock_watch *w, struct db *db)
{
    *w = (struct lock_watch){0};
    (void)sqlite3_trace_v2(db->handle, SQLITE_TRACE_PROFILE, statement_ended,
                           w);
}
