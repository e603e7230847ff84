/* How much the spool may hold. Events belong to classes, small numbers that
 * their producer gives; a higher class is worth more. Each class may fill its
 * share of every limit, so that the dear ones still get in when the cheap ones
 * do not any more. Nothing that was accepted gives way unless its class was set
 * so (shed.h). The limits live in the file and hold for every process at once.
 */
#ifndef OUTBOX_LIMITS_H
#define OUTBOX_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "outbox/outbox.h"

/* A file with less room than this could not hold its own tables. */
#define LIMITS_BYTES_MIN ((int64_t)1 << 20)

struct class_limit {
    int share; /* percent of each limit that this class may fill, 1 to 100 */
    bool shed; /* its oldest that were never sent give way to new events */
};

struct limits {
    int64_t max_events; /* in the log; 0: no such limit */
    int64_t max_bytes;  /* of the file's pages in use; likewise */
    int64_t free_disk;  /* bytes that stay free on the disk; what is kept back
                           anyway (ballast.h) counts in it */
    struct class_limit classes[OUTBOX_CLASSES];
};

/* SPOOL_MISUSE for what makes no sense. Audited. Both block on the disk. */
enum spool_status limits_set(struct outbox *box, const struct limits *limits,
                             struct spool_error *err);
enum spool_status limits_get(struct outbox *box, struct limits *out,
                             struct spool_error *err);

struct limits_usage {
    int64_t events;    /* in the log: those kept after delivery are among them,
                          and give way first */
    int64_t bytes;     /* of pages in use */
    int64_t disk_free; /* INT64_MAX: not known */
    int64_t disk_kept; /* that much stays free */
    /* So far, by all processes. Of a process that was killed the last second's
     * may be missing. */
    int64_t refused[LIMIT_CAUSES][OUTBOX_CLASSES];
    int64_t shed[LIMIT_CAUSES][OUTBOX_CLASSES];
};

enum spool_status limits_usage(struct outbox *box, struct limits_usage *out,
                               struct spool_error *err);

/* Whether an event gave way at a limit (shed.h) and some of its neighbours are
 * still in the log. */
enum spool_status limits_was_shed(struct outbox *box, int64_t id, bool *shed,
                                  struct spool_error *err);

/* What a share comes to. */
int64_t limit_share(int64_t limit, int share);

/* ---- for the other files of this layer ---- */

struct db;

/* As they stand in the file; *version counts the changes. */
enum spool_status limits_read(struct db *db, struct limits *out,
                              int64_t *version, struct spool_error *err);

/* Bytes of the pages that are in use. Costs the same however many there are. */
enum spool_status limits_bytes(struct db *db, int64_t *out,
                               struct spool_error *err);

#endif
