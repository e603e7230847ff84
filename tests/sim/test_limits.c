/* test_limits [--seed N] [--count N]
 *
 * Lives of a spool that is mostly full: puts of all classes, three destinations
 * (one with lanes, one with a filter) that deliver, retry, refuse and read
 * ahead, an operator who purges, replays and changes the limits, retention and
 * restarts, all from one seed. After each step:
 *
 *   no put leaves more in the log than there was or than the limit says,
 *   what is in flight is in the log, and so was all that was just taken,
 *   the sums add up (verify, every few steps).
 *
 * At the end everything is drained without limits, and every event of the
 * dearest class has arrived, is dead or was purged by the operator. The
 * controls are a producer that takes dear events for cheap ones, and a flusher
 * that does not notice what gave way behind its back. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "outbox/limits.h"
#include "outbox/retain.h"
#include "outbox/store.h"
#include "support/box.h"
#include "support/long_run.h"
#include "support/result.h"

#define EVENTS_MOST 6000
#define READERS     3
#define LANES_MOST  2
#define DEAR        (OUTBOX_CLASSES - 1)
#define STEPS       250
#define IN_A_CALL   20
#define IN_A_BATCH  8
#define PUT_TOKEN   "{\"c\":%d,\"n\":%" PRId64 "}"

enum plant { PLANT_NONE, PLANT_LIES, PLANT_STALE, PLANTS };

/* A lane's batch in flight, and what was read ahead. */
struct slot {
    bool flies;
    struct batch batch;
    int64_t ids[IN_A_BATCH];
    size_t n;
    struct prefetch ahead;
};

struct reader {
    struct destination d;
    struct slot slots[LANES_MOST];
};

struct event {
    int class;
    bool arrived[READERS], dead[READERS], purged[READERS];
};

struct world {
    char folder[64], path[96];
    int64_t now;
    struct clock clock;
    struct outbox *box;
    struct rng rng;
    enum plant plant;
    struct reader readers[READERS];
    struct event events[EVENTS_MOST + 1]; /* by id */
    int64_t last;
    bool present[EVENTS_MOST + 1];
    bool failed;
    char why[400];
    int64_t shed, refused, restarts, taken;
};

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

static bool luck(struct world *w, int64_t one_in)
{
    return rng_upto(&w->rng, one_in - 1) == 0;
}

/* ---- what the outbox asks its user ---- */

static bool lies;

static int class_of(const char *body, size_t len)
{
    int class = len > 5 ? body[5] - '0' : -1;
    return lies && class == DEAR ? 0 : class;
}

static enum spool_status compile(const char *words, void **out,
                                 struct spool_error *err)
{
    static char some;
    (void)words;
    (void)err;
    *out = &some;
    return SPOOL_OK;
}

static bool takes(const void *filter, const char *body, size_t len)
{
    (void)filter;
    return len > 5 && body[5] >= '3';
}

static void release(void *filter)
{
    (void)filter;
}

static int64_t now_of(void *arg)
{
    return ((struct world *)arg)->now;
}

static void open_box(struct world *w)
{
    struct spool_error err;
    struct outbox_options o = {.path = w->path,
                               .create = true,
                               .clock = &w->clock,
                               .filters = {compile, takes, release},
                               .class_of = class_of};
    must(w, outbox_open(&o, &w->box, &err), &err);
}

/* ---- looking ---- */

static bool note_present(void *arg, const struct event_record *e)
{
    struct world *w = arg;
    w->present[e->id] = true;
    return true;
}

static void list(struct world *w)
{
    struct spool_error err;
    struct event_range all = {0};
    memset(w->present, 0, sizeof w->present);
    must(w, inspect_events(w->box, NULL, &all, note_present, w, &err), &err);
}

static struct limits_usage use(struct world *w)
{
    struct limits_usage u = {0};
    struct spool_error err;
    must(w, limits_usage(w->box, &u, &err), &err);
    return u;
}

static void print_finding(void *arg, const char *sentence)
{
    fail(arg, "verify: %s", sentence);
}

static void verify_all(struct world *w)
{
    int64_t findings;
    struct spool_error err;
    must(w, verify(w->box, print_finding, w, &findings, &err), &err);
}

static void check_flights(struct world *w)
{
    list(w);
    for (int r = 0; r < READERS; r++) {
        for (int l = 0; l < w->readers[r].d.lanes; l++) {
            const struct slot *s = &w->readers[r].slots[l];
            for (size_t i = 0; s->flies && i < s->n; i++) {
                if (!w->present[s->ids[i]]) {
                    fail(w, "event %" PRId64 " is in flight and left the log",
                         s->ids[i]);
                }
            }
        }
    }
}

/* ---- steps ---- */

static void put(struct world *w)
{
    static const int classes[] = {0, 0, 0, 0, 0, 1, 1, 2, 3, 4};
    char bodies[IN_A_CALL][64];
    struct outbox_event e[IN_A_CALL];
    struct spool_error err;
    struct limits l;
    int64_t n = 1 + rng_upto(&w->rng, IN_A_CALL - 1), before = use(w).events;
    for (int64_t i = 0; i < n; i++) {
        int class = classes[rng_upto(&w->rng, 9)];
        int len = snprintf(bodies[i], sizeof bodies[i], PUT_TOKEN, class,
                           rng_upto(&w->rng, 1000000));
        e[i] = (struct outbox_event){.body = bodies[i],
                                     .len = (size_t)len,
                                     .class = class,
                                     .part = (uint32_t)rng_upto(&w->rng, 9)};
    }
    must(w, outbox_append(w->box, e, (size_t)n, &err), &err);
    for (int64_t i = 0; !w->failed && i < n; i++) {
        if (e[i].appended == APPENDED) {
            w->last = e[i].id;
            w->events[w->last] = (struct event){.class = e[i].class};
        } else {
            w->refused++;
        }
    }
    int64_t after = use(w).events;
    must(w, limits_get(w->box, &l, &err), &err);
    if (l.max_events > 0 && after > before && after > l.max_events) {
        fail(w, "%" PRId64 " events where %" PRId64 " are the most", after,
             l.max_events);
    }
}

/* The ids of a batch: its tile's, of this lane, that the filter takes. */
static bool note_member(void *arg, const struct event_record *e)
{
    struct slot *s = arg;
    if (e->state == EVENT_SENDING && e->batch == s->batch.id &&
        s->n < IN_A_BATCH) {
        s->ids[s->n++] = e->id;
    }
    return true;
}

static size_t count_sent(const struct batch *b)
{
    size_t n = 0;
    for (size_t i = 0; i + 4 < b->bytes.len; i++) {
        n += memcmp(b->bytes.data + i, "\"n\":", 4) == 0 ? 1 : 0;
    }
    return n;
}

static void start(struct world *w, struct reader *r, struct slot *s,
                  const struct batch *b)
{
    struct spool_error err;
    struct event_range range = {.lo = b->lo, .hi = b->hi};
    s->batch = *b;
    s->flies = true;
    s->n = 0;
    w->taken++;
    must(w, inspect_events(w->box, &r->d, &range, note_member, s, &err), &err);
    if (s->n != b->n || count_sent(b) != b->n) {
        fail(w, "%s: a batch of %zu events has %zu in the log", r->d.name, b->n,
             s->n);
    }
}

static void read_ahead(struct world *w, struct reader *r, int lane)
{
    struct spool_error err;
    struct slot *s = &r->slots[lane];
    int64_t cursor = s->flies ? s->batch.hi : 0;
    size_t n;
    prefetch_finish(&s->ahead);
    s->ahead = (struct prefetch){0};
    if (s->flies) {
        must(w,
             batch_prefetch(w->box, &r->d, lane, cursor, SIZE_MAX, &s->ahead, 1,
                            &n, &err),
             &err);
    }
}

/* Settles what flies, and takes the next, perhaps what was read ahead. */
static void turn_lane(struct world *w, struct reader *r, int lane,
                      enum outcome outcome)
{
    struct slot *s = &r->slots[lane];
    struct spool_error err;
    struct turn turn = {0};
    struct settlement settled = {.outcome = outcome,
                                 .retry_at = w->now,
                                 .probe_at = w->now,
                                 .sent_at = w->now,
                                 .http = 200,
                                 .code = "CODE",
                                 .reason = "a reason",
                                 .answer = ""};
    struct batch sent = s->batch;
    struct done done = {.batch = &sent, .s = &settled};
    bool ahead = s->ahead.batch.n > 0;
    struct take_options take = {
        .now = true, .prefetched = &s->ahead, .prefetched_n = ahead ? 1 : 0};
    struct order order = {.done = s->flies ? &done : NULL,
                          .done_n = s->flies ? 1 : 0,
                          .take = &take};
    if (w->plant == PLANT_STALE && ahead) {
        struct destination d;
        must(w, destination_find(w->box, r->d.name, &d, &err), &err);
        s->ahead.shed = d.shed;
    }
    must(w, batch_turn(w->box, r->d.id, lane, &order, &turn, &err), &err);
    for (size_t i = 0; s->flies && i < s->n; i++) {
        struct event *e = &w->events[s->ids[i]];
        bool *what = outcome == OUTCOME_DELIVERED ? e->arrived : e->dead;
        int reader = (int)(r - w->readers);
        what[reader] =
            what[reader] || outcome == OUTCOME_DELIVERED || done.settled.died;
    }
    if (s->flies) {
        batch_finish(&sent);
    }
    s->flies = false;
    r->d = turn.destination;
    if (!w->failed && turn.taken == TAKEN_BATCH) {
        start(w, r, s, &turn.batches[0]);
    }
}

static void deliver(struct world *w)
{
    struct reader *r = &w->readers[rng_upto(&w->rng, READERS - 1)];
    int lane = (int)rng_upto(&w->rng, r->d.lanes - 1);
    int64_t dice = rng_upto(&w->rng, 19);
    turn_lane(w, r, lane,
              dice < 13   ? OUTCOME_DELIVERED
              : dice < 16 ? OUTCOME_RETRY
              : dice < 19 ? OUTCOME_UNCERTAIN
                          : OUTCOME_REFUSED);
    if (luck(w, 2)) {
        read_ahead(w, r, lane);
    }
}

static void operate(struct world *w)
{
    struct reader *r = &w->readers[rng_upto(&w->rng, READERS - 1)];
    struct operation op;
    struct spool_error err;
    int64_t id = w->last > 0 ? 1 + rng_upto(&w->rng, w->last - 1) : 0;
    bool purges = luck(w, 2) && w->events[id].class != DEAR;
    if (id == 0) {
        return;
    }
    enum spool_status status =
        purges ? operate_purge(w->box, &r->d, &id, 1, "a test", &op, &err)
               : operate_replay(w->box, &r->d, &id, 1, "a test", &op, &err);
    must(w, status, &err);
}

/* The dearest class is never among those that may be shed. */
static void limit(struct world *w)
{
    struct spool_error err;
    struct limits l = {.max_events = 20 + rng_upto(&w->rng, 100)};
    for (int c = 0; c < OUTBOX_CLASSES; c++) {
        l.classes[c] = (struct class_limit){
            .share = luck(w, 3) ? 50 + (int)rng_upto(&w->rng, 50) : 100,
            .shed = c < DEAR && !luck(w, 3)};
    }
    must(w, limits_set(w->box, &l, &err), &err);
}

static void retain(struct world *w)
{
    struct spool_error err;
    struct retention r = {rng_upto(&w->rng, 1) * 100000, (int64_t)1 << 40};
    bool more = true;
    for (int i = 0; more && i < 20; i++) {
        must(w, retain_step(w->box, &r, &more, &err), &err);
    }
}

static void forget_flights(struct world *w)
{
    for (int r = 0; r < READERS; r++) {
        for (int l = 0; l < LANES_MOST; l++) {
            struct slot *s = &w->readers[r].slots[l];
            if (s->flies) {
                batch_finish(&s->batch);
            }
            prefetch_finish(&s->ahead);
            *s = (struct slot){0};
        }
    }
}

static void restart(struct world *w)
{
    struct spool_error err;
    int64_t n;
    forget_flights(w);
    w->shed = 0;
    outbox_close(w->box);
    w->box = NULL;
    open_box(w);
    w->restarts++;
    if (!w->failed) {
        must(w, batch_recover(w->box, &n, &err), &err);
    }
}

static void one_step(struct world *w)
{
    int64_t dice = rng_upto(&w->rng, 99);
    w->now += rng_upto(&w->rng, 1000);
    if (dice < 35) {
        put(w);
    } else if (dice < 85) {
        deliver(w);
    } else if (dice < 90) {
        operate(w);
    } else if (dice < 94) {
        limit(w);
    } else if (dice < 98) {
        retain(w);
    } else {
        restart(w);
    }
    if (!w->failed) {
        check_flights(w);
    }
}

/* ---- a life ---- */

static void add_reader(struct world *w, int i, const char *name,
                       const char *filter, int lanes)
{
    struct spool_error err;
    struct destination *d = &w->readers[i].d;
    destination_default(d);
    (void)snprintf(d->name, sizeof d->name, "%s", name);
    (void)snprintf(d->url, sizeof d->url, "http://127.0.0.1:1");
    (void)snprintf(d->filter, sizeof d->filter, "%s", filter);
    d->batch_events = IN_A_BATCH;
    d->batch_age_ms = 0;
    d->hold_after = 0;
    d->lanes = lanes;
    must(w, destination_add(w->box, d, &err), &err);
}

static void drain(struct world *w)
{
    struct spool_error err;
    struct limits none = {0};
    for (int c = 0; c < OUTBOX_CLASSES; c++) {
        none.classes[c].share = 100;
    }
    must(w, limits_set(w->box, &none, &err), &err);
    for (int r = 0; r < READERS; r++) {
        for (int l = 0; !w->failed && l < w->readers[r].d.lanes; l++) {
            struct slot *s = &w->readers[r].slots[l];
            do {
                turn_lane(w, &w->readers[r], l, OUTCOME_DELIVERED);
            } while (s->flies && !w->failed);
        }
    }
}

static void check_end(struct world *w)
{
    for (int r = 0; !w->failed && r < READERS; r++) {
        struct sums s;
        struct spool_error err;
        must(w, inspect_sums(w->box, &w->readers[r].d, &s, &err), &err);
        if (!w->failed && s.waiting != 0) {
            fail(w, "%s: %" PRId64 " events wait still", w->readers[r].d.name,
                 s.waiting);
        }
    }
    for (int64_t id = 1; id <= w->last; id++) {
        const struct event *e = &w->events[id];
        for (int r = 0; e->class == DEAR && r < READERS; r++) {
            if (!e->arrived[r] && !e->dead[r]) {
                fail(w, "dear event %" PRId64 " did not arrive at %s", id,
                     w->readers[r].d.name);
            }
        }
    }
}

static void live(struct world *w, uint64_t seed, enum plant plant)
{
    *w = (struct world){.now = 1000000, .rng = {seed}, .plant = plant};
    w->clock = (struct clock){now_of, now_of, w};
    lies = plant == PLANT_LIES;
    fixture_make_ram_folder(w->folder);
    (void)snprintf(w->path, sizeof w->path, "%s/outbox.db", w->folder);
    open_box(w);
    add_reader(w, 0, "shop", "", 1);
    add_reader(w, 1, "dear", "class >= 3", 1);
    add_reader(w, 2, "wide", "", LANES_MOST);
    limit(w);
    for (int i = 0; !w->failed && i < STEPS; i++) {
        one_step(w);
        if (i % 10 == 0 && !w->failed) {
            verify_all(w);
        }
    }
    if (!w->failed) {
        drain(w);
        verify_all(w);
        check_end(w);
    }
    if (!w->failed) {
        struct limits_usage u = use(w);
        for (int c = 0; c < OUTBOX_CLASSES; c++) {
            w->shed += u.shed[LIMIT_EVENTS][c];
        }
    }
    forget_flights(w);
    outbox_close(w->box);
    fixture_remove_folder(w->folder);
}

/* A seed of a few in which the mistake is noticed. */
static bool is_noticed(struct world *w, uint64_t seed, enum plant plant)
{
    for (uint64_t i = 0; i < 20; i++) {
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
    uint64_t seed = long_run_seed(argc, argv);
    long count =
        long_run_option(argc, argv, "--count", long_run_is_full() ? 3000 : 15);
    int64_t failures = 0, shed = 0, refused = 0, restarts = 0, taken = 0;
    char figures[200];
    (void)clock_gettime(CLOCK_MONOTONIC, &began);
    for (long i = 0; i < count; i++) {
        live(&w, seed + (uint64_t)i, PLANT_NONE);
        if (w.failed) {
            (void)printf("seed %" PRIu64 ": %s\n", seed + (uint64_t)i, w.why);
            failures++;
        }
        shed += w.shed;
        refused += w.refused;
        restarts += w.restarts;
        taken += w.taken;
    }
    int noticed = 0;
    for (int p = PLANT_NONE + 1; p < PLANTS; p++) {
        noticed += is_noticed(&w, seed, (enum plant)p) ? 1 : 0;
    }
    (void)snprintf(figures, sizeof figures,
                   "\"shed\":%" PRId64 ",\"refused\":%" PRId64
                   ",\"batches\":%" PRId64 ",\"restarts\":%" PRId64,
                   shed, refused, taken, restarts);
    struct result r = {
        .test = "limits",
        .what = "lives of a spool that is full, in which cheap events give "
                "way: the sums add up, nothing in flight goes, and every dear "
                "event arrives",
        .n = count,
        .failures = failures + (shed > 0 && refused > 0 ? 0 : 1),
        .seed = seed,
        .control = "dear events taken for cheap ones, and sent though they "
                   "gave way: both are noticed",
        .caught = noticed == PLANTS - 1,
        .seconds = long_run_seconds(&began),
        .figures = figures};
    return result_tell(&r) ? 0 : 1;
}
