/* How a destination is set: its body, its wait before a start, its lanes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "outbox/retain.h"
#include "outbox/store.h"
#include "support/box.h"

static void set(struct fixture *f, enum spool_status want)
{
    struct spool_error err = {0};
    if (destination_set(f->box, &f->d, &err) != want) {
        fail_msg("%s", err.message);
    }
}

static void put(struct fixture *f, const char *body, uint32_t part)
{
    struct spool_error err = {0};
    struct outbox_event e = {.body = body, .len = strlen(body), .part = part};
    assert_int_equal(outbox_append(f->box, &e, 1, &err), SPOOL_OK);
}

static void expect_body(struct turn *turn, const char *want)
{
    const struct buffer *bytes = &turn->batches[0].bytes;
    assert_int_equal(bytes->len, strlen(want));
    assert_memory_equal(bytes->data, want, bytes->len);
}

static void a_body_is_an_array_an_event_or_lines(void **state)
{
    static const struct {
        enum destination_body body;
        const char *want;
        size_t events;
    } cases[] = {
        {BODY_ARRAY, "[{\"a\":\n1},{\"b\":\"\\n\"}\r\n,{}]", 3},
        {BODY_OBJECT, "{\"a\":\n1}", 1},
        {BODY_NDJSON, "{\"a\": 1}\n{\"b\":\"\\n\"}  \n{}\n", 3},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct turn turn;
        f->d.body = cases[i].body;
        set(f, SPOOL_OK);
        put(f, "{\"a\":\n1}", 0);
        put(f, "{\"b\":\"\\n\"}\r\n", 0);
        put(f, "{}", 0);
        fixture_take(f, &turn, TAKEN_BATCH);
        assert_int_equal(turn.batches[0].n, cases[i].events);
        expect_body(&turn, cases[i].want);
        size_t left = 3 - cases[i].events;
        do {
            fixture_settle(f, &turn, OUTCOME_DELIVERED,
                           left > 0 ? TAKEN_BATCH : TAKEN_NOTHING);
        } while (left-- > 0);
    }
    fixture_verify(f);
}

static void a_body_is_not_changed_while_a_resend_is_due(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    fixture_put(f, 2);
    fixture_take(f, &turn, TAKEN_BATCH);
    f->d.body = BODY_NDJSON;
    set(f, SPOOL_BUSY);
    fixture_settle(f, &turn, OUTCOME_UNCERTAIN, TAKEN_WAIT);
    set(f, SPOOL_BUSY);
    f->now += 1000;
    fixture_take(f, &turn, TAKEN_BATCH);
    expect_body(&turn, "[{\"n\":1},{\"n\":2}]");
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    set(f, SPOOL_OK);
}

static void what_was_read_for_another_body_is_not_sent(void **state)
{
    struct fixture *f = *state;
    struct spool_error err = {0};
    struct turn turn;
    struct prefetch p = {0};
    size_t n = 0;
    struct take_options take = {.prefetched = &p, .prefetched_n = 1};
    fixture_put(f, 6);
    assert_int_equal(
        batch_prefetch(f->box, &f->d, 0, 0, SIZE_MAX, &p, 1, &n, &err),
        SPOOL_OK);
    f->d.body = BODY_NDJSON;
    set(f, SPOOL_OK);
    assert_int_equal(batch_turn(f->box, f->d.id, 0,
                                &(struct order){.take = &take}, &turn, &err),
                     SPOOL_OK);
    assert_int_equal(p.batch.n, 4); /* left alone */
    expect_body(&turn, "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n");
    batch_finish(&turn.batches[0]);
    prefetch_finish(&p);
}

static void take_spread(struct fixture *f, struct turn *turn, int64_t ms,
                        enum taken want)
{
    struct spool_error err = {0};
    struct take_options take = {.spread_ms = ms};
    assert_int_equal(batch_turn(f->box, f->d.id, 0,
                                &(struct order){.take = &take}, turn, &err),
                     SPOOL_OK);
    assert_int_equal(turn->taken, want);
}

static void only_what_is_old_waits_before_a_start(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    fixture_put(f, 1);
    take_spread(f, &turn, 5000, TAKEN_BATCH); /* put just now */
    fixture_settle(f, &turn, OUTCOME_RETRY, TAKEN_WAIT);
    f->now += 61000;
    take_spread(f, &turn, 5000, TAKEN_WAIT); /* a batch from before */
    assert_int_equal(turn.wait_until, f->now + 5000);
    take_spread(f, &turn, 0, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    fixture_put(f, 1);
    f->now += 61000;
    take_spread(f, &turn, 5000, TAKEN_WAIT); /* the log */
    take_spread(f, &turn, 0, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
}

/* ---- lanes ---- */

static uint64_t random_state = UINT64_C(0x9E3779B97F4A7C15); /* or --seed */

static unsigned draw(unsigned n) /* xorshift */
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 33) % n;
}

#define EVENTS_MAX 120

/* One turn of a lane with an answer by chance; false if it took nothing. */
static bool turn_by_chance(struct fixture *f, int lane, bool deliver)
{
    static const enum outcome outcomes[] = {
        OUTCOME_DELIVERED, OUTCOME_DELIVERED, OUTCOME_DELIVERED,
        OUTCOME_REFUSED, OUTCOME_RETRY};
    struct spool_error err = {0};
    struct turn turn;
    struct take_options take = {.now = true};
    assert_int_equal(batch_turn(f->box, f->d.id, lane,
                                &(struct order){.take = &take}, &turn, &err),
                     SPOOL_OK);
    if (turn.taken != TAKEN_BATCH) {
        return false;
    }
    struct batch done = turn.batches[0];
    struct settlement s = {.outcome = outcomes[deliver ? 0 : draw(5)],
                           .code = "CODE",
                           .reason = "a reason"};
    struct done landed = {.batch = &done, .s = &s};
    assert_int_equal(batch_turn(f->box, f->d.id, lane,
                                &(struct order){.done = &landed, .done_n = 1},
                                &turn, &err),
                     SPOOL_OK);
    batch_finish(&done);
    return true;
}

static void operate_by_chance(struct fixture *f, int64_t last)
{
    struct spool_error err = {0};
    struct operation out;
    int64_t id = 1 + (int64_t)draw((unsigned)last);
    int64_t ids[3] = {id, id + 1, id + 2};
    size_t n = id + 2 <= last ? 3 : 1;
    assert_int_equal((draw(2) == 0 ? operate_purge : operate_replay)(
                         f->box, &f->d, ids, n, "chance", &out, &err),
                     SPOOL_OK);
}

static void retain(struct fixture *f)
{
    struct spool_error err = {0};
    struct retention r = {.keep_ms = 0, .keep_keys_ms = INT64_C(1) << 50};
    bool more = true;
    f->now += 1;
    while (more) {
        assert_int_equal(retain_step(f->box, &r, &more, &err), SPOOL_OK);
    }
}

static void drain(struct fixture *f)
{
    for (int lane = 0; lane < f->d.lanes; lane++) {
        for (int i = 0; i < 200 && turn_by_chance(f, lane, true); i++) {
        }
    }
}

static void expect_same(const struct sums *a, const struct sums *b)
{
    assert_int_equal(a->accepted, b->accepted);
    assert_int_equal(a->waiting, b->waiting);
    for (int i = 0; i < EVENT_STATES; i++) {
        assert_int_equal(a->by_state[i], b->by_state[i]);
    }
}

static void change_lanes(struct fixture *f, int lanes, bool *changed)
{
    char before[EVENTS_MAX + 1], after[EVENTS_MAX + 1];
    struct spool_error err = {0};
    struct sums was, is;
    int64_t last;
    int old = f->d.lanes;
    assert_int_equal(inspect_last_id(f->box, &last, &err), SPOOL_OK);
    fixture_states(f, before, (size_t)last);
    assert_int_equal(inspect_sums(f->box, &f->d, &was, &err), SPOOL_OK);
    f->d.lanes = lanes;
    enum spool_status status = destination_set(f->box, &f->d, &err);
    *changed = status == SPOOL_OK;
    if (status == SPOOL_BUSY) {
        f->d.lanes = old;
        assert_non_null(strstr(err.message, "lanes"));
    } else if (status != SPOOL_OK) {
        fail_msg("%s", err.message);
    }
    fixture_verify(f);
    fixture_states(f, after, (size_t)last);
    assert_string_equal(after, before);
    assert_int_equal(inspect_sums(f->box, &f->d, &is, &err), SPOOL_OK);
    expect_same(&was, &is);
}

static void all_are_listed_however_many_there_are(void **state)
{
    struct fixture *f = *state;
    struct destination *all, d = f->d;
    struct spool_error err;
    size_t n;
    for (int i = 0; i < 300; i++) {
        (void)snprintf(d.name, sizeof d.name, "reader-%d", i);
        d.base = -1;
        assert_int_equal(destination_add(f->box, &d, &err), SPOOL_OK);
    }
    assert_int_equal(destination_list(f->box, NULL, &all, &n, &err), SPOOL_OK);
    assert_int_equal(n, 301);
    assert_string_equal(all[0].name, f->d.name);
    assert_string_equal(all[300].name, "reader-299");
    free(all);
    assert_int_equal(destination_list(f->box, "reader-7", &all, &n, &err),
                     SPOOL_OK);
    assert_int_equal(n, 1);
    free(all);
    assert_int_equal(destination_list(f->box, "none", &all, &n, &err),
                     SPOOL_NOT_FOUND);
    assert_null(all);
    fixture_verify(f);
}

/* Whatever became of its events, other lanes change no event's state and no
 * sum. */
static void lanes_change_and_every_event_keeps_its_state(void **state)
{
    static const int counts[] = {1, 2, 3, 4, 7};
    struct fixture *f = *state;
    int64_t last = 0;
    int changes = 0, refusals = 0;
    f->d.batch_events = 3;
    f->d.hold_after = 0;
    f->d.backoff_base_ms = 1;
    set(f, SPOOL_OK);
    print_message("--seed %llu\n", (unsigned long long)random_state);
    for (int round = 0; round < 60; round++) {
        for (unsigned n = draw(3); n > 0 && last < EVENTS_MAX; n--) {
            put(f, "{}", draw(1000));
            last++;
        }
        for (unsigned n = draw(4); n > 0; n--) {
            (void)turn_by_chance(f, (int)draw((unsigned)f->d.lanes), false);
        }
        if (last > 3 && draw(3) == 0) {
            operate_by_chance(f, last);
        }
        if (draw(6) == 0) {
            retain(f);
        }
        if (draw(4) == 0) {
            drain(f);
        }
        bool changed;
        change_lanes(f, counts[draw(5)], &changed);
        changes += changed ? 1 : 0;
        refusals += changed ? 0 : 1;
    }
    print_message("%d changes, %d refusals\n", changes, refusals);
    assert_true(changes > 10 && refusals > 0);
}

static enum spool_status rename_it(struct db *db, void *arg,
                                   struct spool_error *err)
{
    (void)arg;
    return db_exec(db, "UPDATE spool_destination SET name = '42'", err);
}

/* An event's id is no name; who has it for a name from before keeps it. */
static void a_name_is_not_digits_alone(void **state)
{
    static const struct {
        const char *name;
        enum spool_status want;
    } cases[] = {{"42", SPOOL_MISUSE},
                 {"0", SPOOL_MISUSE},
                 {"42a", SPOOL_OK},
                 {"4.2", SPOOL_OK},
                 {"-42", SPOOL_OK}};
    struct fixture *f = *state;
    struct spool_error err;
    struct destination d = f->d;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)snprintf(d.name, sizeof d.name, "%s", cases[i].name);
        assert_int_equal(destination_add(f->box, &d, &err), cases[i].want);
        if (cases[i].want == SPOOL_OK) {
            int64_t left;
            assert_int_equal(destination_remove(f->box, d.name, &left, &err),
                             SPOOL_OK);
        } else {
            assert_non_null(strstr(err.message, "the id of an event"));
        }
    }
    assert_int_equal(outbox_write(f->box, rename_it, NULL, &err), SPOOL_OK);
    (void)snprintf(d.name, sizeof d.name, "42");
    assert_int_equal(destination_add(f->box, &d, &err), SPOOL_EXISTS);
    assert_int_equal(destination_set(f->box, &d, &err), SPOOL_OK);
}

#define FACT(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--seed") == 0) {
        random_state = strtoull(argv[2], NULL, 10);
    }
    const struct CMUnitTest tests[] = {
        FACT(a_body_is_an_array_an_event_or_lines),
        FACT(a_body_is_not_changed_while_a_resend_is_due),
        FACT(what_was_read_for_another_body_is_not_sent),
        FACT(lanes_change_and_every_event_keeps_its_state),
        FACT(all_are_listed_however_many_there_are),
        FACT(a_name_is_not_digits_alone),
        FACT(only_what_is_old_waits_before_a_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
