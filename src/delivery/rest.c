#include "delivery/rest.h"

/* Nothing is ever scheduled further ahead than a Retry-After of a day. */
#define WAIT_MAX_MS ((int64_t)27 * 60 * 60 * 1000)

void rest_init(struct rest *r, uv_loop_t *loop, const struct clock *clock,
               void (*step)(void *arg), void *arg)
{
    *r = (struct rest){.clock = clock, .step = step, .arg = arg};
    (void)uv_timer_init(loop, &r->timer);
    r->timer.data = r;
}

static void time_is_over(uv_timer_t *timer)
{
    struct rest *r = timer->data;
    r->over = r->on;
    r->rang = !r->on;
    r->on = false;
    r->step(r->arg);
}

void rest_begin(struct rest *r, enum taken because)
{
    r->on = true;
    r->because = because;
}

/* A loop's own time is that at which its turn began: on a machine with other
 * things to do a wait that is reckoned from there is over too soon. */
static void ring_in(struct rest *r, int64_t wait_ms)
{
    uv_update_time(r->timer.loop);
    (void)uv_timer_start(&r->timer, time_is_over, (uint64_t)wait_ms, 0);
}

void rest_begin_for(struct rest *r, enum taken because, int64_t wait_ms)
{
    rest_begin(r, because);
    ring_in(r, wait_ms);
}

void rest_begin_until(struct rest *r, enum taken because, int64_t wall,
                      bool tried)
{
    int64_t mono = clock_mono_ms(r->clock);
    if (r->until != wall || tried) {
        int64_t wait = wall - clock_wall_ms(r->clock);
        wait = wait < 0 ? 0 : wait > WAIT_MAX_MS ? WAIT_MAX_MS : wait;
        r->until = wall;
        r->due = mono + wait;
    }
    rest_begin_for(r, because, r->due > mono ? r->due - mono : 0);
}

int64_t rest_not_yet(const struct rest *r)
{
    return !r->over && clock_mono_ms(r->clock) < r->due ? r->until : 0;
}

void rest_wake(struct rest *r)
{
    r->on = false;
}

void rest_end(struct rest *r)
{
    r->on = false;
    r->over = false;
    r->rang = false;
    (void)uv_timer_stop(&r->timer);
}

void rest_alarm(struct rest *r, int64_t wait_ms)
{
    ring_in(r, wait_ms);
}

void rest_stop(struct rest *r)
{
    (void)uv_timer_stop(&r->timer);
}

void rest_close(struct rest *r, uv_close_cb closed)
{
    r->timer.data = r->arg;
    uv_close((uv_handle_t *)&r->timer, closed);
}
