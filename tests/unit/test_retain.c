#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "outbox/hold.h"
#include "outbox/retain.h"
#include "outbox/store.h"
#include "support/box.h"

#define HOUR ((int64_t)3600 * 1000)

static const struct retention day = {24 * HOUR, 400 * 24 * HOUR};

/* Steps until nothing is left to do; how many events the log has then. */
static int64_t retain(struct fixture *f, const struct retention *r)
{
    struct spool_error err = {0};
    bool more = true;
    int steps = 0;
    while (more) {
        if (retain_step(f->box, r, &more, &err) != SPOOL_OK) {
            fail_msg("%s", err.message);
        }
        assert_true(++steps < 10000);
    }
    fixture_verify(f);
    return steps;
}

static bool count(void *arg, const struct event_record *e)
{
    assert_true(e->whole);
    ++*(int64_t *)arg;
    return true;
}

static int64_t events_in_log(struct fixture *f)
{
    struct spool_error err;
    struct event_range all = {0};
    int64_t n = 0;
    assert_int_equal(inspect_events(f->box, NULL, &all, count, &n, &err),
                     SPOOL_OK);
    return n;
}

static void deliver_all(struct fixture *f)
{
    struct turn turn;
    fixture_take(f, &turn, TAKEN_BATCH);
    while (turn.taken == TAKEN_BATCH) {
        struct spool_error err;
        struct batch sent = turn.batches[0];
        struct settlement s = {
            .outcome = OUTCOME_DELIVERED, .code = "", .reason = ""};
        struct done done = {.batch = &sent, .s = &s};
        struct take_options take = {0};
        assert_int_equal(
            batch_turn(
                f->box, f->d.id, 0,
                &(struct order){.done = &done, .done_n = 1, .take = &take},
                &turn, &err),
            SPOOL_OK);
        batch_finish(&sent);
    }
}

static void what_is_delivered_goes_after_a_day(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct sums sums;
    fixture_put(f, 10);
    deliver_all(f);
    (void)retain(f, &day);
    assert_int_equal(events_in_log(f), 10);
    f->now += 24 * HOUR;
    fixture_put(f, 3);
    (void)retain(f, &day);
    assert_int_equal(events_in_log(f), 3);
    assert_int_equal(inspect_sums(f->box, &f->d, &sums, &err), SPOOL_OK);
    assert_int_equal(sums.accepted, 13);
    assert_int_equal(sums.by_state[EVENT_DELIVERED], 10);
    assert_int_equal(sums.waiting, 3);
}

static void ids_go_on_when_the_log_is_empty(void **state)
{
    struct fixture *f = *state;
    fixture_put(f, 5);
    deliver_all(f);
    f->now += 25 * HOUR;
    (void)retain(f, &day);
    assert_int_equal(events_in_log(f), 0);
    fixture_reopen(f);
    struct outbox_event e = {.body = "{}", .len = 2};
    assert_int_equal(outbox_append(f->box, &e, 1, NULL), SPOOL_OK);
    assert_int_equal(e.id, 6);
    deliver_all(f);
    fixture_verify(f);
}

/* The clock was years ahead while one was put, or delivered: neither stays for
 * years, nor what lies behind it. */
static void a_clock_that_was_ahead_keeps_nothing(void **state)
{
    struct fixture *f = *state;
    int64_t right = f->now, ahead = right + 10 * 365 * 24 * HOUR;
    f->now = ahead;
    fixture_put(f, 1);
    f->now = right;
    fixture_put(f, 4);
    f->now = ahead;
    deliver_all(f);
    f->now = right;
    fixture_put(f, 3);
    deliver_all(f);
    f->now += 25 * HOUR;
    fixture_put(f, 2);
    (void)retain(f, &day);
    assert_int_equal(events_in_log(f), 2);
    deliver_all(f);
    (void)retain(f, &day);
    assert_int_equal(events_in_log(f), 2);
}

static void what_waits_or_is_dead_stays(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    char states[16];
    fixture_put(f, 9);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH); /* 1-4 */
    fixture_settle(f, &turn, OUTCOME_REFUSED, TAKEN_BATCH);   /* 5-8 */
    fixture_settle(f, &turn, OUTCOME_REFUSED, TAKEN_BATCH);   /* 5-6 */
    fixture_settle(f, &turn, OUTCOME_REFUSED, TAKEN_BATCH);   /* 5: dead */
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH); /* 6 */
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH); /* 7-8 */
    fixture_settle(f, &turn, OUTCOME_RETRY, TAKEN_WAIT);      /* 9 */
    f->now += 25 * HOUR;
    (void)retain(f, &day);
    assert_int_equal(events_in_log(f), 2);
    assert_string_equal(fixture_states(f, states, 9), "----x---r");
    /* The dead one can still be sent again. */
    struct spool_error err;
    struct operation op;
    static const int64_t ids[] = {4, 5};
    assert_int_equal(operate_replay(f->box, &f->d, ids, 2, "a test", &op, &err),
                     SPOOL_OK);
    assert_int_equal(op.changed, 1);
    assert_int_equal(op.skipped_gone, 1);
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].lo, 5);
    batch_finish(&turn.batches[0]);
    fixture_verify(f);
}

static enum spool_status first_hold(struct db *db, void *arg,
                                    struct spool_error *err)
{
    return hold_next_event(db, 1, arg, err);
}

static void what_held_an_event_goes_with_it(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct operation op;
    static const int64_t ids[] = {1, 2};
    struct outbox_event e[] = {
        {.body = "{", .len = 1, .quarantine = "no end"},
        {.body = "{}", .len = 2, .hold_until = f->now + 48 * HOUR},
        {.body = "{}", .len = 2, .hold_until = f->now + 48 * HOUR}};
    int64_t held;
    assert_int_equal(outbox_append(f->box, e, 3, &err), SPOOL_OK);
    assert_int_equal(operate_purge(f->box, &f->d, ids, 2, "a test", &op, &err),
                     SPOOL_OK);
    f->now += 25 * HOUR;
    (void)retain(f, &day);
    assert_int_equal(events_in_log(f), 1);
    assert_int_equal(outbox_read(f->box, first_hold, &held, &err), SPOOL_OK);
    assert_int_equal(held, 3);
}

static void every_destination_must_have_it(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct destination other = f->d;
    (void)snprintf(other.name, sizeof other.name, "other");
    assert_int_equal(destination_add(f->box, &other, &err), SPOOL_OK);
    fixture_put(f, 4);
    deliver_all(f);
    f->now += 25 * HOUR;
    (void)retain(f, &day);
    assert_int_equal(events_in_log(f), 4);
    int64_t left;
    assert_int_equal(destination_remove(f->box, "other", &left, &err),
                     SPOOL_OK);
    (void)retain(f, &day);
    assert_int_equal(events_in_log(f), 0);
    /* And without a destination nothing goes. */
    assert_int_equal(destination_remove(f->box, "shop", &left, &err), SPOOL_OK);
    fixture_put(f, 2);
    f->now += 25 * HOUR;
    (void)retain(f, &day);
    assert_int_equal(events_in_log(f), 2);
}

/* 1 to 9 are delivered; the odd ones are left in the log, since another
 * destination has them before it. */
static void keep_the_odd_ones(struct fixture *f)
{
    struct spool_error err;
    struct destination other;
    struct operation op;
    static const int64_t even[] = {2, 4, 6, 8};
    destination_default(&other);
    (void)snprintf(other.name, sizeof other.name, "other");
    (void)snprintf(other.url, sizeof other.url, "http://127.0.0.1:2");
    assert_int_equal(destination_add(f->box, &other, &err), SPOOL_OK);
    fixture_put(f, 9);
    deliver_all(f);
    assert_int_equal(operate_purge(f->box, &other, even, 4, "test", &op, &err),
                     SPOOL_OK);
    f->now += 25 * HOUR;
    (void)retain(f, &day);
    assert_int_equal(events_in_log(f), 5);
}

static void a_replay_takes_what_is_there_and_no_more(void **state)
{
    static const int64_t ids[][9] = {{1, 2, 3, 4, 5, 6, 7, 8, 9},
                                     {1, 3, 5, 7, 9}};
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct fixture *f;
        struct spool_error err;
        struct operation op;
        struct sums sums;
        assert_int_equal(fixture_setup((void **)&f), 0);
        f->d.lanes = 1 + i / 2;
        assert_int_equal(destination_set(f->box, &f->d, &err), SPOOL_OK);
        keep_the_odd_ones(f);
        assert_int_equal(operate_replay(f->box, &f->d, ids[i % 2],
                                        i % 2 == 0 ? 9 : 5, "test", &op, &err),
                         SPOOL_OK);
        assert_int_equal(op.changed, 5);
        fixture_verify(f);
        assert_int_equal(inspect_sums(f->box, &f->d, &sums, &err), SPOOL_OK);
        assert_int_equal(sums.waiting, 5);
        deliver_all(f);
        assert_int_equal(inspect_sums(f->box, &f->d, &sums, &err), SPOOL_OK);
        assert_int_equal(sums.by_state[EVENT_DELIVERED], 9);
        assert_int_equal(fixture_teardown((void **)&f), 0);
    }
}

static void a_new_destination_begins_where_the_log_is_whole(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct sums sums;
    struct destination late = f->d;
    fixture_put(f, 6);
    deliver_all(f);
    f->now += 25 * HOUR;
    (void)retain(f, &day);
    fixture_put(f, 2);
    (void)snprintf(late.name, sizeof late.name, "late");
    late.base = 0;
    assert_int_equal(destination_add(f->box, &late, &err), SPOOL_OK);
    assert_int_equal(late.base, 6);
    assert_int_equal(inspect_sums(f->box, &late, &sums, &err), SPOOL_OK);
    assert_int_equal(sums.accepted, 2);
    fixture_verify(f);
}

/* What is noted as dropped ends with the last one that was: those behind it in
 * the same step are a new destination's too. */
static void a_new_destination_misses_nothing_that_is_there(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct sums sums;
    struct turn turn;
    struct destination late = f->d;
    fixture_put(f, 20);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_RETRY, TAKEN_WAIT);
    f->now += 25 * HOUR;
    (void)retain(f, &day);
    assert_int_equal(events_in_log(f), 16);
    (void)snprintf(late.name, sizeof late.name, "late");
    late.base = 0;
    assert_int_equal(destination_add(f->box, &late, &err), SPOOL_OK);
    assert_int_equal(late.base, 4);
    assert_int_equal(inspect_sums(f->box, &late, &sums, &err), SPOOL_OK);
    assert_int_equal(sums.by_state[EVENT_PENDING], 16);
    fixture_verify(f);
}

static void a_lane_without_events_keeps_nothing(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    int64_t left;
    assert_int_equal(destination_remove(f->box, "shop", &left, &err), SPOOL_OK);
    f->d.lanes = 3;
    f->d.base = 0;
    assert_int_equal(destination_add(f->box, &f->d, &err), SPOOL_OK);
    fixture_put(f, 6); /* all of lane 0 */
    deliver_all(f);
    f->now += 25 * HOUR;
    (void)retain(f, &day);
    assert_int_equal(events_in_log(f), 0);
}

static void the_file_shrinks_and_tiles_are_joined(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    static char body[2000];
    static struct outbox_event events[500];
    struct stat before, after;
    memset(body, ' ', sizeof body);
    body[0] = '{';
    body[sizeof body - 1] = '}';
    for (int i = 0; i < 20; i++) {
        for (size_t k = 0; k < 500; k++) {
            events[k] = (struct outbox_event){.body = body, .len = sizeof body};
        }
        assert_int_equal(outbox_append(f->box, events, 500, &err), SPOOL_OK);
    }
    f->d.batch_events = 50;
    assert_int_equal(destination_set(f->box, &f->d, &err), SPOOL_OK);
    deliver_all(f);
    assert_int_equal(stat(f->path, &before), 0);
    f->now += 25 * HOUR;
    (void)retain(f, &day);
    /* What a checkpoint still owes the file: as many writes bring one. */
    for (int i = 0; i < 6; i++) {
        for (size_t k = 0; k < 500; k++) {
            events[k] = (struct outbox_event){.body = body, .len = sizeof body};
        }
        assert_int_equal(outbox_append(f->box, events, 500, &err), SPOOL_OK);
    }
    deliver_all(f);
    f->now += 25 * HOUR;
    (void)retain(f, &day);
    assert_int_equal(stat(f->path, &after), 0);
    assert_true(before.st_size > (off_t)15 * 1024 * 1024);
    assert_true(after.st_size < (off_t)8 * 1024 * 1024);
    /* All of it is one tile now: an event is gone from every one of them. */
    struct sums sums;
    assert_int_equal(inspect_sums(f->box, &f->d, &sums, &err), SPOOL_OK);
    assert_int_equal(sums.by_state[EVENT_DELIVERED], 13000);
    assert_int_equal(events_in_log(f), 0);
}

static int count_work(void *arg)
{
    ++*(int64_t *)arg;
    return 0;
}

/* Retention to its end; the most that SQLite did for one step of it, in
 * hundreds of its machine's instructions. */
static int64_t longest_step(struct fixture *f)
{
    struct spool_error err;
    int64_t longest = 0;
    for (bool more = true; more;) {
        int64_t work = 0;
        sqlite3_progress_handler(f->box->writer.db.handle, 100, count_work,
                                 &work);
        assert_int_equal(retain_step(f->box, &day, &more, &err), SPOOL_OK);
        longest = work > longest ? work : longest;
    }
    sqlite3_progress_handler(f->box->writer.db.handle, 0, NULL, NULL);
    return longest;
}

static int64_t rows(struct fixture *f, const char *table)
{
    sqlite3_stmt *s;
    char sql[64];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    assert_int_equal(
        sqlite3_prepare_v2(f->box->reader.handle, sql, -1, &s, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(s, 0);
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
    return n;
}

/* n of them, every other one a tile that cannot be joined. */
static void put_mixed(struct fixture *f, size_t n, bool quarantine)
{
    static struct outbox_event events[1000];
    for (size_t i = 0; i < n; i++) {
        events[i] = (struct outbox_event){.body = "{}", .len = 2};
        events[i].quarantine = quarantine && i % 2 == 0 ? "no end" : NULL;
    }
    assert_int_equal(outbox_append(f->box, events, n, NULL), SPOOL_OK);
}

/* As many as may be in front of those that are joined. */
static void a_step_looks_at_some_tiles_alone(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    f->d.batch_events = 1;
    assert_int_equal(destination_set(f->box, &f->d, &err), SPOOL_OK);
    put_mixed(f, 1000, true);
    deliver_all(f);
    f->now += 25 * HOUR;
    (void)retain(f, &day);
    assert_int_equal(rows(f, "spool_batch"), 1000);
    put_mixed(f, 600, false);
    deliver_all(f);
    f->now += 25 * HOUR;
    assert_in_range(longest_step(f), 1, 2000);
    assert_int_equal(rows(f, "spool_batch"), 1000);
    assert_int_equal(events_in_log(f), 500);
    fixture_verify(f);
}

static enum appended put_with_key(struct fixture *f)
{
    struct outbox_event e = {.body = "{}", .len = 2, .key = "till-7-0001"};
    assert_int_equal(outbox_append(f->box, &e, 1, NULL), SPOOL_OK);
    return e.appended;
}

static void a_dedupe_key_is_known_for_as_long_as_was_said(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_with_key(f), APPENDED);
    deliver_all(f);
    f->now += 400 * 24 * HOUR;
    (void)retain(f, &day);
    assert_int_equal(events_in_log(f), 0);
    assert_int_equal(put_with_key(f), APPENDED_BEFORE);
    f->now += 1;
    (void)retain(f, &day);
    assert_int_equal(put_with_key(f), APPENDED);
}

static void put_keys(struct fixture *f)
{
    static char keys[250][8];
    static struct outbox_event events[250];
    for (size_t i = 0; i < 250; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "k%zu", i);
        events[i] = (struct outbox_event){.body = "{}", .len = 2};
        events[i].key = keys[i];
        events[i].order.number = keys[i];
    }
    assert_int_equal(outbox_append(f->box, events, 250, NULL), SPOOL_OK);
}

/* One round forgets them, however many there are, and steps that are short. */
static void keys_do_not_pile_up(void **state)
{
    struct fixture *f = *state;
    put_keys(f);
    f->now += 401 * 24 * HOUR;
    assert_int_equal(put_with_key(f), APPENDED);
    (void)retain(f, &day);
    assert_int_equal(rows(f, "spool_key"), 1);
    assert_int_equal(rows(f, "spool_order"), 0);
}

/* Nothing is young, so it may not be true that all are old. */
static void a_clock_that_is_ahead_forgets_few_keys(void **state)
{
    struct fixture *f = *state;
    put_keys(f);
    f->now += 12 * 365 * 24 * HOUR;
    (void)retain(f, &day);
    f->now -= 12 * 365 * 24 * HOUR;
    assert_int_equal(rows(f, "spool_key"), 150);
    assert_int_equal(rows(f, "spool_order"), 150);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_delivered_goes_after_a_day),
        TEST(ids_go_on_when_the_log_is_empty),
        TEST(a_clock_that_was_ahead_keeps_nothing),
        TEST(what_waits_or_is_dead_stays),
        TEST(what_held_an_event_goes_with_it),
        TEST(every_destination_must_have_it),
        cmocka_unit_test(a_replay_takes_what_is_there_and_no_more),
        TEST(a_new_destination_begins_where_the_log_is_whole),
        TEST(a_new_destination_misses_nothing_that_is_there),
        TEST(a_lane_without_events_keeps_nothing),
        TEST(a_dedupe_key_is_known_for_as_long_as_was_said),
        TEST(keys_do_not_pile_up),
        TEST(a_clock_that_is_ahead_forgets_few_keys),
        TEST(the_file_shrinks_and_tiles_are_joined),
        cmocka_unit_test_setup_teardown(a_step_looks_at_some_tiles_alone,
                                        fixture_setup_in_ram, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
