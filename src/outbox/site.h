/* Where an outbox lies: its folder, its file and the files beside it, before
 * anything in them is believed. Nothing here opens SQLite. */
#ifndef OUTBOX_SITE_H
#define OUTBOX_SITE_H

#include <stdbool.h>
#include <sys/types.h>

#include "spool/error.h"

/* The path with its folder resolved; yours to free. SQLite is to refuse a link
 * in the file's place, not the /var/run of the system; and an absolute path can
 * never be taken for a URI, which Debian's build would open with options in it.
 * create makes the folder (0700). SPOOL_NOT_FOUND when there is none. */
enum spool_status site_resolve(const char *path, bool create, char **out,
                               struct spool_error *err);

/* Makes the file if there is none and create is set, and checks all that lies
 * there: regular files with one name each, not another user's, and writable for
 * nobody but their owner, or for a group whose folder is set up to be shared
 * (g+w and set-group-ID). SPOOL_IO says what is wrong and how to mend it. */
enum spool_status site_prepare(const char *path, bool create,
                               struct spool_error *err);

/* The checks alone: for files that may be about to take each other's place, so
 * that the outbox itself may be missing. */
enum spool_status site_check_beside(const char *path, struct spool_error *err);

/* Puts from, which is whole, in the place of to, which lies in the same folder,
 * and both the bytes and the name on disk. */
enum spool_status site_replace(const char *from, const char *to,
                               struct spool_error *err);

/* The mode of the files beside the outbox: the outbox's own. */
mode_t site_mode(const char *path);

/* Which files are open: the outbox and its -wal. */
struct site {
    bool open;
    dev_t device;
    ino_t file, wal;
    int watch; /* the kernel tells of renames and unlinks; -1: it cannot */
};

/* Remembers what lies at path now and watches it. */
enum spool_status site_open(struct site *site, const char *path,
                            struct spool_error *err);
void site_close(struct site *site); /* safe twice and on a zeroed one */

/* SPOOL_MOVED when one of the two is gone, another one, or read-only by now. */
enum spool_status site_check(const struct site *site, const char *path,
                             struct spool_error *err);

/* The same, and cheaper, for what happened since the last check. */
enum spool_status site_check_again(const struct site *site, const char *path,
                                   struct spool_error *err);

#endif
