/* Walking over the events of a selection, one destination after another, each
 * in the order of ids, without ever holding a snapshot while somebody reads. */
#ifndef SPOOLCTL_LISTING_H
#define SPOOLCTL_LISTING_H

#include "selection.h"

struct listed {
    const struct event_record *event;
    const struct destination *destination; /* NULL: none is set up */
    struct event_facts facts;
    bool known; /* facts are set: the bytes are an event */
};

/* False ends the walk. */
typedef bool listing_event(void *arg, const struct listed *listed);

/* Calls each for the events of s at d (NULL: no matter which), up to *limit of
 * them, which goes down by as many. */
enum spool_status listing_walk(struct outbox *box, const struct selection *s,
                               const struct destination *d, int64_t *limit,
                               listing_event *each, void *arg,
                               struct spool_error *err);

#endif
