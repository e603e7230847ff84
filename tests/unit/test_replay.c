/* Replays in slices, by a clock that the test turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "outbox/replay.h"
#include "support/box.h"

static int64_t begin(struct fixture *f, int64_t lo, int64_t hi, int64_t rate)
{
    struct spool_error err = {0};
    int64_t ids[200], id = 0;
    size_t n = 0;
    for (int64_t i = lo; i <= hi; i++) {
        ids[n++] = i;
    }
    if (replay_begin(f->box, &f->d, ids, n, rate, "test", &id, &err) !=
        SPOOL_OK) {
        fail_msg("%s", err.message);
    }
    return id;
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

/* Delivers all that waits; the ids in the order they left, a letter an event:
 * 'a' is the first. */
static void deliver(struct fixture *f, char *order)
{
    struct turn turn;
    size_t n = strlen(order);
    struct spool_error err = {0};
    struct take_options take = {0};
    assert_int_equal(batch_turn(f->box, f->d.id, 0,
                                &(struct order){.take = &take}, &turn, &err),
                     SPOOL_OK);
    while (turn.taken == TAKEN_BATCH) {
        const struct batch *b = &turn.batches[0];
        for (size_t i = 0; i < b->n; i++) {
            order[n++] = (char)('a' + b->events[i].id - 1);
            order[n] = '\0';
        }
        struct batch done = turn.batches[0];
        struct settlement s = {
            .outcome = OUTCOME_DELIVERED, .code = "", .reason = ""};
        struct done landed = {.batch = &done, .s = &s};
        assert_int_equal(
            batch_turn(
                f->box, f->d.id, 0,
                &(struct order){.done = &landed, .done_n = 1, .take = &take},
                &turn, &err),
            SPOOL_OK);
        batch_finish(&done);
    }
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
        FACT(a_stop_leaves_the_rest_as_it_is),
        FACT(nothing_moves_at_a_destination_that_is_paused),
        FACT(it_goes_on_after_the_spool_was_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
