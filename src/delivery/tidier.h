/* A flusher's tidier: what has been kept for long enough leaves the log, in
 * rounds of short steps on libuv's thread pool. A round that found something is
 * followed by the next one soon.
 *
 * On the loop's thread alone. */
#ifndef DELIVERY_TIDIER_H
#define DELIVERY_TIDIER_H

#include <uv.h>

#include "outbox/retain.h"

struct tidier {
    bool busy; /* a round is under way */
    /* Its own. */
    struct outbox *box;
    struct retention retention;
    bool more, stopped;
    uv_timer_t timer;
    uv_work_t work;
    void (*rests)(void *arg);
    void *arg;
};

/* keep_ms: as retain.h's; -1: the default. rests is called when a round that
 * was under way at the stop has ended. */
void tidier_init(struct tidier *t, uv_loop_t *loop, struct outbox *box,
                 int64_t keep_ms, void (*rests)(void *arg), void *arg);

void tidier_start(struct tidier *t);

/* No round begins any more. */
void tidier_stop(struct tidier *t);

/* Not while it is busy. closed is called when the memory may be freed; the
 * handle's data is arg then. */
void tidier_close(struct tidier *t, uv_close_cb closed);

#endif
