#define _GNU_SOURCE /* memmem, truncate */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "outbox/checkpoint.h"
#include "outbox/mark.h"
#include "outbox/shm.h"
#include "outbox/store.h"
#include "outbox/wal.h"
#include "support/box.h"

struct words {
    int n;
    char all[4096];
};

static void note(void *arg, const char *sentence)
{
    struct words *w = arg;
    size_t len = strlen(w->all);
    w->n++;
    (void)snprintf(w->all + len, sizeof w->all - len, "%s\n", sentence);
}

static int64_t findings(struct fixture *f, struct words *w)
{
    struct spool_error err;
    int64_t n;
    *w = (struct words){0};
    assert_int_equal(verify(f->box, note, w, &n, &err), SPOOL_OK);
    return n;
}

static void beside(const struct fixture *f, const char *end, char name[128])
{
    (void)snprintf(name, 128, "%s%s", f->path, end);
}

static void close_box(struct fixture *f)
{
    outbox_close(f->box);
    f->box = NULL;
}

/* Flips a byte of the WAL in the commit of the event that says n. */
static void damage_wal(struct fixture *f, const char *n)
{
    char name[128];
    static char bytes[1 << 20];
    beside(f, "-wal", name);
    FILE *file = fopen(name, "r+");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    char *at = memmem(bytes, size, n, strlen(n));
    assert_non_null(at);
    assert_int_equal(fseek(file, at - bytes, SEEK_SET), 0);
    assert_int_equal(fputc('#', file), '#');
    assert_int_equal(fclose(file), 0);
}

static size_t read_beside(const struct fixture *f, const char *end, char *bytes,
                          size_t size)
{
    char name[128];
    beside(f, end, name);
    FILE *file = fopen(name, "r");
    assert_non_null(file);
    size_t n = fread(bytes, 1, size, file);
    assert_int_equal(fclose(file), 0);
    return n;
}

/* The WAL's header has other numbers in it each time it begins anew. */
static bool wal_was_begun_anew(const struct fixture *f, char header[32])
{
    char before[32];
    memcpy(before, header, sizeof before);
    assert_int_equal(read_beside(f, "-wal", header, 32), 32);
    return memcmp(before, header, sizeof before) != 0;
}

static void put_beside(const struct fixture *f, const char *end,
                       const char *bytes, size_t n)
{
    char name[128];
    beside(f, end, name);
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void a_writer_that_ended_well_is_gone_on_behind(void **state)
{
    struct fixture *f = *state;
    char header[32] = {0};
    fixture_put(f, 3);
    (void)wal_was_begun_anew(f, header);
    for (int i = 0; i < 3; i++) {
        fixture_reopen(f);
        fixture_put(f, 1);
    }
    assert_false(wal_was_begun_anew(f, header));
}

/* What lies beside says that a writer is at work, who is gone. */
static void after_one_that_did_not_the_wal_begins_anew(void **state)
{
    struct fixture *f = *state;
    static char mark[8192];
    char header[32] = {0};
    fixture_put(f, 3);
    (void)wal_was_begun_anew(f, header);
    size_t n = read_beside(f, "-mark", mark, sizeof mark);
    close_box(f);
    put_beside(f, "-mark", mark, n);
    fixture_reopen(f);
    assert_true(wal_was_begun_anew(f, header));
    fixture_put(f, 1);
    fixture_reopen(f);
    assert_false(wal_was_begun_anew(f, header));
    fixture_verify(f);
}

static void a_wal_that_began_anew_goes_by_a_near_number(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    uint32_t before, after;
    fixture_put(f, 3);
    assert_true(wal_number(f->path, &before));
    assert_int_equal(checkpoint_mend(&f->box->writer, &err), SPOOL_OK);
    assert_true(wal_number(f->path, &after));
    assert_int_not_equal(before, after);
    assert_true(wal_is_near(before, after));
    assert_true(wal_is_near(after, before));
    assert_false(wal_is_near(before, before + 100000));
    assert_false(wal_is_near(before, before - 100000));
}

/* In a job: the mark as whoever opens the outbox finds it if we are killed from
 * here on, and before it has been told of the commit. */
static enum spool_status copy_mark(struct db *db, void *arg,
                                   struct spool_error *err)
{
    static char mark[8192];
    const struct fixture *f = arg;
    size_t n = read_beside(f, "-mark", mark, sizeof mark);
    put_beside(f, "-mark-then", mark, n);
    return db_run(db, err, STATEMENT_STORE_RAISE_EPOCH, "");
}

/* Whoever put the WAL in order was another one, and began it anew, and wrote
 * nothing to it. */
static sqlite3 *begin_wal_anew_and_stop(struct fixture *f)
{
    sqlite3 *other;
    char header[WAL_HEAD];
    struct spool_error err;
    assert_int_equal(checkpoint_mend(&f->box->writer, &err), SPOOL_OK);
    checkpoint_try(&f->box->writer);
    close_box(f);
    assert_int_equal(read_beside(f, "-wal", header, sizeof header), WAL_HEAD);
    put_beside(f, "-wal", header, sizeof header);
    assert_int_equal(sqlite3_open(f->path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "SELECT count(*) FROM spool_event",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    return other;
}

static void a_number_that_sqlite_draws_is_not_held_against_the_wal(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    uint32_t before, after;
    char name[128], store_id[UUID_SIZE];
    fixture_put(f, 3);
    sqlite3 *other = begin_wal_anew_and_stop(f);
    assert_true(wal_number(f->path, &before));
    fixture_reopen(f);
    assert_int_equal(outbox_write(f->box, copy_mark, f, &err), SPOOL_OK);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_true(wal_number(f->path, &after));
    assert_false(wal_is_near(before, after)); /* or this tries nothing */
    beside(f, "-mark-then", name);
    assert_false(mark_denies_wal(name, after, store_id));
    /* And once it is known it is held against another's. */
    beside(f, "-mark", name);
    assert_false(mark_denies_wal(name, after, store_id));
    assert_true(mark_denies_wal(name, after + 100000, store_id));
    fixture_verify(f);
}

static void a_wal_with_a_wrong_sum_has_no_number(void **state)
{
    struct fixture *f = *state;
    char header[32];
    uint32_t number;
    fixture_put(f, 1);
    (void)read_beside(f, "-wal", header, sizeof header);
    close_box(f);
    header[17] ^= 1;
    put_beside(f, "-wal", header, sizeof header);
    assert_false(wal_number(f->path, &number));
}

/* The one who has it open may not have said anything, but is there. */
static void a_writer_at_work_did_not_end(void **state)
{
    struct fixture *f = *state;
    struct outbox_options options = {.path = f->path, .clock = &f->clock};
    struct spool_error err;
    struct outbox *other;
    char header[32] = {0};
    fixture_put(f, 3);
    (void)wal_was_begun_anew(f, header);
    assert_int_equal(outbox_open(&options, &other, &err), SPOOL_OK);
    assert_false(wal_was_begun_anew(f, header));
    outbox_close(other);
}

static void a_flipped_byte_in_the_wal_is_told_and_named(void **state)
{
    struct fixture *f = *state;
    struct words w = {0};
    struct sums s;
    struct spool_error err;
    fixture_put(f, 10);
    close_box(f);
    damage_wal(f, "{\"n\":7}");
    fixture_reopen(f);
    outbox_notices(f->box, note, &w);
    assert_non_null(strstr(w.all, "events 7 to 10 were accepted and are lost"));
    assert_int_equal(findings(f, &w), 1);
    assert_non_null(strstr(w.all, "7 to 10"));
    fixture_put(f, 2); /* checks the ids: 11 and 12 */
    assert_int_equal(inspect_sums(f->box, &f->d, &s, &err), SPOOL_OK);
    assert_int_equal(s.accepted, 12);
    assert_int_equal(s.lost, 4);
    assert_int_equal(s.by_state[EVENT_PENDING], 8);
    assert_int_equal(findings(f, &w), 1);
    bool copy;
    int64_t lost;
    assert_int_equal(outbox_adopt(f->box, &copy, &lost, &err), SPOOL_OK);
    assert_false(copy);
    assert_int_equal(lost, 4);
    fixture_verify(f);
    fixture_reopen(f);
    w = (struct words){0};
    outbox_notices(f->box, note, &w);
    assert_int_equal(w.n, 0);
}

static void a_lost_range_is_passed_by_every_lane(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    struct sums s;
    struct spool_error err;
    fixture_put(f, 10);
    close_box(f);
    damage_wal(f, "{\"n\":7}");
    fixture_reopen(f);
    fixture_put(f, 2);
    fixture_take(f, &turn, TAKEN_BATCH);
    for (int i = 0; i < 2; i++) { /* batches of four: 1-4, 5 6 11 12 */
        fixture_settle(f, &turn, OUTCOME_DELIVERED,
                       i == 0 ? TAKEN_BATCH : TAKEN_NOTHING);
    }
    assert_int_equal(inspect_sums(f->box, &f->d, &s, &err), SPOOL_OK);
    assert_int_equal(s.by_state[EVENT_DELIVERED], 8);
    assert_int_equal(s.waiting, 0);
    assert_int_equal(s.lost, 4);
}

static void the_mark_keeps_the_greatest_of_its_writers(void **state)
{
    struct fixture *f = *state;
    char name[128];
    struct watermark a, b;
    struct mark_state st;
    struct spool_error err;
    beside(f, "-try", name);
    assert_int_equal(mark_open(&a, name, 0600, "store", &st, &err), SPOOL_OK);
    assert_int_equal(st.found, MARK_MISSING);
    assert_int_equal(mark_open(&b, name, 0600, "store", &st, &err), SPOOL_OK);
    mark_note(&a, 10, 1);
    mark_note(&b, 12, 0);
    mark_note(&a, 11, 0); /* comes late */
    mark_close(&a);
    mark_close(&b);
    assert_int_equal(mark_open(&a, name, 0600, "store", &st, &err), SPOOL_OK);
    assert_int_equal(st.found, MARK_FOUND);
    assert_int_equal(st.last, 12);
    assert_int_equal(st.epoch, 1);
    mark_note(&a, 13, 0); /* over a slot that a dead one left */
    mark_note(&a, 14, 0);
    mark_close(&a);
    assert_int_equal(mark_open(&a, name, 0600, "store", &st, &err), SPOOL_OK);
    assert_int_equal(st.last, 14);
    assert_int_equal(st.epoch, 1);
    mark_close(&a);
    assert_int_equal(mark_open(&a, name, 0600, "other", &st, &err), SPOOL_OK);
    assert_int_equal(st.found, MARK_FOREIGN);
    mark_close(&a);
}

static void a_sync_that_failed_is_known_until_it_is_mended(void **state)
{
    struct fixture *f = *state;
    char name[128];
    int64_t frames = -1;
    struct watermark a, b;
    struct mark_state st;
    struct spool_error err;
    beside(f, "-try", name);
    assert_int_equal(mark_open(&a, name, 0600, "store", &st, &err), SPOOL_OK);
    mark_begin(&a, false);
    mark_note(&a, 10, 1);
    assert_false(mark_doubts(&a, 7, &frames));
    mark_doubt(&a, 7, 21);
    /* Whether it is at work still or not. */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mark_open(&b, name, 0600, "store", &st, &err),
                         SPOOL_OK);
        assert_true(st.left_open);
        assert_int_equal(st.last, 10);
        assert_true(mark_doubts(&b, 7, &frames));
        assert_int_equal(frames, 21);
        assert_true(mark_doubts(&b, 8, &frames)); /* another WAL by now */
        assert_int_equal(frames, 0);
        mark_mended(&b);
        mark_close(&b);
        mark_close(&a);
    }
    assert_int_equal(mark_open(&b, name, 0600, "store", &st, &err), SPOOL_OK);
    assert_false(st.left_open);
    assert_false(mark_doubts(&b, 7, &frames));
    assert_int_equal(st.last, 10);
    mark_close(&b);
}

/* Whatever prefix of a slot reached the disk. */
static void a_torn_write_leaves_the_one_before(void **state)
{
    struct fixture *f = *state;
    char name[128];
    unsigned char old[1024], new[1024];
    struct watermark m;
    struct mark_state st;
    struct spool_error err;
    beside(f, "-try", name);
    assert_int_equal(mark_open(&m, name, 0600, "store", &st, &err), SPOOL_OK);
    mark_note(&m, 1, 1);
    mark_note(&m, 2, 1);
    assert_int_equal(pread(m.fd, old, sizeof old, 0), sizeof old);
    mark_note(&m, 3, 1);
    assert_int_equal(pread(m.fd, new, sizeof new, 0), sizeof new);
    mark_close(&m);
    for (size_t cut = 0; cut <= sizeof new; cut++) {
        int fd = open(name, O_WRONLY | O_TRUNC);
        assert_int_equal(write(fd, new, cut), cut);
        assert_int_equal(write(fd, old + cut, sizeof old - cut),
                         sizeof old - cut);
        assert_int_equal(close(fd), 0);
        assert_int_equal(mark_open(&m, name, 0600, "store", &st, &err),
                         SPOOL_OK);
        assert_int_equal(st.found, MARK_FOUND);
        assert_in_range(st.last, 2, 3);
        mark_close(&m);
    }
}

static enum spool_status tell_and_wait(struct db *db, void *arg,
                                       struct spool_error *err)
{
    const int *tell = arg;
    int64_t last;
    enum spool_status status =
        db_number(db, err, 0, &last, STATEMENT_LAST_ID, "");
    if (status == SPOOL_OK && write(*tell, "r", 1) == 1) {
        (void)pause();
    }
    return status;
}

static void who_keeps_reading_is_named(void **state)
{
    struct fixture *f = *state;
    int told[2], status;
    char c;
    fixture_put(f, 3);
    outbox_close(f->box);
    f->box = NULL;
    assert_int_equal(pipe(told), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct outbox_options options = {.path = f->path};
        struct outbox *box;
        if (outbox_open(&options, &box, NULL) == SPOOL_OK) {
            (void)outbox_read(box, tell_and_wait, &told[1], NULL);
        }
        _exit(0);
    }
    assert_int_equal(read(told[0], &c, 1), 1);
    assert_int_equal(shm_reader(f->path), child);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(shm_reader(f->path), 0);
    assert_int_equal(close(told[0]) + close(told[1]), 0);
    fixture_reopen(f);
}

/* Once begin has ended. */
static void make_in_child(const char *path, int begin)
{
    struct outbox_options options = {.path = path, .create = true};
    struct outbox *box;
    struct spool_error err;
    struct words words = {0};
    char c;
    (void)!read(begin, &c, 1);
    if (outbox_open(&options, &box, &err) != SPOOL_OK) {
        print_error("%s\n", err.message);
        _exit(1);
    }
    outbox_notices(box, note, &words);
    print_error("%s", words.all);
    outbox_close(box);
    _exit(words.n);
}

static void several_make_a_spool_at_once(void **state)
{
    struct fixture *f = *state;
    char path[128];
    outbox_close(f->box);
    f->box = NULL;
    for (int round = 0; round < 25; round++) {
        pid_t children[4];
        int begin[2];
        (void)snprintf(path, sizeof path, "%s-%d", f->path, round);
        assert_int_equal(pipe(begin), 0);
        for (int i = 0; i < 4; i++) {
            children[i] = fork();
            assert_true(children[i] >= 0);
            if (children[i] == 0) {
                (void)close(begin[1]);
                make_in_child(path, begin[0]);
            }
        }
        assert_int_equal(close(begin[0]) + close(begin[1]), 0);
        for (int i = 0; i < 4; i++) {
            int status;
            assert_int_equal(waitpid(children[i], &status, 0), children[i]);
            assert_int_equal(status, 0);
        }
    }
}

static int64_t last_id(struct fixture *f)
{
    int64_t last;
    assert_int_equal(inspect_last_id(f->box, &last, NULL), SPOOL_OK);
    return last;
}

static void refuses(struct fixture *f, const char *words)
{
    struct spool_error err;
    for (int create = 0; create < 2; create++) {
        struct outbox *box = NULL;
        struct outbox_options options = {.path = f->path, .create = create};
        assert_int_equal(outbox_open(&options, &box, &err), SPOOL_DAMAGED);
        assert_non_null(strstr(err.message, words));
    }
}

/* What was committed is all in the -wal, which SQLite would remove. */
static void a_file_that_is_gone_is_not_begun_anew(void **state)
{
    struct fixture *f = *state;
    char mark[128], away[128];
    fixture_put(f, 3);
    close_box(f);
    beside(f, ".away", away);
    assert_int_equal(rename(f->path, away), 0);
    refuses(f, "3 events were accepted");
    assert_int_equal(close(open(f->path, O_CREAT | O_WRONLY, 0600)), 0);
    refuses(f, "3 events were accepted");
    beside(f, "-mark", mark);
    assert_int_equal(unlink(mark), 0);
    refuses(f, "nowhere else");
    assert_int_equal(unlink(f->path), 0);
    refuses(f, "nowhere else");
    assert_int_equal(rename(away, f->path), 0);
    fixture_reopen(f);
    assert_int_equal(last_id(f), 3);
}

static void it_is_once_nothing_of_it_is_left(void **state)
{
    struct fixture *f = *state;
    char name[128];
    fixture_put(f, 3);
    close_box(f);
    assert_int_equal(unlink(f->path), 0);
    beside(f, "-wal", name);
    assert_int_equal(unlink(name), 0);
    refuses(f, "3 events were accepted");
    beside(f, "-mark", name);
    assert_int_equal(unlink(name), 0);
    fixture_reopen(f);
    assert_int_equal(last_id(f), 0);
}

/* An append that fails before it wrote leaves a transaction that commits. */
static void a_put_that_failed_is_not_said_to_be_accepted(void **state)
{
    struct fixture *f = *state;
    struct outbox_event event = {.body = "{}", .len = 2};
    struct spool_error err;
    struct words w;
    int64_t last;
    fixture_put(f, 3);
    sqlite3 *handle = f->box->writer.db.handle;
    assert_int_equal(
        sqlite3_exec(handle,
                     "CREATE TEMP TRIGGER refuse BEFORE INSERT ON spool_event "
                     "BEGIN SELECT raise(ABORT, 'no'); END",
                     NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_not_equal(outbox_append(f->box, &event, 1, &err), SPOOL_OK);
    fixture_reopen(f);
    assert_int_equal(findings(f, &w), 0);
    assert_int_equal(inspect_last_id(f->box, &last, &err), SPOOL_OK);
    assert_int_equal(last, 3);
    fixture_put(f, 1);
}

static void an_id_that_no_spool_comes_to_is_damage(void **state)
{
    struct fixture *f = *state;
    sqlite3 *handle;
    int64_t last;
    struct spool_error err;
    fixture_put(f, 3);
    close_box(f);
    assert_int_equal(sqlite3_open(f->path, &handle), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(handle,
                     "UPDATE spool_store SET lost_to = 9223372036854775807",
                     NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    fixture_open(f, f->now);
    /* Set aside: the fresh one goes on behind the last id that the mark knows,
     * and the mark was told of no other. */
    assert_int_equal(inspect_last_id(f->box, &last, &err), SPOOL_OK);
    assert_int_equal(last, 3);
    fixture_put(f, 1);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_writer_that_ended_well_is_gone_on_behind),
        TEST(after_one_that_did_not_the_wal_begins_anew),
        TEST(a_writer_at_work_did_not_end),
        TEST(a_wal_that_began_anew_goes_by_a_near_number),
        TEST(a_number_that_sqlite_draws_is_not_held_against_the_wal),
        TEST(a_wal_with_a_wrong_sum_has_no_number),
        TEST(a_flipped_byte_in_the_wal_is_told_and_named),
        TEST(an_id_that_no_spool_comes_to_is_damage),
        TEST(a_lost_range_is_passed_by_every_lane),
        TEST(the_mark_keeps_the_greatest_of_its_writers),
        TEST(a_sync_that_failed_is_known_until_it_is_mended),
        TEST(a_torn_write_leaves_the_one_before),
        TEST(who_keeps_reading_is_named),
        TEST(several_make_a_spool_at_once),
        TEST(a_file_that_is_gone_is_not_begun_anew),
        TEST(it_is_once_nothing_of_it_is_left),
        TEST(a_put_that_failed_is_not_said_to_be_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
