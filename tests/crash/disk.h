/* A disk that remembers: a VFS over SQLite's own that passes everything on and
 * notes each write, truncation and sync of the database and its WAL, in order,
 * with marks of the test's own in between. From that, what a power cut at any
 * moment may leave can be made again.
 *
 * One recording at a time, one thread. Ends the program when it cannot go on,
 * also when a file is used that it knows no model for (a rollback journal). */
#ifndef CRASH_DISK_H
#define CRASH_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum disk_file { DISK_DATABASE, DISK_WAL };
#define DISK_FILES 2

enum disk_op_kind { DISK_WRITE, DISK_TRUNCATE, DISK_SYNC, DISK_MARK };

struct disk_op {
    enum disk_op_kind kind;
    enum disk_file file;
    int64_t offset; /* of a write; the new size; the value of a mark */
    size_t len;     /* of a write; which mark */
    size_t at;      /* of its bytes in the recording */
    bool lost;      /* a sync failed, and nobody writes it any more */
};

struct disk_image {
    char *bytes;
    size_t len, cap;
};

struct disk {
    struct disk_op *ops;
    size_t n, room;
    char *bytes;
    size_t len, cap;
    struct disk_image before[DISK_FILES]; /* when the recording began */
    bool powersafe; /* a write damages no byte beside its own */
    /* Behind so many syncs so many fail. The kernel takes what they were to
     * write for written: it is read as it was written, and is not on disk. */
    long syncs, failing;
    size_t synced[DISK_FILES]; /* operations */
};

/* From now on SQLite opens its files through the recording. They are taken to
 * be on disk as they are. path is the database's. */
void disk_start(struct disk *d, const char *path, bool powersafe);

/* Likewise, but what is on disk is told: before is copied. */
void disk_start_from(struct disk *d,
                     const struct disk_image *const before[DISK_FILES],
                     bool powersafe);

/* SQLite's own VFS is the default again; what was opened must be closed. */
void disk_stop(void);

/* The test's own mark: which one, and a number that goes with it. */
void disk_mark(struct disk *d, int mark, int64_t value);

void disk_free(struct disk *d);

/* ---- images ---- */

void disk_image_copy(struct disk_image *to, const struct disk_image *from);
void disk_image_free(struct disk_image *i);

/* What is new is zero. */
void disk_image_resize(struct disk_image *image, size_t size);

/* Does to an image what a write did, in full or from its byte `from` to its
 * byte `to`; or what a truncation did. */
void disk_apply(const struct disk *d, const struct disk_op *op, size_t from,
                size_t to, struct disk_image *image);

#endif
