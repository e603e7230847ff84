#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "outbox/limits.h"
#include "outbox/migrate.h"
#include "outbox/retain.h"
#include "outbox/store.h"
#include "support/box.h"

#define DAY ((int64_t)24 * 3600 * 1000)

enum { LOW, MIDDLE = 2, HIGH = OUTBOX_CLASSES - 1 };

static void set(struct fixture *f, const struct limits *l)
{
    struct spool_error err;
    if (limits_set(f->box, l, &err) != SPOOL_OK) {
        fail_msg("%s", err.message);
    }
}

static struct limits get(struct fixture *f)
{
    struct limits l;
    assert_int_equal(limits_get(f->box, &l, NULL), SPOOL_OK);
    return l;
}

static struct limits_usage use(struct fixture *f)
{
    struct limits_usage u;
    assert_int_equal(limits_usage(f->box, &u, NULL), SPOOL_OK);
    return u;
}

static void limit_events(struct fixture *f, int64_t most)
{
    struct limits l = get(f);
    l.max_events = most;
    set(f, &l);
}

/* Puts n events of a class, one a call; how many there was room for. */
static int put(struct fixture *f, int n, int class)
{
    int stored = 0;
    for (int i = 0; i < n; i++) {
        struct outbox_event e = {.body = "{}", .len = 2, .class = class};
        assert_int_equal(outbox_append(f->box, &e, 1, NULL), SPOOL_OK);
        stored += e.appended == APPENDED ? 1 : 0;
    }
    return stored;
}

static void without_limits_nothing_is_refused(void **state)
{
    struct fixture *f = *state;
    struct limits l = get(f);
    assert_int_equal(l.max_events, 0);
    assert_int_equal(l.max_bytes, 0);
    assert_int_equal(l.free_disk, 0);
    for (int c = 0; c < OUTBOX_CLASSES; c++) {
        assert_int_equal(l.classes[c].share, 100);
        assert_false(l.classes[c].shed);
    }
    assert_int_equal(put(f, 100, LOW), 100);
    assert_int_equal(use(f).events, 100);
}

static void limits_last_and_what_makes_no_sense_is_refused(void **state)
{
    struct fixture *f = *state;
    struct limits l = get(f), bad;
    l.max_events = 7;
    l.max_bytes = 5 << 20;
    l.free_disk = 1 << 20;
    l.classes[1] = (struct class_limit){60, true};
    set(f, &l);
    fixture_reopen(f);
    bad = get(f);
    assert_memory_equal(&bad, &l, sizeof l);
    bad.max_events = -1;
    assert_int_equal(limits_set(f->box, &bad, NULL), SPOOL_MISUSE);
    bad = l;
    bad.max_bytes = LIMITS_BYTES_MIN - 1;
    assert_int_equal(limits_set(f->box, &bad, NULL), SPOOL_MISUSE);
    for (int share = 0; share <= 101; share += 101) {
        bad = l;
        bad.classes[0].share = share;
        assert_int_equal(limits_set(f->box, &bad, NULL), SPOOL_MISUSE);
    }
    bad = get(f);
    assert_memory_equal(&bad, &l, sizeof l);
}

static void a_share_is_what_it_says(void **state)
{
    static const struct {
        int64_t limit;
        int share;
        int64_t want;
    } cases[] = {{0, 50, 0},
                 {1, 100, 1},
                 {1, 99, 0},
                 {10, 80, 8},
                 {199, 50, 99},
                 {1000000007, 1, 10000000},
                 {INT64_MAX, 100, INT64_MAX}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(limit_share(cases[i].limit, cases[i].share),
                         cases[i].want);
    }
}

static void each_class_may_fill_its_share(void **state)
{
    struct fixture *f = *state;
    struct limits l = get(f);
    l.max_events = 10;
    l.classes[LOW].share = 50;
    l.classes[MIDDLE].share = 80;
    set(f, &l);
    assert_int_equal(put(f, 9, LOW), 5);
    assert_int_equal(put(f, 9, MIDDLE), 3);
    assert_int_equal(put(f, 9, LOW), 0);
    assert_int_equal(put(f, 9, HIGH), 2);
    struct limits_usage u = use(f);
    assert_int_equal(u.events, 10);
    assert_int_equal(u.refused[LIMIT_EVENTS][LOW], 13);
    assert_int_equal(u.refused[LIMIT_EVENTS][MIDDLE], 6);
    assert_int_equal(u.refused[LIMIT_EVENTS][HIGH], 7);
    fixture_verify(f);
}

/* One call with events of several classes: each has its own answer. */
static void the_dear_ones_of_a_call_get_in(void **state)
{
    struct fixture *f = *state;
    struct limits l = get(f);
    struct outbox_event e[6];
    l.max_events = 4;
    l.classes[LOW].share = 50;
    set(f, &l);
    for (int i = 0; i < 6; i++) {
        e[i] = (struct outbox_event){
            .body = "{}", .len = 2, .class = i < 4 ? LOW : HIGH};
    }
    assert_int_equal(outbox_append(f->box, e, 6, NULL), SPOOL_OK);
    for (int i = 0; i < 6; i++) {
        bool stored = i != 2 && i != 3;
        assert_int_equal(e[i].appended, stored ? APPENDED : APPENDED_NO_ROOM);
        if (!stored) {
            assert_int_equal(e[i].cause, LIMIT_EVENTS);
            assert_int_equal(e[i].ceiling, 2);
        }
    }
    assert_int_equal(e[5].id, 4); /* ids stay dense */
    fixture_verify(f);
}

static void a_known_key_is_answered_on_a_full_spool(void **state)
{
    struct fixture *f = *state;
    struct outbox_event e = {.body = "{}", .len = 2, .key = "k"};
    limit_events(f, 1);
    assert_int_equal(outbox_append(f->box, &e, 1, NULL), SPOOL_OK);
    assert_int_equal(e.appended, APPENDED);
    assert_int_equal(outbox_append(f->box, &e, 1, NULL), SPOOL_OK);
    assert_int_equal(e.appended, APPENDED_BEFORE);
    e.key = "another";
    assert_int_equal(outbox_append(f->box, &e, 1, NULL), SPOOL_OK);
    assert_int_equal(e.appended, APPENDED_NO_ROOM);
    assert_int_equal(use(f).events, 1);
}

static void a_limit_of_bytes_holds_for_the_pages_in_use(void **state)
{
    struct fixture *f = *state;
    static char body[4000];
    struct limits l = get(f);
    int64_t most = LIMITS_BYTES_MIN;
    int stored = 0;
    l.max_bytes = most;
    l.classes[LOW].share = 60;
    set(f, &l);
    memset(body, 'x', sizeof body);
    struct outbox_event e = {.body = body, .len = sizeof body, .class = LOW};
    while (e.appended == APPENDED && stored < 1000) {
        assert_int_equal(outbox_append(f->box, &e, 1, NULL), SPOOL_OK);
        stored += e.appended == APPENDED ? 1 : 0;
    }
    assert_int_equal(e.cause, LIMIT_BYTES);
    assert_in_range(use(f).bytes, most * 55 / 100, most * 60 / 100 + 8192 * 2);
    e.class = HIGH;
    assert_int_equal(outbox_append(f->box, &e, 1, NULL), SPOOL_OK);
    assert_int_equal(e.appended, APPENDED);
    for (int i = 0; e.appended == APPENDED && i < 1000; i++) {
        assert_int_equal(outbox_append(f->box, &e, 1, NULL), SPOOL_OK);
    }
    assert_int_equal(e.cause, LIMIT_BYTES);
    assert_in_range(use(f).bytes, most * 95 / 100, most + 8192 * 2);
}

static void free_disk_is_kept_free(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct limits l = get(f);
    struct outbox_event e = {.body = "{}", .len = 2, .class = LOW};
    int64_t there = use(f).disk_free;
    l.free_disk = there / 2;
    l.classes[LOW].share = 20; /* asks for five times as much */
    set(f, &l);
    assert_int_equal(put(f, 1, LOW), 0);
    assert_int_equal(put(f, 1, HIGH), 1);
    l.free_disk = there * 2;
    set(f, &l);
    e.class = HIGH;
    assert_int_equal(outbox_append(f->box, &e, 1, &err), SPOOL_FULL);
    assert_non_null(strstr(err.message, "free by its limits"));
    assert_int_equal(use(f).refused[LIMIT_DISK][LOW], 1);
    assert_int_equal(use(f).refused[LIMIT_DISK][HIGH], 1);
}

static void more_free_than_any_disk_has_takes_nothing(void **state)
{
    static const int64_t free_disk[] = {INT64_MAX, INT64_MAX - 1, INT64_MAX / 2,
                                        INT64_MAX / 100};
    struct fixture *f = *state;
    struct limits l = get(f);
    struct outbox_event e = {.body = "{}", .len = 2, .class = HIGH};
    assert_int_equal(put(f, 1, HIGH), 1); /* the WAL is not empty */
    for (size_t i = 0; i < sizeof free_disk / sizeof *free_disk; i++) {
        l.free_disk = free_disk[i];
        set(f, &l);
        assert_int_equal(outbox_append(f->box, &e, 1, NULL), SPOOL_FULL);
    }
    l.free_disk = 0;
    set(f, &l);
    assert_int_equal(put(f, 1, HIGH), 1);
}

static void refusals_are_still_known_when_it_is_opened_again(void **state)
{
    struct fixture *f = *state;
    limit_events(f, 3);
    assert_int_equal(put(f, 10, LOW), 3);
    fixture_reopen(f);
    assert_int_equal(use(f).refused[LIMIT_EVENTS][LOW], 7);
    assert_int_equal(put(f, 2, HIGH), 0);
    fixture_reopen(f);
    assert_int_equal(use(f).refused[LIMIT_EVENTS][LOW], 7);
    assert_int_equal(use(f).refused[LIMIT_EVENTS][HIGH], 2);
}

/* Another process has set them: its next put is the first to know. */
static void limits_hold_for_every_handle_at_once(void **state)
{
    struct fixture *f = *state;
    struct outbox *other;
    struct outbox_options o = {.path = f->path, .clock = &f->clock};
    assert_int_equal(outbox_open(&o, &other, NULL), SPOOL_OK);
    assert_int_equal(put(f, 2, LOW), 2);
    struct limits l = get(f);
    l.max_events = 2;
    assert_int_equal(limits_set(other, &l, NULL), SPOOL_OK);
    assert_int_equal(put(f, 1, LOW), 0);
    l.max_events = 0;
    assert_int_equal(limits_set(other, &l, NULL), SPOOL_OK);
    assert_int_equal(put(f, 1, LOW), 1);
    outbox_close(other);
}

static void run_sql(sqlite3 *db, const char *sql)
{
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) {
        fail_msg("%s", why);
    }
}

/* Of a log with holes: what retention and damage took is not counted. */
static void a_file_of_an_earlier_release_is_counted(void **state)
{
    struct fixture *f = *state;
    struct limits_usage u;
    struct outbox *old;
    sqlite3 *db;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/old.db", f->folder);
    struct outbox_options o = {.path = path, .clock = &f->clock};
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    run_sql(db, "PRAGMA journal_mode = WAL");
    run_sql(db, migrations[0].sql);
    run_sql(db, migrations[1].sql);
    run_sql(db, "INSERT INTO spool_store (one, store_id, created_at, "
                "dropped_to, lost_to) VALUES (1, 'x', 1, 5, 10);"
                "INSERT INTO spool_lost VALUES (9, 10, 1, 'a test', 1);"
                "INSERT INTO spool_event SELECT value, 1, 0, 0, x'7b7d' "
                "FROM json_each('[3,6,7,8,11,12]');"
                "PRAGMA user_version = 2;"
                "PRAGMA application_id = 1936748396");
    (void)sqlite3_close(db);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(outbox_open(&o, &old, NULL), SPOOL_OK);
    assert_int_equal(limits_usage(old, &u, NULL), SPOOL_OK);
    assert_int_equal(u.events, 6);
    outbox_close(old);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_limits_nothing_is_refused),
        TEST(limits_last_and_what_makes_no_sense_is_refused),
        cmocka_unit_test(a_share_is_what_it_says),
        TEST(each_class_may_fill_its_share),
        TEST(the_dear_ones_of_a_call_get_in),
        TEST(a_known_key_is_answered_on_a_full_spool),
        TEST(a_limit_of_bytes_holds_for_the_pages_in_use),
        TEST(free_disk_is_kept_free),
        TEST(more_free_than_any_disk_has_takes_nothing),
        TEST(refusals_are_still_known_when_it_is_opened_again),
        TEST(limits_hold_for_every_handle_at_once),
        TEST(a_file_of_an_earlier_release_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
