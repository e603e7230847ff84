/* What limits have cost: events that were refused or gave way, by the limit and
 * by class. A refusal cannot always be written down, and a commit each would
 * cost more than it is worth: they are counted in memory and written with the
 * next commit that works, about once a second and when the outbox is closed. */
#ifndef OUTBOX_TOLL_H
#define OUTBOX_TOLL_H

#include <stdatomic.h>
#include <stdint.h>

#include "outbox/outbox.h"
#include "spool/error.h"

struct db;

struct toll_counts {
    int64_t n[LIMIT_CAUSES][OUTBOX_CLASSES];
};

/* Refusals that no commit has written yet. Zeroed is empty. */
struct toll {
    atomic_llong n[LIMIT_CAUSES][OUTBOX_CLASSES];
    atomic_bool any;
    int64_t written_at; /* monotonic ms; jobs' own */
};

/* "events", "bytes", "disk": static. */
const char *toll_cause_name(enum limit_cause cause);

/* Any thread. */
void toll_add(struct toll *t, const struct toll_counts *c);

/* For a job: writes what has gathered, if that is worth its while; *c is what
 * was written, to be added again should the transaction fail. */
enum spool_status toll_write(struct db *db, struct toll *t, int64_t mono_ms,
                             struct toll_counts *c, struct spool_error *err);

/* For a job: events that gave way, written in its own transaction. */
enum spool_status toll_shed(struct db *db, enum limit_cause cause,
                            const int64_t by_class[OUTBOX_CLASSES],
                            struct spool_error *err);

/* Adds what has not been written to what the file says of refusals. */
void toll_peek(struct toll *t, int64_t n[LIMIT_CAUSES][OUTBOX_CLASSES]);

#endif
