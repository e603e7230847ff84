/* Answers on their way from the flusher to the producers that wait for them.
 *
 * An event may be delivered before the producer that put it knows its id. So a
 * wait begins before the put, and from then until it has been named every
 * answer that lands is kept, up to a limit; behind that only what somebody
 * waits for is. While nobody waits nothing is copied.
 *
 * Any thread. No lock is held over the disk or the network. */
#ifndef SPOOL_ANSWERS_H
#define SPOOL_ANSWERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "delivery/verdict.h"
#include "outbox/batch.h"
#include "outbox/destination.h"

struct answers;

/* The answer to a batch that arrived. Does not change any more. */
struct landing {
    int64_t destination;
    const int64_t *ids; /* of the batch's events, in the request's order */
    size_t n;
    const char *body;
    size_t len;
    bool cut; /* it was longer than what is kept; body is empty */
    /* answers.c's: */
    struct landing *next;
    size_t size;
    unsigned holders;
};

/* One producer's wait. Fields are read under answers.c's lock, but for landing
 * and index once answers_await has said true. */
struct wait {
    struct wait *next;
    int64_t destination;
    int64_t event; /* 0: not known yet */
    pthread_cond_t changed;
    struct landing *landing; /* NULL: the event has not arrived */
    size_t index;            /* of the event in it */
};

struct answers *answers_create(void); /* NULL without memory */
void answers_destroy(struct answers *a);

/* Begins a wait for an event that is about to be put. w stays where it is until
 * answers_end, which is due in any case. */
void answers_begin(struct answers *a, struct wait *w, int64_t destination);

/* The event has this id. */
void answers_name(struct answers *a, struct wait *w, int64_t event);

/* Waits until the event has landed, no longer than to a moment of the monotonic
 * clock. w->landing is there until answers_end if this returns true. */
bool answers_await(struct answers *a, struct wait *w, int64_t until_mono_ms);

void answers_end(struct answers *a, struct wait *w);

/* For flusher_options: a batch arrived. arg is the struct answers. */
void answers_land(void *arg, const struct destination *d, const struct batch *b,
                  const struct reply *reply);

#endif
