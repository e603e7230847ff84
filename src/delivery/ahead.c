#include "delivery/ahead.h"

#include <assert.h>
#include <string.h>

void ahead_init(struct ahead *a, struct outbox *box, uv_loop_t *loop, int lane,
                void (*done)(void *arg), void *arg)
{
    *a = (struct ahead){.box = box,
                        .loop = loop,
                        .lane = lane,
                        .done = done,
                        .arg = arg,
                        .behind = -1};
}

void ahead_finish(struct ahead *a)
{
    assert(!a->reading);
    ahead_forget(a);
    ahead_drop_memory(a);
}

void ahead_forget(struct ahead *a)
{
    for (size_t i = 0; i < a->n; i++) {
        prefetch_finish(&a->row[i]);
    }
    a->n = 0;
    a->behind = -1;
}

void ahead_follow(struct ahead *a, int64_t behind)
{
    if (a->n == 0 && !a->reading) {
        a->behind = behind;
    }
}

void ahead_keep_memory(struct ahead *a, struct batch *done)
{
    if (a->spare.room == 0) {
        a->spare = *done;
        *done = (struct batch){0};
        batch_empty(&a->spare);
    }
}

void ahead_drop_memory(struct ahead *a)
{
    batch_finish(&a->spare);
}

static void run_read(uv_work_t *work)
{
    struct ahead *a = work->data;
    struct take_options take = {0};
    int64_t behind = a->fresh[0].behind;
    bool more = true;
    /* What cannot be read now is read, or fails, in the turn. */
    for (; more && a->fresh_n < a->fresh_room; a->fresh_n++) {
        struct prefetch *p = &a->fresh[a->fresh_n];
        more = batch_prefetch(a->box, &a->as, a->lane, behind, &take, p,
                              NULL) == SPOOL_OK &&
               p->full;
        behind = p->hi;
    }
}

static void read_done(uv_work_t *work, int cancelled)
{
    struct ahead *a = work->data;
    (void)cancelled; /* never: nobody cancels it */
    a->reading = false;
    for (size_t i = 0; i < a->fresh_n; i++) {
        struct prefetch *p = &a->fresh[i];
        if (a->behind == p->behind && p->batch.n > 0) {
            a->row[a->n++] = *p;
            a->behind = p->full ? p->hi : -1;
        } else { /* forgotten meanwhile, or the end of the log */
            prefetch_finish(p);
            a->behind = -1;
        }
        *p = (struct prefetch){0};
    }
    a->done(a->arg);
}

void ahead_read(struct ahead *a, const struct destination *d)
{
    if (a->reading || a->behind < 0 || a->n == BATCH_AHEAD) {
        return;
    }
    a->reading = true;
    a->as = *d;
    a->fresh[0] = (struct prefetch){.behind = a->behind, .batch = a->spare};
    a->spare = (struct batch){0};
    a->fresh_n = 0;
    a->fresh_room = BATCH_AHEAD - a->n;
    a->work.data = a;
    (void)uv_queue_work(a->loop, &a->work, run_read, read_done);
}

size_t ahead_take(struct ahead *a, struct prefetch *out, size_t most)
{
    size_t taken = most < a->n ? most : a->n;
    memcpy(out, a->row, taken * sizeof *out);
    a->n -= taken;
    memmove(a->row, a->row + taken, a->n * sizeof *out);
    return taken;
}
