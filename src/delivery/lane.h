/* A lane of a destination at work: one batch in flight at a time.
 *
 *                   taken             reply
 *        TAKING ────────────► SENDING ──────► TAKING (settles, takes)
 *         ▲  │ nothing is due
 *    wake │  ▼
 *    timer WAITING
 *
 * Each state is named after the one thing it waits for. lane_step alone decides
 * what comes next. Stop is honoured between batches: TAKING and WAITING end,
 * SENDING has its answer settled first. After a crash what was in flight is
 * uncertain and goes out again: an event may arrive twice, never get lost. */
#ifndef DELIVERY_LANE_H
#define DELIVERY_LANE_H

#include <uv.h>

#include "delivery/flusher.h"
#include "delivery/verdict.h"

enum lane_state {
    LANE_TAKING,  /* for the outbox */
    LANE_SENDING, /* for the endpoint */
    LANE_WAITING, /* for a time or a wake */
    LANE_ENDED    /* for nothing: stopped, or its destination is gone */
};

struct lane {
    struct flusher *f;
    struct lane *next;
    int64_t destination;
    int number;
    enum lane_state state;
    enum taken idle_because; /* in WAITING: what the outbox said */
    bool woken;              /* something changed while it was TAKING */
    bool overdue;            /* its own timer ran out: the wait is over,
                                whatever the wall clock says */
    int64_t waits_until;     /* wall ms; what due_mono was reckoned from */
    int64_t due_mono;
    int window; /* slow start: most events now; 0 no limit */
    uv_timer_t timer;
    uv_work_t work;
    /* The batch in flight and what became of it. */
    struct batch batch;
    struct http_post *post;
    int64_t sent_at;
    bool answered; /* s is to be settled by the next turn */
    struct settlement s;
    struct judgement judgement;
    char answer[2048];
    int64_t wait_ms; /* to report */
    /* The turn under way. */
    struct turn turn;
    enum spool_status status;
    struct spool_error error;
    struct spool_error trouble; /* why it could not be sent at all */
};

/* What a lane needs of its flusher. */
struct flusher {
    struct flusher_options options;
    char only[DESTINATION_NAME_SIZE];
    struct http *http;
    struct rng rng;
    struct lane *lanes;
    bool stopping;
    bool failed; /* the outbox cannot be used any more */
    /* flusher.c's own. */
    struct flusher_private *own;
};

/* Starts at once with TAKING. NULL without memory. */
struct lane *lane_create(struct flusher *f, const struct destination *d,
                         int number);

/* Something was put or changed: look again. */
void lane_wake(struct lane *lane);

/* The flusher is stopping. */
void lane_stop(struct lane *lane);

/* Its time for stopping is over: what is in flight is uncertain. */
void lane_abort(struct lane *lane);

/* Only when ENDED; frees it when its timer is closed. */
void lane_destroy(struct lane *lane, uv_close_cb closed);

/* flusher.c: a lane's state has become WAITING or ENDED. */
void flusher_lane_rests(struct flusher *f);
/* flusher.c: the outbox cannot be used any more. */
void flusher_fails(struct flusher *f, const struct spool_error *why);
void flusher_report(struct flusher *f, const struct spool_report *report);

#endif
