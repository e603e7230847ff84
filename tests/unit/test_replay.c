/* Replays in slices, by a clock that the test turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "outbox/replay.h"
#include "outbox/retain.h"
#include "support/box.h"

static int64_t begin_on(struct fixture *f, int64_t lo, int64_t hi,
                        struct replay_terms terms)
{
    struct spool_error err = {0};
    int64_t ids[200], id = 0;
    size_t n = 0;
    for (int64_t i = lo; i <= hi; i++) {
        ids[n++] = i;
    }
    if (replay_begin(f->box, &f->d, ids, n, &terms, "test", &id, &err) !=
        SPOOL_OK) {
        fail_msg("%s", err.message);
    }
    return id;
}

static int64_t begin(struct fixture *f, int64_t lo, int64_t hi, int64_t rate)
{
    return begin_on(f, lo, hi, (struct replay_terms){.rate = rate});
}

static bool step(struct fixture *f)
{
    struct spool_error err = {0};
    bool active = false;
    if (replay_step(f->box, NULL, &active, &err) != SPOOL_OK) {
        fail_msg("%s", err.message);
    }
    return active;
}

/* Delivers up to most batches of what waits, and says how many events; their
 * ids in order, a letter an event ('a' is the first), unless order is NULL. */
static size_t deliver_most(struct fixture *f, char *order, size_t most)
{
    struct turn turn;
    size_t n = order != NULL ? strlen(order) : 0, events = 0;
    struct spool_error err = {0};
    struct take_options take = {0};
    assert_int_equal(batch_turn(f->box, f->d.id, 0,
                                &(struct order){.take = &take}, &turn, &err),
                     SPOOL_OK);
    for (size_t batches = 1; turn.taken == TAKEN_BATCH; batches++) {
        const struct batch *b = &turn.batches[0];
        for (size_t i = 0; order != NULL && i < b->n; i++) {
            order[n++] = (char)('a' + b->events[i].id - 1);
            order[n] = '\0';
        }
        events += b->n;
        struct batch done = turn.batches[0];
        struct settlement s = {
            .outcome = OUTCOME_DELIVERED, .code = "", .reason = ""};
        struct done landed = {.batch = &done, .s = &s};
        turn.taken = TAKEN_NOTHING;
        assert_int_equal(
            batch_turn(f->box, f->d.id, 0,
                       &(struct order){.done = &landed,
                                       .done_n = 1,
                                       .take = batches < most ? &take : NULL},
                       &turn, &err),
            SPOOL_OK);
        batch_finish(&done);
    }
    return events;
}

static void deliver(struct fixture *f, char *order)
{
    (void)deliver_most(f, order, SIZE_MAX);
}

static int64_t waiting(struct fixture *f)
{
    struct spool_error err = {0};
    struct sums s;
    assert_int_equal(inspect_sums(f->box, &f->d, &s, &err), SPOOL_OK);
    return s.waiting;
}

static void a_slice_at_a_time_beside_live_events(void **state)
{
    struct fixture *f = *state;
    char order[128] = "";
    fixture_put(f, 12);
    deliver(f, order);
    order[0] = '\0';
    (void)begin(f, 1, 12, 5);
    assert_int_equal(waiting(f), 0);
    assert_true(step(f));
    assert_int_equal(waiting(f), 5); /* a second's worth */
    fixture_put(f, 1);
    f->now += 1000;
    assert_true(step(f));
    assert_int_equal(waiting(f), 6); /* none while the last ones wait */
    deliver(f, order);
    assert_true(step(f));
    fixture_put(f, 1);
    deliver(f, order);
    f->now += 1000;
    assert_false(step(f)); /* the rest */
    deliver(f, order);
    assert_string_equal(order, "abcdemfghijnkl");
    assert_false(step(f));
    fixture_verify(f);
}

static void a_rate_is_kept_by_the_clock(void **state)
{
    struct fixture *f = *state;
    char order[128] = "";
    fixture_put(f, 20);
    deliver(f, order);
    order[0] = '\0';
    (void)begin(f, 1, 20, 2);
    for (int i = 0; i < 40; i++) { /* ten seconds */
        (void)step(f);
        deliver(f, order);
        assert_in_range(strlen(order), 0, 2 + (size_t)(i / 4 + 1) * 2);
        f->now += 250;
    }
    assert_in_range(strlen(order), 18, 20);
    /* A clock set forward or back gives two seconds' worth at most. */
    f->now -= 1000000;
    (void)step(f);
    assert_in_range(waiting(f), 0, 4);
    fixture_verify(f);
}

/* In events that wait, beside the live ones. */
static int64_t slice(struct fixture *f)
{
    int64_t before = waiting(f);
    f->now += 1000;
    (void)step(f);
    return waiting(f) - before;
}

static void a_share_is_of_what_is_delivered_while_live_events_wait(void **state)
{
    struct fixture *f = *state;
    fixture_put(f, 100);
    deliver(f, NULL);
    (void)begin_on(f, 1, 100, (struct replay_terms){.share = 20});
    fixture_put(f, 200);
    assert_int_equal(slice(f), 0); /* nothing was delivered since */
    assert_int_equal(deliver_most(f, NULL, 10), 40);
    assert_int_equal(slice(f), 8);
    assert_int_equal(slice(f), 0); /* the last ones have not left */
    size_t n = deliver_most(f, NULL, 12);
    assert_in_range(n, 40, 48);
    assert_int_equal(slice(f), n / 5);
    deliver(f, NULL);
    assert_int_equal(slice(f), 100 - 8 - n / 5); /* none has to wait for it */
    deliver(f, NULL);
    assert_false(step(f));
    fixture_verify(f);
}

static void a_share_and_a_rate_hold_both(void **state)
{
    struct fixture *f = *state;
    fixture_put(f, 100);
    deliver(f, NULL);
    (void)begin_on(f, 1, 100, (struct replay_terms){.share = 50, .rate = 10});
    fixture_put(f, 100);
    (void)deliver_most(f, NULL, 2);
    assert_int_equal(slice(f), 4);
    deliver(f, NULL);
    assert_int_equal(slice(f), 10);
    fixture_verify(f);
}

static void a_stop_leaves_the_rest_as_it_is(void **state)
{
    struct fixture *f = *state;
    struct spool_error err = {0};
    struct replay r, listed[2];
    char order[128] = "";
    size_t n;
    fixture_put(f, 9);
    deliver(f, order);
    order[0] = '\0';
    int64_t id = begin(f, 2, 9, 3);
    assert_true(step(f));
    assert_int_equal(replay_list(f->box, listed, 2, &n, &err), SPOOL_OK);
    assert_int_equal(n, 1);
    assert_int_equal(listed[0].id, id);
    assert_int_equal(listed[0].events, 8);
    assert_int_equal(listed[0].done, 3);
    assert_string_equal(listed[0].destination, "shop");
    assert_int_equal(replay_stop(f->box, id, &r, &err), SPOOL_OK);
    assert_int_equal(r.done, 3);
    assert_int_equal(replay_stop(f->box, id, &r, &err), SPOOL_NOT_FOUND);
    f->now += 5000;
    assert_false(step(f));
    deliver(f, order);
    assert_string_equal(order, "bcd");
    fixture_verify(f);
}

static void what_retention_took_meanwhile_is_passed_over(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct destination other;
    struct operation op;
    struct retention none = {.keep_ms = 0, .keep_keys_ms = 1000000};
    static const int64_t even[] = {2, 4, 6, 8};
    bool more = true;
    destination_default(&other);
    (void)snprintf(other.name, sizeof other.name, "other");
    (void)snprintf(other.url, sizeof other.url, "http://127.0.0.1:2");
    assert_int_equal(destination_add(f->box, &other, &err), SPOOL_OK);
    fixture_put(f, 9);
    char order[64] = "";
    deliver(f, order);
    (void)begin(f, 1, 9, 1000);
    assert_int_equal(operate_purge(f->box, &other, even, 4, "test", &op, &err),
                     SPOOL_OK);
    while (more) {
        assert_int_equal(retain_step(f->box, &none, &more, &err), SPOOL_OK);
    }
    assert_false(step(f));
    fixture_verify(f);
    assert_int_equal(waiting(f), 5);
    order[0] = '\0';
    deliver(f, order);
    assert_string_equal(order, "acegi");
    assert_int_equal(waiting(f), 0);
}

static void nothing_moves_at_a_destination_that_is_paused(void **state)
{
    struct fixture *f = *state;
    struct spool_error err = {0};
    char order[128] = "";
    int64_t undelivered;
    fixture_put(f, 3);
    deliver(f, order);
    (void)begin(f, 1, 3, 3);
    assert_int_equal(destination_pause(f->box, "shop", &err), SPOOL_OK);
    assert_false(step(f));
    assert_int_equal(waiting(f), 0);
    assert_int_equal(destination_resume(f->box, "shop", &err), SPOOL_OK);
    bool active = true;
    assert_int_equal(replay_step(f->box, "other", &active, &err), SPOOL_OK);
    assert_false(active);
    assert_int_equal(waiting(f), 0);
    assert_int_equal(destination_remove(f->box, "shop", &undelivered, &err),
                     SPOOL_OK);
    assert_false(step(f));
}

static void it_goes_on_after_the_spool_was_closed(void **state)
{
    struct fixture *f = *state;
    char order[128] = "";
    fixture_put(f, 8);
    deliver(f, order);
    order[0] = '\0';
    (void)begin(f, 1, 8, 4);
    assert_true(step(f));
    deliver(f, order);
    fixture_reopen(f);
    f->now += 2000;
    while (step(f)) {
        deliver(f, order);
        f->now += 1000;
    }
    deliver(f, order);
    assert_string_equal(order, "abcdefgh");
    fixture_verify(f);
}

#define FACT(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(a_slice_at_a_time_beside_live_events),
        FACT(a_rate_is_kept_by_the_clock),
        FACT(a_share_is_of_what_is_delivered_while_live_events_wait),
        FACT(a_share_and_a_rate_hold_both),
        FACT(a_stop_leaves_the_rest_as_it_is),
        FACT(what_retention_took_meanwhile_is_passed_over),
        FACT(nothing_moves_at_a_destination_that_is_paused),
        FACT(it_goes_on_after_the_spool_was_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
