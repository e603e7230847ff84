/* How a destination is set: its body, its wait before a start, its lanes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

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
    struct take_options take = {.prefetched = &p, .prefetched_n = 1};
    fixture_put(f, 6);
    assert_int_equal(batch_prefetch(f->box, &f->d, 0, 0, &take, &p, &err),
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

#define FACT(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(a_body_is_an_array_an_event_or_lines),
        FACT(a_body_is_not_changed_while_a_resend_is_due),
        FACT(what_was_read_for_another_body_is_not_sent),
        FACT(only_what_is_old_waits_before_a_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
