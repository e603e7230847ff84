#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "outbox/limits.h"
#include "outbox/retain.h"
#include "outbox/store.h"
#include "support/box.h"

/* The class of an event is the digit its body begins with; the filter of the
 * destination "dear" takes class 4. */
static int digit(const char *body, size_t len)
{
    return len > 0 ? body[0] - '0' : -1;
}

static enum spool_status compile(const char *words, void **out,
                                 struct spool_error *err)
{
    static char dear;
    (void)words;
    (void)err;
    *out = &dear;
    return SPOOL_OK;
}

static bool takes(const void *filter, const char *body, size_t len)
{
    (void)filter;
    return digit(body, len) == 4;
}

static void release(void *filter)
{
    (void)filter;
}

static void set(struct fixture *f, int64_t most, unsigned shed)
{
    struct limits l;
    assert_int_equal(limits_get(f->box, &l, NULL), SPOOL_OK);
    f->box->class_of = digit;
    f->box->filters = (struct outbox_filters){compile, takes, release};
    l.max_events = most;
    for (unsigned c = 0; c < OUTBOX_CLASSES; c++) {
        l.classes[c].shed = (shed & 1U << c) != 0;
    }
    assert_int_equal(limits_set(f->box, &l, NULL), SPOOL_OK);
}

/* One event a letter, in a call of its own: its class, of part 0. */
static void put(struct fixture *f, const char *classes, int refused)
{
    for (; *classes != '\0'; classes++) {
        struct outbox_event e = {
            .body = classes, .len = 1, .class = *classes - '0'};
        assert_int_equal(outbox_append(f->box, &e, 1, NULL), SPOOL_OK);
        refused -= e.appended == APPENDED_NO_ROOM ? 1 : 0;
    }
    assert_int_equal(refused, 0);
}

/* The log as it is: a class each, '-' for ids that are gone. */
static bool note_class(void *arg, const struct event_record *e)
{
    ((char *)arg)[e->id - 1] = e->body[0];
    return true;
}

static void expect_log(struct fixture *f, const char *want)
{
    char got[200];
    struct event_range all = {0};
    size_t n = strlen(want);
    memset(got, '-', sizeof got);
    assert_int_equal(inspect_events(f->box, NULL, &all, note_class, got, NULL),
                     SPOOL_OK);
    got[n] = '\0';
    assert_string_equal(got, want);
    fixture_verify(f);
}

static int64_t shed_of(struct fixture *f, int class)
{
    struct limits_usage u;
    assert_int_equal(limits_usage(f->box, &u, NULL), SPOOL_OK);
    return u.shed[LIMIT_EVENTS][class];
}

static int64_t purged(struct fixture *f, const struct destination *d)
{
    struct sums s;
    assert_int_equal(inspect_sums(f->box, d, &s, NULL), SPOOL_OK);
    return s.by_state[EVENT_PURGED];
}

static void add(struct fixture *f, struct destination *d, const char *name,
                const char *filter, int lanes)
{
    struct spool_error err;
    destination_default(d);
    (void)snprintf(d->name, sizeof d->name, "%s", name);
    (void)snprintf(d->url, sizeof d->url, "http://127.0.0.1:1");
    (void)snprintf(d->filter, sizeof d->filter, "%s", filter);
    d->batch_events = 4;
    d->batch_age_ms = 0;
    d->lanes = lanes;
    if (destination_add(f->box, d, &err) != SPOOL_OK) {
        fail_msg("%s", err.message);
    }
}

static void nothing_is_shed_unless_it_was_said(void **state)
{
    struct fixture *f = *state;
    set(f, 4, 0);
    put(f, "000044", 2);
    expect_log(f, "0000");
    assert_int_equal(shed_of(f, 0), 0);
    set(f, 4, 1U << 1); /* another class */
    put(f, "04", 2);
    expect_log(f, "0000");
}

static void the_oldest_of_the_class_give_way(void **state)
{
    struct fixture *f = *state;
    set(f, 6, 1U << 0);
    put(f, "404041", 0);
    put(f, "4", 0);
    expect_log(f, "4-40414");
    assert_int_equal(shed_of(f, 0), 1);
    assert_int_equal(purged(f, &f->d), 1);
    put(f, "1", 0);
    put(f, "4", 1); /* nothing is left to shed */
    expect_log(f, "4-4-4141");
    fixture_reopen(f);
    f->box->class_of = digit;
    expect_log(f, "4-4-4141");
    assert_int_equal(shed_of(f, 0), 2);
}

/* A view does not push out a basket, nor does a view that may not be shed come
 * in for one that may. */
static void only_the_same_or_a_lower_class_gives_way(void **state)
{
    struct fixture *f = *state;
    set(f, 4, 1U << 2);
    put(f, "2222", 0);
    put(f, "011", 3);
    expect_log(f, "2222");
    put(f, "2", 0); /* the same */
    expect_log(f, "-2222");
    put(f, "2223", 0);
    expect_log(f, "-----2223");
    struct destination late;
    add(f, &late, "late", "", 1); /* it cannot have them any more */
    assert_int_equal(purged(f, &late), 5);
    fixture_verify(f);
}

static void what_is_in_flight_or_was_sent_stays(void **state)
{
    struct fixture *f = *state;
    char states[16];
    struct turn turn;
    set(f, 6, 1U << 0);
    put(f, "000000", 0);
    fixture_take(f, &turn, TAKEN_BATCH); /* 1 to 4 */
    put(f, "4", 0);
    expect_log(f, "0000-04");
    assert_string_equal(fixture_states(f, states, 7), "ssss-pp");
    fixture_settle(f, &turn, OUTCOME_RETRY, TAKEN_WAIT);
    put(f, "44", 1); /* the last row of the log stays in it */
    assert_string_equal(fixture_states(f, states, 8), "rrrr--pp");
    expect_log(f, "0000--44");
    f->now += 2000;
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_UNCERTAIN, TAKEN_WAIT);
    put(f, "4", 1);
    assert_string_equal(fixture_states(f, states, 8), "uuuu--pp");
    f->now += 2000;
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].lo, 5);
    assert_int_equal(turn.batches[0].n, 2);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    fixture_verify(f);
    assert_int_equal(purged(f, &f->d), 2);
}

static void held_quarantined_and_ordered_ones_stay(void **state)
{
    struct fixture *f = *state;
    set(f, 4, 1U << 0);
    struct outbox_event e[] = {
        {.body = "0", .len = 1, .hold_until = f->now + 1000},
        {.body = "0", .len = 1, .quarantine = "a reason"},
        {.body = "0", .len = 1, .order = {.number = "4711"}},
        {.body = "0", .len = 1}};
    assert_int_equal(outbox_append(f->box, e, 4, NULL), SPOOL_OK);
    put(f, "0", 1); /* the last row stays too */
    expect_log(f, "0000");
}

/* What was delivered is kept to be looked at: that is worth less than anything
 * new, whatever its class. */
static void what_was_delivered_gives_way_first(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    set(f, 6, 1U << 0);
    put(f, "444400", 0);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    put(f, "1111", 0);
    expect_log(f, "----001111");
    assert_int_equal(shed_of(f, 0), 0);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    fixture_verify(f);
}

/* Though a clock that was ahead says that it has not been delivered yet. */
static void what_was_delivered_gives_way_whatever_the_clock_said(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    set(f, 4, 0);
    f->now += (int64_t)365 * 24 * 3600 * 1000;
    put(f, "44", 0);
    f->now -= (int64_t)365 * 24 * 3600 * 1000;
    put(f, "44", 0);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    put(f, "4", 0);
    expect_log(f, "----4");
}

/* Retention itself does not keep what is more than half of a limit. */
static void retention_keeps_less_when_it_is_half_full(void **state)
{
    static const struct retention day = {24 * 3600 * 1000, 24 * 3600 * 1000};
    struct fixture *f = *state;
    struct turn turn;
    bool more = true;
    set(f, 8, 0);
    put(f, "0000", 0);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    assert_int_equal(retain_step(f->box, &day, &more, NULL), SPOOL_OK);
    expect_log(f, "0000");
    put(f, "0", 0);
    assert_int_equal(retain_step(f->box, &day, &more, NULL), SPOOL_OK);
    expect_log(f, "----0");
}

static void deliver(struct fixture *f, const struct destination *d, int lane)
{
    struct turn turn = {0};
    struct take_options take = {0};
    struct order order = {.take = &take};
    struct spool_error err;
    for (bool more = true; more;) {
        if (batch_turn(f->box, d->id, lane, &order, &turn, &err) != SPOOL_OK) {
            fail_msg("%s", err.message);
        }
        more = turn.taken == TAKEN_BATCH;
        if (more) {
            struct batch sent = turn.batches[0];
            struct settlement s = {
                .outcome = OUTCOME_DELIVERED, .code = "", .reason = ""};
            struct done done = {.batch = &sent, .s = &s};
            struct order settle = {.done = &done, .done_n = 1};
            assert_int_equal(
                batch_turn(f->box, d->id, lane, &settle, &turn, &err),
                SPOOL_OK);
            batch_finish(&sent);
        }
    }
}

/* One destination has its events and another one does not: they give way for
 * the one that had not come to them. */
static void a_destination_that_lags_loses_what_the_other_has(void **state)
{
    struct fixture *f = *state;
    struct destination b, c;
    struct sums s;
    set(f, 6, 1U << 0);
    add(f, &b, "lags", "", 1);
    put(f, "0040", 0);
    deliver(f, &f->d, 0);
    put(f, "00", 0);
    put(f, "4444", 0);
    expect_log(f, "--4--04444");
    assert_int_equal(purged(f, &f->d), 1);
    assert_int_equal(purged(f, &b), 4);
    assert_int_equal(inspect_sums(f->box, &f->d, &s, NULL), SPOOL_OK);
    assert_int_equal(s.by_state[EVENT_DELIVERED], 4);
    assert_int_equal(s.by_state[EVENT_PENDING], 5);
    add(f, &c, "new", "", 1);
    fixture_verify(f);
    deliver(f, &f->d, 0);
    deliver(f, &b, 0);
    deliver(f, &c, 0);
    fixture_verify(f);
    assert_int_equal(inspect_sums(f->box, &b, &s, NULL), SPOOL_OK);
    assert_int_equal(s.by_state[EVENT_DELIVERED], 6);
    assert_int_equal(s.waiting, 0);
    assert_int_equal(destination_remove(f->box, "lags", &(int64_t){0}, NULL),
                     SPOOL_OK);
    fixture_verify(f);
}

static void filters_and_lanes_add_up(void **state)
{
    struct fixture *f = *state;
    struct destination dear, lanes;
    struct sums s;
    set(f, 8, 1U << 0);
    add(f, &dear, "dear", "class = 4", 1);
    add(f, &lanes, "lanes", "", 3);
    for (uint32_t i = 0; i < 12; i++) {
        struct outbox_event e = {.body = i % 3 == 0 ? "4" : "0",
                                 .len = 1,
                                 .part = i * 7,
                                 .class = i % 3 == 0 ? 4 : 0};
        assert_int_equal(outbox_append(f->box, &e, 1, NULL), SPOOL_OK);
        if (i == 4) {
            deliver(f, &lanes, 1);
        }
        fixture_verify(f);
    }
    assert_true(shed_of(f, 0) > 0);
    assert_int_equal(inspect_sums(f->box, &dear, &s, NULL), SPOOL_OK);
    assert_int_equal(s.by_state[EVENT_PURGED], 0);
    assert_int_equal(s.passed, shed_of(f, 0));
    lanes.lanes = 1;
    assert_int_equal(destination_set(f->box, &lanes, NULL), SPOOL_OK);
    fixture_verify(f);
    deliver(f, &lanes, 0);
    deliver(f, &dear, 0);
    deliver(f, &f->d, 0);
    fixture_verify(f);
}

/* Who has read ahead sends nothing that gave way meanwhile. */
static void what_was_read_ahead_is_read_again(void **state)
{
    struct fixture *f = *state;
    struct prefetch p = {0};
    size_t n = 0;
    struct take_options take = {.prefetched = &p, .prefetched_n = 1};
    struct order order = {.take = &take};
    struct turn turn;
    set(f, 6, 1U << 0);
    put(f, "040004", 0);
    assert_int_equal(
        batch_prefetch(f->box, &f->d, 0, 0, SIZE_MAX, &p, 1, &n, NULL),
        SPOOL_OK);
    assert_int_equal(p.batch.n, 4);
    put(f, "4", 0);
    expect_log(f, "-400044");
    assert_int_equal(batch_turn(f->box, f->d.id, 0, &order, &turn, NULL),
                     SPOOL_OK);
    assert_int_equal(turn.taken, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].n, 4);
    assert_memory_equal(turn.batches[0].bytes.data, "[4,0,0,0]", 9);
    batch_finish(&turn.batches[0]);
    prefetch_finish(&p);
    fixture_verify(f);
}

static void an_id_is_not_given_out_twice(void **state)
{
    static const struct retention now = {0, 24 * 3600 * 1000};
    struct fixture *f = *state;
    bool more = true;
    set(f, 4, 1U << 0);
    put(f, "00000000", 0);
    expect_log(f, "----0000");
    deliver(f, &f->d, 0);
    while (more) {
        assert_int_equal(retain_step(f->box, &now, &more, NULL), SPOOL_OK);
    }
    expect_log(f, "--------");
    fixture_reopen(f);
    set(f, 4, 1U << 0);
    put(f, "4", 0);
    expect_log(f, "--------4");
    struct destination late;
    add(f, &late, "late", "", 1);
    fixture_verify(f);
}

/* Far above its share because of others, a class makes room for itself alone:
 * one of it for one of it. */
static void above_its_share_one_gives_way_for_one(void **state)
{
    struct fixture *f = *state;
    struct limits l;
    set(f, 100, 1U << 0);
    assert_int_equal(limits_get(f->box, &l, NULL), SPOOL_OK);
    l.classes[0].share = 50;
    assert_int_equal(limits_set(f->box, &l, NULL), SPOOL_OK);
    for (int i = 0; i < 30; i++) {
        put(f, "0", 0);
    }
    for (int i = 0; i < 60; i++) {
        put(f, "4", 0);
    }
    put(f, "00000", 0);
    assert_int_equal(shed_of(f, 0), 5);
    for (int i = 0; i < 10; i++) {
        put(f, "4", 0);
    }
    assert_int_equal(shed_of(f, 0), 5);
    put(f, "4", 0); /* it is full: one, and one to spare */
    assert_int_equal(shed_of(f, 0), 7);
    fixture_verify(f);
}

static void bytes_come_back_when_cheap_ones_prevail(void **state)
{
    static char body[2][1000];
    struct fixture *f = *state;
    struct limits l;
    struct limits_usage u;
    int refused = 0;
    set(f, 0, 1U << 0);
    assert_int_equal(limits_get(f->box, &l, NULL), SPOOL_OK);
    l.max_bytes = LIMITS_BYTES_MIN;
    assert_int_equal(limits_set(f->box, &l, NULL), SPOOL_OK);
    for (int c = 0; c < 2; c++) {
        memset(body[c], 'x', sizeof body[c]);
        body[c][0] = c == 0 ? '0' : '4';
    }
    for (int i = 0; i < 4000; i++) {
        bool dear = i % 20 == 0;
        struct outbox_event e = {.body = body[dear ? 1 : 0],
                                 .len = sizeof body[0],
                                 .class = dear ? 4 : 0};
        assert_int_equal(outbox_append(f->box, &e, 1, NULL), SPOOL_OK);
        refused += e.appended == APPENDED_NO_ROOM ? 1 : 0;
    }
    assert_int_equal(refused, 0);
    assert_int_equal(limits_usage(f->box, &u, NULL), SPOOL_OK);
    assert_true(u.shed[LIMIT_BYTES][0] > 2000);
    assert_int_equal(u.shed[LIMIT_BYTES][4], 0);
    assert_true(u.bytes <= LIMITS_BYTES_MIN + 4 * 8192);
    fixture_verify(f);
}

struct told {
    int64_t lines, events;
    char last[80];
};

static bool hear(void *arg, const struct audit_record *r)
{
    struct told *t = arg;
    if (strcmp(r->action, "shed") == 0) {
        t->lines++;
        t->events += r->events;
        (void)snprintf(t->last, sizeof t->last, "%s", r->detail);
    }
    return true;
}

static struct told listen(struct fixture *f)
{
    struct told t = {0};
    assert_int_equal(
        audit_list(f->box, &(struct audit_range){0}, hear, &t, NULL), SPOOL_OK);
    return t;
}

/* Where each put takes one event out the lines would take the room of what
 * they tell of. */
static void the_audit_log_has_a_line_a_minute(void **state)
{
    struct fixture *f = *state;
    set(f, 10, 1U << 0);
    for (int i = 0; i < 60; i++) {
        put(f, "0", 0);
    }
    struct told t = listen(f);
    assert_int_equal(t.lines, 1);
    assert_string_equal(t.last, "1, gave way at the limit of events");
    f->now += 60000;
    put(f, "40", 0);
    t = listen(f);
    assert_int_equal(t.lines, 2);
    assert_int_equal(t.events, 51);
    assert_string_equal(t.last, "2 to 51, gave way at the limit of events");
    for (int i = 0; i < 30; i++) {
        put(f, "0", 0); /* round the one that stays */
    }
    fixture_reopen(f); /* the rest is told by then */
    t = listen(f);
    assert_int_equal(t.lines, 3);
    assert_int_equal(t.events, shed_of(f, 0));
    assert_string_equal(t.last,
                        "some of 52 to 83, gave way at the limit of events");
    fixture_verify(f);
}

/* It may go on for weeks. */
static void the_audit_log_has_a_line_an_hour_in_the_end(void **state)
{
    struct fixture *f = *state;
    set(f, 10, 1U << 0);
    for (int i = 0; i < 24 * 30; i++) {
        f->now += 120000;
        put(f, "0", 0);
    }
    struct told t = listen(f);
    assert_in_range(t.lines, 24, 32);
    fixture_reopen(f);
    assert_int_equal(listen(f).events, shed_of(f, 0));
}

static void it_stands_in_the_audit_log(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db;
    sqlite3_stmt *s;
    set(f, 250, 1U << 0); /* some more go than there is need for */
    for (int i = 0; i < 251; i++) {
        put(f, "0", 0);
    }
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT events, detail FROM "
                                        "spool_audit WHERE action = 'shed'",
                                        -1, &s, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(s, 0), 4);
    assert_string_equal(sqlite3_column_text(s, 1),
                        "1 to 4, gave way at the limit of events");
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(db);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_shed_unless_it_was_said),
        TEST(the_oldest_of_the_class_give_way),
        TEST(only_the_same_or_a_lower_class_gives_way),
        TEST(what_is_in_flight_or_was_sent_stays),
        TEST(held_quarantined_and_ordered_ones_stay),
        TEST(what_was_delivered_gives_way_first),
        TEST(what_was_delivered_gives_way_whatever_the_clock_said),
        TEST(retention_keeps_less_when_it_is_half_full),
        TEST(a_destination_that_lags_loses_what_the_other_has),
        TEST(filters_and_lanes_add_up),
        TEST(what_was_read_ahead_is_read_again),
        TEST(an_id_is_not_given_out_twice),
        TEST(above_its_share_one_gives_way_for_one),
        TEST(bytes_come_back_when_cheap_ones_prevail),
        TEST(it_stands_in_the_audit_log),
        TEST(the_audit_log_has_a_line_a_minute),
        cmocka_unit_test_setup_teardown(
            the_audit_log_has_a_line_an_hour_in_the_end, fixture_setup_in_ram,
            fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
