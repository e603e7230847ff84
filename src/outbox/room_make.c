/* Room is made: by what is kept to be looked at, or by what may be shed. */
#include "outbox/retain.h"
#include "outbox/room.h"
#include "outbox/shed.h"

/* A class that is no further above its share gives way as one that is at it. */
#define SWAP_FROM 16

/* The figures after some rows went. */
static enum spool_status measure(struct db *db, struct room *r, int64_t freed,
                                 struct spool_error *err)
{
    r->events -= freed;
    return r->box->limits.max_bytes > 0 ? limits_bytes(db, &r->bytes, err)
                                        : SPOOL_OK;
}

/* How much too much there is for a class, and what is spared for the next puts
 * when some goes. */
struct excess {
    int64_t over, spare;
};

static struct excess excess_of(const struct room *r, int class,
                               enum limit_cause cause)
{
    const struct limits *l = &r->box->limits;
    bool events = cause == LIMIT_EVENTS;
    int64_t ceiling = limit_share(events ? l->max_events : l->max_bytes,
                                  l->classes[class].share);
    return (struct excess){(events ? r->events : r->bytes) + 1 - ceiling,
                           ceiling / 64};
}

static enum spool_status shed(struct db *db, struct room *r, int class,
                              enum limit_cause cause, int64_t *freed,
                              struct spool_error *err)
{
    struct excess x = excess_of(r, class, cause);
    bool swaps = r->box->limits.classes[class].share < 100 &&
                 x.over > x.spare + SWAP_FROM;
    int64_t most = swaps                   ? 1
                   : cause == LIMIT_EVENTS ? x.over + x.spare
                                           : SHED_MOST;
    struct shed_note gone;
    enum spool_status status =
        shed_some(db, r->box, class, cause, r->last, most, &gone, err);
    shed_note_add(&r->shed.of[cause], &gone);
    *freed = gone.events;
    r->swaps = swaps && *freed > 0;
    return status;
}

enum spool_status room_make(struct db *db, struct room *r, int class,
                            enum limit_cause cause, bool *made,
                            struct spool_error *err)
{
    int64_t freed = 0, bytes = r->bytes;
    *made = false;
    /* Deleting rows makes no file smaller, and needs room itself. */
    if (cause == LIMIT_DISK || r->hopeless[class]) {
        return SPOOL_OK;
    }
    enum spool_status status = retain_give_way(db, r->box, &freed, err);
    if (status == SPOOL_OK && freed == 0) {
        status = shed(db, r, class, cause, &freed, err);
    }
    if (status == SPOOL_OK && freed > 0) {
        *made = true;
        status = measure(db, r, freed, err);
    }
    /* Bytes come back by the page: where none did, more of it is vain. */
    r->hopeless[class] =
        freed == 0 || (cause == LIMIT_BYTES && !r->swaps && r->bytes >= bytes);
    return status;
}
