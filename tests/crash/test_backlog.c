/* test_backlog [--seed N] [--events N]
 *
 * A backlog as after days without a network. Two things are shown of it:
 *
 *   flat   what producers, the flusher and the operator do all the time costs
 * as many steps of SQLite's machine as with a short log. Steps, not time: they
 * are the same on every run and machine. The control is a query that has no
 * index to use. life   drained at random, with refused events, retries, purges,
 * replays, new events and restarts between, every event ends as a list kept
 *          beside says it must. The control is a list with one event changed.
 *
 * 150,000 events; with SPOOL_TEST_FULL=1 ten million, which take 4 GB in /tmp.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/random.h"
#include "support/box.h"
#include "support/long_run.h"
#include "support/result.h"

#define BATCH      500
#define BODY       200
#define SHORT_LOG  10000
#define SOME       1000 /* events of a put, a purge, a replay */
#define POISON(id) ((id) % 50021 == 7)

static void must(enum spool_status status, const struct spool_error *err)
{
    if (status != SPOOL_OK) {
        fail_msg("%s", err->message);
    }
}

static void put(struct fixture *f, int64_t n)
{
    static char bodies[SOME][BODY];
    static struct outbox_event events[SOME];
    struct spool_error err;
    for (int64_t done = 0; done < n;) {
        size_t now = n - done < SOME ? (size_t)(n - done) : SOME;
        for (size_t i = 0; i < now; i++) {
            int len = snprintf(bodies[i], BODY, "{\"n\":\"%0*" PRId64 "\"}",
                               BODY - 10, done + (int64_t)i);
            events[i] = (struct outbox_event){.body = bodies[i],
                                              .len = (size_t)len,
                                              .part = (uint32_t)i % 997};
        }
        must(outbox_append(f->box, events, now, &err), &err);
        done += (int64_t)now;
    }
}

static struct fixture *open_backlog(int64_t n)
{
    void *state;
    struct spool_error err;
    (void)fixture_setup(&state);
    struct fixture *f = state;
    f->d.batch_events = BATCH;
    must(destination_set(f->box, &f->d, &err), &err);
    put(f, n);
    return f;
}

static void turn_to(struct fixture *f, struct done *done, struct turn *turn)
{
    static const struct take_options take = {0};
    struct spool_error err;
    struct order order = {
        .done = done, .done_n = done == NULL ? 0 : 1, .take = &take};
    must(batch_turn(f->box, f->d.id, 0, &order, turn, &err), &err);
}

/* Settles what turn holds and takes the next batch into it. */
static void settle(struct fixture *f, struct turn *turn, enum outcome outcome)
{
    struct batch b = turn->batches[0];
    struct settlement s = {.outcome = outcome,
                           .retry_at = f->now,
                           .probe_at = f->now,
                           .sent_at = f->now,
                           .http = 200,
                           .code = "CODE",
                           .reason = "a reason",
                           .answer = ""};
    struct done done = {.batch = &b, .s = &s};
    turn_to(f, &done, turn);
    batch_finish(&b);
}

/* ------------------------------------------------------------------- flat */

/* Every connection of this process while it is counted. */
static sqlite3 *handles[16];
static size_t handles_n;
static int64_t steps;

static int note_handle(sqlite3 *handle, char **message, const void *api)
{
    (void)message, (void)api;
    assert_true(handles_n < sizeof handles / sizeof *handles);
    handles[handles_n++] = handle;
    return SQLITE_OK;
}

static int count_step(void *arg)
{
    (void)arg;
    steps++;
    return 0;
}

struct looked {
    struct fixture *f;
    struct turn turn;
    int purged;
};

static void look_put(struct looked *l)
{
    put(l->f, 1);
}

static void look_turn(struct looked *l)
{
    settle(l->f, &l->turn, OUTCOME_DELIVERED);
}

static void look_sums(struct looked *l)
{
    struct sums sums;
    struct spool_error err;
    must(inspect_sums(l->f->box, &l->f->d, &sums, &err), &err);
    assert_true(sums.waiting > 0);
}

static bool ten(void *arg, const struct event_record *e)
{
    (void)e;
    return ++*(int *)arg < 10;
}

static void look_list(struct looked *l)
{
    int n = 0;
    struct spool_error err;
    struct event_range waiting = {.states = 1U << EVENT_PENDING};
    must(inspect_events(l->f->box, &l->f->d, &waiting, ten, &n, &err), &err);
    assert_int_equal(n, 10);
}

static void look_show(struct looked *l)
{
    int n = 0;
    struct spool_error err;
    struct event_range one = {.lo = SHORT_LOG - 10, .hi = SHORT_LOG - 10};
    must(inspect_events(l->f->box, &l->f->d, &one, ten, &n, &err), &err);
    assert_int_equal(n, 1);
}

static void look_replay(struct looked *l)
{
    int64_t id = 5;
    struct operation did;
    struct spool_error err;
    must(operate_replay(l->f->box, &l->f->d, &id, 1, "", &did, &err), &err);
    assert_int_equal(did.changed, 1);
}

/* The last but nine: all the log lies before it. */
static void look_purge(struct looked *l)
{
    int64_t id;
    struct operation did;
    struct spool_error err;
    must(inspect_last_id(l->f->box, &id, &err), &err);
    id -= 9 + l->purged++;
    must(operate_purge(l->f->box, &l->f->d, &id, 1, "", &did, &err), &err);
    assert_int_equal(did.changed, 1);
}

static void look_without_index(struct looked *l)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(l->f->path, &db), SQLITE_OK);
    sqlite3_progress_handler(db, 1, count_step, NULL);
    assert_int_equal(
        sqlite3_exec(db, "SELECT count(*) FROM spool_event WHERE part = 1",
                     NULL, NULL, NULL),
        SQLITE_OK);
    (void)sqlite3_close(db);
    handles_n--; /* it is noted last */
}

static const struct {
    const char *name;
    void (*look)(struct looked *l);
} looks[] = {
    {"put", look_put},     {"turn", look_turn},
    {"status", look_sums}, {"list", look_list},
    {"show", look_show},   {"replay", look_replay},
    {"purge", look_purge}, {"no index", look_without_index},
};
#define LOOKS   (sizeof looks / sizeof *looks)
#define CONTROL (LOOKS - 1)

/* Twice, and the second counts: the first may meet a statement or a schema for
 * the first time. */
static void count_steps(struct fixture *f, int64_t counts[LOOKS])
{
    struct looked l = {.f = f};
    turn_to(f, NULL, &l.turn);
    settle(f, &l.turn, OUTCOME_DELIVERED);
    for (size_t i = 0; i < LOOKS; i++) {
        looks[i].look(&l);
        if (looks[i].look == look_replay) { /* it is waiting now */
            settle(f, &l.turn, OUTCOME_DELIVERED);
            settle(f, &l.turn, OUTCOME_DELIVERED);
        }
        for (size_t h = 0; h < handles_n; h++) {
            sqlite3_progress_handler(handles[h], 1, count_step, NULL);
        }
        steps = 0;
        looks[i].look(&l);
        counts[i] = steps;
        for (size_t h = 0; h < handles_n; h++) {
            sqlite3_progress_handler(handles[h], 0, NULL, NULL);
        }
    }
    settle(f, &l.turn, OUTCOME_RETRY);
    batch_finish(&l.turn.batches[0]);
}

/* Some more for a deeper tree, which is no matter of steps but of the plans
 * that look for a page. */
static bool is_flat(int64_t little, int64_t much)
{
    return much <= little + little / 4 + 50;
}

/* ------------------------------------------------------------------- life */

struct life {
    struct fixture *f;
    struct turn turn; /* holds a batch while turn.n > 0 */
    uint8_t *states;  /* by id: what an event has to be */
    int64_t last;
    int64_t wrong;
    int64_t delivered, dead, purged, replayed, restarts, requests;
    struct rng rng;
};

static int64_t draw(struct life *l, int64_t below)
{
    return (int64_t)(rng_next(&l->rng) % (uint64_t)below);
}

static void is_wrong(struct life *l, int64_t id, const char *what)
{
    if (l->wrong++ < 10) {
        (void)fprintf(stderr, "event %" PRId64 ": %s\n", id, what);
    }
}

static enum outcome answer(struct life *l, const struct batch *b)
{
    int64_t chance = draw(l, 100);
    for (size_t i = 0; i < b->n; i++) {
        if (POISON(b->events[i].id)) {
            return OUTCOME_REFUSED;
        }
    }
    return chance < 3   ? OUTCOME_RETRY
           : chance < 5 ? OUTCOME_UNCERTAIN
                        : OUTCOME_DELIVERED;
}

static void note_answer(struct life *l, const struct batch *b,
                        enum outcome outcome)
{
    bool dies = outcome == OUTCOME_REFUSED && b->n == 1;
    for (size_t i = 0; i < b->n; i++) {
        int64_t id = b->events[i].id;
        if (l->states[id] != EVENT_PENDING) {
            is_wrong(l, id, "it is sent and must not be");
        }
        if (i > 0 && b->events[i - 1].id >= id) {
            is_wrong(l, id, "it is behind a later one");
        }
        if (outcome == OUTCOME_DELIVERED || dies) {
            l->states[id] = dies ? EVENT_DEAD : EVENT_DELIVERED;
        }
    }
    l->requests++;
    l->dead += dies;
    l->delivered += outcome == OUTCOME_DELIVERED ? (int64_t)b->n : 0;
}

/* Whether there was a batch to settle. */
static bool step(struct life *l)
{
    struct fixture *f = l->f;
    f->now++;
    if (l->turn.n == 0) {
        turn_to(f, NULL, &l->turn);
    }
    while (l->turn.taken == TAKEN_WAIT || l->turn.taken == TAKEN_HELD) {
        f->now = l->turn.wait_until;
        turn_to(f, NULL, &l->turn);
    }
    if (l->turn.n == 0) {
        assert_int_equal(l->turn.taken, TAKEN_NOTHING);
        return false;
    }
    enum outcome outcome = answer(l, &l->turn.batches[0]);
    note_answer(l, &l->turn.batches[0], outcome);
    settle(f, &l->turn, outcome);
    return true;
}

/* As after kill -9 with a batch in flight. */
static void restart(struct life *l)
{
    int64_t n;
    struct spool_error err;
    for (size_t i = 0; i < l->turn.n; i++) {
        batch_finish(&l->turn.batches[i]);
    }
    l->turn.n = 0;
    handles_n = 0;
    fixture_reopen(l->f);
    must(batch_recover(l->f->box, &n, &err), &err);
    l->restarts++;
}

static bool is_state(uint8_t state, bool replay)
{
    return state == EVENT_DEAD ||
           state == (replay ? EVENT_DELIVERED : EVENT_PENDING);
}

/* On some in a row, anywhere in the log. */
static void operate(struct life *l, bool replay)
{
    static int64_t ids[SOME];
    struct operation did;
    struct spool_error err;
    int64_t first = 1 + draw(l, l->last - SOME), want = 0;
    uint8_t becomes = replay ? EVENT_PENDING : EVENT_PURGED;
    restart(l); /* nothing in flight: the list does not know of that */
    for (int64_t i = 0; i < SOME; i++) {
        ids[i] = first + i;
        if (is_state(l->states[ids[i]], replay)) {
            l->states[ids[i]] = becomes;
            want++;
        }
    }
    must((replay ? operate_replay : operate_purge)(l->f->box, &l->f->d, ids,
                                                   SOME, "", &did, &err),
         &err);
    if (did.changed != want) {
        is_wrong(l, first,
                 replay ? "not as many were replayed"
                        : "not as many were purged");
    }
    *(replay ? &l->replayed : &l->purged) += did.changed;
}

static void put_more(struct life *l, int64_t room)
{
    if (l->last + SOME <= room) {
        put(l->f, SOME);
        l->last += SOME;
    }
}

struct compared {
    struct life *l;
    int64_t n, differ;
    bool quiet;
};

static bool compare(void *arg, const struct event_record *e)
{
    struct compared *c = arg;
    c->n++;
    if (c->l->states[e->id] != (uint8_t)e->state || !e->whole) {
        c->differ++;
        if (!c->quiet) {
            is_wrong(c->l, e->id, event_state_name(e->state));
        }
    }
    return true;
}

static int64_t compare_all(struct life *l, int64_t lo, int64_t hi, bool quiet)
{
    struct compared c = {.l = l, .quiet = quiet};
    struct spool_error err;
    struct event_range range = {.lo = lo, .hi = hi};
    must(inspect_events(l->f->box, &l->f->d, &range, compare, &c, &err), &err);
    return c.differ + (hi - lo + 1 - c.n);
}

static bool note_state(void *arg, const struct event_record *e)
{
    struct life *l = arg;
    bool settled = e->state == EVENT_DELIVERED || e->state == EVENT_DEAD ||
                   e->state == EVENT_PURGED;
    l->states[e->id] = settled ? (uint8_t)e->state : EVENT_PENDING;
    return true;
}

/* As the first part has left it. */
static void load(struct life *l)
{
    struct spool_error err;
    struct event_range all = {0};
    must(inspect_last_id(l->f->box, &l->last, &err), &err);
    must(inspect_events(l->f->box, &l->f->d, &all, note_state, l, &err), &err);
}

static void live(struct life *l, int64_t room)
{
    for (int64_t i = 0; i < l->last / 5000; i++) {
        int64_t chance = draw(l, 100);
        for (int64_t n = draw(l, 30); chance < 80 && n > 0; n--) {
            (void)step(l);
        }
        if (chance >= 80 && chance < 92) {
            operate(l, chance < 86);
        } else if (chance >= 92 && chance < 96) {
            put_more(l, room);
        } else if (chance >= 96) {
            restart(l);
        }
    }
    while (step(l)) {
    }
}

/* ------------------------------------------------------------------- both */

static bool tell_flat(const int64_t little[LOOKS], const int64_t much[LOOKS],
                      int64_t events, const char *folder, double seconds)
{
    char figures[600] = "", words[128];
    size_t len = 0;
    int64_t grew = 0;
    for (size_t i = 0; i < LOOKS; i++) {
        len += (size_t)snprintf(figures + len, sizeof figures - len,
                                "%s\"%s\":%" PRId64, i == 0 ? "" : ",",
                                looks[i].name, much[i]);
        if (i != CONTROL && !is_flat(little[i], much[i])) {
            (void)fprintf(stderr,
                          "%s: %" PRId64 " steps with a short log, %" PRId64
                          " with a long one\n",
                          looks[i].name, little[i], much[i]);
            grew++;
        }
    }
    (void)snprintf(words, sizeof words,
                   "without an index: %" PRId64 " steps instead of %" PRId64,
                   much[CONTROL], little[CONTROL]);
    (void)printf("%" PRId64 " events\n", events);
    return result_tell(&(struct result){
        .test = "backlog-flat",
        .what = "what is done all the time, in steps of SQLite's machine with "
                "a long log and with a short one",
        .n = CONTROL,
        .failures = grew,
        .folder = folder,
        .control = words,
        .caught = !is_flat(little[CONTROL], much[CONTROL]),
        .seconds = seconds,
        .figures = figures});
}

static bool tell_life(struct life *l, uint64_t seed, double seconds)
{
    char figures[400];
    struct rusage usage;
    int64_t id = 1 + draw(l, l->last);
    uint8_t is = l->states[id];
    l->states[id] = is == EVENT_PURGED ? EVENT_DELIVERED : EVENT_PURGED;
    bool caught = compare_all(l, id, id, true) == 1;
    l->states[id] = is;
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)snprintf(figures, sizeof figures,
                   "\"requests\":%" PRId64 ",\"delivered\":%" PRId64
                   ",\"dead\":%" PRId64 ",\"purged\":%" PRId64
                   ",\"replayed\":%" PRId64 ",\"restarts\":%" PRId64
                   ",\"peak KiB less the list\":%" PRId64,
                   l->requests, l->delivered, l->dead, l->purged, l->replayed,
                   l->restarts, (int64_t)usage.ru_maxrss - l->last / 1024);
    return result_tell(&(struct result){
        .test = "backlog",
        .what = "events of a backlog that is drained at random, with refusals, "
                "purges, replays and restarts between",
        .n = l->last,
        .failures = l->wrong,
        .seed = seed,
        .folder = l->f->folder,
        .control = caught ? "one event changed in the list: found"
                          : "one event changed in the list: not found",
        .caught = caught,
        .seconds = seconds,
        .figures = figures});
}

static struct {
    uint64_t seed;
    int64_t events;
} asked;

static void a_long_log_costs_no_more_and_ends_as_it_must(void **unused)
{
    int64_t little[LOOKS], much[LOOKS];
    struct timespec start;
    int64_t n = asked.events;
    struct life l = {.rng = {.state = asked.seed}};
    (void)unused;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    assert_int_equal(sqlite3_auto_extension((void (*)(void))note_handle),
                     SQLITE_OK);
    struct fixture *f = open_backlog(SHORT_LOG);
    void *state = f;
    count_steps(f, little);
    (void)fixture_teardown(&state);
    handles_n = 0;
    l.f = open_backlog(n);
    count_steps(l.f, much);
    bool passed =
        tell_flat(little, much, n, l.f->folder, long_run_seconds(&start));

    int64_t room = n + n / 10 + SOME;
    l.states = calloc((size_t)room + 1, 1);
    assert_non_null(l.states);
    restart(&l);
    load(&l);
    live(&l, room);
    l.wrong += compare_all(&l, 1, l.last, false);
    fixture_verify(l.f);
    passed = tell_life(&l, asked.seed, long_run_seconds(&start)) && passed;
    state = l.f;
    (void)fixture_teardown(&state);
    free(l.states);
    assert_true(passed);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_log_costs_no_more_and_ends_as_it_must),
    };
    asked.seed = long_run_seed(argc, argv);
    asked.events = long_run_option(argc, argv, "--events",
                                   long_run_is_full() ? 10000000 : 150000);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
