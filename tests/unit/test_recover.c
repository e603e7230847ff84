/* A damaged outbox: set aside, gone on with, and put back. */
#define _GNU_SOURCE /* memmem */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "outbox/aside.h"
#include "outbox/keep.h"
#include "outbox/limits.h"
#include "outbox/migrate.h"
#include "outbox/overtake.h"
#include "outbox/recover.h"
#include "outbox/retain.h"
#include "outbox/store.h"
#include "support/box.h"

#define PAGE 8192

static void overwrite(const char *path, off_t offset, int byte, size_t n)
{
    unsigned char *bytes = malloc(n);
    int fd = open(path, O_WRONLY);
    memset(bytes, byte, n);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, offset), n);
    assert_int_equal(close(fd), 0);
    free(bytes);
}

/* As fixture_put, in one commit. */
static void put_at_once(struct fixture *f, int n)
{
    struct outbox_event *events = calloc((size_t)n, sizeof *events);
    char(*bodies)[32] = calloc((size_t)n, sizeof *bodies);
    assert_true(events != NULL && bodies != NULL);
    for (int i = 0; i < n; i++) {
        events[i].len =
            (size_t)snprintf(bodies[i], sizeof bodies[i], "{\"n\":%d}", i + 1);
        events[i].body = bodies[i];
    }
    assert_int_equal(outbox_append(f->box, events, (size_t)n, NULL), SPOOL_OK);
    free(events);
    free(bodies);
}

/* 1000 events of which the first 100 are delivered, all in the database. */
static void fill(struct fixture *f)
{
    struct turn turn;
    f->box->writer.wal_frames_max = 1;
    f->d.batch_events = 50;
    assert_int_equal(destination_set(f->box, &f->d, NULL), SPOOL_OK);
    put_at_once(f, 1000);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    batch_finish(&turn.batches[0]);
    outbox_close(f->box);
    f->box = NULL;
}

struct told {
    int64_t lost, first_lost, last_lost, twice;
    int orders;
};

static void note_range(void *arg, enum recover_kind kind,
                       const char *destination, int64_t lo, int64_t hi)
{
    struct told *t = arg;
    if (kind == RECOVER_TWICE) {
        assert_non_null(destination);
        t->twice += hi - lo + 1;
        return;
    }
    t->first_lost = t->lost == 0 ? lo : t->first_lost;
    t->last_lost = hi;
    t->lost += hi - lo + 1;
}

static void note_order(void *arg, enum recover_kind kind, const char *number,
                       int64_t event)
{
    struct told *t = arg;
    (void)kind;
    (void)number;
    t->orders += event > 0;
}

static struct recover_report put_back(struct fixture *f, bool dry,
                                      struct told *told)
{
    char file[ASIDE_PATH_SIZE];
    struct spool_error err = {0};
    struct recover_report r = {
        .range = note_range, .order = note_order, .arg = told};
    *told = (struct told){0};
    assert_true(aside_newest(f->path, NULL, file));
    if (recover(f->box, file, dry, &r, &err) != SPOOL_OK) {
        fail_msg("%s", err.message);
    }
    return r;
}

static int64_t last_id(struct fixture *f)
{
    int64_t last;
    assert_int_equal(inspect_last_id(f->box, &last, NULL), SPOOL_OK);
    return last;
}

static void
a_file_without_a_header_is_set_aside_and_nothing_is_lost(void **state)
{
    struct fixture *f = *state;
    struct told told;
    fill(f);
    overwrite(f->path, 0, 0, PAGE);
    fixture_open(f, f->now);
    assert_int_equal(last_id(f), 1000);
    fixture_put(f, 3);
    struct recover_report r = put_back(f, true, &told);
    assert_int_equal(r.readable, 1000);
    r = put_back(f, false, &told);
    assert_int_equal(r.readable, 1000);
    assert_int_equal(r.lost, 0);
    assert_false(r.state_whole);
    r = put_back(f, false, &told);
    assert_true(r.done_before);
}

/* Where these words begin in the file. */
static off_t find_words(const char *path, const char *words)
{
    static char bytes[1 << 20];
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t n = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    const char *at = memmem(bytes, n, words, strlen(words));
    assert_non_null(at);
    return at - bytes;
}

/* SQLite reads it without a complaint. */
static void a_column_with_another_name_is_damage(void **state)
{
    struct fixture *f = *state;
    struct told told;
    struct spool_error err;
    struct outbox_event e = {.body = "{}", .len = 2};
    fill(f);
    overwrite(f->path, find_words(f->path, "part INTEGER NOT NULL"), 'q', 1);
    fixture_open(f, f->now);
    assert_int_equal(outbox_append(f->box, &e, 1, &err), SPOOL_MOVED);
    assert_non_null(strstr(err.message, "spoolctl recover"));
    fixture_reopen(f);
    fixture_put(f, 3);
    assert_int_equal(last_id(f), 1003);
    struct recover_report r = put_back(f, false, &told);
    assert_int_equal(r.readable, 1000);
    assert_int_equal(r.lost, 0);
    fixture_verify(f);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* What the schema's steps from there on are to make is there already. */
static void a_version_that_is_too_low_is_damage(void **state)
{
    struct fixture *f = *state;
    struct told told;
    fill(f);
    for (int version = 0; version < migrate_newest(); version++) {
        char sql[64];
        (void)snprintf(sql, sizeof sql, "PRAGMA user_version = %d", version);
        run_sql(f->path, sql);
        fixture_open(f, ++f->now);
        fixture_put(f, 3);
        struct recover_report r = put_back(f, false, &told);
        assert_int_equal(r.readable, 1000 + 3 * version);
        assert_int_equal(r.lost, 0);
        fixture_verify(f);
        outbox_close(f->box);
        f->box = NULL;
    }
}

static int64_t number(struct fixture *f, const char *sql)
{
    sqlite3_stmt *s;
    sqlite3 *db = f->box->writer.db.handle;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(s, 0);
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
    return n;
}

/* As a put does at a limit, or a flusher that is started meanwhile. */
static void retention_leaves_what_recover_is_putting_back(void **state)
{
    struct fixture *f = *state;
    struct retention at_once = {.keep_ms = 0, .keep_keys_ms = 0};
    struct told told;
    bool more = true;
    fill(f);
    overwrite(f->path, 0, 0, PAGE);
    fixture_open(f, f->now);
    fixture_put(f, 3);
    run_sql(f->path, "INSERT INTO spool_event (id, at, part, crc, body) "
                     "VALUES (100, 0, 0, 0, x'7b7d'), (200, 0, 0, 0, x'7b7d')");
    while (more) {
        assert_int_equal(retain_step(f->box, &at_once, &more, NULL), SPOOL_OK);
    }
    assert_int_equal(
        number(f, "SELECT count(*) FROM spool_event WHERE id <= 1000"), 2);
    (void)put_back(f, false, &told);
    assert_int_equal(number(f, "SELECT count(*) FROM spool_event"), 1003);
}

static void lanes_are_not_changed_before_recover(void **state)
{
    struct fixture *f = *state;
    struct told told;
    struct spool_error err;
    fill(f);
    overwrite(f->path, 0, 0, PAGE);
    fixture_open(f, f->now);
    f->d.lanes = 3;
    assert_int_equal(destination_set(f->box, &f->d, &err), SPOOL_BUSY);
    assert_non_null(strstr(err.message, "spoolctl recover"));
    (void)put_back(f, false, &told);
    assert_int_equal(destination_set(f->box, &f->d, &err), SPOOL_OK);
    fixture_verify(f);
}

/* The newest first, as spoolctl does. */
static void two_damaged_files_are_put_back_one_by_one(void **state)
{
    struct fixture *f = *state;
    char newest[ASIDE_PATH_SIZE], older[ASIDE_PATH_SIZE];
    struct recover_report r = {0};
    struct sums s;
    fill(f);
    overwrite(f->path, 0, 0, PAGE);
    fixture_open(f, f->now);
    fixture_put(f, 100);
    outbox_close(f->box);
    run_sql(f->path, "PRAGMA user_version = 1");
    fixture_open(f, ++f->now);
    fixture_put(f, 100);
    assert_true(aside_newest(f->path, NULL, newest));
    assert_true(aside_newest(f->path, newest, older));
    assert_int_equal(recover(f->box, newest, false, &r, NULL), SPOOL_OK);
    assert_int_equal(r.behind, 1000);
    assert_int_equal(r.readable, 100);
    assert_int_equal(r.lost, 0);
    assert_int_equal(recover_waiting(f->box, newest, NULL), SPOOL_OK);
    assert_string_not_equal(newest, "");
    assert_int_equal(recover(f->box, older, false, &r, NULL), SPOOL_OK);
    assert_int_equal(r.readable, 1000);
    assert_int_equal(r.lost, 0);
    assert_int_equal(recover_waiting(f->box, newest, NULL), SPOOL_OK);
    assert_string_equal(newest, "");
    assert_int_equal(inspect_sums(f->box, &f->d, &s, NULL), SPOOL_OK);
    assert_int_equal(s.accepted, 1200);
    assert_int_equal(s.lost, 0);
    assert_int_equal(s.waiting, 1200);
    fixture_verify(f);
}

/* Or the program is the older one of two. */
static void in_a_newer_file_it_is_none(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct outbox_event e = {.body = "{}", .len = 2};
    char aside[ASIDE_PATH_SIZE];
    fill(f);
    fixture_open(f, f->now);
    run_sql(f->path, "ALTER TABLE spool_event RENAME COLUMN part TO session;"
                     "PRAGMA user_version = 99");
    assert_int_equal(outbox_append(f->box, &e, 1, &err), SPOOL_IO);
    assert_false(aside_newest(f->path, NULL, aside));
}

static void damage_in_the_schema_page_alone_keeps_the_destinations(void **state)
{
    struct fixture *f = *state;
    struct told told;
    fill(f);
    /* The count of cells of the first page: SQLite calls the file damaged as
     * soon as it reads the schema. */
    overwrite(f->path, 103, 0xFF, 2);
    fixture_open(f, f->now);
    fixture_put(f, 3);
    struct recover_report r = put_back(f, false, &told);
    assert_int_equal(r.readable, 1000);
    assert_int_equal(r.lost, 0);
}

/* The file's page that holds the cell of an event, by its bytes. */
static off_t page_of(const char *path, const char *bytes)
{
    static char text[4 << 20];
    int fd = open(path, O_RDONLY);
    ssize_t n = pread(fd, text, sizeof text, 0);
    (void)close(fd);
    for (ssize_t i = 0; i + (ssize_t)strlen(bytes) < n; i++) {
        if (memcmp(text + i, bytes, strlen(bytes)) == 0) {
            return i / PAGE * PAGE;
        }
    }
    return -1;
}

/* Until nothing is left, or the first failure. */
static enum spool_status deliver_all(struct fixture *f)
{
    struct spool_error err = {0};
    struct take_options hurry = {.hurry = true, .now = true};
    struct settlement s = {
        .outcome = OUTCOME_DELIVERED, .code = "", .reason = "", .answer = ""};
    struct batch in_hand = {0};
    struct done done = {.batch = &in_hand, .s = &s};
    struct order order = {.done = &done, .take = &hurry};
    enum spool_status status;
    struct turn turn;
    int64_t uncertain;
    assert_int_equal(batch_recover(f->box, &uncertain, &err), SPOOL_OK);
    do {
        status = batch_turn(f->box, f->d.id, 0, &order, &turn, &err);
        batch_finish(&in_hand);
        order.done_n = status == SPOOL_OK ? turn.n : 0;
        if (order.done_n > 0) {
            in_hand = turn.batches[0];
        }
    } while (order.done_n > 0);

    return status;
}

/* What verify says is that events are lost, and nothing else. */
static void look_at_finding(void *arg, const char *sentence)
{
    int *others = arg;
    if (strstr(sentence, "lost") == NULL &&
        strstr(sentence, "missing") == NULL) {
        print_error("verify: %s\n", sentence);
        ++*others;
    }
}

static void verify_finds_losses_alone(struct fixture *f)
{
    int64_t findings;
    int others = 0;
    assert_int_equal(verify(f->box, look_at_finding, &others, &findings, NULL),
                     SPOOL_OK);
    assert_true(findings > 0);
    assert_int_equal(others, 0);
}

static void a_lost_page_costs_its_events_and_no_others(void **state)
{
    struct fixture *f = *state;
    struct told told;
    char states[1010];
    fill(f);
    off_t page = page_of(f->path, "{\"n\":500}");
    assert_true(page > 0);
    overwrite(f->path, page, 0, PAGE);
    fixture_open(f, f->now);
    /* Nobody has noticed yet. Cutting gets as far as the page. */
    assert_int_not_equal(deliver_all(f), SPOOL_OK);
    fixture_reopen(f);
    fixture_put(f, 2);
    struct recover_report r = put_back(f, false, &told);
    assert_true(told.lost > 0 && told.lost < 1000);
    assert_int_equal(r.lost, told.lost);
    assert_int_equal(r.readable, 1000 - told.lost);
    assert_true(told.first_lost <= 500 && told.last_lost >= 500);
    (void)fixture_states(f, states, 1002);
    for (int64_t id = 1; id <= 1002; id++) {
        bool lost = id >= told.first_lost && id <= told.last_lost;
        assert_int_equal(states[id - 1] == '-', lost);
    }
    assert_int_equal(states[0], 'd');
    assert_int_equal(states[99], 'd');
    assert_int_equal(states[998], 'p');
    verify_finds_losses_alone(f);
    assert_int_equal(deliver_all(f), SPOOL_OK);
    (void)fixture_states(f, states, 1002);
    assert_int_equal(states[998], 'd');
}

static off_t root_page(const char *path, const char *table)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT rootpage FROM sqlite_schema WHERE name = ?",
                           -1, &q, NULL),
        SQLITE_OK);
    (void)sqlite3_bind_text(q, 1, table, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    off_t page = sqlite3_column_int64(q, 0);
    (void)sqlite3_finalize(q);
    (void)sqlite3_close(db);
    return (page - 1) * PAGE;
}

static void what_is_held_goes_when_its_hold_cannot_be_read(void **state)
{
    struct fixture *f = *state;
    struct told told;
    char states[8];
    struct outbox_event e[] = {
        {.body = "{\"n\":1}", .len = 7},
        {.body = "{\"n\":2}", .len = 7, .hold_until = f->now + 1800000},
        {.body = "{\"n\":3}", .len = 7, .quarantine = "not wanted"},
    };
    f->box->writer.wal_frames_max = 1;
    assert_int_equal(outbox_append(f->box, e, 3, NULL), SPOOL_OK);
    assert_int_equal(deliver_all(f), SPOOL_OK);
    fixture_put(f, 1);
    assert_string_equal(fixture_states(f, states, 4), "dhxp");
    outbox_close(f->box);
    f->box = NULL;
    overwrite(f->path, root_page(f->path, "spool_hold"), 0xFF, PAGE);
    fixture_open(f, f->now);
    assert_int_not_equal(deliver_all(f), SPOOL_OK);
    fixture_reopen(f);
    assert_false(put_back(f, false, &told).state_whole);
    assert_string_equal(fixture_states(f, states, 4), "dpxp");
    fixture_verify(f);
    assert_int_equal(deliver_all(f), SPOOL_OK);
    assert_string_equal(fixture_states(f, states, 4), "ddxd");
}

/* A hundred of another session, of which fifty overtook the rest. */
static void fill_and_overtake(struct fixture *f, off_t *runs)
{
    struct turn turn;
    bool ready = false;
    fill(f);
    fixture_open(f, f->now);
    f->box->writer.wal_frames_max = 1;
    struct backlog *b = backlog_create(f->box, f->d.id, 0);
    while (!ready) {
        assert_int_equal(backlog_step(b, &ready, NULL), SPOOL_OK);
    }
    for (int i = 0; i < 100; i++) {
        struct outbox_event e = {.body = "{}", .len = 2, .part = 9};
        assert_int_equal(outbox_append(f->box, &e, 1, NULL), SPOOL_OK);
    }
    struct take_options take = {.backlog = b, .now = true};
    struct order order = {.take = &take};
    int64_t uncertain;
    b->express_next = true;
    assert_int_equal(batch_recover(f->box, &uncertain, NULL), SPOOL_OK);
    assert_int_equal(batch_turn(f->box, f->d.id, 0, &order, &turn, NULL),
                     SPOOL_OK);
    assert_int_equal(turn.batches[0].lo, 1001);
    struct batch done = turn.batches[0];
    struct settlement arrived = {.outcome = OUTCOME_DELIVERED, .code = ""};
    struct done landed = {.batch = &done, .s = &arrived};
    order = (struct order){.done = &landed, .done_n = 1};
    assert_int_equal(batch_turn(f->box, f->d.id, 0, &order, &turn, NULL),
                     SPOOL_OK);
    batch_finish(&done);
    backlog_destroy(b);
    outbox_close(f->box);
    *runs = root_page(f->path, "spool_express");
    f->box = NULL;
    overwrite(f->path, page_of(f->path, "{\"n\":500}"), 0, PAGE);
}

static void what_overtook_is_known_unless_it_cannot_be_read(void **state)
{
    for (int destroyed = 0; destroyed < 2; destroyed++) {
        struct fixture *f;
        struct told told;
        char states[1110];
        off_t runs;
        (void)state;
        assert_int_equal(fixture_setup((void **)&f), 0);
        fill_and_overtake(f, &runs);
        if (destroyed) {
            overwrite(f->path, runs, 0xFF, PAGE);
        }
        fixture_open(f, f->now);
        assert_int_not_equal(deliver_all(f), SPOOL_OK);
        fixture_reopen(f);
        (void)put_back(f, false, &told);
        (void)fixture_states(f, states, 1100);
        assert_int_equal(states[1000], destroyed ? 'p' : 'd');
        assert_int_equal(states[1099], 'p');
        verify_finds_losses_alone(f);
        assert_int_equal(deliver_all(f), SPOOL_OK);
        (void)fixture_states(f, states, 1100);
        assert_int_equal(strspn(states + 1000, "d"), 100);
        assert_int_equal(fixture_teardown((void **)&f), 0);
    }
}

static int cheap(const char *body, size_t len)
{
    (void)body;
    (void)len;
    return 0;
}

/* Events that gave way, and then a page of others is damaged, with the header
 * or without: what has been put back adds up, and is delivered. */
static void damage_a_full_one(struct fixture *f, bool header,
                              struct sums *before, struct sums *after,
                              struct recover_report *r)
{
    struct limits l;
    struct told told;
    f->box->class_of = cheap;
    assert_int_equal(limits_get(f->box, &l, NULL), SPOOL_OK);
    l.max_events = 600;
    l.classes[0].shed = true;
    assert_int_equal(limits_set(f->box, &l, NULL), SPOOL_OK);
    put_at_once(f, 200);
    fill(f);
    fixture_open(f, f->now);
    assert_int_equal(inspect_sums(f->box, &f->d, before, NULL), SPOOL_OK);
    assert_true(before->by_state[EVENT_PURGED] > 500);
    outbox_close(f->box);
    overwrite(f->path, page_of(f->path, "{\"n\":700}"), 0, PAGE);
    if (header) {
        overwrite(f->path, 0, 0, PAGE);
    }
    fixture_open(f, f->now);
    if (!header) { /* nobody has noticed yet */
        assert_int_not_equal(deliver_all(f), SPOOL_OK);
        fixture_reopen(f);
    }
    *r = put_back(f, false, &told);
    assert_int_equal(inspect_sums(f->box, &f->d, after, NULL), SPOOL_OK);
    assert_int_equal(after->lost, r->lost);
    assert_int_equal(after->accepted, before->accepted);
    if (r->lost > 0) {
        verify_finds_losses_alone(f);
    } else {
        fixture_verify(f);
    }
    assert_int_equal(deliver_all(f), SPOOL_OK);
    assert_int_equal(inspect_sums(f->box, &f->d, after, NULL), SPOOL_OK);
    assert_int_equal(after->waiting, 0);
    assert_int_equal(after->accepted, after->by_state[EVENT_DELIVERED] +
                                          after->by_state[EVENT_PURGED] +
                                          after->lost);
}

static void what_gave_way_is_not_called_lost(void **state)
{
    struct sums before, after;
    struct recover_report r;
    damage_a_full_one(*state, false, &before, &after, &r);
    assert_int_equal(after.by_state[EVENT_PURGED],
                     before.by_state[EVENT_PURGED]);
    assert_true(r.lost < 300); /* those of one page, or none */
}

/* There is nothing that tells it from other events: what of it can be read is
 * delivered after all. */
static void without_a_header_it_is_as_any_other(void **state)
{
    struct sums before, after;
    struct recover_report r;
    damage_a_full_one(*state, true, &before, &after, &r);
    assert_int_equal(after.by_state[EVENT_PURGED], 0);
}

static struct limits set_limits(struct fixture *f)
{
    struct limits l;
    assert_int_equal(limits_get(f->box, &l, NULL), SPOOL_OK);
    l.max_events = 1001;
    l.classes[1] = (struct class_limit){60, true};
    assert_int_equal(limits_set(f->box, &l, NULL), SPOOL_OK);
    return l;
}

static void limits_hold_for_the_fresh_file_too(void **state)
{
    struct fixture *f = *state;
    struct limits l = set_limits(f), now;
    fill(f);
    overwrite(f->path, page_of(f->path, "{\"n\":500}"), 0, PAGE);
    fixture_open(f, f->now);
    assert_int_not_equal(deliver_all(f), SPOOL_OK);
    fixture_reopen(f);
    assert_int_equal(limits_get(f->box, &now, NULL), SPOOL_OK);
    assert_memory_equal(&now, &l, sizeof l);
}

static void limits_come_from_their_copy_when_the_schema_is_gone(void **state)
{
    struct fixture *f = *state;
    struct limits l = set_limits(f), now;
    fill(f);
    overwrite(f->path, 103, 0xFF, 2);
    fixture_open(f, f->now);
    assert_int_equal(limits_get(f->box, &now, NULL), SPOOL_OK);
    assert_memory_equal(&now, &l, sizeof l);
    assert_int_equal(destination_find(f->box, f->d.name, &f->d, NULL),
                     SPOOL_OK);
}

static void what_was_put_again_meanwhile_is_told(void **state)
{
    struct fixture *f = *state;
    struct told told;
    char bodies[3][64];
    struct outbox_event e[3];
    for (int i = 0; i < 3; i++) {
        (void)snprintf(bodies[i], sizeof bodies[i], "{\"put\":%d}", i);
        e[i] =
            (struct outbox_event){.body = bodies[i], .len = strlen(bodies[i])};
    }
    e[0].key = "a key";
    e[1].order = (struct outbox_order){"A-1", "10.00", "EUR"};
    e[2].key = "another key";
    assert_int_equal(outbox_append(f->box, e, 3, NULL), SPOOL_OK);
    fill(f);
    /* A page of events: those of the keys are whole. */
    overwrite(f->path, page_of(f->path, "{\"n\":500}"), 0, PAGE);
    fixture_open(f, f->now);
    assert_int_not_equal(deliver_all(f), SPOOL_OK);
    fixture_reopen(f);
    assert_int_equal(outbox_append(f->box, e, 2, NULL), SPOOL_OK);
    assert_int_equal(e[0].appended, APPENDED);
    struct recover_report r = put_back(f, true, &told);
    assert_int_equal(r.again, 2);
    r = put_back(f, false, &told);
    assert_int_equal(r.again, 2);
    assert_int_equal(outbox_append(f->box, e, 3, NULL), SPOOL_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(e[i].appended, APPENDED_BEFORE);
    }
}

/* The header, the schema, and the page on which the destination lies. */
static void destroy_destinations(struct fixture *f)
{
    off_t page = page_of(f->path, f->d.url);
    assert_true(page > 0);
    overwrite(f->path, page, 0, PAGE);
    overwrite(f->path, 0, 0, PAGE);
}

static void
destinations_come_from_their_copy_when_the_table_is_gone(void **state)
{
    struct fixture *f = *state;
    struct told told;
    struct destination d;
    char states[1010];
    fill(f);
    destroy_destinations(f);
    fixture_open(f, f->now);
    assert_int_equal(destination_find(f->box, f->d.name, &d, NULL), SPOOL_OK);
    assert_string_equal(d.url, f->d.url);
    assert_int_equal(d.batch_events, 50);
    fixture_put(f, 3);
    struct recover_report r = put_back(f, false, &told);
    assert_int_equal(r.readable, 1000);
    assert_int_equal(deliver_all(f), SPOOL_OK);
    (void)fixture_states(f, states, 1003);
    assert_int_equal(strspn(states, "d"), 1003);
    /* And the copy beside the fresh one is good for the next time. */
    outbox_close(f->box);
    f->box = NULL;
    overwrite(f->path, 0, 0, PAGE);
    fixture_open(f, f->now + 1000);
    assert_int_equal(destination_find(f->box, f->d.name, &d, NULL), SPOOL_OK);
}

static void note_gone(void *arg, const char *sentence)
{
    *(bool *)arg |= strstr(sentence, "its destinations are gone") != NULL;
}

static void events_are_kept_when_no_destination_can_be_read(void **state)
{
    struct fixture *f = *state;
    struct told told;
    struct destination d, again = f->d;
    struct sums sums;
    char keep[200];
    bool said = false, more = true;
    struct retention at_once = {.keep_ms = 0, .keep_keys_ms = 0};
    fill(f);
    destroy_destinations(f);
    keep_name(f->path, keep, sizeof keep);
    assert_int_equal(unlink(keep), 0);
    fixture_open(f, f->now);
    outbox_notices(f->box, note_gone, &said);
    assert_true(said);
    assert_int_equal(destination_find(f->box, DESTINATION_STAND_IN, &d, NULL),
                     SPOOL_OK);
    assert_int_equal(d.state, DESTINATION_PAUSED);
    again.base = 0;
    assert_int_equal(destination_add(f->box, &again, NULL), SPOOL_BUSY);
    struct recover_report r = put_back(f, false, &told);
    assert_int_equal(r.readable, 1000);
    again.base = -1;
    assert_int_equal(destination_add(f->box, &again, NULL), SPOOL_OK);
    while (more) {
        assert_int_equal(retain_step(f->box, &at_once, &more, NULL), SPOOL_OK);
    }
    assert_int_equal(destination_find(f->box, DESTINATION_STAND_IN, &d, NULL),
                     SPOOL_OK);
    assert_int_equal(inspect_sums(f->box, &d, &sums, NULL), SPOOL_OK);
    assert_int_equal(sums.waiting, 1000);
    fixture_verify(f);
}

static void whoever_dies_half_way_is_made_up_for(void **state)
{
    struct fixture *f = *state;
    char fresh[200], file[ASIDE_PATH_SIZE];
    fill(f);
    overwrite(f->path, 0, 0, PAGE);
    fixture_open(f, f->now);
    outbox_close(f->box);
    assert_true(aside_newest(f->path, NULL, file));
    /* As if the last rename had not come: */
    (void)snprintf(fresh, sizeof fresh, "%s-fresh", f->path);
    char name[300];
    (void)snprintf(name, sizeof name, "%s-wal", f->path);
    (void)unlink(name);
    (void)snprintf(name, sizeof name, "%s-shm", f->path);
    (void)unlink(name);
    assert_int_equal(rename(f->path, fresh), 0);
    fixture_open(f, f->now);
    assert_int_equal(access(fresh, F_OK), -1);
    assert_int_equal(last_id(f), 1000);
}

static void damage_an_event(const char *path)
{
    off_t page = page_of(path, "{\"n\":500}");
    assert_true(page > 0);
    overwrite(path, page, 0, PAGE);
}

/* Another process, which sets the outbox aside when it is told to and then
 * accepts an event in the fresh one. */
struct other {
    pid_t pid;
    int go[2], done[2];
};

static void other_runs(const struct fixture *f, const struct other *o)
{
    char byte;
    struct outbox *box;
    struct outbox_options options = {.path = f->path, .clock = &f->clock};
    struct outbox_event e = {.body = "{\"n\":\"other\"}", .len = 13};
    bool good = read(o->go[0], &byte, 1) == 1 &&
                aside_make(f->path, aside_inode(f->path), &f->clock, NULL) ==
                    SPOOL_OK &&
                outbox_open(&options, &box, NULL) == SPOOL_OK &&
                outbox_append(box, &e, 1, NULL) == SPOOL_OK &&
                write(o->done[1], &e.id, sizeof e.id) == sizeof e.id;
    _exit(good ? 0 : 1);
}

static void other_start(const struct fixture *f, struct other *o)
{
    assert_int_equal(pipe(o->go), 0);
    assert_int_equal(pipe(o->done), 0);
    o->pid = fork();
    assert_true(o->pid >= 0);
    if (o->pid == 0) {
        other_runs(f, o);
    }
    (void)close(o->go[0]);
    (void)close(o->done[1]);
}

/* The id that the other one was given. */
static int64_t other_go(struct other *o)
{
    int64_t id = 0;
    int status;
    assert_int_equal(write(o->go[1], "x", 1), 1);
    assert_int_equal(read(o->done[0], &id, sizeof id), sizeof id);
    assert_int_equal(waitpid(o->pid, &status, 0), o->pid);
    assert_int_equal(status, 0);
    (void)close(o->go[1]);
    (void)close(o->done[0]);
    return id;
}

struct late {
    struct other other;
    int64_t id;
};

static enum spool_status meanwhile(struct db *db, void *arg,
                                   struct spool_error *err)
{
    struct late *l = arg;
    l->id = other_go(&l->other);
    return audit(db, 0, "test", NULL, 0, "late", err);
}

static void a_commit_into_what_was_set_aside_is_not_confirmed(void **state)
{
    struct fixture *f = *state;
    struct late late = {.id = 0};
    struct spool_error err;
    fill(f);
    damage_an_event(f->path);
    other_start(f, &late.other);
    fixture_open(f, f->now);
    /* In place when the transaction begins, elsewhere when it ends. */
    assert_int_equal(outbox_write(f->box, meanwhile, &late, &err),
                     SPOOL_UNKNOWN);
    assert_int_equal(late.id, 1001);
    assert_int_equal(outbox_write(f->box, meanwhile, &late, &err), SPOOL_MOVED);
    fixture_reopen(f);
    assert_int_equal(last_id(f), 1001);
}

/* As if somebody had been killed behind the fresh file, before a rename. */
static void begin_to_set_aside(struct fixture *f)
{
    char fresh[200], wal[200], file[ASIDE_PATH_SIZE];
    char damaged_wal[ASIDE_PATH_SIZE + 8];
    assert_int_equal(aside_make(f->path, aside_inode(f->path), &f->clock, NULL),
                     SPOOL_OK);
    assert_true(aside_newest(f->path, NULL, file));
    (void)snprintf(fresh, sizeof fresh, "%s-fresh", f->path);
    (void)snprintf(wal, sizeof wal, "%s-wal", f->path);
    (void)snprintf(damaged_wal, sizeof damaged_wal, "%s-wal", file);
    assert_int_equal(rename(f->path, fresh), 0);
    assert_int_equal(rename(file, f->path), 0);
    assert_int_equal(rename(damaged_wal, wal), 0);
}

static void a_commit_before_the_rename_keeps_its_id_and_its_event(void **state)
{
    struct fixture *f = *state;
    struct told told;
    fill(f);
    damage_an_event(f->path);
    fixture_open(f, f->now);
    begin_to_set_aside(f);
    fixture_put(f, 1); /* is told that it is stored */
    fixture_reopen(f);
    assert_int_equal(last_id(f), 1001);
    fixture_put(f, 1);
    assert_int_equal(last_id(f), 1002);
    struct recover_report r = put_back(f, false, &told);
    assert_int_equal(r.to, 1001);
    assert_int_equal(r.readable + r.lost, 1001);
    assert_true(told.last_lost < 1001);
}

static void another_programs_file_stays_where_it_is(void **state)
{
    struct fixture *f = *state;
    struct outbox_options options = {.path = f->path};
    struct outbox *box;
    struct spool_error err;
    char file[ASIDE_PATH_SIZE];
    outbox_close(f->box);
    f->box = NULL;
    overwrite(f->path, 0, 'x', 4 * PAGE);
    char wal[200];
    (void)snprintf(wal, sizeof wal, "%s-wal", f->path);
    (void)unlink(wal);
    assert_int_equal(outbox_open(&options, &box, &err), SPOOL_DAMAGED);
    assert_false(aside_newest(f->path, NULL, file));
    assert_int_equal(unlink(f->path), 0);
    fixture_open(f, f->now);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_file_without_a_header_is_set_aside_and_nothing_is_lost),
        TEST(a_column_with_another_name_is_damage),
        TEST(a_version_that_is_too_low_is_damage),
        TEST(lanes_are_not_changed_before_recover),
        TEST(two_damaged_files_are_put_back_one_by_one),
        TEST(in_a_newer_file_it_is_none),
        TEST(retention_leaves_what_recover_is_putting_back),
        TEST(damage_in_the_schema_page_alone_keeps_the_destinations),
        TEST(a_lost_page_costs_its_events_and_no_others),
        TEST(what_is_held_goes_when_its_hold_cannot_be_read),
        TEST(what_overtook_is_known_unless_it_cannot_be_read),
        TEST(what_gave_way_is_not_called_lost),
        TEST(without_a_header_it_is_as_any_other),
        TEST(what_was_put_again_meanwhile_is_told),
        TEST(limits_hold_for_the_fresh_file_too),
        TEST(limits_come_from_their_copy_when_the_schema_is_gone),
        TEST(destinations_come_from_their_copy_when_the_table_is_gone),
        TEST(events_are_kept_when_no_destination_can_be_read),
        TEST(whoever_dies_half_way_is_made_up_for),
        TEST(a_commit_into_what_was_set_aside_is_not_confirmed),
        TEST(a_commit_before_the_rename_keeps_its_id_and_its_event),
        TEST(another_programs_file_stays_where_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
