#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "outbox/store.h"
#include "support/box.h"

static void expect_states(struct fixture *f, size_t n, const char *want)
{
    char states[64];
    assert_string_equal(fixture_states(f, states, n), want);
    fixture_verify(f);
}

/* 1-4 delivered, 5-8 retrying, 9-10 pending. */
static void some_of_each(struct fixture *f)
{
    struct turn turn;
    fixture_put(f, 10);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_RETRY, TAKEN_WAIT);
    expect_states(f, 10, "ddddrrrrpp");
}

static void replay_cuts_its_events_out_of_what_was_delivered(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct operation op;
    static const int64_t ids[] = {2, 3, 6, 9, 99};
    some_of_each(f);
    assert_int_equal(operate_replay(f->box, &f->d, ids, 5, "a test", &op, &err),
                     SPOOL_OK);
    assert_int_equal(op.changed, 2);
    assert_int_equal(op.skipped_state, 2);
    assert_int_equal(op.skipped_gone, 1);
    expect_states(f, 10, "dppdrrrrpp");
    struct turn turn;
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].lo, 2);
    assert_int_equal(turn.batches[0].n, 2);
    assert_int_equal(turn.batches[0].attempts, 1);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_WAIT);
    expect_states(f, 10, "ddddrrrrpp");
}

static bool same_batch(void *arg, const struct event_record *e)
{
    int64_t *batch = arg;
    assert_true(*batch == 0 || *batch == e->batch);
    *batch = e->batch;
    return true;
}

static void dead_events_that_are_replayed_share_batches(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct operation op;
    struct turn turn;
    static const int64_t ids[] = {1, 2, 3, 4, 5, 6, 7, 8};
    fixture_put(f, 8);
    fixture_take(f, &turn, TAKEN_BATCH);
    while (turn.taken == TAKEN_BATCH) {
        struct batch done = turn.batches[0];
        struct settlement s = {.outcome = OUTCOME_REFUSED,
                               .code = "BAD_INPUT",
                               .reason = "refused"};
        struct take_options take = {0};
        assert_int_equal(
            batch_turn(
                f->box, f->d.id, 0,
                &(struct order){.done = &(struct done){.batch = &done, .s = &s},
                                .done_n = 1,
                                .take = &take},
                &turn, &err),
            SPOOL_OK);
        batch_finish(&done);
    }
    expect_states(f, 8, "xxxxxxxx");
    assert_int_equal(operate_replay(f->box, &f->d, ids, 8, "a test", &op, &err),
                     SPOOL_OK);
    assert_int_equal(op.changed, 8);
    expect_states(f, 8, "pppppppp");
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].n, 4); /* the destination's limit */
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].n, 4);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    expect_states(f, 8, "dddddddd");
}

/* Delivers all that waits; how many batches it were. */
static int deliver_all(struct fixture *f)
{
    struct spool_error err;
    int batches = 0;
    for (int lane = 0; lane < f->d.lanes; lane++) {
        struct turn turn = {.taken = TAKEN_NOTHING};
        struct take_options take = {0};
        struct batch sent;
        struct settlement s = {
            .outcome = OUTCOME_DELIVERED, .code = "", .reason = ""};
        struct done done = {.batch = &sent, .s = &s};
        struct order order = {.done = &done, .take = &take};
        do {
            order.done_n = turn.taken == TAKEN_BATCH ? 1 : 0;
            if (order.done_n > 0) {
                sent = turn.batches[0];
            }
            assert_int_equal(
                batch_turn(f->box, f->d.id, lane, &order, &turn, &err),
                SPOOL_OK);
            if (order.done_n > 0) {
                batch_finish(&sent);
            }
            batches += turn.taken == TAKEN_BATCH ? 1 : 0;
        } while (turn.taken == TAKEN_BATCH);
    }
    return batches;
}

static void replayed_neighbours_in_a_lane_share_batches(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct operation op;
    int64_t ids[24];
    struct outbox_event e[24];
    f->d.lanes = 3;
    assert_int_equal(destination_set(f->box, &f->d, &err), SPOOL_OK);
    for (int i = 0; i < 24; i++) {
        e[i] = (struct outbox_event){
            .body = "{}", .len = 2, .part = (uint32_t)(i % 7)};
        ids[i] = i + 1;
    }
    assert_int_equal(outbox_append(f->box, e, 24, &err), SPOOL_OK);
    int batches = deliver_all(f);
    expect_states(f, 24, "dddddddddddddddddddddddd");
    assert_int_equal(
        operate_replay(f->box, &f->d, ids, 24, "a test", &op, &err), SPOOL_OK);
    assert_int_equal(op.changed, 24);
    expect_states(f, 24, "pppppppppppppppppppppppp");
    assert_int_equal(deliver_all(f), batches);
    /* One that is missing parts its lane, and no other. */
    ids[4] = 99;
    assert_int_equal(
        operate_replay(f->box, &f->d, ids, 24, "a test", &op, &err), SPOOL_OK);
    assert_int_equal(op.changed, 23);
    assert_int_equal(op.skipped_gone, 1);
    expect_states(f, 24, "ppppdppppppppppppppppppp");
    assert_in_range(deliver_all(f), batches, batches + 1);
    expect_states(f, 24, "dddddddddddddddddddddddd");
}

static void purge_takes_waiting_events_out_and_leaves_the_rest(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct operation op;
    struct turn turn;
    static const int64_t ids[] = {1, 6, 10};
    char before[UUID_SIZE];
    fixture_put(f, 12);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    memcpy(before, turn.batches[0].key, sizeof before);
    fixture_settle(f, &turn, OUTCOME_UNCERTAIN, TAKEN_WAIT);
    assert_int_equal(operate_purge(f->box, &f->d, ids, 3, "a test", &op, &err),
                     SPOOL_OK);
    assert_int_equal(op.changed, 2);
    assert_int_equal(op.skipped_state, 1);
    expect_states(f, 12, "dddduguupgpp");
    /* What is left of a batch that was sent before goes under new keys. */
    f->now += 1000;
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].lo, 5);
    assert_int_equal(turn.batches[0].n, 1);
    assert_string_not_equal(turn.batches[0].key, before);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].lo, 7);
    assert_int_equal(turn.batches[0].n, 2);
    assert_string_not_equal(turn.batches[0].key, before);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].lo, 9);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].n, 2);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    expect_states(f, 12, "dddddgdddgdd");
}

static void a_purge_behind_the_cursor_is_one_tile(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct operation op;
    struct turn turn;
    static const int64_t ids[] = {3, 4, 5, 6, 7, 8};
    fixture_put(f, 7);
    assert_int_equal(operate_purge(f->box, &f->d, ids, 6, "a test", &op, &err),
                     SPOOL_OK);
    assert_int_equal(op.changed, 5);
    assert_int_equal(op.skipped_gone, 1);
    expect_states(f, 7, "ppggggg");
    struct event_range range = {.lo = 3, .hi = 7};
    int64_t batch = 0;
    assert_int_equal(
        inspect_events(f->box, &f->d, &range, same_batch, &batch, &err),
        SPOOL_OK);
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].n, 2);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    expect_states(f, 7, "ddggggg");
}

static int64_t asked; /* how often the filter was */

static enum spool_status compile(const char *words, void **out,
                                 struct spool_error *err)
{
    (void)words;
    (void)err;
    *out = &asked;
    return SPOOL_OK;
}

static bool takes(const void *filter, const char *body, size_t len)
{
    (void)filter;
    (void)body;
    (void)len;
    asked++;
    return true;
}

static void release(void *filter)
{
    (void)filter;
}

static void deliver_one_batch(struct fixture *f, const struct destination *d)
{
    struct spool_error err;
    struct turn turn;
    struct take_options take = {0};
    struct settlement s = {
        .outcome = OUTCOME_DELIVERED, .code = "", .reason = ""};
    assert_int_equal(batch_turn(f->box, d->id, 0,
                                &(struct order){.take = &take}, &turn, &err),
                     SPOOL_OK);
    struct batch sent = turn.batches[0];
    struct done done = {.batch = &sent, .s = &s};
    assert_int_equal(batch_turn(f->box, d->id, 0,
                                &(struct order){.done = &done, .done_n = 1},
                                &turn, &err),
                     SPOOL_OK);
    batch_finish(&sent);
}

/* 1000 events and a destination with a filter; every tenth of their ids. */
static struct destination put_a_thousand(struct fixture *f, int64_t ids[100])
{
    struct spool_error err;
    struct destination d = f->d;
    struct outbox_event e[1000];
    f->box->filters = (struct outbox_filters){compile, takes, release};
    (void)snprintf(d.name, sizeof d.name, "some");
    (void)snprintf(d.filter, sizeof d.filter, "all");
    d.batch_events = 1000;
    assert_int_equal(destination_add(f->box, &d, &err), SPOOL_OK);
    for (int i = 0; i < 1000; i++) {
        e[i] = (struct outbox_event){.body = "{}", .len = 2};
    }
    assert_int_equal(outbox_append(f->box, e, 1000, &err), SPOOL_OK);
    for (int i = 0; i < 100; i++) {
        ids[i] = 10 * i + 5;
    }
    return d;
}

/* Nobody else writes meanwhile: what lies between is not read for each. */
static void expect_few_looks(struct fixture *f, const struct destination *d,
                             enum event_state state, int64_t events)
{
    struct spool_error err;
    struct sums sums;
    assert_in_range(asked, 100, 4000);
    fixture_verify(f);
    assert_int_equal(inspect_sums(f->box, d, &sums, &err), SPOOL_OK);
    assert_int_equal(sums.by_state[state], events);
}

static void a_purge_here_and_there_reads_the_log_a_few_times(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct operation op;
    int64_t ids[100], last = 1000;
    struct destination d = put_a_thousand(f, ids);
    /* Leaves one long tile before it. */
    assert_int_equal(operate_purge(f->box, &d, &last, 1, "a test", &op, &err),
                     SPOOL_OK);
    asked = 0;
    assert_int_equal(operate_purge(f->box, &d, ids, 100, "a test", &op, &err),
                     SPOOL_OK);
    assert_int_equal(op.changed, 100);
    expect_few_looks(f, &d, EVENT_PENDING, 899);
}

static bool note_batch(void *arg, const struct event_record *e)
{
    *(int64_t *)arg = e->batch;
    return true;
}

static int64_t batch_of(struct fixture *f, int64_t id)
{
    struct spool_error err;
    struct event_range one = {.lo = id, .hi = id};
    int64_t batch = 0;
    assert_int_equal(
        inspect_events(f->box, &f->d, &one, note_batch, &batch, &err),
        SPOOL_OK);
    return batch;
}

/* Each is a transaction; nobody else writes meanwhile. */
static void a_purge_far_behind_the_cursor_comes_to_it_in_steps(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct operation op;
    struct sums sums;
    static struct outbox_event e[1000];
    int64_t last = 110000;
    f->d.lanes = 2;
    assert_int_equal(destination_set(f->box, &f->d, &err), SPOOL_OK);
    for (int i = 0; i < 110; i++) {
        for (int k = 0; k < 1000; k++) {
            bool held = i == 99 && k == 999; /* the last of the second step */
            e[k] = (struct outbox_event){
                .body = "{}", .len = 2, .hold_until = held ? f->now + 1000 : 0};
        }
        assert_int_equal(outbox_append(f->box, e, 1000, &err), SPOOL_OK);
    }
    assert_int_equal(
        operate_purge(f->box, &f->d, &last, 1, "a test", &op, &err), SPOOL_OK);
    assert_int_equal(op.changed, 1);
    assert_int_not_equal(batch_of(f, 1), batch_of(f, 50001));
    fixture_verify(f);
    assert_int_equal(inspect_sums(f->box, &f->d, &sums, &err), SPOOL_OK);
    assert_int_equal(sums.by_state[EVENT_HELD], 1);
    assert_int_equal(sums.by_state[EVENT_PENDING], 109998);
}

static void a_replay_here_and_there_reads_the_log_a_few_times(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct operation op;
    int64_t ids[100];
    struct destination d = put_a_thousand(f, ids);
    deliver_one_batch(f, &d);
    asked = 0;
    assert_int_equal(operate_replay(f->box, &d, ids, 100, "a test", &op, &err),
                     SPOOL_OK);
    assert_int_equal(op.changed, 100);
    expect_few_looks(f, &d, EVENT_PENDING, 100);
}

static void a_batch_in_flight_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct operation op;
    struct turn turn;
    static const int64_t ids[] = {1, 2};
    fixture_put(f, 2);
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(operate_purge(f->box, &f->d, ids, 2, "a test", &op, &err),
                     SPOOL_OK);
    assert_int_equal(op.changed, 0);
    assert_int_equal(op.skipped_sending, 2);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    expect_states(f, 2, "dd");
}

struct seen {
    int64_t first, n;
};

static bool count_event(void *arg, const struct event_record *e)
{
    struct seen *seen = arg;
    if (seen->n++ == 0) {
        seen->first = e->id;
    }
    return true;
}

static void a_listing_looks_only_at_the_states_asked_for(void **state)
{
    struct fixture *f = *state;
    static const struct {
        struct event_range range;
        int64_t first, n;
    } cases[] = {
        {{0}, 1, 10},
        {{.states = 1U << EVENT_DELIVERED}, 1, 4},
        {{.states = 1U << EVENT_RETRYING}, 5, 4},
        {{.states = 1U << EVENT_PENDING}, 9, 2},
        {{.states = 1U << EVENT_DEAD}, 0, 0},
        {{.states = 1U << EVENT_PENDING | 1U << EVENT_DELIVERED}, 1, 6},
        {{.lo = 3, .hi = 6}, 3, 4},
        {{.lo = 3, .hi = 6, .states = 1U << EVENT_RETRYING}, 5, 2},
        {{.since = 1000001}, 0, 0},
        {{.until = 1000000}, 1, 10},
    };
    some_of_each(f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct spool_error err;
        struct seen seen = {0, 0};
        assert_int_equal(inspect_events(f->box, &f->d, &cases[i].range,
                                        count_event, &seen, &err),
                         SPOOL_OK);
        assert_int_equal(seen.n, cases[i].n);
        assert_int_equal(seen.first, cases[i].first);
    }
}

static void note_attempt(void *arg, const struct attempt_record *a)
{
    char *out = arg;
    size_t len = strlen(out);
    (void)snprintf(out + len, 128 - len, "%s/%lld/%s ", a->verdict,
                   (long long)a->events, a->answer);
}

static void every_request_of_an_event_is_told(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    char told[128] = "";
    fixture_put(f, 4);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_REFUSED, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_UNCERTAIN, TAKEN_WAIT);
    struct event_record event = {.id = 3};
    assert_int_equal(
        inspect_attempts(f->box, &f->d, &event, note_attempt, told, &err),
        SPOOL_OK);
    assert_string_equal(told, "refused/4/an answer uncertain/2/an answer ");
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(replay_cuts_its_events_out_of_what_was_delivered),
        TEST(dead_events_that_are_replayed_share_batches),
        TEST(replayed_neighbours_in_a_lane_share_batches),
        TEST(purge_takes_waiting_events_out_and_leaves_the_rest),
        TEST(a_purge_behind_the_cursor_is_one_tile),
        TEST(a_purge_here_and_there_reads_the_log_a_few_times),
        TEST(a_replay_here_and_there_reads_the_log_a_few_times),
        TEST(a_purge_far_behind_the_cursor_comes_to_it_in_steps),
        TEST(a_batch_in_flight_is_left_alone),
        TEST(a_listing_looks_only_at_the_states_asked_for),
        TEST(every_request_of_an_event_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
