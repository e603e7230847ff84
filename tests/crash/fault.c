#include "crash/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

static struct {
    enum fault_kind kind;
    long n, calls, fired;
    bool from_then_on;
} armed;

static sqlite3_vfs *real_vfs;
static sqlite3_vfs vfs;

/* The files of a kind share their methods: those of the real VFS but for what
 * may fail. The database, its WAL and the rest differ in theirs. */
#define FILES 3
static const sqlite3_io_methods *real[FILES];
static sqlite3_io_methods methods[FILES];

const char *fault_name(enum fault_kind kind)
{
    static const char *const names[] = {
        "read",     "write", "short write", "full disk", "sync",
        "truncate", "lock",  "map",         "open",      "write that lies"};
    return names[kind];
}

static bool fails(enum fault_kind kind)
{
    if (armed.kind != kind || armed.n == 0) {
        return false;
    }
    armed.calls++;
    bool now =
        armed.from_then_on ? armed.calls >= armed.n : armed.calls == armed.n;
    armed.fired += now;
    return now;
}

static const sqlite3_io_methods *real_of(sqlite3_file *f)
{
    return real[f->pMethods - methods];
}

static int fault_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    return fails(FAULT_READ) ? SQLITE_IOERR_READ
                             : real_of(f)->xRead(f, to, n, at);
}

static int fault_write(sqlite3_file *f, const void *from, int n,
                       sqlite3_int64 at)
{
    if (fails(FAULT_WRITE)) {
        return SQLITE_IOERR_WRITE;
    }
    if (fails(FAULT_WRITE_SHORT)) {
        (void)real_of(f)->xWrite(f, from, n / 2, at);
        return SQLITE_IOERR_WRITE;
    }
    if (fails(FAULT_WRITE_FULL)) {
        return SQLITE_FULL;
    }
    if (fails(FAULT_WRITE_LIE)) {
        return SQLITE_OK;
    }
    return real_of(f)->xWrite(f, from, n, at);
}

static int fault_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return fails(FAULT_TRUNCATE) ? SQLITE_IOERR_TRUNCATE
                                 : real_of(f)->xTruncate(f, size);
}

/* The real file need not be synced: nobody pulls its plug. */
static int fault_sync(sqlite3_file *f, int flags)
{
    (void)f;
    (void)flags;
    return fails(FAULT_SYNC) ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int fault_lock(sqlite3_file *f, int level)
{
    return fails(FAULT_LOCK) ? SQLITE_IOERR_LOCK : real_of(f)->xLock(f, level);
}

static int fault_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    /* A failed unlocking is not a thing that SQLite can be told. */
    if ((flags & SQLITE_SHM_LOCK) != 0 && fails(FAULT_LOCK)) {
        return SQLITE_IOERR_SHMLOCK;
    }
    return real_of(f)->xShmLock(f, offset, n, flags);
}

static int fault_shm_map(sqlite3_file *f, int page, int size, int extend,
                         void volatile **out)
{
    if (fails(FAULT_MAP)) {
        *out = NULL;
        return SQLITE_IOERR_SHMMAP;
    }
    return real_of(f)->xShmMap(f, page, size, extend, out);
}

static void take_over(sqlite3_file *f, int which)
{
    sqlite3_io_methods *m = &methods[which];
    if (m->xRead == NULL) {
        real[which] = f->pMethods;
        *m = *f->pMethods;
        m->xRead = fault_read;
        m->xWrite = fault_write;
        m->xTruncate = fault_truncate;
        m->xSync = fault_sync;
        m->xLock = fault_lock;
        m->xShmLock = m->xShmLock == NULL ? NULL : fault_shm_lock;
        m->xShmMap = m->xShmMap == NULL ? NULL : fault_shm_map;
    }
    f->pMethods = m;
}

static int fault_open(sqlite3_vfs *self, const char *name, sqlite3_file *f,
                      int flags, int *out_flags)
{
    (void)self;
    f->pMethods = NULL;
    if (fails(FAULT_OPEN)) {
        return SQLITE_CANTOPEN;
    }
    int rc = real_vfs->xOpen(real_vfs, name, f, flags, out_flags);
    if (rc == SQLITE_OK && f->pMethods != NULL) {
        take_over(f, (flags & SQLITE_OPEN_MAIN_DB) != 0 ? 0
                     : (flags & SQLITE_OPEN_WAL) != 0   ? 1
                                                        : 2);
    }
    return rc;
}

void fault_arm(enum fault_kind kind, long n, bool from_then_on)
{
    armed.kind = kind;
    armed.n = n;
    armed.from_then_on = from_then_on;
    armed.calls = 0;
    armed.fired = 0;
    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.zName = "spool-test-fault";
    vfs.xOpen = fault_open;
    if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK) {
        (void)fprintf(stderr, "fault: the VFS cannot be registered\n");
        abort();
    }
}

long fault_disarm(long *fired)
{
    (void)sqlite3_vfs_unregister(&vfs);
    (void)sqlite3_vfs_register(real_vfs, 1);
    armed.n = 0;
    *fired = armed.fired;
    return armed.calls;
}
