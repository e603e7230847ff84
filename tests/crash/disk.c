#include "crash/disk.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

static struct disk *disk; /* the recording under way */
static sqlite3_vfs *real_vfs;
static sqlite3_vfs vfs;

static void give_up(const char *why)
{
    (void)fprintf(stderr, "disk: %s\n", why);
    abort();
}

static void *grown(void *list, size_t *room, size_t need, size_t size)
{
    if (need <= *room) {
        return list;
    }
    *room = need * 2 + 1024;
    list = realloc(list, *room * size);
    if (list == NULL) {
        give_up("out of memory");
    }
    return list;
}

static void record(struct disk *d, struct disk_op op, const void *bytes)
{
    size_t n = op.kind == DISK_WRITE ? op.len : 0;
    d->ops = grown(d->ops, &d->room, d->n + 1, sizeof *d->ops);
    d->bytes = grown(d->bytes, &d->cap, d->len + n, 1);
    op.at = d->len;
    if (n > 0) {
        memcpy(d->bytes + d->len, bytes, n);
    }
    d->len += n;
    d->ops[d->n++] = op;
}

void disk_mark(struct disk *d, int mark, int64_t value)
{
    record(d,
           (struct disk_op){
               .kind = DISK_MARK, .len = (size_t)mark, .offset = value},
           NULL);
}

/* ---- files ----
 *
 * A file keeps the methods of the real VFS but for those that matter here. They
 * are not the same for the database and its WAL, which is never locked. */

static sqlite3_io_methods real[DISK_FILES], methods[DISK_FILES];

static void note(enum disk_op_kind kind, enum disk_file file, int64_t offset,
                 int len, const void *bytes)
{
    record(
        disk,
        (struct disk_op){
            .kind = kind, .file = file, .offset = offset, .len = (size_t)len},
        bytes);
}

static int with_powersafe(int is)
{
    return disk->powersafe ? is | SQLITE_IOCAP_POWERSAFE_OVERWRITE
                           : is & ~SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int database_is(sqlite3_file *f)
{
    return with_powersafe(real[DISK_DATABASE].xDeviceCharacteristics(f));
}

static int wal_is(sqlite3_file *f)
{
    return with_powersafe(real[DISK_WAL].xDeviceCharacteristics(f));
}

static int write_database(sqlite3_file *f, const void *from, int n,
                          sqlite3_int64 offset)
{
    note(DISK_WRITE, DISK_DATABASE, offset, n, from);
    return real[DISK_DATABASE].xWrite(f, from, n, offset);
}

static int write_wal(sqlite3_file *f, const void *from, int n,
                     sqlite3_int64 offset)
{
    note(DISK_WRITE, DISK_WAL, offset, n, from);
    return real[DISK_WAL].xWrite(f, from, n, offset);
}

static int truncate_database(sqlite3_file *f, sqlite3_int64 size)
{
    note(DISK_TRUNCATE, DISK_DATABASE, size, 0, NULL);
    return real[DISK_DATABASE].xTruncate(f, size);
}

static int truncate_wal(sqlite3_file *f, sqlite3_int64 size)
{
    note(DISK_TRUNCATE, DISK_WAL, size, 0, NULL);
    return real[DISK_WAL].xTruncate(f, size);
}

static int fail_sync(enum disk_file file)
{
    for (size_t i = disk->synced[file]; i < disk->n; i++) {
        disk->ops[i].lost = disk->ops[i].lost || disk->ops[i].file == file;
    }
    disk->failing--;
    disk->synced[file] = disk->n;
    return SQLITE_IOERR_FSYNC;
}

/* The real files need not be synced: nobody pulls their plug. */
static int sync_any(enum disk_file file)
{
    if (disk->syncs == 0 && disk->failing > 0) {
        return fail_sync(file);
    }
    disk->syncs -= disk->syncs > 0;
    note(DISK_SYNC, file, 0, 0, NULL);
    disk->synced[file] = disk->n;
    return SQLITE_OK;
}

static int sync_database(sqlite3_file *f, int flags)
{
    (void)f;
    (void)flags;
    return sync_any(DISK_DATABASE);
}

static int sync_wal(sqlite3_file *f, int flags)
{
    (void)f;
    (void)flags;
    return sync_any(DISK_WAL);
}

/* The file records from now on. */
static void take_over(sqlite3_file *f, enum disk_file file)
{
    bool database = file == DISK_DATABASE;
    sqlite3_io_methods *m = &methods[file];
    if (m->xWrite == NULL) {
        real[file] = *f->pMethods;
        *m = real[file];
        m->xDeviceCharacteristics = database ? database_is : wal_is;
        m->xWrite = database ? write_database : write_wal;
        m->xTruncate = database ? truncate_database : truncate_wal;
        m->xSync = database ? sync_database : sync_wal;
    }
    f->pMethods = m;
}

static int open_file(sqlite3_vfs *self, const char *name, sqlite3_file *f,
                     int flags, int *out_flags)
{
    (void)self;
    int rc = real_vfs->xOpen(real_vfs, name, f, flags, out_flags);
    if (rc != SQLITE_OK) {
        return rc;
    }
    if ((flags & SQLITE_OPEN_MAIN_DB) != 0) {
        take_over(f, DISK_DATABASE);
    } else if ((flags & SQLITE_OPEN_WAL) != 0) {
        take_over(f, DISK_WAL);
    } else {
        give_up("a file is used that is neither the database nor its WAL");
    }
    return SQLITE_OK;
}

static void read_whole(const char *path, const char *suffix,
                       struct disk_image *out)
{
    char name[4096];
    char part[65536];
    size_t n;
    (void)snprintf(name, sizeof name, "%s%s", path, suffix);
    *out = (struct disk_image){0};
    FILE *file = fopen(name, "re");
    while (file != NULL && (n = fread(part, 1, sizeof part, file)) > 0) {
        out->bytes = grown(out->bytes, &out->cap, out->len + n, 1);
        memcpy(out->bytes + out->len, part, n);
        out->len += n;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

static void begin(struct disk *d)
{
    assert(disk == NULL);
    memset(methods, 0, sizeof methods); /* of another VFS, perhaps */
    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.zName = "spool-test-disk";
    vfs.xOpen = open_file;
    disk = d;
    if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK) {
        give_up("the VFS cannot be registered");
    }
}

void disk_start(struct disk *d, const char *path, bool powersafe)
{
    *d = (struct disk){.powersafe = powersafe};
    read_whole(path, "", &d->before[DISK_DATABASE]);
    read_whole(path, "-wal", &d->before[DISK_WAL]);
    begin(d);
}

void disk_start_from(struct disk *d,
                     const struct disk_image *const before[DISK_FILES],
                     bool powersafe)
{
    *d = (struct disk){.powersafe = powersafe};
    for (int i = 0; i < DISK_FILES; i++) {
        disk_image_copy(&d->before[i], before[i]);
    }
    begin(d);
}

void disk_stop(void)
{
    (void)sqlite3_vfs_unregister(&vfs);
    (void)sqlite3_vfs_register(real_vfs, 1);
    disk = NULL;
}

void disk_free(struct disk *d)
{
    for (int i = 0; i < DISK_FILES; i++) {
        disk_image_free(&d->before[i]);
    }
    free(d->ops);
    free(d->bytes);
    *d = (struct disk){0};
}

/* ---- images ---- */

void disk_image_copy(struct disk_image *to, const struct disk_image *from)
{
    to->bytes = grown(to->bytes, &to->cap, from->len, 1);
    if (from->len > 0) {
        memcpy(to->bytes, from->bytes, from->len);
    }
    to->len = from->len;
}

void disk_image_free(struct disk_image *i)
{
    free(i->bytes);
    *i = (struct disk_image){0};
}

void disk_image_resize(struct disk_image *image, size_t size)
{
    image->bytes = grown(image->bytes, &image->cap, size, 1);
    if (size > image->len) {
        memset(image->bytes + image->len, 0, size - image->len);
    }
    image->len = size;
}

void disk_apply(const struct disk *d, const struct disk_op *op, size_t from,
                size_t to, struct disk_image *image)
{
    size_t offset = (size_t)op->offset;
    if (op->kind == DISK_TRUNCATE) {
        disk_image_resize(image, offset);
    } else if (op->kind == DISK_WRITE && from < to) {
        if (offset + to > image->len) {
            disk_image_resize(image, offset + to);
        }
        memcpy(image->bytes + offset + from, d->bytes + op->at + from,
               to - from);
    }
}
