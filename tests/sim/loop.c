#define _DEFAULT_SOURCE /* getentropy */
#include "sim/loop.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <uv.h>

#include "delivery/job_thread.h"

#define THINGS_MAX 512
#define SPIN_MAX   200000

/* The wait between a flusher's looks at its destinations. It may be over late,
 * as on a machine with other things to do: otherwise an hour of quiet would
 * cost an hour of looks. */
#define LOOK_MS     1000
#define LATE_MAX_MS 60000

enum kind { NOTHING, TIMER, WORK, WORKED, JOB, JOB_RUN, CLOSING, WATCH, CALL };

struct thing {
    enum kind kind;
    void *handle; /* or a call's argument */
    int64_t due;
    uv_timer_cb timer;
    uv_work_cb work;
    uv_after_work_cb after;
    uv_close_cb close;
    uv_fs_event_cb watch;
    void (*call)(void *arg);
};

static struct {
    struct thing things[THINGS_MAX];
    size_t n; /* slots in use at most */
    int64_t now;
    struct rng rng;
    struct rng entropy;
    bool punctual;
} loop;

void loop_reset(uint64_t seed)
{
    memset(&loop, 0, sizeof loop);
    loop.rng.state = seed;
    loop.entropy.state = ~seed;
}

void loop_be_punctual(void)
{
    loop.punctual = true;
}

int getentropy(void *out, size_t size)
{
    unsigned char *bytes = out;
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (unsigned char)rng_next(&loop.entropy);
    }
    return 0;
}

/* Nobody moves files here; and whoever closes a watch waits for the kernel, for
 * as long as half a life takes. */
int inotify_init1(int flags)
{
    (void)flags;
    errno = EMFILE;
    return -1;
}

int64_t loop_now(void)
{
    return loop.now;
}

void loop_jump(int64_t ms)
{
    loop.now += ms;
}

static struct thing *find(enum kind kind, const void *handle)
{
    for (size_t i = 0; i < loop.n; i++) {
        if (loop.things[i].kind == kind && loop.things[i].handle == handle) {
            return &loop.things[i];
        }
    }
    return NULL;
}

static struct thing *add(enum kind kind, void *handle)
{
    size_t i = 0;
    while (i < loop.n && loop.things[i].kind != NOTHING) {
        i++;
    }
    assert(i < THINGS_MAX);
    loop.n = i == loop.n ? i + 1 : loop.n;
    loop.things[i] =
        (struct thing){.kind = kind, .handle = handle, .due = loop.now};
    return &loop.things[i];
}

static void drop(enum kind kind, const void *handle)
{
    struct thing *t = find(kind, handle);
    if (t != NULL) {
        t->kind = NOTHING;
    }
}

void loop_after(int64_t ms, void (*done)(void *arg), void *arg)
{
    struct thing *t = add(CALL, arg);
    t->due = loop.now + ms;
    t->call = done;
}

void loop_forget(void *arg)
{
    drop(CALL, arg);
}

/* ---- libuv's calls ---- */

int uv_timer_init(uv_loop_t *l, uv_timer_t *timer)
{
    (void)l;
    drop(TIMER, timer);
    return 0;
}

void uv_update_time(uv_loop_t *l)
{
    (void)l; /* nothing takes time but waiting */
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t wait,
                   uint64_t repeat)
{
    assert(repeat == 0);
    drop(TIMER, timer);
    struct thing *t = add(TIMER, timer);
    t->due = loop.now + (int64_t)wait;
    t->timer = cb;
    if (wait == LOOK_MS && !loop.punctual) {
        t->due += rng_upto(&loop.rng, LATE_MAX_MS);
    }
    return 0;
}

int uv_timer_stop(uv_timer_t *timer)
{
    drop(TIMER, timer);
    return 0;
}

int uv_is_active(const uv_handle_t *handle)
{
    return find(TIMER, handle) != NULL || find(WATCH, handle) != NULL;
}

int uv_queue_work(uv_loop_t *l, uv_work_t *work, uv_work_cb cb,
                  uv_after_work_cb after)
{
    (void)l;
    struct thing *t = add(WORK, work);
    t->work = cb;
    t->after = after;
    return 0;
}

int uv_fs_event_init(uv_loop_t *l, uv_fs_event_t *watch)
{
    (void)l;
    drop(WATCH, watch);
    return 0;
}

int uv_fs_event_start(uv_fs_event_t *watch, uv_fs_event_cb cb, const char *path,
                      unsigned flags)
{
    (void)path;
    (void)flags;
    add(WATCH, watch)->watch = cb;
    return 0;
}

int uv_fs_event_stop(uv_fs_event_t *watch)
{
    drop(WATCH, watch);
    return 0;
}

void uv_close(uv_handle_t *handle, uv_close_cb cb)
{
    drop(TIMER, handle);
    drop(WATCH, handle);
    add(CLOSING, handle)->close = cb;
}

/* ---- the flusher's own thread ---- */

int job_thread_start(struct job_thread *t)
{
    (void)t;
    return 0;
}

void job_thread_attach(struct job_thread *t, uv_loop_t *l)
{
    (void)t;
    (void)l;
}

void job_thread_do(struct job_thread *t, struct job *job)
{
    (void)t;
    (void)add(JOB, job);
}

void job_thread_stop(struct job_thread *t)
{
    (void)t;
}

void job_thread_detach(struct job_thread *t, void *data, uv_close_cb closed)
{
    t->news.data = data;
    uv_close((uv_handle_t *)&t->news, closed);
}

/* ---- running ---- */

void loop_notify(void)
{
    for (size_t i = 0; i < loop.n; i++) {
        struct thing *t = &loop.things[i];
        if (t->kind == WATCH) {
            t->watch(t->handle, "outbox.db-wal", UV_CHANGE, 0);
        }
    }
}

static void run(struct thing *at)
{
    struct thing t = *at;
    const struct job *job = t.handle;
    at->kind = NOTHING;
    switch (t.kind) {
    case TIMER:
        t.timer(t.handle);
        break;
    case WORK: /* done, but nobody knows yet */
        *at = t;
        at->kind = WORKED;
        t.work(t.handle);
        break;
    case WORKED:
        t.after(t.handle, 0);
        break;
    case JOB: /* likewise */
        *at = t;
        at->kind = JOB_RUN;
        job->run(job->arg);
        break;
    case JOB_RUN:
        job->done(job->arg);
        break;
    case CLOSING:
        t.close(t.handle);
        break;
    case CALL:
        t.call(t.handle);
        break;
    case WATCH:
    case NOTHING:
        assert(false);
        break;
    }
}

/* One of what is ready, whichever comes up. */
static bool step(void)
{
    size_t ready[THINGS_MAX], n = 0;
    for (size_t i = 0; i < loop.n; i++) {
        const struct thing *t = &loop.things[i];
        if (t->kind != NOTHING && t->kind != WATCH && t->due <= loop.now) {
            ready[n++] = i;
        }
    }
    if (n > 0) {
        run(&loop.things[ready[rng_next(&loop.rng) % n]]);
    }
    return n > 0;
}

static int64_t next_due(void)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < loop.n; i++) {
        const struct thing *t = &loop.things[i];
        if (t->kind != NOTHING && t->kind != WATCH && t->due < next) {
            next = t->due;
        }
    }
    return next;
}

bool loop_run(int64_t ms, const bool *until)
{
    int64_t end = loop.now + ms;
    for (long spins = 0; spins < SPIN_MAX;) {
        if (until != NULL && *until) {
            return true;
        }
        if (step()) {
            spins++;
            continue;
        }
        int64_t next = next_due();
        if (next > end) {
            loop.now = end > loop.now ? end : loop.now;
            return true;
        }
        loop.now = next;
        spins = 0;
    }
    return false;
}

void loop_run_steps(int steps)
{
    while (steps-- > 0 && step()) {
        /* on */
    }
}
