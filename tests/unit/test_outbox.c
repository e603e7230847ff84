#define _DEFAULT_SOURCE /* symlink */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "outbox/db.h"
#include "outbox/lock.h"
#include "outbox/migrate.h"
#include "outbox/store.h"
#include "support/box.h"

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static enum spool_status try_open(const char *path, bool create,
                                  struct spool_error *err)
{
    struct outbox *box = NULL;
    struct outbox_options options = {.path = path, .create = create};
    enum spool_status status = outbox_open(&options, &box, err);
    outbox_close(box);
    return status;
}

static void files_are_for_their_owner_alone(void **state)
{
    struct fixture *f = *state;
    static const char *const ends[] = {"", "-wal", "-shm"};
    struct spool_error err;
    char folder[128], path[256];
    struct stat st;
    mode_t before = umask(0);
    (void)snprintf(folder, sizeof folder, "%s/sub", f->folder);
    (void)snprintf(path, sizeof path, "%s/outbox.db", folder);
    struct outbox *box;
    struct outbox_options options = {.path = path, .create = true};
    assert_int_equal(outbox_open(&options, &box, &err), SPOOL_OK);
    (void)umask(before);
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    for (size_t i = 0; i < 3; i++) {
        char name[300];
        (void)snprintf(name, sizeof name, "%s%s", path, ends[i]);
        assert_int_equal(stat(name, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    outbox_close(box);
    fixture_remove_folder(folder);
}

static void ids_are_dense_and_survive_reopening(void **state)
{
    struct fixture *f = *state;
    fixture_put(f, 3);
    char id[UUID_SIZE];
    (void)snprintf(id, sizeof id, "%s", outbox_store_id(f->box));
    assert_int_equal(strlen(id), 36);
    fixture_reopen(f);
    assert_string_equal(outbox_store_id(f->box), id);
    fixture_put(f, 2); /* checks the ids itself */
    fixture_verify(f);
}

static void opening_what_is_not_there_says_how_to_make_it(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/none.db", f->folder);
    assert_int_equal(try_open(path, false, &err), SPOOL_NOT_FOUND);
    assert_non_null(strstr(err.message, "init"));
    (void)snprintf(path, sizeof path, "%s/no/none.db", f->folder);
    assert_int_equal(try_open(path, false, &err), SPOOL_NOT_FOUND);
}

static size_t read_all(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(out, 1, size, file);
    assert_true(n > 0 && n < size);
    assert_int_equal(fclose(file), 0);
    return n;
}

static void a_newer_file_is_refused_and_not_touched(void **state)
{
    static char first[1 << 20], then[1 << 20];
    struct fixture *f = *state;
    struct spool_error err;
    outbox_close(f->box);
    f->box = NULL;
    run_sql(f->path, "PRAGMA user_version = 999");
    size_t n = read_all(f->path, first, sizeof first);
    assert_int_equal(try_open(f->path, true, &err), SPOOL_NEWER);
    assert_non_null(strstr(err.message, "999"));
    assert_int_equal(read_all(f->path, then, sizeof then), n);
    assert_memory_equal(then, first, n);
    char sql[64];
    (void)snprintf(sql, sizeof sql, "PRAGMA user_version = %d",
                   migrate_newest());
    run_sql(f->path, sql);
    assert_int_equal(try_open(f->path, true, &err), SPOOL_OK);
}

static void a_file_of_the_first_release_is_brought_up_to_date(void **state)
{
    struct fixture *f = *state;
    struct sums s;
    struct spool_error err;
    outbox_close(f->box);
    f->box = NULL;
    (void)snprintf(f->path, sizeof f->path, "%s/first.db", f->folder);
    run_sql(f->path, "PRAGMA page_size = 8192; PRAGMA auto_vacuum = 2");
    run_sql(f->path, migrations[0].sql);
    run_sql(f->path,
            "INSERT INTO spool_store VALUES (1, 'of-the-first', 5, 3);"
            "INSERT INTO spool_destination (name, url, profile, lanes, "
            "batch_events, batch_bytes, batch_age_ms, backoff_base_ms, "
            "backoff_cap_ms, hold_after, base, state, since) VALUES ('shop', "
            "'http://127.0.0.1:1', 'json', 1, 4, 1000, 0, 1, 1, 20, 3, "
            "'running', 5);"
            "INSERT INTO spool_lane VALUES (1, 0, 3, 3);"
            "PRAGMA user_version = 1; PRAGMA application_id = 1936748396");
    assert_int_equal(chmod(f->path, 0600), 0);
    fixture_reopen(f);
    assert_string_equal(outbox_store_id(f->box), "of-the-first");
    fixture_put(f, 2); /* checks the ids itself: 4 and 5 */
    assert_int_equal(destination_find(f->box, "shop", &f->d, &err), SPOOL_OK);
    assert_int_equal(inspect_sums(f->box, &f->d, &s, &err), SPOOL_OK);
    assert_int_equal(s.accepted, 2);
    assert_int_equal(s.by_state[EVENT_PENDING], 2);
    assert_int_equal(s.lost, 0);
    fixture_verify(f);
}

static void a_file_of_another_program_is_refused_and_not_touched(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    char path[128], wal[140];
    (void)snprintf(path, sizeof path, "%s/other.db", f->folder);
    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    run_sql(path, "CREATE TABLE t (x); PRAGMA user_version = 1");
    assert_int_equal(try_open(path, true, &err), SPOOL_DAMAGED);
    assert_int_not_equal(access(wal, F_OK), 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("this is no database, it is a long enough text", file) >
                0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(try_open(path, true, &err), SPOOL_DAMAGED);
}

static void a_link_or_a_folder_in_its_place_is_refused(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/link.db", f->folder);
    assert_int_equal(symlink(f->path, path), 0);
    assert_int_equal(try_open(path, true, &err), SPOOL_IO);
    assert_int_equal(try_open("/tmp/", true, &err), SPOOL_IO);
    assert_int_equal(try_open("", true, &err), SPOOL_MISUSE);
}

static void a_file_that_is_gone_takes_no_more_events(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct outbox_event e = {.body = "{}", .len = 2};
    fixture_put(f, 1);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(outbox_append(f->box, &e, 1, &err), SPOOL_MOVED);
}

static void a_damaged_row_is_set_aside_and_its_neighbours_go(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    char states[16];
    fixture_put(f, 4);
    run_sql(f->path,
            "UPDATE spool_event SET body = CAST('{}' AS BLOB) WHERE id = 2");
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.batches[0].n, 1);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    assert_int_equal(turn.damaged, 1);
    assert_int_equal(turn.batches[0].n, 2);
    assert_int_equal(turn.batches[0].lo, 3);
    /* Damaged while it waits to be sent again. */
    run_sql(f->path, "UPDATE spool_event SET at = at + 1 WHERE id = 4");
    fixture_settle(f, &turn, OUTCOME_RETRY, TAKEN_WAIT);
    f->now += 1000;
    fixture_take(f, &turn, TAKEN_BATCH);
    assert_int_equal(turn.damaged, 1);
    assert_int_equal(turn.batches[0].n, 1);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    assert_string_equal(fixture_states(f, states, 4), "dxdx");
}

static void no_finding(void *arg, const char *sentence)
{
    (void)sentence;
    ++*(int *)arg;
}

static void verify_names_what_does_not_add_up(void **state)
{
    static const char *const wrongs[] = {
        "UPDATE spool_event SET body = CAST('x' AS BLOB) WHERE id = 2",
        "DELETE FROM spool_event WHERE id = 3",
        "UPDATE spool_batch SET hi = hi - 1 WHERE lo = 1",
        "UPDATE spool_batch SET events = 9 WHERE lo = 1",
        "UPDATE spool_batch SET lo = 2 WHERE lo = 1",
        "UPDATE spool_lane SET cursor = 5",
        "DELETE FROM spool_batch",
        "DELETE FROM spool_lane",
        "DELETE FROM spool_event WHERE id > 4",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        struct fixture *f;
        struct spool_error err;
        struct turn turn;
        int64_t n = 0;
        int named = 0;
        assert_int_equal(fixture_setup((void **)&f), 0);
        fixture_put(f, 8);
        fixture_take(f, &turn, TAKEN_BATCH);
        fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
        fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
        fixture_verify(f);
        run_sql(f->path, wrongs[i]);
        assert_int_equal(verify(f->box, no_finding, &named, &n, &err),
                         SPOOL_OK);
        if (n == 0) {
            print_error("not found: %s\n", wrongs[i]);
        }
        assert_true(n > 0);
        assert_int_equal(named, n);
        assert_int_equal(fixture_teardown((void **)&f), 0);
    }
}

static void one_flusher_a_spool_and_its_pid_is_named(void **state)
{
    struct fixture *f = *state;
    struct flusher_lock first = {.fd = -1}, second = {.fd = -1};
    struct spool_error err;
    char pid[32];
    assert_int_equal(flusher_lock_holder(f->path), 0);
    assert_int_equal(flusher_lock_take(&first, f->path, &err), SPOOL_OK);
    assert_int_equal(flusher_lock_holder(f->path), getpid());
    assert_int_equal(flusher_lock_take(&second, f->path, &err), SPOOL_HELD);
    (void)snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(err.message, pid));
    /* As a child that was forked this moment has it. */
    int copy = dup(first.fd);
    flusher_lock_drop(&first);
    assert_int_equal(flusher_lock_holder(f->path), 0);
    assert_int_equal(flusher_lock_take(&second, f->path, &err), SPOOL_OK);
    assert_int_equal(close(copy), 0);
    flusher_lock_drop(&second);
    flusher_lock_drop(&second);
}

static void every_statement_prepares_on_a_fresh_spool(void **state)
{
    struct fixture *f = *state;
    struct db db;
    struct spool_error err;
    assert_int_equal(db_open(&db, f->path, &err), SPOOL_OK);
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        sqlite3_stmt *s = NULL;
        if (sqlite3_prepare_v2(db.handle, statement_sql[i], -1, &s, NULL) !=
            SQLITE_OK) {
            fail_msg("statement %d: %s", i, sqlite3_errmsg(db.handle));
        }
        assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
    }
    db_close(&db);
}

/* Whoever opens the file with another program has no such function. */
static void a_visit_is_no_function_for_others(void **state)
{
    struct fixture *f = *state;
    struct db db;
    struct spool_error err;
    assert_int_equal(db_open(&db, f->path, &err), SPOOL_OK);
    assert_int_equal(sqlite3_exec(db.handle, "SELECT spool_visit(1,2,3,4,5)",
                                  NULL, NULL, NULL),
                     SQLITE_ERROR);
    db_close(&db);
}

static void the_hot_statements_seek_and_the_log_has_no_index(void **state)
{
    static const struct {
        enum statement which;
        const char *want;
    } cases[] = {
        {STATEMENT_TILE_HEAD, "USING INDEX spool_batch_waiting"},
        {STATEMENT_TILE_AT, "USING INDEX spool_batch_tile"},
        {STATEMENT_TILE_FROM, "USING INDEX spool_batch_tile"},
        {STATEMENT_TILES_SENDING, "USING INDEX spool_batch_waiting"},
        {STATEMENT_RETAIN_TILE, "USING INDEX spool_batch_tile "
                                "((destination,lane,lo)>(?,?,?))"},
        {STATEMENT_EVENTS_RANGE, "USING INTEGER PRIMARY KEY"},
        {STATEMENT_EVENTS_VISIT, "USING INTEGER PRIMARY KEY"},
        {STATEMENT_LANE_CURSOR, "USING PRIMARY KEY"},
        {STATEMENT_OLDEST_HELD, "USING INTEGER PRIMARY KEY"},
    };
    struct fixture *f = *state;
    struct db db;
    struct spool_error err;
    sqlite3_stmt *s;
    assert_int_equal(db_open(&db, f->path, &err), SPOOL_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char sql[1200];
        (void)snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s",
                       statement_sql[cases[i].which]);
        assert_int_equal(sqlite3_prepare_v2(db.handle, sql, -1, &s, NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite3_step(s), SQLITE_ROW);
        const char *plan = (const char *)sqlite3_column_text(s, 3);
        if (strstr(plan, cases[i].want) == NULL) {
            fail_msg("%s: %s", statement_sql[cases[i].which], plan);
        }
        assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
    }
    assert_int_equal(sqlite3_prepare_v2(db.handle,
                                        "SELECT 1 FROM sqlite_schema WHERE "
                                        "type = 'index' AND tbl_name = "
                                        "'spool_event'",
                                        -1, &s, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_DONE);
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
    db_close(&db);
}

static void the_views_tell_the_same_as_the_library(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    sqlite3 *db;
    sqlite3_stmt *s;
    fixture_put(f, 6);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_BATCH);
    batch_finish(&turn.batches[0]);
    fixture_put(f, 1);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT group_concat(substr(state, 1, 1), '') FROM "
                           "(SELECT state FROM spool_event_state ORDER BY id)",
                           -1, &s, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(s, 0), "ddddssp");
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT accepted, delivered, sending, pending "
                           "FROM spool_sums",
                           -1, &s, NULL),
        SQLITE_OK);
    static const int want[] = {7, 4, 2, 1};
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(sqlite3_column_int(s, i), want[i]);
    }
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_destination_is_checked_before_it_is_added(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct destination d = f->d;
    assert_int_equal(destination_add(f->box, &d, &err), SPOOL_EXISTS);
    (void)snprintf(d.name, sizeof d.name, "a b");
    assert_int_equal(destination_add(f->box, &d, &err), SPOOL_MISUSE);
    (void)snprintf(d.name, sizeof d.name, "other");
    d.lanes = 0;
    assert_int_equal(destination_add(f->box, &d, &err), SPOOL_MISUSE);
    assert_non_null(strstr(err.message, "lanes"));
    d.lanes = 1;
    d.url[0] = '\0';
    assert_int_equal(destination_add(f->box, &d, &err), SPOOL_MISUSE);
    d = f->d;
    (void)snprintf(d.origin, sizeof d.origin, "https://a.example\r\nA: b");
    assert_int_equal(destination_set(f->box, &d, &err), SPOOL_MISUSE);
    assert_non_null(strstr(err.message, "origin"));
    assert_int_equal(destination_find(f->box, "nobody", &d, &err),
                     SPOOL_NOT_FOUND);
    assert_non_null(strstr(err.message, "shop"));
}

static void a_destination_may_begin_now_or_at_the_beginning(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct sums sums;
    struct destination d = f->d;
    fixture_put(f, 3);
    (void)snprintf(d.name, sizeof d.name, "late");
    d.base = -1;
    assert_int_equal(destination_add(f->box, &d, &err), SPOOL_OK);
    fixture_put(f, 1);
    assert_int_equal(inspect_sums(f->box, &d, &sums, &err), SPOOL_OK);
    assert_int_equal(sums.accepted, 1);
    assert_int_equal(sums.oldest_id, 4);
    assert_int_equal(inspect_sums(f->box, &f->d, &sums, &err), SPOOL_OK);
    assert_int_equal(sums.accepted, 4);
    assert_int_equal(sums.waiting, 4);
    assert_int_equal(sums.oldest_id, 1);
    int64_t left;
    assert_int_equal(destination_remove(f->box, "late", &left, &err), SPOOL_OK);
    assert_int_equal(left, 1);
    fixture_verify(f);
}

static int count_step(void *arg)
{
    int *steps = arg;
    ++*steps;
    return 0;
}

/* Of SQLite's machine, for the sums of a destination. */
static int steps_of_sums(struct fixture *f, const struct destination *d,
                         int64_t waiting)
{
    int steps = 0;
    struct sums sums;
    sqlite3 *db = f->box->reader.handle;
    sqlite3_progress_handler(db, 1, count_step, &steps);
    assert_int_equal(inspect_sums(f->box, d, &sums, NULL), SPOOL_OK);
    sqlite3_progress_handler(db, 0, NULL, NULL);
    assert_int_equal(sums.waiting, waiting);
    assert_int_equal(sums.oldest_id, 1);
    return steps;
}

static void lanes_without_events_are_not_looked_for_in_the_log(void **state)
{
    struct fixture *f = *state;
    struct destination d = f->d;
    (void)snprintf(d.name, sizeof d.name, "wide");
    d.lanes = 8;
    assert_int_equal(destination_add(f->box, &d, NULL), SPOOL_OK);
    fixture_put(f, 10);
    int few = steps_of_sums(f, &d, 10);
    fixture_put(f, 1000);
    assert_in_range(steps_of_sums(f, &d, 1010), 1, 2 * few);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_are_for_their_owner_alone),
        TEST(ids_are_dense_and_survive_reopening),
        TEST(opening_what_is_not_there_says_how_to_make_it),
        TEST(a_newer_file_is_refused_and_not_touched),
        TEST(a_file_of_the_first_release_is_brought_up_to_date),
        TEST(a_file_of_another_program_is_refused_and_not_touched),
        TEST(a_link_or_a_folder_in_its_place_is_refused),
        TEST(a_file_that_is_gone_takes_no_more_events),
        TEST(a_damaged_row_is_set_aside_and_its_neighbours_go),
        cmocka_unit_test(verify_names_what_does_not_add_up),
        TEST(one_flusher_a_spool_and_its_pid_is_named),
        TEST(a_visit_is_no_function_for_others),
        TEST(every_statement_prepares_on_a_fresh_spool),
        TEST(the_hot_statements_seek_and_the_log_has_no_index),
        TEST(the_views_tell_the_same_as_the_library),
        TEST(a_destination_is_checked_before_it_is_added),
        TEST(lanes_without_events_are_not_looked_for_in_the_log),
        TEST(a_destination_may_begin_now_or_at_the_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
