#include "delivery/tidier.h"

#include <assert.h>

#define STEPS   50 /* a round */
#define SOON_MS 200
#define LATE_MS 60000

static void run_round(uv_work_t *work)
{
    struct tidier *t = work->data;
    t->more = true;
    for (int i = 0; t->more && i < STEPS; i++) {
        /* What fails here is no loss: the next round tries again. */
        if (retain_step(t->box, &t->retention, &t->more, NULL) != SPOOL_OK) {
            t->more = false;
        }
    }
}

static void begin_round(uv_timer_t *timer);

static void round_done(uv_work_t *work, int cancelled)
{
    struct tidier *t = work->data;
    (void)cancelled; /* never: nobody cancels it */
    t->busy = false;
    if (t->stopped) {
        t->rests(t->arg);
    } else {
        (void)uv_timer_start(&t->timer, begin_round,
                             t->more ? SOON_MS : LATE_MS, 0);
    }
}

static void begin_round(uv_timer_t *timer)
{
    struct tidier *t = timer->data;
    t->busy = true;
    t->work.data = t;
    (void)uv_queue_work(timer->loop, &t->work, run_round, round_done);
}

void tidier_init(struct tidier *t, uv_loop_t *loop, struct outbox *box,
                 int64_t keep_ms, void (*rests)(void *arg), void *arg)
{
    *t = (struct tidier){
        .box = box, .retention = retention_default, .rests = rests, .arg = arg};
    if (keep_ms >= 0) {
        t->retention.keep_ms = keep_ms;
    }
    (void)uv_timer_init(loop, &t->timer);
    t->timer.data = t;
}

void tidier_start(struct tidier *t)
{
    (void)uv_timer_start(&t->timer, begin_round, SOON_MS, 0);
}

void tidier_stop(struct tidier *t)
{
    t->stopped = true;
    (void)uv_timer_stop(&t->timer);
}

void tidier_close(struct tidier *t, uv_close_cb closed)
{
    assert(!t->busy);
    t->timer.data = t->arg;
    uv_close((uv_handle_t *)&t->timer, closed);
}
