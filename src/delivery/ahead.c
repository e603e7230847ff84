#include "delivery/ahead.h"

#include <assert.h>
#include <string.h>

/* Of what is read ahead, and of memory kept for it: large batches are not read
 * as far ahead as there are places for. */
#define AHEAD_BYTES ((size_t)2 * 1024 * 1024)

void ahead_init(struct ahead *a, struct outbox *box, struct job_thread *thread,
                int lane, void (*done)(void *arg), void *arg)
{
    *a = (struct ahead){.box = box,
                        .thread = thread,
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
    a->bytes = 0;
    a->behind = -1;
}

void ahead_follow(struct ahead *a, int64_t behind)
{
    if (a->n == 0 && !a->reading) {
        a->behind = behind;
    }
}

static size_t spare_bytes(const struct ahead *a)
{
    size_t bytes = 0;
    for (size_t i = 0; i < a->spare_n; i++) {
        bytes += a->spare[i].cap;
    }
    return bytes;
}

void ahead_keep_memory(struct ahead *a, struct buffer *used)
{
    size_t bytes = spare_bytes(a) + used->cap;
    if (used->cap > 0 && a->spare_n < BATCH_AHEAD &&
        (a->spare_n == 0 || bytes <= AHEAD_BYTES)) {
        used->len = 0;
        a->spare[a->spare_n++] = *used;
        *used = (struct buffer){0};
    }
}

void ahead_drop_memory(struct ahead *a)
{
    while (a->spare_n > 0) {
        buffer_finish(&a->spare[--a->spare_n]);
    }
}

static struct buffer take_memory(struct ahead *a)
{
    return a->spare_n > 0 ? a->spare[--a->spare_n] : (struct buffer){0};
}

static void run_read(void *arg)
{
    struct ahead *a = arg;
    /* What cannot be read now is read, or fails, in the turn. */
    (void)batch_prefetch(a->box, &a->as, a->lane, a->fresh[0].behind,
                         a->fresh_bytes, a->fresh, a->fresh_room, &a->fresh_n,
                         NULL);
}

static void read_done(void *arg)
{
    struct ahead *a = arg;
    a->reading = false;
    if (a->fresh_n == 0) {
        a->behind = -1;
    }
    for (size_t i = 0; i < a->fresh_room; i++) {
        struct prefetch *p = &a->fresh[i];
        if (i < a->fresh_n && a->behind == p->behind && p->batch.n > 0) {
            a->row[a->n++] = *p;
            a->bytes += p->batch.bytes.len;
            a->behind = p->full ? p->hi : -1;
        } else { /* not read, forgotten meanwhile, or the end of the log */
            a->behind = i < a->fresh_n ? -1 : a->behind;
            ahead_keep_memory(a, &p->batch.bytes);
            prefetch_finish(p);
        }
        *p = (struct prefetch){0};
    }
    a->done(a->arg);
}

void ahead_read(struct ahead *a, const struct destination *d)
{
    if (a->reading || a->behind < 0 || a->n == BATCH_AHEAD ||
        a->bytes >= AHEAD_BYTES) {
        return;
    }
    a->reading = true;
    a->as = *d;
    a->fresh_n = 0;
    a->fresh_room = BATCH_AHEAD - a->n;
    a->fresh_bytes = AHEAD_BYTES - a->bytes;
    for (size_t i = 0; i < a->fresh_room; i++) {
        a->fresh[i].batch.bytes = take_memory(a);
    }
    a->fresh[0].behind = a->behind;
    a->job = (struct job){.run = run_read, .done = read_done, .arg = a};
    job_thread_do(a->thread, &a->job);
}

size_t ahead_take(struct ahead *a, struct prefetch *out, size_t most)
{
    size_t taken = most < a->n ? most : a->n;
    for (size_t i = 0; i < taken; i++) {
        out[i] = a->row[i];
        a->bytes -= out[i].batch.bytes.len;
    }
    a->n -= taken;
    memmove(a->row, a->row + taken, a->n * sizeof *out);
    return taken;
}
