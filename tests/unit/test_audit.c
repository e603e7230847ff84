#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "outbox/audit.h"
#include "support/box.h"

struct heard {
    char words[400]; /* "action/destination/events " each */
    char hash[AUDIT_HASH_SIZE];
    int64_t n, most;
};

static bool hear(void *arg, const struct audit_record *r)
{
    struct heard *h = arg;
    size_t len = strlen(h->words);
    (void)snprintf(h->words + len, sizeof h->words - len, "%s/%s/%lld ",
                   r->action, r->destination, (long long)r->events);
    memcpy(h->hash, r->hash, sizeof h->hash);
    assert_int_equal(r->uid, getuid());
    return ++h->n != h->most;
}

static struct heard listen(struct fixture *f, struct audit_range range,
                           int64_t most)
{
    struct heard h = {.most = most};
    struct spool_error err;
    assert_int_equal(audit_list(f->box, &range, hear, &h, &err), SPOOL_OK);
    return h;
}

static void act(struct fixture *f, bool pause)
{
    struct spool_error err;
    f->now += 1000;
    assert_int_equal(
        (pause ? destination_pause : destination_resume)(f->box, "shop", &err),
        SPOOL_OK);
}

static void what_was_done_is_listed_in_its_order(void **state)
{
    struct fixture *f = *state;
    int64_t began = f->now, id = 1;
    struct operation op;
    struct spool_error err;
    act(f, true);
    fixture_put(f, 2);
    f->now += 1000;
    assert_int_equal(operate_purge(f->box, &f->d, &id, 1, "why", &op, &err),
                     SPOOL_OK);
    struct heard all = listen(f, (struct audit_range){0}, 0);
    assert_string_equal(all.words,
                        "destination add/shop/0 pause/shop/0 purge/shop/1 ");
    assert_int_equal(strlen(all.hash), 64);
    assert_string_equal(listen(f, (struct audit_range){.newest = 2}, 0).words,
                        "pause/shop/0 purge/shop/1 ");
    assert_string_equal(listen(f, (struct audit_range){.newest = 9}, 1).words,
                        "destination add/shop/0 ");
    struct audit_range second = {.since = began + 1, .until = began + 1000};
    assert_string_equal(listen(f, second, 0).words, "pause/shop/0 ");
    second.since = f->now + 1;
    second.until = 0;
    assert_string_equal(listen(f, second, 0).words, "");
}

static void a_long_log_is_listed_whole(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 125; i++) {
        act(f, true);
        act(f, false);
    }
    struct heard all = listen(f, (struct audit_range){0}, 0);
    assert_int_equal(all.n, 251);
    assert_int_equal(listen(f, (struct audit_range){.newest = 150}, 0).n, 150);
    fixture_verify(f);
}

struct finding {
    int n;
    char first[200];
};

static void note(void *arg, const char *sentence)
{
    struct finding *found = arg;
    if (found->n++ == 0) {
        (void)snprintf(found->first, sizeof found->first, "%s", sentence);
    }
}

static void a_line_that_was_changed_or_taken_out_is_found(void **state)
{
    static const struct {
        const char *sql;
        const char *line; /* NULL: nothing is wrong */
    } cases[] = {
        {"UPDATE spool_audit SET detail = detail", NULL},
        {"UPDATE spool_audit SET events = 9 WHERE id = 2", "line 2 "},
        {"UPDATE spool_audit SET uid = uid + 1 WHERE id = 3", "line 3 "},
        {"UPDATE spool_audit SET action = 'resum', destination = 'eshop' "
         "WHERE action = 'resume'",
         "line 3 "},
        {"UPDATE spool_audit SET at = at - 1 WHERE id = 1", "line 1 "},
        {"UPDATE spool_audit SET chain = x'' WHERE id = 3", "line 3 "},
        {"UPDATE spool_audit SET chain = x'00' WHERE id = 2", "line 2 "},
        {"DELETE FROM spool_audit WHERE id = 2", "line 3 "},
        {"UPDATE spool_audit SET id = id + 1 WHERE id = 4", "line 5 "},
        {"INSERT INTO spool_audit (at, uid, action, events, detail) "
         "VALUES (1, 1, 'pause', 0, '')",
         "line 5 "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *made;
        sqlite3 *db;
        struct finding found = {0};
        int64_t n;
        struct spool_error err;
        assert_int_equal(fixture_setup(&made), 0);
        struct fixture *f = made;
        act(f, true);
        act(f, false);
        act(f, true);
        assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, cases[i].sql, NULL, NULL, NULL),
                         SQLITE_OK);
        (void)sqlite3_close(db);
        assert_int_equal(verify(f->box, note, &found, &n, &err), SPOOL_OK);
        if (n != (cases[i].line != NULL) ||
            (n > 0 && strstr(found.first, cases[i].line) == NULL)) {
            fail_msg("%s: %s", cases[i].sql, found.first);
        }
        (void)fixture_teardown(&made);
    }
}

/* As an earlier release left them. */
static void lines_from_before_the_chain_are_no_fault(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db;
    act(f, true);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE spool_audit SET chain = x''",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    (void)sqlite3_close(db);
    fixture_verify(f);
    assert_string_equal(listen(f, (struct audit_range){0}, 0).hash, "");
    act(f, false);
    fixture_verify(f);
    assert_int_equal(strlen(listen(f, (struct audit_range){0}, 0).hash), 64);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_done_is_listed_in_its_order),
        TEST(a_long_log_is_listed_whole),
        cmocka_unit_test(a_line_that_was_changed_or_taken_out_is_found),
        TEST(lines_from_before_the_chain_are_no_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
