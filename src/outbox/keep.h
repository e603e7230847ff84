/* A copy of the destinations and the limits beside the outbox, for the day on
 * which the outbox itself can no longer say who its readers are.
 *
 *   OUTBOX-destinations  a small database that holds what the tables hold, and
 *                        so no key; never half-written
 *
 * Where neither can be read, a paused destination stands for those that are
 * gone: it reads all there is, so that retention drops nothing, and whoever
 * looks sees it. */
#ifndef OUTBOX_KEEP_H
#define OUTBOX_KEEP_H

#include <stdbool.h>
#include <stddef.h>

#include "outbox/db.h"

/* The id of DESTINATION_STAND_IN, above any that was given out. */
#define KEEP_GONE_ID 1000000

/* The name of the copy beside path; "" where it is too long. */
void keep_name(const char *path, char *out, size_t size);

/* Inside the write transaction that changes them, so that no older copy
 * can come behind a newer one. On failure the copy is the one before. */
enum spool_status keep_write(struct db *db, struct spool_error *err);

/* Whether no copy lies beside path. */
bool keep_is_missing(const char *path);

/* Copies the destinations of the outbox at path, which is damaged, into db, or
 * else those of its copy, or else the one that stands for them; and the limits
 * as far as one of the two can be read. */
enum spool_status keep_salvage(struct db *db, const char *path, int64_t now,
                               struct spool_error *err);

/* The base of a destination in the damaged file at path, or in its copy; behind
 * for the one that stands for others, -1 when it was added since. */
int64_t keep_base(const char *path, int64_t id, int64_t behind);

/* Whether the destination that stands for others is there. */
enum spool_status keep_is_gone(struct db *db, bool *gone,
                               struct spool_error *err);

#endif
