/* test_io [--seed N] [--points N]
 *
 * A disk that fails at any call, once or from then on, in any of nine ways: no
 * event is said to be stored that is not, none is there that was said not to
 * be, what failed is said in a sentence, and when the disk is well again the
 * spool opens, verifies and delivers the rest.
 *
 * A control in the same run: a disk that says it has written and has not.
 *
 * 300 points of the many, drawn by chance; with SPOOL_TEST_FULL=1 all of them.
 */
#define _DEFAULT_SOURCE /* mkdtemp */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/random.h"
#include "crash/fault.h"
#include "outbox/limits.h"
#include "outbox/retain.h"
#include "outbox/store.h"
#include "support/box.h"
#include "support/long_run.h"
#include "support/result.h"

#define EVENTS         64
#define GROUP          6
#define POINTS_QUICK   300
#define CONTROL_POINTS 10
#define WAL_FRAMES     12 /* a checkpoint every few commits */

enum fate { NOT_TRIED, STORED, REFUSED, UNKNOWN };

/* One life of a spool on such a disk. */
struct life {
    char folder[64];
    char path[96];
    int64_t now;
    struct clock clock;
    struct outbox *box;
    int64_t destination; /* 0: it was not added */
    int events;          /* tried so far: the nth is {"n":N} */
    enum fate fate[EVENTS + 1];
    int64_t shed;
    int64_t settled; /* said to be delivered, dead or purged */
    struct turn turn;
    bool in_hand;
    long wrong;
    char why[SPOOL_ERROR_SIZE];
    char said[SPOOL_ERROR_SIZE]; /* by the last turn that failed */
};

static void find(struct life *l, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void find(struct life *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(l->why, sizeof l->why, format, args);
    va_end(args);
    l->wrong++;
}

/* True when it was done. What failed must say so in words. */
static bool done(struct life *l, enum spool_status status,
                 const struct spool_error *err)
{
    if (status != SPOOL_OK &&
        (err->status != status || strlen(err->message) < 10)) {
        find(l, "%s says nothing: '%s'", spool_status_name(status),
             err->message);
    }
    return status == SPOOL_OK;
}

static int64_t now_of(void *arg)
{
    const struct life *l = arg;
    return l->now;
}

static int cheap(const char *body, size_t len)
{
    (void)body;
    (void)len;
    return 0;
}

static bool open_spool(struct life *l)
{
    struct spool_error err = {0};
    struct outbox_options options = {
        .path = l->path, .create = true, .clock = &l->clock, .class_of = cheap};
    l->box = NULL;
    if (!done(l, outbox_open(&options, &l->box, &err), &err)) {
        return false;
    }
    l->box->writer.wal_frames_max = WAL_FRAMES;
    return true;
}

static void add_destination(struct life *l)
{
    struct spool_error err = {0};
    struct destination d;
    destination_default(&d);
    (void)snprintf(d.name, sizeof d.name, "shop");
    (void)snprintf(d.url, sizeof d.url, "http://127.0.0.1:1");
    d.batch_events = 4;
    d.batch_age_ms = 0;
    (void)done(l, destination_add(l->box, &d, &err), &err);
    if (done(l, destination_find(l->box, "shop", &d, &err), &err)) {
        l->destination = d.id;
    }
}

static void put(struct life *l, int n)
{
    char bodies[GROUP][16];
    struct outbox_event events[GROUP];
    struct spool_error err = {0};
    for (int i = 0; i < n; i++) {
        int len = snprintf(bodies[i], sizeof bodies[i], "{\"n\":%d}",
                           l->events + 1 + i);
        events[i] =
            (struct outbox_event){.body = bodies[i], .len = (size_t)len};
    }
    enum spool_status status = outbox_append(l->box, events, (size_t)n, &err);
    (void)done(l, status, &err);
    for (int i = 0; i < n; i++) {
        bool room = events[i].appended != APPENDED_NO_ROOM;
        l->fate[++l->events] = status == SPOOL_OK && room ? STORED
                               : status == SPOOL_UNKNOWN  ? UNKNOWN
                                                          : REFUSED;
    }
}

/* Settles what is in hand and takes what is next. */
static bool turn(struct life *l, enum outcome outcome)
{
    static const struct take_options take = {.now = true};
    struct spool_error err = {0};
    struct batch landed = l->turn.batches[0];
    struct settlement s = {.outcome = outcome,
                           .retry_at = l->now + 10,
                           .probe_at = l->now + 10,
                           .sent_at = l->now,
                           .http = 200,
                           .code = "CODE",
                           .reason = "a reason",
                           .answer = ""};
    struct done landing = {.batch = &landed, .s = &s};
    struct order order = {.take = &take};
    order.done = &landing;
    order.done_n = l->in_hand ? 1 : 0;
    l->now += 100;
    if (done(l, batch_turn(l->box, l->destination, 0, &order, &l->turn, &err),
             &err)) {
        bool settled = l->in_hand &&
                       (outcome == OUTCOME_DELIVERED || landing.settled.died);
        l->settled += settled ? (int64_t)landed.n : 0;
        if (l->in_hand) {
            batch_finish(&landed);
        }
        l->in_hand = l->turn.taken == TAKEN_BATCH;
        return true;
    }
    if (l->in_hand) {
        l->turn.batches[0] = landed;
    }
    (void)snprintf(l->said, sizeof l->said, "%s", err.message);
    return false;
}

static void give_up_hand(struct life *l)
{
    if (l->in_hand) {
        batch_finish(&l->turn.batches[0]);
    }
    l->in_hand = false;
}

static void operate(struct life *l)
{
    struct spool_error err = {0};
    struct destination d;
    struct operation op = {0};
    int64_t first = 1, last = l->events;
    if (!done(l, destination_find(l->box, "shop", &d, &err), &err)) {
        return;
    }
    enum spool_status status =
        operate_replay(l->box, &d, &first, 1, "test", &op, &err);
    (void)done(l, status, &err);
    /* UNKNOWN: perhaps it waits again. */
    l->settled -= status == SPOOL_OK        ? op.changed
                  : status == SPOOL_UNKNOWN ? 1
                                            : 0;
    op = (struct operation){0};
    if (done(l, operate_purge(l->box, &d, &last, 1, "test", &op, &err), &err)) {
        l->settled += op.changed;
    }
}

static void retain(struct life *l)
{
    static const struct retention soon = {.keep_ms = 1, .keep_keys_ms = 1};
    struct spool_error err = {0};
    bool more = true;
    for (int i = 0; more && i < 4; i++) {
        more = false;
        (void)done(l, retain_step(l->box, &soon, &more, &err), &err);
    }
}

/* The oldest that nobody has taken give way to new ones. */
static void fill_up(struct life *l)
{
    struct spool_error err = {0};
    struct limits limits;
    struct limits_usage usage;
    if (!done(l, limits_get(l->box, &limits, &err), &err) ||
        !done(l, limits_usage(l->box, &usage, &err), &err)) {
        return;
    }
    limits.max_events = usage.events;
    limits.classes[0].shed = true;
    (void)done(l, limits_set(l->box, &limits, &err), &err);
    put(l, 2);
    put(l, 1);
    limits.max_events = 0;
    (void)done(l, limits_set(l->box, &limits, &err), &err);
    if (done(l, limits_usage(l->box, &usage, &err), &err)) {
        l->shed = usage.shed[LIMIT_EVENTS][0];
    }
}

static void close_spool(struct life *l)
{
    give_up_hand(l);
    outbox_close(l->box);
    l->box = NULL;
}

static void work(struct life *l)
{
    int64_t n;
    struct spool_error err = {0};
    add_destination(l);
    for (int i = 0; i < 4; i++) {
        put(l, 1);
    }
    put(l, GROUP);
    if (l->destination != 0) {
        (void)done(l, batch_recover(l->box, &n, &err), &err);
        (void)turn(l, OUTCOME_DELIVERED);
        (void)turn(l, OUTCOME_DELIVERED);
        (void)turn(l, OUTCOME_REFUSED);
        put(l, 1);
        (void)turn(l, OUTCOME_UNCERTAIN);
        (void)turn(l, OUTCOME_DELIVERED);
        (void)turn(l, OUTCOME_HOLD);
        (void)turn(l, OUTCOME_DELIVERED);
        operate(l);
    }
    put(l, 2);
}

/* Everything that a spool does, twice, with a closing and opening between. */
static void live(struct life *l)
{
    for (int part = 0; part < 2; part++) {
        if (open_spool(l)) {
            work(l);
            retain(l);
            fill_up(l);
            put(l, 1);
            close_spool(l);
        }
    }
}

/* ---- when the disk is well again ---- */

static void verify_found(void *arg, const char *sentence)
{
    struct life *l = arg;
    find(l, "verify: %s", sentence);
}

struct seen {
    struct life *l;
    bool there[EVENTS + 1];
    int before;
};

static bool see(void *arg, const struct event_record *e)
{
    struct seen *s = arg;
    char body[32];
    int n = 0;
    (void)snprintf(body, sizeof body, "%.*s", (int)(e->len < 31 ? e->len : 31),
                   e->body);
    if (sscanf(body, "{\"n\":%d}", &n) != 1 || n < 1 || n > EVENTS) {
        find(s->l, "event %" PRId64 " is none that was put", e->id);
        return true;
    }
    if (n <= s->before) {
        find(s->l, "event {n: %d} stands behind {n: %d}", n, s->before);
    }
    s->there[n] = true;
    s->before = n;
    return true;
}

/* Retention may have dropped what was delivered first, and nothing else. */
static void compare(struct life *l)
{
    struct seen s = {.l = l};
    struct event_range all = {0};
    struct spool_error err = {0};
    if (!done(l, inspect_events(l->box, NULL, &all, see, &s, &err), &err)) {
        find(l, "cannot be listed: %s", err.message);
        return;
    }
    for (int n = 1; n <= l->events; n++) {
        if (s.there[n] && l->fate[n] == REFUSED) {
            find(l, "event {n: %d} was refused and is there", n);
        }
    }
    int stored = 0, unknown = 0;
    for (int n = 1; n <= l->events; n++) {
        stored += l->fate[n] == STORED;
        unknown += l->fate[n] == UNKNOWN;
    }
    int64_t last = 0;
    (void)done(l, inspect_last_id(l->box, &last, &err), &err);
    if (last < stored || last > stored + unknown) {
        find(l,
             "%d events were stored, %d perhaps, and the last id is %" PRId64,
             stored, unknown, last);
    }
}

static void drain(struct life *l)
{
    struct spool_error err = {0};
    struct destination d;
    struct sums sums = {0};
    int64_t n;
    add_destination(l);
    if (l->wrong == 0 && done(l, batch_recover(l->box, &n, &err), &err)) {
        bool well = turn(l, OUTCOME_DELIVERED);
        for (int i = 0; well && i < EVENTS && l->in_hand; i++) {
            well = turn(l, OUTCOME_DELIVERED);
        }
        if (!well) {
            find(l, "a turn on a disk that is well: %s", l->said);
        }
    }
    if (done(l, destination_find(l->box, "shop", &d, &err), &err) &&
        done(l, inspect_sums(l->box, &d, &sums, &err), &err) &&
        sums.waiting != 0 && l->wrong == 0) {
        find(l, "%" PRId64 " events wait when all is drained", sums.waiting);
    }
}

static void look(struct life *l)
{
    struct spool_error err = {0};
    struct destination d;
    struct sums sums = {0};
    int64_t findings;
    l->now += 1000000;
    if (!open_spool(l)) {
        find(l, "cannot be opened on a disk that is well");
        return;
    }
    if (!done(l, verify(l->box, verify_found, l, &findings, &err), &err)) {
        find(l, "cannot be verified: %s", err.message);
    }
    compare(l);
    if (l->destination != 0 &&
        done(l, destination_find(l->box, "shop", &d, &err), &err) &&
        done(l, inspect_sums(l->box, &d, &sums, &err), &err) &&
        sums.by_state[EVENT_DELIVERED] + sums.by_state[EVENT_DEAD] +
                sums.by_state[EVENT_PURGED] <
            l->settled) {
        find(l, "%" PRId64 " events were settled and fewer are", l->settled);
    }
    drain(l);
    close_spool(l);
}

/* ---- the points ---- */

struct point {
    enum fault_kind kind;
    long n;
    bool from_then_on;
};

/* Gives how many calls of the kind there were. */
static long play(const struct point *p, struct life *l, long *fired)
{
    *l = (struct life){.now = 1000000};
    l->clock = (struct clock){now_of, now_of, l};
    fixture_make_ram_folder(l->folder);
    (void)snprintf(l->path, sizeof l->path, "%s/outbox.db", l->folder);
    fault_arm(p->kind, p->n, p->from_then_on);
    live(l);
    long calls = fault_disarm(fired);
    look(l);
    fixture_remove_folder(l->folder);
    return calls;
}

struct tally {
    long points, wrong;
    long fired[FAULT_KINDS];
    struct point last; /* that went wrong */
    char why[SPOOL_ERROR_SIZE];
};

static void try_point(const struct point *p, struct tally *t)
{
    struct life l;
    long fired;
    (void)play(p, &l, &fired);
    t->points += fired > 0;
    t->fired[p->kind] += fired > 0;
    if (l.wrong > 0) {
        t->wrong++;
        t->last = *p;
        memcpy(t->why, l.why, sizeof t->why);
        (void)fprintf(stderr, "%s %ld%s: %s\n", fault_name(p->kind), p->n,
                      p->from_then_on ? " and all behind it" : "", l.why);
    }
}

/* How many calls of each kind a life makes when none fails. */
static long count_calls(long calls[FAULT_KINDS])
{
    long sum = 0;
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        struct life l;
        long fired;
        struct point p = {(enum fault_kind)kind, 1000000000, false};
        calls[kind] = play(&p, &l, &fired);
        sum += kind == FAULT_WRITE_LIE ? 0 : calls[kind] * 2;
        if (l.wrong == 0 && l.shed == 0) {
            find(&l, "no event gave way");
        }
        if (l.wrong > 0) {
            (void)fprintf(stderr, "without a fault: %s\n", l.why);
            exit(1);
        }
    }
    return sum;
}

static void run(struct rng *rng, long points, const long calls[FAULT_KINDS],
                long all, struct tally *t)
{
    for (int kind = 0; kind < FAULT_WRITE_LIE; kind++) {
        for (long n = 1; n <= calls[kind]; n++) {
            for (int i = 0; i < 2; i++) {
                struct point p = {(enum fault_kind)kind, n, i == 1};
                if (rng_upto(rng, all - 1) < points) {
                    try_point(&p, t);
                }
            }
        }
    }
}

/* In the second half of a life, when there is something to lose. */
static void run_control(struct rng *rng, long calls, struct tally *t)
{
    for (int i = 0; i < CONTROL_POINTS || (t->wrong == 0 && i < 100); i++) {
        struct point p = {FAULT_WRITE_LIE, calls / 2 + rng_upto(rng, calls / 3),
                          true};
        struct life l;
        long fired;
        (void)play(&p, &l, &fired);
        t->points++;
        t->wrong += l.wrong > 0;
    }
}

static bool tell(const struct tally *t, const struct tally *control,
                 uint64_t seed, long all, double seconds)
{
    char figures[512], words[96];
    int len = snprintf(figures, sizeof figures, "\"possible\":%ld", all);
    for (int kind = 0; kind < FAULT_WRITE_LIE; kind++) {
        len +=
            snprintf(figures + len, sizeof figures - (size_t)len, ",\"%s\":%ld",
                     fault_name((enum fault_kind)kind), t->fired[kind]);
    }
    (void)snprintf(words, sizeof words,
                   "writes that are not made: noticed in %ld of %ld",
                   control->wrong, control->points);
    return result_tell(&(struct result){
        .test = "io-fault",
        .what = "a call of the disk that fails, once or from then on",
        .n = t->points,
        .failures = t->wrong,
        .seed = seed,
        .folder = "/dev/shm",
        .control = words,
        .caught = control->wrong > 0,
        .seconds = seconds,
        .figures = figures});
}

int main(int argc, char **argv)
{
    long calls[FAULT_KINDS];
    struct tally tally = {0}, control = {0};
    struct rng rng;
    struct timespec start;
    uint64_t seed = long_run_seed(argc, argv);
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    rng.state = seed;
    long all = count_calls(calls);
    long points = long_run_option(argc, argv, "--points",
                                  long_run_is_full() ? all : POINTS_QUICK);
    run(&rng, points, calls, all, &tally);
    run_control(&rng, calls[FAULT_WRITE_LIE], &control);
    return tell(&tally, &control, seed, all, long_run_seconds(&start)) ? 0 : 1;
}
