/* Events that wait for the next page of their session (nextPage in the guide).
 * All of it runs inside the caller's transaction on db. */
#ifndef OUTBOX_HOLD_H
#define OUTBOX_HOLD_H

#include "outbox/db.h"

/* Lets one event go, for every destination. */
enum spool_status hold_release_event(struct db *db, int64_t event, int64_t part,
                                     int64_t now, struct spool_error *err);

/* Lets go what a part holds; it goes out before whatever the part puts next. */
enum spool_status hold_release_part(struct db *db, int64_t part, int64_t now,
                                    struct spool_error *err);

/* Lets go what has been held for long enough. */
enum spool_status hold_release_due(struct db *db, int64_t now,
                                   struct spool_error *err);

/* When the next one is let go, 0 when nothing is held. */
enum spool_status hold_next_at(struct db *db, int64_t *out,
                               struct spool_error *err);

/* Why an event that is not to be sent is not: *quarantined, with the reason, or
 * held. */
enum spool_status hold_look_up(struct db *db, int64_t event, bool *quarantined,
                               char *reason, size_t size,
                               struct spool_error *err);

/* Whether events behind this id are quarantined. */
enum spool_status hold_any_quarantined(struct db *db, int64_t behind, bool *any,
                                       struct spool_error *err);

/* The first event with this id or a greater one that is held; INT64_MAX. */
enum spool_status hold_next_event(struct db *db, int64_t id, int64_t *out,
                                  struct spool_error *err);

#endif
