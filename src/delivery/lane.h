/* A lane of a destination at work: batches leave one after another, each when
 * the one before it has arrived.
 *
 * Three things go on side by side, so that neither the disk nor the network
 * waits for the other:
 *
 *   flying    a batch on its way to the endpoint, at most one
 *   turning   a turn of the outbox: settles the batch that landed, takes the
 *             one to follow the batch that flies
 *   reading   the events that the turn after that will take
 *
 * A batch that was taken ahead is sent once the one before it has arrived. If
 * that one has not, it is given back unsent, so order is kept whatever happens.
 * After a crash what was flying or taken ahead is uncertain and goes out again:
 * an event may arrive twice, never get lost.
 *
 * Callbacks note what happened and call lane_step, which alone decides. */
#ifndef DELIVERY_LANE_H
#define DELIVERY_LANE_H

#include <uv.h>

#include "delivery/flight.h"

struct lane {
    struct flusher *f;
    struct lane *next;
    int64_t id; /* of the destination */
    int number;

    /* Batches, in the order in which they pass through here; n 0: none. */
    struct batch ready; /* taken, not sent */
    struct batch back;  /* taken, to be given back */
    struct flight flights[2];
    struct flight *flying;   /* in flight, or landed and not yet in a turn */
    struct flight *settling; /* landed; NULL: none */

    /* Turning. */
    bool turning;
    uv_work_t turn_work;
    struct order order;
    struct take_options take;
    struct prefetch used; /* what the turn may cut from */
    struct turn turn;
    enum spool_status status;
    struct spool_error error;
    bool failed_turn; /* the last one; it is tried again after a rest */

    /* Reading ahead. */
    bool reading;
    uv_work_t read_work;
    struct destination read_as;
    struct take_options read_take;
    struct prefetch prefetch; /* read, not used yet */
    int64_t read_behind;
    bool reads_on; /* the last turn's batch has more behind it */

    /* Resting: nothing can be taken until woken or until a time. */
    bool resting;
    enum taken rests_because;
    bool woken;          /* something changed during a turn */
    bool overdue;        /* the time waited for is over by the monotonic clock,
                            whatever the wall clock says */
    int64_t waits_until; /* wall ms; what due_mono was reckoned from */
    int64_t due_mono;
    uv_timer_t timer;

    struct destination destination; /* as the last turn found it */
    int window; /* slow start: most events now; 0 no limit */
    bool ended;
};

/* What a lane needs of its flusher. */
struct flusher {
    struct flusher_options options;
    char only[DESTINATION_NAME_SIZE];
    struct http *http;
    struct rng rng;
    struct lane *lanes;
    bool stopping;
    bool failed;                 /* the outbox cannot be used any more */
    struct flusher_private *own; /* flusher.c's */
};

/* Starts at once with a turn. NULL without memory. */
struct lane *lane_create(struct flusher *f, const struct destination *d,
                         int number);

/* Look again: something was put, or, with all, anything may have changed. */
void lane_wake(struct lane *lane, bool all);

/* The flusher is stopping: no more is taken. */
void lane_stop(struct lane *lane);

/* The time for stopping is over, or the outbox failed: what is in flight is
 * uncertain. */
void lane_abort(struct lane *lane);

/* Whether everything of it is settled, or paused by an operator. */
bool lane_is_idle(const struct lane *lane);

/* Only when it has ended; frees it when its timer is closed. */
void lane_close(struct lane *lane, uv_close_cb closed);

/* flusher.c: a lane rests or has ended. */
void flusher_lane_rests(struct flusher *f);
/* flusher.c: the outbox cannot be used any more. */
void flusher_fails(struct flusher *f, const struct spool_error *why);
void flusher_report(struct flusher *f, const struct spool_report *report);

#endif
