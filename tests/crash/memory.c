#include "crash/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#define SHM_PAGES 16 /* each for some four thousand frames */

static struct {
    char path[512];
    struct disk_image images[DISK_FILES];
    void *shm[SHM_PAGES];
    size_t shm_size;
    int sharing[SQLITE_SHM_NLOCK]; /* connections; -1: one has it alone */
    sqlite3_vfs vfs, *real;
} memory;

struct file {
    sqlite3_file base;
    enum disk_file which;
    unsigned shares, owns; /* bits: locks on the -shm */
};

static void give_up(const char *why)
{
    (void)fprintf(stderr, "memory: %s\n", why);
    abort();
}

static struct disk_image *image_of(sqlite3_file *f)
{
    return &memory.images[((struct file *)f)->which];
}

static int close_file(sqlite3_file *f)
{
    (void)f;
    return SQLITE_OK;
}

static int read_file(sqlite3_file *f, void *to, int n, sqlite3_int64 offset)
{
    const struct disk_image *image = image_of(f);
    size_t from = (size_t)offset, want = (size_t)n;
    size_t there = from < image->len ? image->len - from : 0;
    if (there >= want) {
        memcpy(to, image->bytes + from, want);
        return SQLITE_OK;
    }
    if (there > 0) {
        memcpy(to, image->bytes + from, there);
    }
    memset((char *)to + there, 0, want - there);
    return SQLITE_IOERR_SHORT_READ;
}

static int write_file(sqlite3_file *f, const void *from, int n,
                      sqlite3_int64 offset)
{
    struct disk_image *image = image_of(f);
    size_t end = (size_t)offset + (size_t)n;
    if (end > image->len) {
        disk_image_resize(image, end);
    }
    memcpy(image->bytes + offset, from, (size_t)n);
    return SQLITE_OK;
}

static int truncate_file(sqlite3_file *f, sqlite3_int64 size)
{
    disk_image_resize(image_of(f), (size_t)size);
    return SQLITE_OK;
}

static int sync_file(sqlite3_file *f, int flags)
{
    (void)f;
    (void)flags;
    return SQLITE_OK;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)image_of(f)->len;
    return SQLITE_OK;
}

/* A database in WAL mode is shared by all who have it open. */
static int lock(sqlite3_file *f, int level)
{
    (void)f;
    (void)level;
    return SQLITE_OK;
}

static int check_reserved(sqlite3_file *f, int *out)
{
    (void)f;
    *out = 0;
    return SQLITE_OK;
}

static int control(sqlite3_file *f, int op, void *arg)
{
    (void)f;
    if (op == SQLITE_FCNTL_HAS_MOVED) {
        *(int *)arg = 0;
        return SQLITE_OK;
    }
    return SQLITE_NOTFOUND;
}

static int sector_size(sqlite3_file *f)
{
    (void)f;
    return 4096;
}

static int is(sqlite3_file *f)
{
    (void)f;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* ---- the -shm ---- */

static int shm_map(sqlite3_file *f, int page, int size, int extend,
                   void volatile **out)
{
    (void)f;
    if (page >= SHM_PAGES) {
        give_up("the WAL is too long");
    }
    memory.shm_size = (size_t)size;
    if (memory.shm[page] == NULL && extend != 0) {
        memory.shm[page] = calloc(1, (size_t)size);
        if (memory.shm[page] == NULL) {
            return SQLITE_NOMEM;
        }
    }
    *out = memory.shm[page];
    return SQLITE_OK;
}

static void let_go(struct file *f, unsigned bits)
{
    for (int i = 0; i < SQLITE_SHM_NLOCK; i++) {
        unsigned bit = 1U << i;
        if ((bits & bit & f->owns) != 0) {
            memory.sharing[i] = 0;
        } else if ((bits & bit & f->shares) != 0) {
            memory.sharing[i]--;
        }
    }
    f->owns &= ~bits;
    f->shares &= ~bits;
}

static int shm_lock(sqlite3_file *file, int first, int n, int flags)
{
    struct file *f = (struct file *)file;
    bool alone = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    unsigned bits = ((1U << n) - 1) << first;
    if ((flags & SQLITE_SHM_UNLOCK) != 0) {
        let_go(f, bits);
        return SQLITE_OK;
    }
    bits &= ~(f->owns | f->shares);
    for (int i = first; i < first + n; i++) {
        bool taken = alone ? memory.sharing[i] != 0 : memory.sharing[i] < 0;
        if ((bits & 1U << i) != 0 && taken) {
            return SQLITE_BUSY;
        }
    }
    for (int i = first; i < first + n; i++) {
        if ((bits & 1U << i) != 0) {
            memory.sharing[i] = alone ? -1 : memory.sharing[i] + 1;
        }
    }
    *(alone ? &f->owns : &f->shares) |= bits;
    return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *f)
{
    (void)f;
}

static int shm_unmap(sqlite3_file *f, int delete)
{
    (void)delete;
    let_go((struct file *)f, ~0U);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = file_size,
    .xLock = lock,
    .xUnlock = lock,
    .xCheckReservedLock = check_reserved,
    .xFileControl = control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = is,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

/* ---- the VFS ---- */

static int open_file(sqlite3_vfs *self, const char *name, sqlite3_file *file,
                     int flags, int *out_flags)
{
    (void)self;
    (void)name;
    struct file *f = (struct file *)file;
    *f = (struct file){.base = {&methods}};
    if ((flags & SQLITE_OPEN_WAL) != 0) {
        f->which = DISK_WAL;
    } else if ((flags & SQLITE_OPEN_MAIN_DB) != 0) {
        f->which = DISK_DATABASE;
    } else {
        give_up("a file is used that is neither the database nor its WAL");
    }
    if (out_flags != NULL) {
        *out_flags = flags;
    }
    return SQLITE_OK;
}

static int delete_file(sqlite3_vfs *self, const char *name, int sync)
{
    (void)self;
    (void)sync;
    if (strcmp(name + strlen(name) - 4, "-wal") != 0) {
        give_up("a file is deleted that is not the WAL");
    }
    disk_image_resize(&memory.images[DISK_WAL], 0);
    return SQLITE_OK;
}

/* As on a disk where both files have been synced: they are there. */
static int access_file(sqlite3_vfs *self, const char *name, int flags, int *out)
{
    (void)self;
    (void)flags;
    size_t len = strlen(memory.path);
    *out = strncmp(name, memory.path, len) == 0 &&
           (name[len] == '\0' || strcmp(name + len, "-wal") == 0);
    return SQLITE_OK;
}

void memory_start(const char *path)
{
    (void)snprintf(memory.path, sizeof memory.path, "%s", path);
    if (memory.real == NULL) {
        memory.real = sqlite3_vfs_find(NULL);
        memory.vfs = *memory.real;
        memory.vfs.zName = "spool-test-memory";
        memory.vfs.szOsFile = (int)sizeof(struct file);
        memory.vfs.xOpen = open_file;
        memory.vfs.xDelete = delete_file;
        memory.vfs.xAccess = access_file;
    }
    if (sqlite3_vfs_register(&memory.vfs, 1) != SQLITE_OK) {
        give_up("the VFS cannot be registered");
    }
}

void memory_stop(void)
{
    (void)sqlite3_vfs_register(memory.real, 1);
}

void memory_free(void)
{
    (void)sqlite3_vfs_unregister(&memory.vfs);
    for (int i = 0; i < SHM_PAGES; i++) {
        free(memory.shm[i]);
    }
    for (int i = 0; i < DISK_FILES; i++) {
        disk_image_free(&memory.images[i]);
    }
    memset(&memory, 0, sizeof memory);
}

void memory_replace(struct disk_image images[DISK_FILES])
{
    for (int i = 0; i < DISK_FILES; i++) {
        struct disk_image was = memory.images[i];
        memory.images[i] = images[i];
        images[i] = was;
    }
    for (int i = 0; i < SHM_PAGES && memory.shm[i] != NULL; i++) {
        memset(memory.shm[i], 0, memory.shm_size);
    }
}

const struct disk_image *memory_file(enum disk_file file)
{
    return &memory.images[file];
}
