/* New events beside a backlog: which of them go before it, which stay behind
 * it, and that each session's order holds whatever happens.
 *
 * test_overtake [--seed N] [--count N]: how many random walks. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "outbox/overtake.h"
#include "outbox/retain.h"
#include "support/box.h"
#include "support/long_run.h"
#include "support/result.h"

static int64_t put_one(struct fixture *f, uint32_t part, int64_t hold_until,
                       bool opens_page)
{
    struct spool_error err = {0};
    int64_t last;
    char body[48];
    assert_int_equal(inspect_last_id(f->box, &last, &err), SPOOL_OK);
    int len = snprintf(body, sizeof body, "{\"n\":%lld,\"o\":%d}",
                       (long long)last + 1, (int)(last + 1) % 2);
    struct outbox_event e = {.body = body,
                             .len = (size_t)len,
                             .part = part,
                             .hold_until = hold_until,
                             .opens_page = opens_page};
    if (outbox_append(f->box, &e, 1, &err) != SPOOL_OK) {
        fail_msg("%s", err.message);
    }
    return e.id;
}

/* Events of these sessions, a letter each. */
static void put(struct fixture *f, const char *sessions)
{
    for (const char *s = sessions; *s != '\0'; s++) {
        (void)put_one(f, (uint32_t)*s, 0, false);
    }
}

static struct backlog *survey(struct fixture *f, int lane)
{
    struct spool_error err = {0};
    struct backlog *b = backlog_create(f->box, f->d.id, lane);
    bool ready = false;
    assert_non_null(b);
    while (!ready) {
        if (backlog_step(b, &ready, &err) != SPOOL_OK) {
            fail_msg("%s", err.message);
        }
    }
    return b;
}

static void turn_once(struct fixture *f, const struct order *order,
                      struct turn *turn)
{
    struct spool_error err = {0};
    if (batch_turn(f->box, f->d.id, 0, order, turn, &err) != SPOOL_OK) {
        fail_msg("%s", err.message);
    }
}

static void take(struct fixture *f, struct backlog *b, struct turn *turn)
{
    struct take_options take = {.backlog = b};
    turn_once(f, &(struct order){.take = &take}, turn);
}

/* Settles the turn's batch and takes the next one into it. */
static void settle(struct fixture *f, struct backlog *b, struct turn *turn,
                   enum outcome outcome)
{
    struct batch done = turn->batches[0];
    struct settlement s = {.outcome = outcome,
                           .retry_at = f->now + 1000,
                           .probe_at = f->now + 1000,
                           .sent_at = f->now,
                           .code = "CODE",
                           .reason = "a reason"};
    struct done landed = {.batch = &done, .s = &s};
    struct take_options take = {.backlog = b};
    turn_once(f, &(struct order){.done = &landed, .done_n = 1, .take = &take},
              turn);
    f->settled = landed.settled;
    batch_finish(&done);
}

/* The ids of the batch that was taken, "" when none was. */
static const char *ids(const struct turn *turn, char out[200])
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; turn->n > 0 && i < turn->batches[0].n; i++) {
        len +=
            (size_t)snprintf(out + len, 200 - len, "%s%lld", i > 0 ? " " : "",
                             (long long)turn->batches[0].events[i].id);
    }
    return out;
}

#define TAKEN(turn, want)                                                      \
    do {                                                                       \
        char ids_[200];                                                        \
        assert_string_equal(ids(turn, ids_), want);                            \
    } while (0)

/* Delivers what is taken, until nothing is; the batches must be these. */
static void expect_batches(struct fixture *f, struct backlog *b,
                           struct turn *turn, const char *const *want)
{
    for (; *want != NULL; want++) {
        TAKEN(turn, *want);
        fixture_verify(f);
        settle(f, b, turn, OUTCOME_DELIVERED);
    }
    assert_int_equal(turn->taken, TAKEN_NOTHING);
    fixture_verify(f);
}

static void new_sessions_take_turns_with_the_backlog(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    put(f, "aaaabbbbcccc");
    struct backlog *b = survey(f, 0);
    put(f, "nnnnmmmm");
    take(f, b, &turn);
    const char *const want[] = {"1 2 3 4",     "13 14 15 16", "5 6 7 8",
                                "17 18 19 20", "9 10 11 12",  NULL};
    expect_batches(f, b, &turn, want);
    backlog_destroy(b);
}

static void sessions_of_the_backlog_stay_behind_it(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    put(f, "aaaabbbb");
    struct backlog *b = survey(f, 0);
    put(f, "nanbnanbn");
    take(f, b, &turn);
    const char *const want[] = {"1 2 3 4", "9 11 13 15",  "5 6 7 8",
                                "17",      "10 12 14 16", NULL};
    expect_batches(f, b, &turn, want);
    backlog_destroy(b);
}

static void an_overtaking_batch_is_retried_the_same(void **state)
{
    static const enum outcome outcomes[] = {OUTCOME_RETRY, OUTCOME_UNCERTAIN};
    for (size_t i = 0; i < 2; i++) {
        struct fixture *f;
        struct turn turn;
        char key[UUID_SIZE];
        (void)state;
        assert_int_equal(fixture_setup((void **)&f), 0);
        put(f, "aaaabbbb");
        struct backlog *b = survey(f, 0);
        put(f, "nanannn");
        take(f, b, &turn);
        settle(f, b, &turn, OUTCOME_DELIVERED);
        TAKEN(&turn, "9 11 13 14");
        memcpy(key, turn.batches[0].key, sizeof key);
        settle(f, b, &turn, outcomes[i]);
        assert_int_equal(turn.taken, TAKEN_WAIT); /* the endpoint is not well */
        fixture_verify(f);
        put(f, "n"); /* does not go before the one that waits */
        f->now += 1000;
        take(f, b, &turn); /* the backlog's turn */
        TAKEN(&turn, "5 6 7 8");
        settle(f, b, &turn, OUTCOME_DELIVERED);
        TAKEN(&turn, "9 11 13 14");
        assert_string_equal(turn.batches[0].key, key);
        const char *const want[] = {"9 11 13 14", "10 12 15 16", NULL};
        expect_batches(f, b, &turn, want);
        backlog_destroy(b);
        assert_int_equal(fixture_teardown((void **)&f), 0);
    }
}

static void a_refused_overtaking_batch_is_split(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    char states[32];
    put(f, "aaaabbbb");
    struct backlog *b = survey(f, 0);
    put(f, "nananana");
    take(f, b, &turn);
    settle(f, b, &turn, OUTCOME_DELIVERED);
    TAKEN(&turn, "9 11 13 15");
    settle(f, b, &turn, OUTCOME_REFUSED);
    assert_true(f->settled.split);
    fixture_verify(f);
    TAKEN(&turn, "5 6 7 8");
    settle(f, b, &turn, OUTCOME_DELIVERED);
    TAKEN(&turn, "9 11");
    settle(f, b, &turn, OUTCOME_REFUSED);
    fixture_verify(f);
    TAKEN(&turn, "9");
    settle(f, b, &turn, OUTCOME_REFUSED);
    assert_true(f->settled.died);
    const char *const want[] = {"11", "10", "13 15", "12 14 16", NULL};
    expect_batches(f, b, &turn, want);
    assert_string_equal(fixture_states(f, states, 16), "ddddddddxddddddd");
    fixture_verify(f);
    backlog_destroy(b);
}

static void a_held_event_keeps_its_session_behind(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    char states[32];
    put(f, "aaaabbbb");
    (void)put_one(f, 'h', f->now + 10000, false); /* 9: before the survey */
    struct backlog *b = survey(f, 0);
    (void)put_one(f, 'i', f->now + 10000, false); /* 10: behind it */
    put(f, "hinnnn");                             /* 11 to 16 */
    (void)put_one(f, 'i', 0, true);               /* 17 lets 10 go */
    take(f, b, &turn);
    settle(f, b, &turn, OUTCOME_DELIVERED);
    TAKEN(&turn, "10 12 13 14"); /* 10 is not held any more */
    settle(f, b, &turn, OUTCOME_DELIVERED);
    TAKEN(&turn, "5 6 7 8");
    assert_string_equal(fixture_states(f, states, 17), "ddddsssshdpdddppp");
    backlog_destroy(b);
    batch_finish(&turn.batches[0]);
}

static void what_a_restart_finds_goes_by_its_ids(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    int64_t n;
    put(f, "aaaabbbbcccc");
    struct backlog *b = survey(f, 0);
    put(f, "nananana");
    take(f, b, &turn);
    settle(f, b, &turn, OUTCOME_DELIVERED);
    TAKEN(&turn, "13 15 17 19");
    batch_finish(&turn.batches[0]);
    backlog_destroy(b);
    fixture_reopen(f);
    assert_int_equal(batch_recover(f->box, &n, &err), SPOOL_OK);
    assert_int_equal(n, 1);
    fixture_verify(f);
    take(f, NULL, &turn);
    /* The cut of 9 to 12 ends before the batch that is not settled. */
    const char *const want[] = {"5 6 7 8", "9 10 11 12", "13 15 17 19",
                                "14 16 18 20", NULL};
    expect_batches(f, NULL, &turn, want);
}

static void nothing_between_keeps_nothing_waiting(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    put(f, "aaaa");
    struct backlog *b = survey(f, 0);
    put(f, "nnnnnnnn");
    b->express_next = true;
    take(f, b, &turn);
    TAKEN(&turn, "5 6 7 8");
    b->express_next = true;
    settle(f, b, &turn, OUTCOME_DELIVERED);
    TAKEN(&turn, "9 10 11 12");
    settle(f, b, &turn, OUTCOME_RETRY);
    backlog_destroy(b);
    f->now += 1000;
    take(f, NULL, &turn);
    const char *const want[] = {"1 2 3 4", "9 10 11 12", NULL};
    expect_batches(f, NULL, &turn, want);
}

static void a_replay_ends_what_is_known(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    struct operation done;
    int64_t one = 1;
    put(f, "naaabbbbcccc");
    take(f, NULL, &turn);
    settle(f, NULL, &turn, OUTCOME_DELIVERED);
    struct backlog *b = survey(f, 0);
    put(f, "nnnn");
    assert_int_equal(
        operate_replay(f->box, &f->d, &one, 1, "test", &done, &err), SPOOL_OK);
    settle(f, b, &turn, OUTCOME_DELIVERED);
    assert_true(turn.over);
    TAKEN(&turn, "1");
    backlog_destroy(b);
    b = survey(f, 0); /* 1 is being sent, so it counts */
    settle(f, b, &turn, OUTCOME_DELIVERED);
    assert_false(turn.over);
    const char *const want[] = {"9 10 11 12", "13 14 15 16", NULL};
    expect_batches(f, b, &turn, want);
    backlog_destroy(b);
}

/* Sessions may leave the lane that had events in it before: 9 follows 7. */
static void a_replay_of_both_lanes_keeps_their_order(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    struct operation done;
    static const int64_t all[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    put(f, "aaaac");
    struct backlog *b = survey(f, 0);
    put(f, "xcy");
    take(f, b, &turn);
    const char *const first[] = {"1 2 3 4", "6 8", "5 7", NULL};
    expect_batches(f, b, &turn, first);
    backlog_destroy(b);
    assert_int_equal(operate_replay(f->box, &f->d, all, 4, "test", &done, &err),
                     SPOOL_OK);
    b = survey(f, 0);
    put(f, "cz");
    b->express_next = true;
    take(f, b, &turn);
    assert_true(turn.batches[0].express);
    const char *const second[] = {"9 10", "1 2 3 4", NULL};
    expect_batches(f, b, &turn, second);
    backlog_destroy(b);
    assert_int_equal(destination_find(f->box, "shop", &f->d, &err), SPOOL_OK);
    assert_int_equal(
        operate_replay(f->box, &f->d, all, 10, "test", &done, &err), SPOOL_OK);
    take(f, NULL, &turn);
    const char *const again[] = {"1 2 3 4", "5", "6 8", "7", "9 10", NULL};
    expect_batches(f, NULL, &turn, again);
}

static void what_was_read_ahead_before_is_read_anew(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    size_t n;
    struct prefetch p = {0};
    struct take_options take = {.prefetched = &p, .prefetched_n = 1};
    put(f, "aa");
    struct backlog *b = survey(f, 0);
    put(f, "nnnn");
    b->express_next = true;
    assert_int_equal(batch_prefetch(f->box, &f->d, 0, 0, 1, &p, 1, &n, &err),
                     SPOOL_OK);
    assert_int_equal(p.batch.n, 4); /* 1 to 4 */
    take.backlog = b;
    take.most = 2;
    turn_once(f, &(struct order){.take = &take}, &turn);
    assert_int_equal(turn.n, 2);
    TAKEN(&turn, "3 4 5 6");
    assert_int_equal(turn.batches[1].n, 2);
    assert_int_equal(turn.batches[1].events[1].id, 2);
    batch_finish(&turn.batches[0]);
    batch_finish(&turn.batches[1]);
    prefetch_finish(&p);
    backlog_destroy(b);
    fixture_verify(f);
}

static void what_has_overtaken_is_not_in_what_was_read_before(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    size_t n;
    struct prefetch p = {0};
    struct take_options take = {.prefetched = &p, .prefetched_n = 1};
    put(f, "aa");
    struct backlog *b = survey(f, 0);
    put(f, "nnnn");
    assert_int_equal(batch_prefetch(f->box, &f->d, 0, 0, 1, &p, 1, &n, &err),
                     SPOOL_OK);
    b->express_next = true;
    turn_once(f, &(struct order){.take = &(struct take_options){.backlog = b}},
              &turn);
    TAKEN(&turn, "3 4 5 6");
    struct batch done = turn.batches[0];
    struct settlement s = {.outcome = OUTCOME_DELIVERED, .code = ""};
    struct done landed = {.batch = &done, .s = &s};
    turn_once(f, &(struct order){.done = &landed, .done_n = 1, .take = &take},
              &turn);
    TAKEN(&turn, "1 2");
    batch_finish(&done);
    batch_finish(&turn.batches[0]);
    prefetch_finish(&p);
    backlog_destroy(b);
    fixture_verify(f);
}

static void an_old_backlog_is_noticed(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    fixture_put(f, 4 + 81);
    take(f, NULL, &turn);
    assert_false(turn.aged);
    f->now += 61000;
    settle(f, NULL, &turn, OUTCOME_DELIVERED);
    assert_false(turn.aged); /* 77 behind it */
    fixture_put(f, 4);
    settle(f, NULL, &turn, OUTCOME_DELIVERED);
    assert_false(turn.aged);
    fixture_put(f, 8);
    settle(f, NULL, &turn, OUTCOME_DELIVERED);
    assert_true(turn.aged);
    batch_finish(&turn.batches[0]);
}

static void other_lanes_and_retention_forget_who_overtook(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct retention r = {.keep_ms = 0, .keep_keys_ms = 1000000};
    struct turn turn;
    char states[32];
    bool more = true;
    put(f, "aaaabbbb");
    struct backlog *b = survey(f, 0);
    put(f, "nananana");
    take(f, b, &turn);
    settle(f, b, &turn, OUTCOME_DELIVERED);
    settle(f, b, &turn, OUTCOME_DELIVERED);
    TAKEN(&turn, "5 6 7 8");
    settle(f, b, &turn, OUTCOME_DELIVERED);
    TAKEN(&turn, "10 12 14 16");
    settle(f, b, &turn, OUTCOME_HOLD);
    assert_string_equal(fixture_states(f, states, 16), "dddddddddpdpdpdp");
    backlog_destroy(b);
    f->now += 10;
    for (int i = 0; more && i < 20; i++) {
        assert_int_equal(retain_step(f->box, &r, &more, &err), SPOOL_OK);
        fixture_verify(f);
    }
    assert_string_equal(fixture_states(f, states, 16), "---------p-p-p-p");
    struct operation done;
    int64_t last = 16;
    assert_int_equal(
        operate_purge(f->box, &f->d, &last, 1, "test", &done, &err), SPOOL_OK);
    fixture_verify(f);
}

static void other_lanes_keep_what_overtook(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    char states[32];
    put(f, "aaaabbbb");
    struct backlog *b = survey(f, 0);
    put(f, "nanananann");
    take(f, b, &turn);
    settle(f, b, &turn, OUTCOME_DELIVERED);
    TAKEN(&turn, "9 11 13 15");
    settle(f, b, &turn, OUTCOME_DELIVERED);
    struct order stop = {.back = &turn.batches[0], .back_n = 1};
    struct turn none;
    turn_once(f, &stop, &none);
    batch_finish(&turn.batches[0]);
    assert_string_equal(fixture_states(f, states, 18), "ddddppppdpdpdpdppp");
    f->d.lanes = 3;
    assert_int_equal(destination_set(f->box, &f->d, &err), SPOOL_OK);
    assert_string_equal(fixture_states(f, states, 18), "ddddppppdpdpdpdppp");
    fixture_verify(f);
    backlog_destroy(b);
}

/* ---- random walks ---- */

#define EVENTS_MAX 400
#define LANES_MAX  3

struct walk {
    struct fixture *f;
    struct rng rng;
    int n, lanes;
    bool blind; /* the planted mistake */
    bool drains;
    uint32_t part[EVENTS_MAX + 1];
    bool arrived[EVENTS_MAX + 1], late[EVENTS_MAX + 1];
    struct backlog *b[LANES_MAX];
    struct turn flying[LANES_MAX]; /* a batch each, or several */
    char why[200];
    struct prefetch read[LANES_MAX]; /* ahead, perhaps long ago */
    int64_t behind[LANES_MAX];
    int64_t overtaken, stayed, retried, replayed, restarts, surveys;
};

static int draw(struct walk *w, int n)
{
    return (int)rng_upto(&w->rng, n - 1);
}

static void wrong(struct walk *w, const char *what, int64_t a, int64_t b)
{
    if (w->why[0] == '\0') {
        (void)snprintf(w->why, sizeof w->why, "%s: %lld, %lld", what,
                       (long long)a, (long long)b);
    }
}

static void arrive(struct walk *w, const struct batch *b)
{
    for (size_t k = 0; k < b->n; k++) {
        int64_t id = b->events[k].id;
        for (int64_t i = 1; i < id && !w->late[id]; i++) {
            if (w->part[i] == w->part[id] && !w->arrived[i] && !w->late[i]) {
                wrong(w, "order", id, i);
            }
        }
        if (w->arrived[id] && !w->late[id]) {
            wrong(w, "twice", id, id);
        }
        w->arrived[id] = true;
        w->late[id] = false;
    }
}

static void one_finding(void *arg, const char *sentence)
{
    struct walk *w = arg;
    if (w->why[0] == '\0') {
        (void)snprintf(w->why, sizeof w->why, "%.190s", sentence);
    }
}

static void look_whole(struct walk *w)
{
    struct spool_error err = {0};
    int64_t findings;
    if (verify(w->f->box, one_finding, w, &findings, &err) != SPOOL_OK) {
        one_finding(w, err.message);
    }
}

static void walk_turn(struct walk *w, int lane, const struct order *order)
{
    struct spool_error err = {0};
    struct turn *turn = &w->flying[lane];
    if (batch_turn(w->f->box, w->f->d.id, lane, order, turn, &err) !=
        SPOOL_OK) {
        one_finding(w, err.message);
    }
    for (size_t i = 0; i < turn->n; i++) {
        w->overtaken += turn->batches[i].express ? 1 : 0;
        w->stayed += turn->batches[i].express ? 0 : 1;
    }
    w->behind[lane] = turn->behind != 0 ? turn->behind : w->behind[lane];
    if (turn->over || turn->another) {
        backlog_destroy(w->b[lane]);
        w->b[lane] = NULL;
    }
}

/* The first of what flies lands; what follows it lands as well, is given back
 * unsent when it did not arrive, or goes on flying. */
static void land_and_take(struct walk *w, int lane)
{
    static const enum outcome outcomes[] = {
        OUTCOME_DELIVERED, OUTCOME_DELIVERED, OUTCOME_DELIVERED,
        OUTCOME_DELIVERED, OUTCOME_RETRY,     OUTCOME_UNCERTAIN,
        OUTCOME_REFUSED,   OUTCOME_HOLD};
    struct turn was = w->flying[lane];
    struct done done[BATCH_AHEAD];
    struct settlement s[BATCH_AHEAD];
    size_t n = 0;
    bool good = true;
    for (; n < was.n && good; n++) {
        s[n] =
            (struct settlement){.outcome = outcomes[draw(w, w->drains ? 4 : 8)],
                                .retry_at = w->f->now + draw(w, 3),
                                .probe_at = w->f->now + draw(w, 3),
                                .code = "",
                                .reason = ""};
        if (s[n].outcome == OUTCOME_REFUSED && was.batches[n].n == 1) {
            s[n].outcome = OUTCOME_RETRY; /* nobody dies here */
        }
        done[n] = (struct done){.batch = &was.batches[n], .s = &s[n]};
        good = s[n].outcome == OUTCOME_DELIVERED;
        w->retried += good ? 0 : 1;
        if (good) {
            arrive(w, &was.batches[n]);
        }
    }
    struct take_options take = {.prefetched = &w->read[lane],
                                .prefetched_n = 1,
                                .backlog = w->b[lane],
                                .hurry = draw(w, 2) == 0,
                                .most = (size_t)draw(w, 4),
                                .now = draw(w, 3) == 0};
    struct order order = {.done = done,
                          .done_n = n,
                          .back = was.batches + n,
                          .back_n = was.n - n,
                          .take = w->drains || draw(w, 10) > 0 ? &take : NULL};
    walk_turn(w, lane, &order);
    for (size_t i = 0; i < was.n; i++) {
        batch_finish(&was.batches[i]);
    }
    prefetch_finish(&w->read[lane]);
}

static void restart(struct walk *w)
{
    struct spool_error err = {0};
    int64_t n;
    for (int i = 0; i < w->lanes; i++) {
        for (size_t k = 0; k < w->flying[i].n; k++) {
            batch_finish(&w->flying[i].batches[k]);
        }
        w->flying[i].n = 0;
        backlog_destroy(w->b[i]);
        w->b[i] = NULL;
        prefetch_finish(&w->read[i]);
        w->behind[i] = 0;
    }
    fixture_reopen(w->f);
    if (batch_recover(w->f->box, &n, &err) != SPOOL_OK) {
        one_finding(w, err.message);
    }
    w->restarts++;
}

static void operate_some(struct walk *w)
{
    struct spool_error err = {0};
    struct operation done = {0};
    int64_t id = 1 + draw(w, w->n);
    bool purge = draw(w, 3) == 0;
    enum spool_status status =
        purge
            ? operate_purge(w->f->box, &w->f->d, &id, 1, "walk", &done, &err)
            : operate_replay(w->f->box, &w->f->d, &id, 1, "walk", &done, &err);
    if (status != SPOOL_OK) {
        one_finding(w, err.message);
    }
    w->replayed += done.changed;
    if (done.changed > 0) {
        w->late[id] = true;
        w->arrived[id] = w->arrived[id] || purge;
    }
}

/* Sessions end, and others begin. */
static void put_some(struct walk *w, int n, int64_t sessions)
{
    for (; n > 0 && w->n < EVENTS_MAX; n--) {
        int64_t hold = draw(w, 15) == 0 ? w->f->now + draw(w, 20) : 0;
        w->n++;
        w->part[w->n] = (uint32_t)(w->n / 4 + draw(w, (int)sessions));
        w->late[w->n] = hold > 0; /* it goes when its time is over */
        (void)put_one(w->f, w->part[w->n], hold, draw(w, 8) == 0);
    }
}

static void walk_step(struct walk *w, int64_t sessions)
{
    int lane = draw(w, w->lanes);
    size_t read;
    w->f->now += draw(w, 2);
    switch (draw(w, 14)) {
    case 12:
        if (w->behind[lane] > 0 && w->read[lane].batch.n == 0) {
            (void)batch_prefetch(w->f->box, &w->f->d, lane, w->behind[lane], 1,
                                 &w->read[lane], 1, &read, NULL);
        }
        break;
    case 13:
    case 0:
        if (w->b[lane] == NULL) {
            w->b[lane] = survey(w->f, lane);
            w->surveys++;
            if (w->blind) {
                memset(w->b[lane]->bits, 0, (size_t)w->b[lane]->mask / 8);
            }
        }
        break;
    case 1:
        if (draw(w, 4) == 0) {
            operate_some(w);
        }
        break;
    case 2:
        if (draw(w, 4) == 0) {
            restart(w);
        }
        break;
    case 3:
    case 4:
    case 5:
        put_some(w, draw(w, 10), sessions);
        break;
    default:
        land_and_take(w, lane);
        break;
    }
}

static void drain_walk(struct walk *w)
{
    int idle = 0; /* held events come later */
    w->drains = true;
    for (int i = 0; i < 2000 && w->why[0] == '\0'; i++) {
        bool any = false;
        w->f->now += 10;
        for (int lane = 0; lane < w->lanes; lane++) {
            land_and_take(w, lane);
            any = any || w->flying[lane].n > 0 ||
                  w->flying[lane].taken != TAKEN_NOTHING;
        }
        idle = any ? 0 : idle + 1;
        if (idle > 5) {
            break;
        }
    }
    for (int64_t id = 1; id <= w->n; id++) {
        if (!w->arrived[id]) {
            wrong(w, "never arrived", id, w->n);
        }
    }
}

struct tally {
    int64_t walks, failures;
    struct walk sum;
};

static bool take_a_walk(uint64_t seed, bool blind, struct tally *t)
{
    struct walk *w = calloc(1, sizeof *w);
    struct spool_error err = {0};
    assert_non_null(w);
    assert_int_equal(fixture_setup_in_ram((void **)&w->f), 0);
    w->rng = (struct rng){.state = seed * UINT64_C(0x9e3779b97f4a7c15)};
    w->blind = blind;
    w->lanes = 1 + draw(w, LANES_MAX);
    w->f->d.lanes = w->lanes;
    w->f->d.batch_events = 1 + draw(w, 5);
    w->f->d.hold_after = 1000;
    assert_int_equal(destination_set(w->f->box, &w->f->d, &err), SPOOL_OK);
    int64_t sessions = 3 + draw(w, 30);
    put_some(w, 20 + draw(w, 100), sessions);
    int steps = 100 + draw(w, 200);
    for (int i = 0; i < steps && w->why[0] == '\0'; i++) {
        walk_step(w, sessions);
        look_whole(w);
    }
    drain_walk(w);
    look_whole(w);
    bool good = w->why[0] == '\0';
    if (!good && !blind && t->failures < 5) {
        (void)printf("seed %" PRIu64 ": %s\n", seed, w->why);
    }
    restart(w);
    t->walks++;
    t->failures += good ? 0 : 1;
    t->sum.overtaken += w->overtaken;
    t->sum.stayed += w->stayed;
    t->sum.retried += w->retried;
    t->sum.replayed += w->replayed;
    t->sum.restarts += w->restarts;
    t->sum.surveys += w->surveys;
    assert_int_equal(fixture_teardown((void **)&w->f), 0);
    free(w);
    return good;
}

static uint64_t walks_seed = 1;
static int64_t walks_count;

static void order_holds_on_random_walks(void **state)
{
    struct tally t = {0}, blind = {0};
    (void)state;
    int64_t count = walks_count > 0      ? walks_count
                    : long_run_is_full() ? 2000
                                         : 10;
    for (int64_t i = 0; i < count; i++) {
        (void)take_a_walk(walks_seed + (uint64_t)i, false, &t);
    }
    bool caught = false;
    for (int64_t i = 0; i < 100 && !caught; i++) {
        caught = !take_a_walk(walks_seed + (uint64_t)i, true, &blind);
    }
    (void)printf("seed %" PRIu64 ": %lld walks, %lld failures, %lld overtaking "
                 "batches, %lld others, %lld not delivered, %lld replayed or "
                 "purged, %lld restarts, %lld surveys\n",
                 walks_seed, (long long)t.walks, (long long)t.failures,
                 (long long)t.sum.overtaken, (long long)t.sum.stayed,
                 (long long)t.sum.retried, (long long)t.sum.replayed,
                 (long long)t.sum.restarts, (long long)t.sum.surveys);
    assert_int_equal(t.failures, 0);
    assert_true(caught); /* a set that knows nothing is noticed */
    assert_true(t.sum.overtaken > 0 && t.sum.restarts > 0);
}

#define EACH(test)                                                             \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0) {
            walks_seed = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--count") == 0) {
            walks_count = strtoll(argv[i + 1], NULL, 10);
        }
    }
    const struct CMUnitTest tests[] = {
        EACH(new_sessions_take_turns_with_the_backlog),
        EACH(sessions_of_the_backlog_stay_behind_it),
        EACH(an_overtaking_batch_is_retried_the_same),
        EACH(a_refused_overtaking_batch_is_split),
        EACH(a_held_event_keeps_its_session_behind),
        EACH(what_a_restart_finds_goes_by_its_ids),
        EACH(nothing_between_keeps_nothing_waiting),
        EACH(a_replay_ends_what_is_known),
        EACH(a_replay_of_both_lanes_keeps_their_order),
        EACH(what_was_read_ahead_before_is_read_anew),
        EACH(what_has_overtaken_is_not_in_what_was_read_before),
        EACH(an_old_backlog_is_noticed),
        EACH(other_lanes_and_retention_forget_who_overtook),
        EACH(other_lanes_keep_what_overtook),
        cmocka_unit_test(order_holds_on_random_walks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
