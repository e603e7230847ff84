/* Histories written by hand: those that a checker must refuse, and by which
 * number, and those that it must let pass.
 *
 * A history is a list of words. A1 is the event ~A.1~, of session A:
 *     ?A1          about to be put
 *     +A1:7        and accepted under id 7; -A1 refused
 *     k(A1,B2)     a request under key k that was taken; k!(A1,B2) one that was
 *                  not; a bang behind an event, A1!, means with other bytes
 *     A1:7p        in the spool under id 7 in a state: p pending, d delivered,
 *                  x dead; then u per uncertain request, e per 5xx, r if it
 *                  died before and was replayed */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/box.h"
#include "support/checker.h"

/* The event's bytes; *at moves behind its name. */
static size_t body(const char **at, char out[64])
{
    char session = *(*at)++;
    char n = *(*at)++;
    bool other = **at == '!';
    *at += other ? 1 : 0;
    return (size_t)snprintf(out, 64, "{\"m\":\"~%c.%c~\",\"ok\":%s}", session,
                            n, other ? "false" : "true");
}

static void put(struct checker *c, const char *word)
{
    char bytes[64], mark[16];
    const char *at = word + 1;
    size_t len = body(&at, bytes);
    if (word[0] == '?') {
        checker_attempt(c, bytes, len);
        return;
    }
    assert_true(checker_mark(bytes, len, mark, sizeof mark));
    if (word[0] == '+') {
        checker_answer(c, mark, CHECKER_ACCEPTED, strtol(at + 1, NULL, 10));
    } else {
        checker_answer(c, mark, CHECKER_REFUSED, 0);
    }
}

static void request(struct checker *c, const char *word)
{
    char key[2] = {word[0], '\0'};
    char bytes[64];
    checker_request(c, key, word[1] != '!');
    const char *at = strchr(word, '(') + 1;
    while (*at != ')') {
        size_t len = body(&at, bytes);
        checker_carry(c, bytes, len);
        at += *at == ',' ? 1 : 0;
    }
}

static void hold(struct checker *c, const char *word, struct sums *sums)
{
    char bytes[64];
    char *rest;
    size_t len = body(&word, bytes);
    struct checker_holding h = {.id = strtol(word + 1, &rest, 10)};
    h.state = *rest == 'p'   ? EVENT_PENDING
              : *rest == 'd' ? EVENT_DELIVERED
                             : EVENT_DEAD;
    for (rest++; *rest != '\0'; rest++) {
        h.uncertain += *rest == 'u';
        h.server_errors += *rest == 'e';
        h.died = h.died || *rest == 'r';
    }
    checker_hold(c, bytes, len, &h);
    sums->accepted++;
    sums->by_state[h.state]++;
}

static void play(struct checker *c, const char *history, struct sums *sums)
{
    char text[512];
    (void)snprintf(text, sizeof text, "%s", history);
    char *rest = text;
    for (char *word = strtok_r(text, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        if (strchr("?+-", word[0]) != NULL) {
            put(c, word);
        } else if (strchr(word, '(') != NULL) {
            request(c, word);
        } else {
            hold(c, word, sums);
        }
    }
}

static void judge(const char *history, struct checker_report *r)
{
    struct sums sums = {0};
    struct checker *c = checker_create();
    play(c, history, &sums);
    checker_sums(c, &sums);
    checker_judge(c, r);
    checker_destroy(c);
}

#define AT(name) offsetof(struct checker_report, name)

#define TWO "?A1 +A1:1 ?A2 +A2:2 "

static const struct {
    const char *history;
    size_t number; /* the one that must not be 0 */
    long value;
} bad[] = {
    /* Accepted, and nowhere. */
    {"?A1 +A1:1", AT(lost), 1},
    /* The spool believes it arrived; the endpoint does not have it. */
    {"?A1 +A1:1 A1:1d", AT(lost), 1},
    {"?A1 +A1:1 k!(A1) A1:1d", AT(lost), 1},
    {"?A1 A1:1d", AT(lost), 1},
    /* It arrived, and the spool never heard of it. */
    {"?A1 +A1:1 k(A1)", AT(lost), 1},
    /* Nobody put it. */
    {"k(A1)", AT(unexpected), 1},
    {"A1:1p", AT(unexpected), 1},
    {"?A1 -A1 k(A1)", AT(unexpected), 1},
    {"?A1 -A1 A1:1p", AT(unexpected), 1},
    /* Other bytes under the same mark, at the endpoint or in the spool, and
     * another id than the producer was told. */
    {"?A1 +A1:1 k(A1!) A1:1p", AT(mutated), 1},
    {"?A1 +A1:1 k(A1) A1!:1d", AT(mutated), 1},
    {"?A1 +A1:1 k(A1) A1:2d", AT(mutated), 1},
    /* Later before earlier: in another request, in the same, in the log. */
    {TWO "k(A2) l(A1) A1:1d A2:2d", AT(reordered), 1},
    {TWO "k(A2,A1) A1:1d A2:2d", AT(reordered), 1},
    {"?A1 +A1:2 ?A2 +A2:1 k(A1,A2) A1:2d A2:1d", AT(reordered), 1},
    {TWO "?A3 +A3:3 k(A3) l(A1,A2) A1:1d A2:2d A3:3d", AT(reordered), 2},
    /* Sent again without a reason, or more often than there were. */
    {"?A1 +A1:1 k(A1) k(A1) A1:1d", AT(unexplained), 1},
    {"?A1 +A1:1 k(A1) k(A1) k(A1) A1:1du", AT(unexplained), 1},
    {TWO "k(A1,A2) l(A2) A1:1du A2:2d", AT(unexplained), 1},
    /* The same key for a shorter, a reordered, another batch. */
    {TWO "k!(A1,A2) k(A1) l(A2) A1:1d A2:2d", AT(rekeyed), 1},
    {"?A1 +A1:1 ?B1 +B1:2 k!(A1,B1) k(B1,A1) A1:1d B1:2d", AT(rekeyed), 1},
    {TWO "k(A1) k(A2) A1:1d A2:2d", AT(rekeyed), 1},
};

static void a_bad_history_is_refused_by_its_number(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct checker_report r;
        char text[1024];
        long value;
        judge(bad[i].history, &r);
        memcpy(&value, (const char *)&r + bad[i].number, sizeof value);
        checker_report_print(&r, text, sizeof text);
        if (checker_report_is_clean(&r) || value != bad[i].value) {
            fail_msg("%s: %s", bad[i].history, text);
        }
    }
}

static const struct {
    const char *history;
    struct checker_report want;
} good[] = {
    {"", {0}},
    {TWO "k(A1,A2) A1:1d A2:2d",
     {.attempted = 2, .accepted = 2, .delivered = 2}},
    {"?A1 -A1", {.attempted = 1, .rejected = 1}},
    /* Killed at the wrong moment: never stored, waiting, or arrived. */
    {"?A1", {.attempted = 1, .unknown = 1}},
    {"?A1 A1:1p", {.attempted = 1, .unknown = 1, .waiting = 1}},
    {"?A1 k(A1) A1:1d",
     {.attempted = 1, .unknown = 1, .delivered = 1, .recovered = 1}},
    {"?A1 ?A2 +A2:1 k(A2) A2:1d",
     {.attempted = 2, .accepted = 1, .unknown = 1, .delivered = 1}},
    /* Still on its way, and kept by an endpoint that did not say so. */
    {"?A1 +A1:1 A1:1p", {.attempted = 1, .accepted = 1, .waiting = 1}},
    {"?A1 +A1:1 k(A1) A1:1pu",
     {.attempted = 1, .accepted = 1, .delivered = 1, .waiting = 1}},
    /* Twice, for a reason. */
    {"?A1 +A1:1 k(A1) k(A1) A1:1du",
     {.attempted = 1, .accepted = 1, .delivered = 1, .duplicated = 1}},
    {"?A1 +A1:1 k(A1) k(A1) k(A1) A1:1due",
     {.attempted = 1, .accepted = 1, .delivered = 1, .duplicated = 2}},
    /* Sessions do not wait for each other. */
    {"?A1 +A1:1 ?B1 +B1:2 k(B1) l(A1) A1:1d B1:2d",
     {.attempted = 2, .accepted = 2, .delivered = 2}},
    /* A dead event is a gap; replayed, it comes late. */
    {TWO "k!(A1) l(A2) A1:1x A2:2d",
     {.attempted = 2, .accepted = 2, .delivered = 1, .dead = 1}},
    {TWO "k!(A1) l(A2) m(A1) A1:1dr A2:2d",
     {.attempted = 2, .accepted = 2, .delivered = 2}},
};

static void a_good_history_passes_and_is_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct checker_report r;
        char is[1024], want[1024];
        judge(good[i].history, &r);
        checker_report_print(&r, is, sizeof is);
        checker_report_print(&good[i].want, want, sizeof want);
        assert_string_equal(is, want);
        assert_true(checker_report_is_clean(&r));
    }
}

static void wrong_sums_are_counted(void **state)
{
    (void)state;
    struct checker_report r;
    struct sums sums = {0};
    struct checker *c = checker_create();
    play(c, TWO "k(A1,A2) A1:1d A2:2d", &sums);
    sums.by_state[EVENT_DELIVERED]--;
    sums.by_state[EVENT_DEAD]++;
    checker_sums(c, &sums);
    checker_judge(c, &r);
    assert_int_equal(r.miscounted, 2);
    assert_false(checker_report_is_clean(&r));
    checker_destroy(c);
}

/* ---- files ---- */

#define E(mark) "{\"m\":\"~" mark "~\",\"t\":\"\xC3\xA9 \\\" \\\\\"}"
/* The same in a JSON string. */
#define Q(mark)                                                                \
    "\"{\\\"m\\\":\\\"~" mark "~\\\",\\\"t\\\":\\\"\xC3\xA9 \\\\\\\" "         \
    "\\\\\\\\\\\"}\""

static void write_file(struct fixture *f, const char *name, char path[128],
                       const char *text)
{
    (void)snprintf(path, 128, "%s/%s", f->folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void journal_log_and_spool_are_read(void **state)
{
    struct fixture *f = *state;
    struct checker_report r;
    struct spool_error err;
    struct turn turn;
    char path[128], text[1024];
    struct checker *c = checker_create();
    struct outbox_event e[] = {{.body = E("A.1"), .len = strlen(E("A.1"))},
                               {.body = E("B.1"), .len = strlen(E("B.1"))}};
    assert_int_equal(outbox_append(f->box, e, 2, &err), SPOOL_OK);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_UNCERTAIN, TAKEN_WAIT);
    f->now += 2000;
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);

    /* The last but one was cut by a kill, and the last is glued to it. */
    static const char *const lines[] = {
        "try " E("A.1"), "try " E("B.1"), "ok ~A.1~ 1", "try " E("C.1"),
        "no ~C.1~",      "unknown ~B.1~", "",
    };
    char journal[2048] = "";
    size_t len = 0;
    for (size_t i = 0; lines[i][0] != '\0'; i++) {
        len += (size_t)snprintf(journal + len, sizeof journal - len, "%s",
                                lines[i]);
        size_t start = len - strlen(lines[i]);
        len = start + checker_end_line(journal + start, strlen(lines[i]));
    }
    (void)snprintf(journal + len, sizeof journal - len,
                   "try {\"m\":\"~Aok ~C.1~ 7 00000000\ntry {\"m\":\"~A");
    write_file(f, "journal", path, journal);
    checker_read_journal(c, path);
    write_file(
        f, "log", path,
        "{\"idempotency_key\":\"k\",\"taken\":false,\"events\":[]}\n"
        "{\"idempotency_key\":\"k\",\"taken\":true,\"events\":[" Q("A.1") "," Q(
            "B.1") "]}\n"
                   "{\"idempotency_key\":null,\"taken\":false,\"events\":[" Q(
                       "A.1") "]}\n"
                              "{\"idempotency_key\":\"k\",\"taken\":true,"
                              "\"events\":[" Q("A.1") "," Q("B.1") "]}\n");
    checker_read_log(c, path);
    checker_read_spool(c, f->box, &f->d);
    checker_judge(c, &r);
    checker_report_print(&r, text, sizeof text);
    assert_string_equal(text,
                        "\"attempted\":3,\"accepted\":1,\"rejected\":1,"
                        "\"unknown\":1,\"delivered\":2,\"recovered\":1,"
                        "\"waiting\":0,\"dead\":0,\"duplicated\":2,\"lost\":0,"
                        "\"unexpected\":0,\"mutated\":0,\"reordered\":0,"
                        "\"unexplained\":0,\"rekeyed\":0,\"miscounted\":0");
    checker_destroy(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_history_is_refused_by_its_number),
        cmocka_unit_test(a_good_history_passes_and_is_counted),
        cmocka_unit_test(wrong_sums_are_counted),
        cmocka_unit_test_setup_teardown(journal_log_and_spool_are_read,
                                        fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
