/* test_sim_replay [--seed N] [--count N]
 *
 * A replay with a share beside live events, with the real flusher and outbox,
 * in virtual time, all from one seed. A history has been delivered; then more
 * live events come than the endpoint can take, and the history is to be
 * delivered again as a share of what leaves. The endpoint is slow, busy at
 * times, and loses answers; the flusher and its spool are restarted; half of
 * the replays are stopped on the way. All the time
 *
 *   what was delivered again is no more than the share of all since the replay
 *   began, and not much less either,
 *   the events of a session arrive in the order of their ids, live ones among
 *   each other and those that come again among each other,
 *   nothing arrives that was not put, or once more than is explained.
 *
 * At the end the live events stop, and all that waits is delivered: every live
 * event has arrived once, every one of the history once more, up to where the
 * replay was stopped, and the sums add up. The controls are a replay that has
 * no share, a stop that is not made, and two arrivals that change places. */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "delivery/flusher.h"
#include "outbox/inspect.h"
#include "outbox/replay.h"
#include "sim/loop.h"
#include "support/box.h"
#include "support/long_run.h"
#include "support/result.h"

#define EVENTS_MOST 12000
#define HISTORY     600
#define SESSIONS    7
#define START_MS    INT64_C(1700000000000)
#define TICK_MS     INT64_C(100)
#define LOAD_TICKS  600 /* a minute of load */
#define WARM_TICKS  200
#define WARM        40 /* requests, one after another */
#define DRAIN_MS    INT64_C(3600000)
#define IN_A_BATCH  20

enum plant { PLANT_NONE, PLANT_NO_SHARE, PLANT_NO_STOP, PLANT_SWAPS, PLANTS };

struct event {
    uint32_t session;
    int arrived; /* under a key of its own each time */
    bool comes_again;
};

struct world {
    char folder[64], path[96];
    struct clock clock;
    struct rng rng;
    enum plant plant;
    struct outbox *box;
    struct flusher *flusher;
    bool stopped;
    struct destination d;
    int64_t a_tick;                       /* so many events can leave in one, */
    int64_t service_ms;                   /* since a request takes so long */
    int trouble;                          /* percent of the answers */
    struct event events[EVENTS_MOST + 1]; /* by id */
    int64_t last, live, again, lost, busy, restarts;
    int64_t last_live[SESSIONS], last_again[SESSIONS];
    char lost_key[256][UUID_SIZE]; /* arrived, unknown to the sender */
    size_t lost_n;
    int64_t replay;   /* 0: none is under way */
    bool was_stopped; /* or is over */
    int share;
    bool failed;
    char why[300];
};

static struct world *world; /* the sender's table has no argument for it */

static void fail(struct world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void fail(struct world *w, const char *format, ...)
{
    if (!w->failed) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(w->why, sizeof w->why, format, args);
        va_end(args);
        w->failed = true;
    }
}

static void must(struct world *w, enum spool_status status,
                 const struct spool_error *err)
{
    if (status != SPOOL_OK) {
        fail(w, "%s", err->message);
    }
}

/* ---- the endpoint ---- */

struct http {
    void (*closed)(void *arg);
    void *arg;
};

struct http_post {
    int64_t ids[IN_A_BATCH];
    size_t n;
    char key[UUID_SIZE];
    http_done *done;
    void *arg;
};

/* The n-th time under another key: first live, then again. */
static void note_arrival(struct world *w, int64_t id)
{
    if (id < 1 || id > w->last) {
        fail(w, "event %" PRId64 " was never put", id);
        return;
    }
    struct event *e = &w->events[id];
    int64_t *last = e->arrived == 0 ? &w->last_live[e->session]
                                    : &w->last_again[e->session];
    if (id <= *last) {
        fail(w, "event %" PRId64 " of session %u arrived behind %" PRId64, id,
             e->session, *last);
    }
    *last = id;
    if (++e->arrived > 2 || (e->arrived == 2 && id > HISTORY)) {
        fail(w, "event %" PRId64 " arrived %d times", id, e->arrived);
    }
    w->live += e->arrived == 1 ? 1 : 0;
    w->again += e->arrived == 2 ? 1 : 0;
}

static bool was_lost(const struct world *w, const char *key)
{
    for (size_t i = 0; i < w->lost_n; i++) {
        if (strcmp(w->lost_key[i], key) == 0) {
            return true;
        }
    }
    return false;
}

static void arrive(struct world *w, struct http_post *post)
{
    if (was_lost(w, post->key)) {
        return; /* the same bytes, as the model of all has it: sim/model */
    }
    if (w->plant == PLANT_SWAPS && post->n > 1) {
        int64_t first = post->ids[0];
        post->ids[0] = post->ids[post->n - 1];
        post->ids[post->n - 1] = first;
    }
    for (size_t i = 0; i < post->n; i++) {
        note_arrival(w, post->ids[i]);
    }
}

static void answer(void *arg)
{
    struct http_post *post = arg;
    struct world *w = world;
    struct reply reply = {.http = 200, .content_type = "", .body = ""};
    bool trouble = rng_upto(&w->rng, 99) < w->trouble;
    reply.error = "";
    if (trouble && w->lost_n < 256 && rng_upto(&w->rng, 1) == 0) {
        arrive(w, post);
        (void)strcpy(w->lost_key[w->lost_n++], post->key);
        reply.http = 0;
        reply.transport = TRANSPORT_LOST;
        reply.error = "lost";
        w->lost++;
    } else if (trouble) {
        reply.http = 503;
        w->busy++;
    } else {
        arrive(w, post);
    }
    http_done *done = post->done;
    void *of = post->arg;
    free(post);
    done(of, &reply);
}

static enum spool_status
take_post(struct http *h, const struct http_request *request, http_done *done,
          void *arg, struct http_post **out, struct spool_error *err)
{
    (void)h, (void)err;
    struct http_post *post = calloc(1, sizeof *post);
    if (post == NULL) {
        abort();
    }
    post->done = done;
    post->arg = arg;
    for (size_t i = 0; request->headers[i] != NULL; i++) {
        (void)sscanf(request->headers[i], "Idempotency-Key: %36s", post->key);
    }
    const char *body = request->body, *end = body + request->body_len;
    while ((body = memchr(body, ':', (size_t)(end - body))) != NULL) {
        if (post->n == IN_A_BATCH) {
            fail(world, "a batch of more than %d events", IN_A_BATCH);
            break;
        }
        post->ids[post->n++] = strtoll(++body, NULL, 10);
    }
    loop_after(world->service_ms, answer, post);
    *out = post;
    return SPOOL_OK;
}

static enum spool_status open_door(struct uv_loop_s *loop,
                                   const struct http_options *options,
                                   struct http **out, struct spool_error *err)
{
    (void)loop, (void)options, (void)err;
    *out = calloc(1, sizeof **out);
    return *out != NULL ? SPOOL_OK : SPOOL_NO_MEMORY;
}

/* Nobody is there to wait for the answer, which may come to be lost. */
static void cancel(struct http *h, struct http_post *post)
{
    (void)h;
    loop_forget(post);
    free(post);
}

static void closed(void *arg)
{
    struct http h = *(struct http *)arg;
    free(arg);
    h.closed(h.arg);
}

static void shut_door(struct http *h, void (*done)(void *arg), void *arg)
{
    *h = (struct http){done, arg};
    loop_after(0, closed, h);
}

static const struct sender_ops endpoint = {open_door, take_post, cancel,
                                           shut_door};

/* ---- the spool ---- */

static int64_t wall_ms(void *arg)
{
    (void)arg;
    return START_MS + loop_now();
}

static int64_t mono_ms(void *arg)
{
    (void)arg;
    return loop_now();
}

static void begin(struct world *w)
{
    struct spool_error err;
    struct outbox_options o = {
        .path = w->path, .create = true, .clock = &w->clock};
    must(w, outbox_open(&o, &w->box, &err), &err);
    struct flusher_options f = {.box = w->box,
                                .sender = &endpoint,
                                .stop_grace_ms = 60000,
                                .keep_ms = -1};
    if (!w->failed) {
        must(w, flusher_start(&f, &w->flusher, &err), &err);
    }
}

static void note_stopped(void *arg)
{
    ((struct world *)arg)->stopped = true;
}

static void end(struct world *w)
{
    if (w->flusher != NULL) {
        w->stopped = false;
        flusher_stop(w->flusher, note_stopped, w);
        (void)loop_run(600000, &w->stopped);
        w->flusher = NULL;
        if (!w->stopped) {
            fail(w, "the flusher does not stop");
        }
    }
    outbox_close(w->box);
    w->box = NULL;
}

static void add_shop(struct world *w)
{
    struct spool_error err;
    struct destination *d = &w->d;
    destination_default(d);
    (void)strcpy(d->name, "shop");
    (void)strcpy(d->url, "http://127.0.0.1:1/");
    (void)strcpy(d->profile, "json");
    d->lanes = 1 + (int)rng_upto(&w->rng, 2);
    d->batch_events = 2 + (int)rng_upto(&w->rng, IN_A_BATCH - 2);
    d->batch_age_ms = 0;
    d->backoff_base_ms = 10;
    d->backoff_cap_ms = 1000;
    must(w, destination_add(w->box, d, &err), &err);
}

static void put(struct world *w, int64_t n)
{
    char bodies[64][32];
    struct outbox_event e[64];
    struct spool_error err;
    assert(w->last + n <= EVENTS_MOST);
    while (n > 0 && !w->failed) {
        size_t some = n < 64 ? (size_t)n : 64;
        for (size_t i = 0; i < some; i++) {
            uint32_t session = (uint32_t)rng_upto(&w->rng, SESSIONS - 1);
            int64_t id = w->last + 1 + (int64_t)i;
            int len = snprintf(bodies[i], sizeof bodies[i],
                               "{\"n\":%" PRId64 "}", id);
            w->events[id] = (struct event){.session = session};
            e[i] = (struct outbox_event){
                .body = bodies[i], .len = (size_t)len, .part = session};
        }
        must(w, outbox_append(w->box, e, some, &err), &err);
        w->last += (int64_t)some;
        n -= (int64_t)some;
    }
    loop_notify();
}

static void run(struct world *w, int64_t ms)
{
    if (!loop_run(ms, &w->failed)) {
        fail(w, "the flusher spins");
    }
}

static struct sums sums_of(struct world *w)
{
    struct sums s = {0};
    struct spool_error err;
    must(w, inspect_sums(w->box, &w->d, &s, &err), &err);
    return s;
}

/* Until nothing waits and no replay is under way. */
static void drain(struct world *w)
{
    struct replay r;
    struct spool_error err;
    int64_t until = loop_now() + DRAIN_MS;
    size_t n = 1;
    while (!w->failed && (n > 0 || sums_of(w).waiting > 0)) {
        run(w, 10 * TICK_MS);
        must(w, replay_list(w->box, &r, 1, &n, &err), &err);
        if (loop_now() > until) {
            fail(w, "events wait for an hour: %" PRId64 ", replays: %zu",
                 sums_of(w).waiting, n);
        }
    }
}

/* ---- the replay ---- */

static void begin_replay(struct world *w)
{
    static int64_t ids[HISTORY];
    struct spool_error err;
    struct replay_terms terms = {.share =
                                     w->plant == PLANT_NO_SHARE ? 0 : w->share};
    for (size_t i = 0; i < HISTORY; i++) {
        ids[i] = (int64_t)i + 1;
    }
    must(w,
         replay_begin(w->box, &w->d, ids, HISTORY, &terms, "a test", &w->replay,
                      &err),
         &err);
}

static void note_rest(struct world *w, int64_t reached)
{
    for (int64_t id = 1; id <= HISTORY; id++) {
        w->events[id].comes_again = id <= reached;
    }
}

/* In the middle of what the flusher does. */
static void stop_replay(struct world *w)
{
    struct replay r;
    struct spool_error err;
    loop_run_steps((int)rng_upto(&w->rng, 10));
    if (w->plant == PLANT_NO_STOP) {
        note_rest(w, 0);
        return;
    }
    enum spool_status status = replay_stop(w->box, w->replay, &r, &err);
    if (status == SPOOL_NOT_FOUND) {
        return; /* it was faster */
    }
    must(w, status, &err);
    note_rest(w, r.done);
    w->was_stopped = true;
    if (r.changed != r.done) {
        fail(w, "of %" PRId64 " events %" PRId64 " were delivered again",
             r.done, r.changed);
    }
}

/* Of what arrived since it began. A slice waits behind what was taken before
 * it, and the next one for it: not all of the share is used. */
static void check_share(struct world *w, int64_t live_before, int tick)
{
    int64_t all = w->live - live_before + w->again;
    bool over = w->was_stopped || w->again == HISTORY;
    if (w->again * 100 > all * w->share) {
        fail(w, "%" PRId64 " of %" PRId64 " came again, a share of %d%%",
             w->again, all, w->share);
    }
    bool warm = (tick - WARM_TICKS) * TICK_MS > WARM * w->service_ms;
    if (!over && warm && w->again * 500 < all * w->share) {
        fail(w, "only %" PRId64 " of %" PRId64 " came again, a share of %d%%",
             w->again, all, w->share);
    }
}

/* More comes than can leave, and a batch waits at any time. */
static void load(struct world *w)
{
    int64_t before = w->live;
    int64_t stop_at = rng_upto(&w->rng, 2 * LOAD_TICKS);
    int64_t restart_at = rng_upto(&w->rng, 4 * LOAD_TICKS);
    put(w, w->d.lanes * IN_A_BATCH * 10);
    begin_replay(w);
    for (int i = 0; i < LOAD_TICKS && !w->failed; i++) {
        put(w, w->a_tick + 1);
        run(w, TICK_MS);
        check_share(w, before, i);
        if (i == stop_at) {
            stop_replay(w);
        }
        if (i == restart_at && !w->failed) {
            end(w);
            begin(w);
            w->restarts++;
        }
    }
}

/* ---- a life ---- */

static void note_finding(void *arg, const char *sentence)
{
    fail(arg, "verify: %s", sentence);
}

static void check_end(struct world *w)
{
    struct sums s = sums_of(w);
    int64_t findings;
    struct spool_error err;
    must(w, verify(w->box, note_finding, w, &findings, &err), &err);
    if (s.waiting != 0 || s.accepted != w->last ||
        s.by_state[EVENT_DELIVERED] != w->last) {
        fail(w, "%" PRId64 " of %" PRId64 " are delivered",
             s.by_state[EVENT_DELIVERED], w->last);
    }
    for (int64_t id = 1; id <= w->last; id++) {
        int want = w->events[id].comes_again ? 2 : 1;
        if (w->events[id].arrived != want) {
            fail(w, "event %" PRId64 " arrived %d times, not %d", id,
                 w->events[id].arrived, want);
        }
    }
}

static void live(struct world *w, uint64_t seed, enum plant plant)
{
    memset(w, 0, sizeof *w);
    world = w;
    w->rng.state = seed;
    w->plant = plant;
    w->clock = (struct clock){wall_ms, mono_ms, w};
    fixture_make_ram_folder(w->folder);
    (void)snprintf(w->path, sizeof w->path, "%s/outbox.db", w->folder);
    loop_reset(rng_next(&w->rng));
    loop_be_punctual();
    w->share = 3 + (int)rng_upto(&w->rng, 60);
    begin(w);
    add_shop(w);
    w->a_tick = 3 + rng_upto(&w->rng, 11);
    w->service_ms = w->d.lanes * w->d.batch_events * TICK_MS / w->a_tick;
    put(w, HISTORY);
    drain(w);
    note_rest(w, HISTORY);
    w->trouble = (int)rng_upto(&w->rng, 2) * 5;
    load(w);
    w->trouble = 0;
    drain(w);
    if (!w->failed) {
        check_end(w);
    }
    end(w);
    fixture_remove_folder(w->folder);
}

static bool is_noticed(struct world *w, uint64_t seed, enum plant plant)
{
    for (uint64_t i = 0; i < 10; i++) {
        live(w, seed + i, plant);
        if (w->failed) {
            (void)printf("planted mistake %d: %s\n", (int)plant, w->why);
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    struct timespec began;
    static struct world w;
    /* What loop.c gives for chance begins alike each time, so these are the
     * same lives unless another seed is named. */
    uint64_t seed = long_run_seed(argc, argv);
    long count =
        long_run_option(argc, argv, "--count", long_run_is_full() ? 1000 : 6);
    int64_t failures = 0, again = 0, all = 0, stops = 0, restarts = 0;
    int64_t lost = 0, busy = 0;
    char figures[300];
    int noticed = 0;
    (void)clock_gettime(CLOCK_MONOTONIC, &began);
    long n = 0;
    for (long i = 0; i < count && !long_run_is_told_to_end(); i++) {
        n++;
        live(&w, seed + (uint64_t)i, PLANT_NONE);
        if (w.failed) {
            (void)printf("seed %" PRIu64 ": %s\n", seed + (uint64_t)i, w.why);
            failures++;
        }
        again += w.again;
        all += w.live + w.again;
        stops += w.was_stopped ? 1 : 0;
        restarts += w.restarts;
        lost += w.lost;
        busy += w.busy;
    }
    for (int p = PLANT_NONE + 1; p < PLANTS; p++) {
        noticed += is_noticed(&w, seed, (enum plant)p) ? 1 : 0;
    }
    (void)snprintf(figures, sizeof figures,
                   "\"events\":%" PRId64 ",\"again\":%" PRId64
                   ",\"stopped\":%" PRId64 ",\"restarts\":%" PRId64
                   ",\"answers lost\":%" PRId64 ",\"busy\":%" PRId64,
                   all, again, stops, restarts, lost, busy);
    struct result r = {
        .test = "replay-share",
        .what = "lives in which a history is delivered again as a share beside "
                "more live events than can leave: the share and the order are "
                "kept, and the sums add up",
        .n = n,
        .failures = failures,
        .seed = seed,
        .control = "no share, no stop, two arrivals that change places: all "
                   "are noticed",
        .caught = noticed == PLANTS - 1,
        .seconds = long_run_seconds(&began),
        .figures = figures};
    return result_tell(&r) ? 0 : 1;
}
