#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/box.h"

#define STATES(f, n, want)                                                     \
    do {                                                                       \
        char states_[128];                                                     \
        assert_string_equal(fixture_states(f, states_, n), want);              \
    } while (0)

static void a_batch_is_the_events_in_order_as_they_were_given(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    fixture_put(f, 6);
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].n, 4);
    const char want[] = "[{\"n\":1},{\"n\":2},{\"n\":3},{\"n\":4}]";
    assert_int_equal(turn.batches[0].bytes.len, sizeof want - 1);
    assert_memory_equal(turn.batches[0].bytes.data, want, sizeof want - 1);
    const struct batch_event *third = &turn.batches[0].events[2];
    assert_int_equal(third->id, 3);
    assert_memory_equal(turn.batches[0].bytes.data + third->offset, "{\"n\":3}",
                        third->len);
    STATES(f, 6, "sssspp");
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    STATES(f, 6, "ddddss");
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    STATES(f, 6, "dddddd");
    fixture_verify(f);
}

static void a_batch_ends_at_its_byte_limit_but_holds_one_event(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    f->d.batch_bytes = 20; /* "[" and two events and "," make 16 */
    assert_int_equal(destination_set(f->box, &f->d, &err), SPOOL_OK);
    fixture_put(f, 3);
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].n, 2);
    f->d.batch_bytes = 1;
    assert_int_equal(destination_set(f->box, &f->d, &err), SPOOL_OK);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].n, 1);
    batch_finish(&turn.batches[0]);
}

static void a_small_batch_waits_until_it_is_old_enough(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    f->d.batch_age_ms = 100;
    assert_int_equal(destination_set(f->box, &f->d, &err), SPOOL_OK);
    fixture_put(f, 2);
    fixture_take(f, &turn, TAKEN_FILLING);
    assert_int_equal(turn.wait_until, f->now + 100);
    f->now += 99;
    fixture_take(f, &turn, TAKEN_FILLING);
    f->now += 1;
    fixture_take(f, &turn, TAKEN_BATCH);
    batch_finish(&turn.batches[0]);
}

static void
a_batch_from_before_the_clock_was_set_back_does_not_wait(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    f->d.batch_age_ms = 100;
    assert_int_equal(destination_set(f->box, &f->d, &err), SPOOL_OK);
    fixture_put(f, 2);
    f->now -= 3600000;
    fixture_take(f, &turn, TAKEN_BATCH);
    batch_finish(&turn.batches[0]);
}

static void a_full_batch_does_not_wait(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    f->d.batch_age_ms = 100;
    assert_int_equal(destination_set(f->box, &f->d, &err), SPOOL_OK);
    fixture_put(f, 4);
    fixture_take(f, &turn, TAKEN_BATCH);
    batch_finish(&turn.batches[0]);
}

static void a_retried_batch_is_the_same_bytes_under_the_same_key(void **state)
{
    static const enum outcome outcomes[] = {OUTCOME_RETRY, OUTCOME_UNCERTAIN};
    static const char *const states[] = {"rrrrp", "uuuup"};
    for (size_t i = 0; i < 2; i++) {
        struct fixture *f;
        struct turn turn;
        (void)state;
        assert_int_equal(fixture_setup((void **)&f), 0);
        fixture_put(f, 4);
        fixture_take(f, &turn, TAKEN_BATCH);
        char key[UUID_SIZE], bytes[64];
        memcpy(key, turn.batches[0].key, sizeof key);
        size_t len = turn.batches[0].bytes.len;
        memcpy(bytes, turn.batches[0].bytes.data, len);
        fixture_settle(f, &turn, outcomes[i], TAKEN_WAIT);
        assert_int_equal(turn.wait_until, f->now + 1000);
        fixture_put(f, 1); /* does not join it */
        STATES(f, 5, states[i]);
        f->now += 1000;
        fixture_take(f, &turn, TAKEN_BATCH);
        assert_string_equal(turn.batches[0].key, key);
        assert_int_equal(turn.batches[0].bytes.len, len);
        assert_memory_equal(turn.batches[0].bytes.data, bytes, len);
        assert_int_equal(turn.batches[0].attempts, 2);
        batch_finish(&turn.batches[0]);
        fixture_verify(f);
        assert_int_equal(fixture_teardown((void **)&f), 0);
    }
}

/* A smaller limit is for what was never sent. */
static void a_retried_batch_is_not_cut_anew(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    fixture_put(f, 4);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_UNCERTAIN, TAKEN_WAIT);
    f->d.batch_events = 2;
    assert_int_equal(destination_set(f->box, &f->d, &err), SPOOL_OK);
    f->now += 1000;
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].n, 4);
    batch_finish(&turn.batches[0]);
}

static void a_crash_while_sending_makes_the_batch_uncertain(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    int64_t n;
    fixture_put(f, 6);
    fixture_take(f, &turn, TAKEN_BATCH);
    char key[UUID_SIZE];
    memcpy(key, turn.batches[0].key, sizeof key);
    batch_finish(&turn.batches[0]);
    fixture_reopen(f);
    STATES(f, 6, "sssspp");
    assert_int_equal(batch_recover(f->box, &n, &err), SPOOL_OK);
    assert_int_equal(n, 1);
    STATES(f, 6, "uuuupp");
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_string_equal(turn.batches[0].key, key);
    assert_int_equal(turn.batches[0].n, 4);
    batch_finish(&turn.batches[0]);
}

static void turn_with(struct fixture *f, const struct order *order,
                      struct turn *turn, enum taken taken)
{
    struct spool_error err = {0};
    if (batch_turn(f->box, f->d.id, 0, order, turn, &err) != SPOOL_OK) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(turn->taken, taken);
}

static void a_batch_taken_ahead_and_given_back_was_never_sent(void **state)
{
    struct fixture *f = *state;
    struct turn first, second, third;
    struct take_options ahead = {.ahead = true};
    struct take_options take = {0};
    fixture_put(f, 8);
    fixture_take(f, &first, TAKEN_BATCH);
    assert_true(first.batches[0].more);
    turn_with(f, &(struct order){.take = &ahead}, &second, TAKEN_BATCH);
    assert_int_equal(second.batches[0].lo, 5);
    STATES(f, 8, "ssssssss");
    struct settlement lost = {.outcome = OUTCOME_UNCERTAIN,
                              .retry_at = f->now + 1000,
                              .code = "",
                              .reason = ""};
    turn_with(f,
              &(struct order){.done = &(struct done){.batch = &first.batches[0],
                                                     .s = &lost},
                              .done_n = 1,
                              .back = &second.batches[0],
                              .back_n = 1,
                              .take = &take},
              &third, TAKEN_WAIT);
    STATES(f, 8, "uuuupppp");
    f->now += 1000;
    batch_finish(&first.batches[0]);
    fixture_take(f, &first, TAKEN_BATCH);
    assert_int_equal(first.batches[0].lo, 1);
    fixture_settle(f, &first, OUTCOME_DELIVERED, TAKEN_BATCH);
    assert_int_equal(first.batches[0].lo, 5);
    assert_int_equal(first.batches[0].attempts, 1);
    fixture_settle(f, &first, OUTCOME_DELIVERED, TAKEN_NOTHING);
    batch_finish(&second.batches[0]);
    fixture_verify(f);
}

static void a_read_ahead_batch_is_cut_as_if_it_were_read_then(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    struct prefetch p = {0};
    size_t n = 0;
    struct take_options take = {.prefetched = &p, .prefetched_n = 1};
    fixture_put(f, 6);
    assert_int_equal(
        batch_prefetch(f->box, &f->d, 0, 0, SIZE_MAX, &p, 1, &n, &err),
        SPOOL_OK);
    assert_int_equal(p.batch.n, 4);
    turn_with(f, &(struct order){.take = &take}, &turn, TAKEN_BATCH);
    assert_int_equal(p.batch.n, 0); /* used up */
    assert_int_equal(turn.batches[0].n, 4);
    const char want[] = "[{\"n\":1},{\"n\":2},{\"n\":3},{\"n\":4}]";
    assert_int_equal(turn.batches[0].bytes.len, sizeof want - 1);
    assert_memory_equal(turn.batches[0].bytes.data, want, sizeof want - 1);
    struct batch done = turn.batches[0];
    struct settlement s = {
        .outcome = OUTCOME_DELIVERED, .code = "", .reason = ""};
    /* One that begins elsewhere is left alone. */
    assert_int_equal(
        batch_prefetch(f->box, &f->d, 0, 5, SIZE_MAX, &p, 1, &n, &err),
        SPOOL_OK);
    turn_with(f,
              &(struct order){.done = &(struct done){.batch = &done, .s = &s},
                              .done_n = 1,
                              .take = &take},
              &turn, TAKEN_BATCH);
    assert_int_equal(p.batch.n, 1);
    assert_int_equal(turn.batches[0].lo, 5);
    assert_int_equal(turn.batches[0].n, 2);
    batch_finish(&done);
    batch_finish(&turn.batches[0]);
    prefetch_finish(&p);
    fixture_verify(f);
}

/* Events whose n is bad are refused whenever they are in a batch. */
static int drain_refusing(struct fixture *f, struct turn *turn,
                          const int64_t *bad, size_t bad_n)
{
    int requests = 0;
    fixture_take(f, turn, TAKEN_BATCH);
    while (turn->taken == TAKEN_BATCH) {
        enum outcome outcome = OUTCOME_DELIVERED;
        for (size_t i = 0; i < bad_n; i++) {
            if (turn->batches[0].lo <= bad[i] &&
                bad[i] <= turn->batches[0].hi) {
                outcome = OUTCOME_REFUSED;
            }
        }
        struct batch done = turn->batches[0];
        struct settlement s = {.outcome = outcome,
                               .probe_at = f->now + 5000,
                               .code = "BAD_INPUT",
                               .reason = "refused"};
        struct take_options take = {0};
        struct spool_error err;
        assert_int_equal(
            batch_turn(
                f->box, f->d.id, 0,
                &(struct order){.done = &(struct done){.batch = &done, .s = &s},
                                .done_n = 1,
                                .take = &take},
                turn, &err),
            SPOOL_OK);
        batch_finish(&done);
        requests++;
    }
    return requests;
}

static void a_refused_event_dies_alone(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    static const int64_t bad[] = {3};
    fixture_put(f, 8);
    int requests = drain_refusing(f, &turn, bad, 1);
    assert_int_equal(turn.taken, TAKEN_NOTHING);
    STATES(f, 8, "ddxddddd");
    /* 1-4, 1-2, 3-4, 3, 4 and 5-8 */
    assert_int_equal(requests, 6);
    fixture_verify(f);
}

static void three_of_a_thousand_cost_at_most_sixty_requests(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    static const int64_t bad[] = {7, 430, 999};
    f->d.batch_events = 250;
    assert_int_equal(destination_set(f->box, &f->d, &err), SPOOL_OK);
    struct outbox_event events[1000];
    for (size_t i = 0; i < 1000; i++) {
        events[i] = (struct outbox_event){.body = "{}", .len = 2};
    }
    assert_int_equal(outbox_append(f->box, events, 1000, &err), SPOOL_OK);
    int requests = drain_refusing(f, &turn, bad, 3);
    assert_true(requests <= 60);
    struct sums sums;
    assert_int_equal(inspect_sums(f->box, &f->d, &sums, &err), SPOOL_OK);
    assert_int_equal(sums.by_state[EVENT_DEAD], 3);
    assert_int_equal(sums.by_state[EVENT_DELIVERED], 997);
    fixture_verify(f);
}

static void a_split_batch_goes_out_under_new_keys(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    char key[UUID_SIZE], left[UUID_SIZE];
    fixture_put(f, 4);
    fixture_take(f, &turn, TAKEN_BATCH);
    memcpy(key, turn.batches[0].key, sizeof key);
    fixture_settle(f, &turn, OUTCOME_REFUSED, TAKEN_BATCH);
    assert_true(f->settled.split);
    assert_int_equal(turn.batches[0].n, 2);
    assert_string_not_equal(turn.batches[0].key, key);
    memcpy(left, turn.batches[0].key, sizeof left);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].n, 2);
    assert_string_not_equal(turn.batches[0].key, key);
    assert_string_not_equal(turn.batches[0].key, left);
    batch_finish(&turn.batches[0]);
}

static void
an_endpoint_that_refuses_everything_kills_few_and_is_held(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    struct sums sums;
    fixture_put(f, 60);
    fixture_take(f, &turn, TAKEN_BATCH);
    while (turn.taken == TAKEN_BATCH) {
        struct batch done = turn.batches[0];
        struct settlement s = {.outcome = OUTCOME_REFUSED,
                               .probe_at = f->now + 5000,
                               .code = "HTTP 400",
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
    assert_int_equal(turn.taken, TAKEN_HELD);
    assert_int_equal(turn.wait_until, f->now + 5000);
    assert_int_equal(turn.destination.hold_kind, HOLD_REFUSING);
    assert_int_equal(inspect_sums(f->box, &f->d, &sums, &err), SPOOL_OK);
    assert_int_equal(sums.by_state[EVENT_DEAD], 20);
    assert_int_equal(sums.waiting, 40);

    /* A probe that is refused as well kills nothing. */
    f->now += 5000;
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_true(turn.batches[0].probe);
    fixture_settle(f, &turn, OUTCOME_REFUSED, TAKEN_HELD);
    assert_int_equal(turn.destination.probes, 1);
    assert_int_equal(inspect_sums(f->box, &f->d, &sums, &err), SPOOL_OK);
    assert_int_equal(sums.by_state[EVENT_DEAD], 20);

    /* Well again: it goes on by itself. */
    f->now += 5000;
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    assert_true(f->settled.resumed);
    while (turn.taken == TAKEN_BATCH) {
        struct batch done = turn.batches[0];
        struct settlement s = {
            .outcome = OUTCOME_DELIVERED, .code = "", .reason = ""};
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
    assert_int_equal(inspect_sums(f->box, &f->d, &sums, &err), SPOOL_OK);
    assert_int_equal(sums.by_state[EVENT_DEAD], 20);
    assert_int_equal(sums.by_state[EVENT_DELIVERED], 40);
    fixture_verify(f);
}

static void a_fault_of_the_account_holds_and_consumes_nothing(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    fixture_put(f, 6);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_HOLD, TAKEN_HELD);
    assert_true(f->settled.held);
    assert_int_equal(turn.destination.hold_kind, HOLD_FAULT);
    assert_string_equal(turn.destination.reason, "a reason");
    STATES(f, 6, "pppppp");
    fixture_take(f, &turn, TAKEN_HELD);
    f->now += 5000;
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].n, 4);
    fixture_settle(f, &turn, OUTCOME_HOLD, TAKEN_HELD);
    f->now += 5000;
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    assert_true(f->settled.resumed);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    STATES(f, 6, "dddddd");
    fixture_verify(f);
}

static void a_probe_without_an_answer_leaves_it_held(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    fixture_put(f, 2);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_HOLD, TAKEN_HELD);
    f->now += 5000;
    fixture_take(f, &turn, TAKEN_BATCH);
    for (int i = 0; i < 2; i++) {
        fixture_settle(f, &turn, OUTCOME_UNCERTAIN, TAKEN_HELD);
        assert_int_equal(turn.destination.state, DESTINATION_HELD);
        assert_string_equal(turn.destination.reason,
                            "a reason; its last probe: a reason");
        STATES(f, 2, "uu");
        f->now += 5000;
        fixture_take(f, &turn, TAKEN_BATCH);
    }
    fixture_settle(f, &turn, OUTCOME_HOLD, TAKEN_HELD);
    assert_string_equal(turn.destination.reason, "a reason");
}

static void a_probe_that_a_crash_ended_is_due_at_once(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    int64_t n;
    fixture_put(f, 2);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_HOLD, TAKEN_HELD);
    f->now += 5000;
    fixture_take(f, &turn, TAKEN_BATCH); /* the probe */
    batch_finish(&turn.batches[0]);
    fixture_reopen(f);
    assert_int_equal(batch_recover(f->box, &n, &err), SPOOL_OK);
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_true(turn.batches[0].probe);
    batch_finish(&turn.batches[0]);
}

static void it_is_never_held_for_refused_events_if_told_so(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    f->d.hold_after = 0;
    f->d.batch_events = 1;
    assert_int_equal(destination_set(f->box, &f->d, &err), SPOOL_OK);
    fixture_put(f, 30);
    fixture_take(f, &turn, TAKEN_BATCH);
    for (int i = 1; i <= 30; i++) {
        fixture_settle(f, &turn, OUTCOME_REFUSED,
                       i < 30 ? TAKEN_BATCH : TAKEN_NOTHING);
        assert_true(f->settled.died);
    }
}

static void a_refused_probe_of_many_ends_its_lease(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    struct destination d = f->d;
    (void)snprintf(d.name, sizeof d.name, "wide");
    d.lanes = 2;
    d.hold_after = 1;
    assert_int_equal(destination_add(f->box, &d, &err), SPOOL_OK);
    f->d = d;
    for (uint32_t i = 0; i < 6; i++) {
        struct outbox_event e = {.body = "{}", .len = 2, .part = i < 2 ? 0 : 1};
        assert_int_equal(outbox_append(f->box, &e, 1, &err), SPOOL_OK);
    }
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_REFUSED, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_REFUSED, TAKEN_BATCH);
    assert_true(f->settled.died);
    fixture_settle(f, &turn, OUTCOME_REFUSED, TAKEN_HELD);
    assert_true(f->settled.held);
    f->now += 5000;
    struct take_options take = {0};
    struct order order = {.take = &take};
    assert_int_equal(batch_turn(f->box, d.id, 1, &order, &turn, &err),
                     SPOOL_OK);
    assert_int_equal(turn.batches[0].n, 4);
    struct batch sent = turn.batches[0];
    struct settlement s = {.outcome = OUTCOME_REFUSED,
                           .probe_at = f->now + 5000,
                           .code = "",
                           .reason = ""};
    struct done done = {.batch = &sent, .s = &s};
    order.done = &done;
    order.done_n = 1;
    assert_int_equal(batch_turn(f->box, d.id, 1, &order, &turn, &err),
                     SPOOL_OK);
    batch_finish(&sent);
    assert_int_equal(turn.taken, TAKEN_HELD);
    assert_int_equal(turn.wait_until, f->now + 5000);
}

static void a_time_from_a_wrong_clock_does_not_park_a_batch(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    fixture_put(f, 2);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_RETRY, TAKEN_WAIT);
    f->now -= (int64_t)365 * 24 * 3600 * 1000; /* set back by a year */
    fixture_take(f, &turn, TAKEN_BATCH);
    batch_finish(&turn.batches[0]);
}

/* Half a day is less than the longest wait there is, so the times themselves
 * are not absurd; but one after the other they would be waited for. */
static void times_of_a_clock_set_back_do_not_add_up(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    fixture_put(f, 4);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_RETRY, TAKEN_WAIT);
    int64_t until = turn.wait_until;
    f->now -= (int64_t)12 * 3600 * 1000;
    /* Whoever has waited for it by the other clock goes on waiting. */
    struct take_options take = {.not_yet = until};
    struct spool_error err;
    assert_int_equal(batch_turn(f->box, f->d.id, 0,
                                &(struct order){.take = &take}, &turn, &err),
                     SPOOL_OK);
    assert_int_equal(turn.taken, TAKEN_WAIT);
    assert_int_equal(turn.wait_until, until);
    /* A flusher that has just begun does not. */
    fixture_take(f, &turn, TAKEN_BATCH);
    batch_finish(&turn.batches[0]);
}

static void lanes_tile_the_log_each_for_itself(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    struct destination d = f->d;
    (void)snprintf(d.name, sizeof d.name, "wide");
    d.lanes = 3;
    d.batch_events = 2;
    assert_int_equal(destination_add(f->box, &d, &err), SPOOL_OK);
    for (uint32_t i = 0; i < 12; i++) {
        struct outbox_event e = {.body = "{}", .len = 2, .part = i % 4};
        assert_int_equal(outbox_append(f->box, &e, 1, &err), SPOOL_OK);
    }
    struct take_options take = {0};
    int64_t seen = 0;
    for (int lane = 0; lane < 3; lane++) {
        int64_t last = 0;
        assert_int_equal(batch_turn(f->box, d.id, lane,
                                    &(struct order){.take = &take}, &turn,
                                    &err),
                         SPOOL_OK);
        while (turn.taken == TAKEN_BATCH) {
            for (size_t i = 0; i < turn.batches[0].n; i++) {
                int64_t id = turn.batches[0].events[i].id;
                assert_int_equal((id - 1) % 4 % 3, lane);
                assert_true(id > last);
                last = id;
                seen++;
            }
            struct batch done = turn.batches[0];
            struct settlement s = {
                .outcome = OUTCOME_DELIVERED, .code = "", .reason = ""};
            assert_int_equal(
                batch_turn(f->box, d.id, lane,
                           &(struct order){
                               .done = &(struct done){.batch = &done, .s = &s},
                               .done_n = 1,
                               .take = &take},
                           &turn, &err),
                SPOOL_OK);
            batch_finish(&done);
        }
    }
    assert_int_equal(seen, 12);
    struct sums sums;
    assert_int_equal(inspect_sums(f->box, &d, &sums, &err), SPOOL_OK);
    assert_int_equal(sums.by_state[EVENT_DELIVERED], 12);
    assert_int_equal(sums.waiting, 0);
    fixture_verify(f);
}

/* Of the first of two lanes, but for the last one. */
static void put_many(struct fixture *f, int64_t n)
{
    static struct outbox_event e[1000];
    struct spool_error err;
    f->d.lanes = 2;
    assert_int_equal(destination_set(f->box, &f->d, &err), SPOOL_OK);
    for (int64_t i = 0; i < n; i += 1000) {
        for (int k = 0; k < 1000; k++) {
            e[k] = (struct outbox_event){
                .body = "{}", .len = 2, .part = i + k == n - 1 ? 1 : 0};
        }
        assert_int_equal(outbox_append(f->box, e, 1000, &err), SPOOL_OK);
    }
}

/* Whoever puts something waits for a turn to end. */
static void a_turn_without_anything_to_send_is_not_a_long_one(void **state)
{
    static const enum taken ends[] = {TAKEN_BATCH, TAKEN_NOTHING};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct fixture *f;
        struct spool_error err;
        struct turn turn;
        struct operation op;
        struct take_options take = {0};
        int64_t last = 120000;
        int turns = 0;
        assert_int_equal(fixture_setup_in_ram((void **)&f), 0);
        put_many(f, last);
        if (ends[i] == TAKEN_NOTHING) { /* a tile without events is left */
            assert_int_equal(
                operate_purge(f->box, &f->d, &last, 1, "test", &op, &err),
                SPOOL_OK);
        }
        do {
            assert_int_equal(batch_turn(f->box, f->d.id, 1,
                                        &(struct order){.take = &take}, &turn,
                                        &err),
                             SPOOL_OK);
            turns++;
        } while (turn.taken == TAKEN_MORE);
        assert_int_equal(turn.taken, ends[i]);
        assert_in_range(turns, 3, 4);
        fixture_verify(f);
        for (size_t k = 0; k < turn.n; k++) {
            assert_int_equal(turn.batches[k].events[0].id, last);
            batch_finish(&turn.batches[k]);
        }
        assert_int_equal(fixture_teardown((void **)&f), 0);
    }
}

/* As on a full disk. */
static void it_resumes_though_its_copy_cannot_be_written(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    char half[128];
    fixture_put(f, 3);
    (void)snprintf(half, sizeof half, "%s-destinations-half", f->path);
    assert_int_equal(mkdir(half, 0700), 0);
    assert_int_equal(destination_pause(f->box, "shop", &err), SPOOL_OK);
    fixture_take(f, &turn, TAKEN_PAUSED);
    assert_int_equal(destination_resume(f->box, "shop", &err), SPOOL_OK);
    fixture_take(f, &turn, TAKEN_BATCH);
    batch_finish(&turn.batches[0]);
    assert_int_equal(rmdir(half), 0);
}

static void a_paused_destination_takes_nothing(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    fixture_put(f, 1);
    assert_int_equal(destination_pause(f->box, "shop", &err), SPOOL_OK);
    fixture_take(f, &turn, TAKEN_PAUSED);
    assert_int_equal(destination_resume(f->box, "shop", &err), SPOOL_OK);
    fixture_take(f, &turn, TAKEN_BATCH);
    /* Paused while it is under way: the answer counts, the pause stays. */
    assert_int_equal(destination_pause(f->box, "shop", &err), SPOOL_OK);
    fixture_settle(f, &turn, OUTCOME_HOLD, TAKEN_PAUSED);
    assert_int_equal(destination_resume(f->box, "shop", &err), SPOOL_OK);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_batch_is_the_events_in_order_as_they_were_given),
        TEST(a_batch_ends_at_its_byte_limit_but_holds_one_event),
        TEST(a_small_batch_waits_until_it_is_old_enough),
        TEST(a_batch_from_before_the_clock_was_set_back_does_not_wait),
        TEST(a_full_batch_does_not_wait),
        cmocka_unit_test(a_retried_batch_is_the_same_bytes_under_the_same_key),
        TEST(a_retried_batch_is_not_cut_anew),
        TEST(a_crash_while_sending_makes_the_batch_uncertain),
        TEST(a_batch_taken_ahead_and_given_back_was_never_sent),
        TEST(a_read_ahead_batch_is_cut_as_if_it_were_read_then),
        TEST(a_refused_event_dies_alone),
        TEST(three_of_a_thousand_cost_at_most_sixty_requests),
        TEST(a_split_batch_goes_out_under_new_keys),
        TEST(an_endpoint_that_refuses_everything_kills_few_and_is_held),
        TEST(a_fault_of_the_account_holds_and_consumes_nothing),
        TEST(a_probe_without_an_answer_leaves_it_held),
        TEST(a_probe_that_a_crash_ended_is_due_at_once),
        TEST(it_is_never_held_for_refused_events_if_told_so),
        TEST(a_refused_probe_of_many_ends_its_lease),
        TEST(a_time_from_a_wrong_clock_does_not_park_a_batch),
        TEST(times_of_a_clock_set_back_do_not_add_up),
        TEST(lanes_tile_the_log_each_for_itself),
        cmocka_unit_test(a_turn_without_anything_to_send_is_not_a_long_one),
        TEST(a_paused_destination_takes_nothing),
        TEST(it_resumes_though_its_copy_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
