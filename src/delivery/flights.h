/* The flights of a lane, in the order in which they left: those that have
 * landed and wait to be settled, then the one that flies, if one does. */
#ifndef DELIVERY_FLIGHTS_H
#define DELIVERY_FLIGHTS_H

#include "delivery/flight.h"

/* Those that landed during a turn, and the one that flies. */
#define FLIGHTS_MAX (2 * BATCH_AHEAD + 2)

struct flights {
    struct flight ring[FLIGHTS_MAX];
    size_t first, n;
};

/* The ith, from the oldest on. */
struct flight *flights_at(struct flights *f, size_t i);

/* The one that left last; NULL when there is none. */
struct flight *flights_last(struct flights *f);

/* Whether that one is still on its way: all before it have landed. */
bool flights_fly(struct flights *f);

size_t flights_landed(struct flights *f);

/* Whether all that landed have arrived. One that has not ends the row: nothing
 * is sent behind it. */
bool flights_arrived(struct flights *f);

/* Room for one more, which the caller starts; there must be room. */
struct flight *flights_add(struct flights *f);

/* Settled: the oldest one goes. */
void flights_drop_first(struct flights *f);

void flights_finish(struct flights *f); /* safe twice */

static inline bool flight_arrived(const struct flight *flight)
{
    return flight->s.outcome == OUTCOME_DELIVERED;
}

#endif
