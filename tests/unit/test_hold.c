#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "outbox/store.h"
#include "support/box.h"

#define MINUTE ((int64_t)60000)

static void put(struct fixture *f, uint32_t part, bool holds, bool opens)
{
    struct spool_error err = {0};
    struct outbox_event e = {.body = "{}",
                             .len = 2,
                             .part = part,
                             .hold_until = holds ? f->now + 30 * MINUTE : 0,
                             .opens_page = opens};
    if (outbox_append(f->box, &e, 1, &err) != SPOOL_OK) {
        fail_msg("%s", err.message);
    }
}

static void quarantine(struct fixture *f, uint32_t part)
{
    struct outbox_event e = {
        .body = "{", .len = 1, .part = part, .quarantine = "no end"};
    assert_int_equal(outbox_append(f->box, &e, 1, NULL), SPOOL_OK);
}

static void expect(struct fixture *f, size_t n, const char *want)
{
    char states[64];
    struct spool_error err;
    struct sums sums;
    int64_t held = 0;
    assert_string_equal(fixture_states(f, states, n), want);
    for (const char *p = want; *p != '\0'; p++) {
        held += *p == 'h' ? 1 : 0;
    }
    assert_int_equal(inspect_sums(f->box, &f->d, &sums, &err), SPOOL_OK);
    assert_int_equal(sums.by_state[EVENT_HELD], held);
    fixture_verify(f);
}

static void a_held_event_waits_for_the_page_of_its_session(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    put(f, 1, false, false);
    put(f, 1, true, false); /* waits */
    put(f, 2, false, false);
    expect(f, 3, "php");
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].n, 1);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].lo, 3);
    expect(f, 3, "dhs");
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    assert_int_equal(turn.wait_until, f->now + 30 * MINUTE);
    put(f, 2, false, true); /* another session's page */
    expect(f, 4, "dhdp");
    put(f, 1, false, true);
    expect(f, 5, "dpdpp");
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].lo, 2); /* leaves before its page */
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    expect(f, 5, "ddddd");
}

static void a_hold_ends_before_it_is_cut_as_well(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    put(f, 1, true, false);
    put(f, 1, false, true);
    expect(f, 2, "pp");
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].n, 2);
    batch_finish(&turn.batches[0]);
}

static void a_hold_ends_by_itself_and_survives_a_restart(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    put(f, 1, true, false);
    fixture_take(f, &turn, TAKEN_NOTHING);
    expect(f, 1, "h");
    fixture_reopen(f);
    f->now += 30 * MINUTE - 1;
    fixture_take(f, &turn, TAKEN_NOTHING);
    f->now += 1;
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].n, 1);
    batch_finish(&turn.batches[0]);
}

static void a_hold_from_a_wrong_clock_ends(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    put(f, 1, true, false);
    f->now -= (int64_t)365 * 24 * 60 * MINUTE;
    fixture_take(f, &turn, TAKEN_BATCH);
    batch_finish(&turn.batches[0]);
}

static bool note_reason(void *arg, const struct event_record *e)
{
    char *out = arg;
    bool right =
        strcmp(e->code, "INVALID") == 0 && strcmp(e->reason, "no end") == 0;
    out[e->id - 1] = right ? 'i' : '?';
    return true;
}

static void an_operator_lets_it_go_or_takes_it_out(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct operation op;
    struct turn turn;
    static const int64_t first[] = {1}, second[] = {2}, third[] = {3};
    put(f, 1, true, false);
    put(f, 1, true, false);
    fixture_take(f, &turn, TAKEN_NOTHING);
    put(f, 1, true, false); /* not cut yet */
    expect(f, 3, "hhh");
    assert_int_equal(
        operate_purge(f->box, &f->d, second, 1, "a test", &op, &err), SPOOL_OK);
    assert_int_equal(
        operate_purge(f->box, &f->d, third, 1, "a test", &op, &err), SPOOL_OK);
    expect(f, 3, "hgg");
    assert_int_equal(
        operate_replay(f->box, &f->d, first, 1, "a test", &op, &err), SPOOL_OK);
    expect(f, 3, "pgg");
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].lo, 1);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    put(f, 1, false, true); /* lets nothing go that was taken out */
    expect(f, 4, "dggp");
    static const int64_t fifth[] = {5};
    put(f, 1, true, false);
    expect(f, 5, "dggph"); /* not cut yet */
    assert_int_equal(
        operate_replay(f->box, &f->d, fifth, 1, "a test", &op, &err), SPOOL_OK);
    assert_int_equal(op.changed, 1);
    expect(f, 5, "dggpp");
}

static void a_quarantined_event_is_dead_until_it_is_replayed(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct operation op;
    struct turn turn;
    static const int64_t second[] = {2};
    static const struct event_range dead = {.states = 1U << EVENT_DEAD};
    char states[8] = "---";
    put(f, 1, false, false);
    quarantine(f, 0);
    put(f, 1, false, true); /* a page lets nothing of it go */
    expect(f, 3, "pxp");
    assert_int_equal(
        inspect_events(f->box, &f->d, &dead, note_reason, states, &err),
        SPOOL_OK);
    assert_string_equal(states, "-i-");
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].n, 1);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].lo, 3);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    assert_int_equal(turn.wait_until, 0);
    expect(f, 3, "dxd");
    assert_int_equal(
        operate_replay(f->box, &f->d, second, 1, "a test", &op, &err),
        SPOOL_OK);
    assert_int_equal(op.changed, 1);
    expect(f, 3, "dpd");
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].lo, 2);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    expect(f, 3, "ddd");
}

static void a_purge_behind_it_leaves_it_what_it_is(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct operation op;
    struct turn turn;
    static const int64_t second[] = {2}, fifth[] = {5};
    static const struct event_range dead = {.states = 1U << EVENT_DEAD};
    char states[8] = "------";
    put(f, 1, false, false);
    quarantine(f, 1);
    put(f, 1, true, false);
    put(f, 2, false, false);
    put(f, 1, false, false);
    put(f, 1, true, false);
    expect(f, 6, "pxhpph");
    assert_int_equal(
        operate_purge(f->box, &f->d, fifth, 1, "a test", &op, &err), SPOOL_OK);
    assert_int_equal(op.changed, 1);
    expect(f, 6, "pxhpgh");
    assert_int_equal(
        inspect_events(f->box, &f->d, &dead, note_reason, states, &err),
        SPOOL_OK);
    assert_string_equal(states, "-i----");
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].hi, 1);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].hi, 4);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    expect(f, 6, "dxhdgh");
    assert_int_equal(
        operate_replay(f->box, &f->d, second, 1, "a test", &op, &err),
        SPOOL_OK);
    f->now += 30 * MINUTE;
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].lo, 2);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    expect(f, 6, "ddddgd");
}

static void other_lanes_leave_it_what_it_is(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    static const struct event_range dead = {.states = 1U << EVENT_DEAD};
    char states[8] = "-------";
    f->d.lanes = 2;
    assert_int_equal(destination_set(f->box, &f->d, &err), SPOOL_OK);
    put(f, 1, false, false);
    put(f, 1, true, false);
    put(f, 3, true, false);
    quarantine(f, 1);
    put(f, 1, false, false);
    put(f, 2, false, false); /* the first lane is cut up to it */
    put(f, 1, true, false);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    expect(f, 7, "phhxpdh");
    f->d.lanes = 1;
    assert_int_equal(destination_set(f->box, &f->d, &err), SPOOL_OK);
    expect(f, 7, "phhxpdh");
    assert_int_equal(
        inspect_events(f->box, &f->d, &dead, note_reason, states, &err),
        SPOOL_OK);
    assert_string_equal(states, "---i---");
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    expect(f, 7, "dhhxddh");
    put(f, 3, false, true);
    expect(f, 8, "dhpxddhp");
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].lo, 3);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    expect(f, 8, "dhdxddhd");
}

/* As retention left it behind once. */
static enum spool_status drop_first(struct db *db, void *arg,
                                    struct spool_error *err)
{
    (void)arg;
    return db_exec(db,
                   "DELETE FROM spool_event WHERE id = 1;"
                   "UPDATE spool_store SET dropped_to = 1, gone = 1",
                   err);
}

static void a_hold_without_its_event_stops_no_other_lane(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct operation op;
    struct turn turn;
    static const int64_t first[] = {1};
    f->d.lanes = 2;
    assert_int_equal(destination_set(f->box, &f->d, &err), SPOOL_OK);
    quarantine(f, 1);
    assert_int_equal(
        operate_purge(f->box, &f->d, first, 1, "a test", &op, &err), SPOOL_OK);
    assert_int_equal(outbox_write(f->box, drop_first, NULL, &err), SPOOL_OK);
    put(f, 0, false, false);
    (void)alarm(60); /* it looked for the row for ever */
    fixture_take(f, &turn, TAKEN_BATCH);
    (void)alarm(0);
    assert_int_equal(turn.batches[0].n, 1);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
}

static void it_ends_where_the_rows_before_it_are_gone(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct operation op;
    struct turn turn;
    static const int64_t first[] = {1};
    f->d.lanes = 2;
    assert_int_equal(destination_set(f->box, &f->d, &err), SPOOL_OK);
    put(f, 1, false, false);
    assert_int_equal(
        operate_purge(f->box, &f->d, first, 1, "a test", &op, &err), SPOOL_OK);
    assert_int_equal(outbox_write(f->box, drop_first, NULL, &err), SPOOL_OK);
    put(f, 0, true, false);
    fixture_take(f, &turn, TAKEN_NOTHING);
    expect(f, 2, "-h");
    f->now += 30 * MINUTE;
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].lo, 2);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    expect(f, 2, "-d");
}

static void expect_ages(struct fixture *f, int64_t oldest_id, int64_t oldest,
                        int64_t unheld)
{
    struct sums sums;
    struct spool_error err;
    assert_int_equal(inspect_sums(f->box, &f->d, &sums, &err), SPOOL_OK);
    assert_int_equal(sums.oldest_id, oldest_id);
    assert_int_equal(sums.oldest_at, oldest);
    assert_int_equal(sums.unheld_at, unheld);
}

static void a_held_event_has_an_age(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct operation op;
    struct turn turn;
    static const int64_t second[] = {2};
    int64_t begin = f->now;
    quarantine(f, 1); /* dead, so it waits for nothing */
    f->now++;
    put(f, 1, true, false);
    expect_ages(f, 2, begin + 1, 0);
    f->now++;
    put(f, 2, false, false);
    expect_ages(f, 2, begin + 1, begin + 2);
    fixture_take(f, &turn, TAKEN_BATCH); /* cut, it is a tile of its own */
    expect_ages(f, 2, begin + 1, begin + 2);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    expect_ages(f, 2, begin + 1, 0);
    f->now++;
    put(f, 3, true, false);
    assert_int_equal(
        operate_purge(f->box, &f->d, second, 1, "a test", &op, &err), SPOOL_OK);
    expect_ages(f, 4, begin + 3, 0);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_held_event_waits_for_the_page_of_its_session),
        TEST(a_hold_ends_before_it_is_cut_as_well),
        TEST(a_hold_ends_by_itself_and_survives_a_restart),
        TEST(a_hold_from_a_wrong_clock_ends),
        TEST(an_operator_lets_it_go_or_takes_it_out),
        TEST(a_quarantined_event_is_dead_until_it_is_replayed),
        TEST(a_purge_behind_it_leaves_it_what_it_is),
        TEST(a_held_event_has_an_age),
        TEST(other_lanes_leave_it_what_it_is),
        TEST(a_hold_without_its_event_stops_no_other_lane),
        TEST(it_ends_where_the_rows_before_it_are_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
