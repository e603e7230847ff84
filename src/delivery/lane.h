/* A lane of a destination at work: batches leave one after another, each when
 * the one before it has arrived.
 *
 * Three things go on side by side, so that neither the disk nor the network
 * waits for the other:
 *
 *   flying    a batch on its way to the endpoint, at most one
 *   turning   a turn of the outbox: settles the batches that landed, takes
 *             those to follow the one that flies
 *   reading   the events that the next turn will take
 *
 * and behind a long backlog a fourth:
 *
 *   surveying which sessions have something in it; the others' new events are
 *             sent in turn with it from then on
 *
 * A batch that was taken ahead is sent once all before it have arrived. If one
 * has not, those behind it are given back unsent, so order is kept whatever
 * happens. After a crash what was flying or taken ahead is uncertain and goes
 * out again: an event may arrive twice, never get lost.
 *
 * Callbacks note what happened and call lane_step, which alone decides. */
#ifndef DELIVERY_LANE_H
#define DELIVERY_LANE_H

#include <uv.h>

#include "delivery/ahead.h"
#include "delivery/flights.h"
#include "delivery/job_thread.h"
#include "delivery/pace.h"
#include "delivery/rest.h"
#include "delivery/survey.h"

/* The lanes of a flusher, and what they share. */
struct lanes {
    struct lane *first;
    struct flusher_options options;
    struct http *http;
    struct rng rng;
    struct job_thread reader; /* ahead */
    bool stopping;
    bool failed;              /* the outbox cannot be used any more */
    void (*rests)(void *arg); /* a lane rests or has ended */
    void *arg;
};

struct lane {
    struct lanes *lanes;
    struct lane *next;
    int64_t id; /* of the destination */
    int number;

    /* Batches, in the order in which they pass through here. */
    struct batch ready[BATCH_AHEAD]; /* taken, not sent */
    size_t ready_n;
    struct batch back[BATCH_AHEAD]; /* taken, to be given back */
    size_t back_n;
    struct flights flights;

    /* Turning. */
    bool turning;
    uv_work_t turn_work;
    struct done done[FLIGHTS_MAX]; /* the flights that landed */
    struct order order;
    struct take_options take;
    struct prefetch used[BATCH_AHEAD]; /* what the turn may cut from */
    struct turn turn;
    enum spool_status status;
    struct spool_error error;
    bool failed_turn; /* the last one; it is tried again after a rest */
    bool gives_up;    /* it failed while stopping */

    struct ahead ahead;
    struct survey survey; /* of its backlog */

    struct rest rest;
    bool woken; /* something changed during a turn */

    struct destination destination; /* as the last turn found it */
    int window;        /* slow start: most events now; 0 no limit */
    int64_t starts_at; /* mono ms: a backlog from an outage waits until then */
    struct pace *pace; /* the destination's, shared by its lanes; borrowed */
    bool ended;
    uv_close_cb closed;
};

/* Starts at once with a turn, but leaves a backlog from an outage alone for
 * spread_ms. s and pace are borrowed for as long as it lives. NULL without
 * memory. */
struct lane *lane_create(struct lanes *s, const struct destination *d,
                         int number, struct pace *pace, int64_t spread_ms);

/* Look again: something was put, or, with all, anything may have changed. */
void lane_wake(struct lane *lane, bool all);

/* The flusher is stopping: no more is taken. */
void lane_stop(struct lane *lane);

/* The time for stopping is over, or the outbox failed: what is in flight is
 * uncertain. */
void lane_abort(struct lane *lane);

/* Whether a put is what it waits for. */
bool lane_waits_for_events(const struct lane *lane);

/* Whether everything of it is settled, or paused by an operator. */
bool lane_is_idle(const struct lane *lane);

/* Only when it has ended; frees it when its timers are closed. */
void lane_close(struct lane *lane, uv_close_cb closed);

#endif
