/* A lane's rest: nothing can be taken until it is woken or until a time.
 *
 * The outbox keeps times by the wall clock, so that they survive a restart;
 * they are waited for by the monotonic one, which nobody can set. A time that
 * was reckoned once is not reckoned anew when the lane is woken and finds that
 * it still has to wait; nor is it over because the wall clock was set.
 *
 * On the loop's thread alone. */
#ifndef DELIVERY_REST_H
#define DELIVERY_REST_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "base/clock.h"
#include "outbox/batch.h"

struct rest {
    bool on;
    enum taken because;
    bool over; /* the time waited for is over by the monotonic clock, whatever
                  the wall clock says */
    bool rang; /* the alarm of a lane that did not rest */
    /* Its own. */
    const struct clock *clock;
    int64_t until; /* wall ms; what due was reckoned from */
    int64_t due;   /* mono ms */
    uv_timer_t timer;
    void (*step)(void *arg);
    void *arg;
};

/* step is called when a time is over, never from inside a call. The clock is
 * borrowed until the end. */
void rest_init(struct rest *r, uv_loop_t *loop, const struct clock *clock,
               void (*step)(void *arg), void *arg);

/* Until it is woken; for so long; or until a time by the wall clock. tried: the
 * turn that found the time knew it to be over already and took nothing. It then
 * waits for what only the wall clock ends, not over and over. */
void rest_begin(struct rest *r, enum taken because);
void rest_begin_for(struct rest *r, enum taken because, int64_t wait_ms);
void rest_begin_until(struct rest *r, enum taken because, int64_t wall,
                      bool tried);

/* The wall clock's time that was waited for last, if it is not over by the
 * monotonic clock; else 0. */
int64_t rest_not_yet(const struct rest *r);

/* Something changed: look again. What was said of a time that is over stays. */
void rest_wake(struct rest *r);

/* A turn begins, which knows what was over. */
void rest_end(struct rest *r);

/* Sets rang and calls step after so long, unless a rest begins before. */
void rest_alarm(struct rest *r, int64_t wait_ms);

/* No step is called any more. closed is called when the memory may be freed;
 * the handle's data is r->arg then. */
void rest_stop(struct rest *r);
void rest_close(struct rest *r, uv_close_cb closed);

#endif
