#include "delivery/survey.h"

#include <assert.h>

/* Between the beginnings of two surveys: replays that go on make one useless
 * after the other. */
#define AGAIN_MS 10000

/* Behind a step, which takes less than one: the drain has the machine for the
 * rest, and a million events are surveyed in half a minute. */
#define PAUSE_MS 25

void survey_init(struct survey *s, struct outbox *box, uv_loop_t *loop,
                 int64_t destination, int lane, void (*done)(void *arg),
                 void *arg)
{
    *s = (struct survey){.box = box,
                         .loop = loop,
                         .destination = destination,
                         .lane = lane,
                         .done = done,
                         .arg = arg};
    (void)uv_timer_init(loop, &s->timer);
    s->timer.data = s;
}

static void forget(struct survey *s)
{
    assert(!s->stepping);
    backlog_destroy(s->backlog);
    s->backlog = NULL;
    s->ready = false;
    s->pausing = false;
    (void)uv_timer_stop(&s->timer);
}

void survey_finish(struct survey *s)
{
    forget(s);
}

void survey_close(struct survey *s, uv_close_cb closed)
{
    s->timer.data = s->arg;
    uv_close((uv_handle_t *)&s->timer, closed);
}

struct backlog *survey_known(const struct survey *s)
{
    return s->ready ? s->backlog : NULL;
}

void survey_follow(struct survey *s, const struct turn *turn, int64_t mono_ms)
{
    if (s->ready && (turn->over || turn->another)) {
        forget(s);
    }
    s->wanted = turn->aged && mono_ms >= s->next_at;
    s->now = mono_ms;
}

static void run_step(uv_work_t *work)
{
    struct survey *s = work->data;
    s->status = backlog_step(s->backlog, &s->stepped, NULL);
}

static void pause_is_over(uv_timer_t *timer)
{
    struct survey *s = timer->data;
    s->pausing = false;
    s->done(s->arg);
}

static void step_done(uv_work_t *work, int cancelled)
{
    struct survey *s = work->data;
    (void)cancelled; /* never: nobody cancels it */
    s->stepping = false;
    s->ready = s->stepped;
    if (s->status != SPOOL_OK) {
        forget(s); /* what fails here fails in the turns, or works next time */
    } else if (!s->ready) {
        s->pausing = true;
        (void)uv_timer_start(&s->timer, pause_is_over, PAUSE_MS, 0);
    }
    s->done(s->arg);
}

void survey_go_on(struct survey *s, bool may)
{
    if (s->stepping || s->pausing || s->ready || !may) {
        return;
    }
    if (s->backlog == NULL && s->wanted) {
        s->wanted = false;
        s->next_at = s->now + AGAIN_MS;
        s->backlog = backlog_create(s->box, s->destination, s->lane);
    }
    if (s->backlog != NULL) {
        s->stepping = true;
        s->work.data = s;
        (void)uv_queue_work(s->loop, &s->work, run_step, step_done);
    }
}
