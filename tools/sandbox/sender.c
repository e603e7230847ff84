#include "sender.h"

/* Dripping goes in ticks of this length, unless a byte takes longer. */
#define TICK_MS 50

/* How much of something endless goes into one write. */
#define ENDLESS_BYTES 16384

/* The next bytes, at most max: the plan's, then its endless ones. */
static uv_buf_t piece(struct sender *s, size_t max)
{
    const struct buffer *from = &s->plan->bytes;
    size_t at = s->sent;
    if (at >= from->len && s->plan->forever != NULL) {
        at = (at - from->len) % strlen(s->plan->forever);
        from = &s->endless;
    }
    size_t n = from->len - at;
    char *data = from->data != NULL ? from->data + at : NULL;
    return uv_buf_init(data, (unsigned)(n < max ? n : max));
}

/* What fits into the socket now. */
static enum sending try_write(struct sender *s, size_t max)
{
    uv_buf_t buf = piece(s, max);
    if (buf.len > 0) {
        int n = uv_try_write(s->stream, &buf, 1);
        if (n < 0 && n != UV_EAGAIN) {
            return SENDING_FAILED;
        }
        s->sent += n > 0 ? (size_t)n : 0;
    }
    bool over = s->sent >= s->plan->bytes.len && s->plan->forever == NULL;
    return over ? SENDING_DONE : SENDING_GOES_ON;
}

static void on_written(uv_write_t *write, int status);

static enum sending write_on(struct sender *s)
{
    enum sending how = try_write(s, SIZE_MAX);
    if (how == SENDING_GOES_ON) {
        uv_buf_t buf = piece(s, SIZE_MAX);
        s->write.data = s;
        s->sent += buf.len;
        if (uv_write(&s->write, s->stream, &buf, 1, on_written) != 0) {
            how = SENDING_FAILED;
        }
    }
    return how;
}

static void on_written(uv_write_t *write, int status)
{
    struct sender *s = write->data;
    enum sending how = status == 0 ? write_on(s) : SENDING_FAILED;
    if (how != SENDING_GOES_ON) {
        s->finished(s, how);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct sender *s = timer->data;
    uint64_t n = s->plan->drip * TICK_MS / 1000;
    enum sending how = try_write(s, n > 0 ? (size_t)n : 1);
    if (how != SENDING_GOES_ON) {
        (void)uv_timer_stop(timer);
        s->finished(s, how);
    }
}

static enum sending drip(struct sender *s)
{
    uint64_t ms = 1000 / s->plan->drip;
    ms = ms < TICK_MS ? TICK_MS : ms;
    s->timer->data = s;
    return uv_timer_start(s->timer, on_tick, ms, ms) == 0 ? SENDING_GOES_ON
                                                          : SENDING_FAILED;
}

static bool fill_endless(struct sender *s)
{
    s->endless.len = 0;
    size_t unit = s->plan->forever != NULL ? strlen(s->plan->forever) : 0;
    while (unit > 0 && s->endless.len < ENDLESS_BYTES) {
        if (!buffer_add(&s->endless, s->plan->forever, unit)) {
            return false;
        }
    }
    return true;
}

enum sending sender_start(struct sender *s, const struct plan *plan)
{
    s->plan = plan;
    s->sent = 0;
    if (!fill_endless(s)) {
        return SENDING_FAILED;
    }
    return plan->drip > 0 ? drip(s) : write_on(s);
}

void sender_finish(struct sender *s)
{
    buffer_finish(&s->endless);
}
