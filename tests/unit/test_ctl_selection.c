#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "selection.h"

/* The table of commands is main.c's; nothing here looks into it. */
const struct command commands[] = {{0}};

static void states_are_read(void **state)
{
    static const struct {
        const char *words;
        bool good;
        unsigned want;
    } cases[] = {
        {"dead", true, 1U << EVENT_DEAD},
        {"dead,delivered", true, 1U << EVENT_DEAD | 1U << EVENT_DELIVERED},
        {"waiting", true, STATES_WAITING},
        {"held", true, 1U << EVENT_HELD},
        {"", false, 0},
        {"dea", false, 0},
        {"deadly", false, 0},
        {"dead,", false, 1U << EVENT_DEAD},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned bits = 0;
        assert_int_equal(selection_states(cases[i].words, &bits),
                         cases[i].good);
        assert_int_equal(bits, cases[i].want);
    }
}

static enum spool_status read_ids(struct picked *p, const char *text,
                                  struct spool_error *err)
{
    char copy[256];
    (void)snprintf(copy, sizeof copy, "%s", text);
    FILE *in = fmemopen(copy, strlen(copy), "r");
    assert_non_null(in);
    enum spool_status status = picked_read(p, in, err);
    (void)fclose(in);
    picked_sort(p);
    return status;
}

static void ids_come_one_a_line_or_as_json_lines(void **state)
{
    struct picked p = {0};
    struct spool_error err;
    (void)state;
    assert_int_equal(read_ids(&p,
                              "7\n\n 3 \r\n{\"state\":\"dead\",\"id\":5}\n3\n"
                              "{\"id\":9000000000}",
                              &err),
                     SPOOL_OK);
    assert_int_equal(p.n, 4);
    static const int64_t want[] = {3, 5, 7, INT64_C(9000000000)};
    assert_memory_equal(p.ids, want, sizeof want);
    picked_finish(&p);
    picked_finish(&p);
}

static void a_line_without_an_id_is_named(void **state)
{
    static const char *const lines[] = {
        "x",
        "0",
        "-4",
        "1 2",
        "99999999999999999999",
        "{\"id\":\"7\"}",
        "{}",
        "{\"id\":0}",
        "{\"id\":1.5}",
        "{\"id\":",
        "[1]",
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct picked p = {0};
        struct spool_error err;
        char text[64];
        (void)snprintf(text, sizeof text, "1\n%s\n", lines[i]);
        assert_int_equal(read_ids(&p, text, &err), SPOOL_MISUSE);
        assert_non_null(strstr(err.message, "line 2"));
        picked_finish(&p);
    }
}

static void an_event_is_taken_by_all_its_filters(void **state)
{
    static const char json[] =
        "{\"name\":\"CHECKOUT\",\"step\":\"purchase\",\"userId\":\"u\\u0031\","
        "\"sessionId\":\"s1\",\"orderNo\":17}";
    struct event_facts facts;
    const struct event_record e = {.code = "HTTP 503", .reason = "no service"};
    static const struct {
        struct selection selection;
        bool want;
    } cases[] = {
        {{0}, true},
        {{.name = "CHECKOUT"}, true},
        {{.name = "checkout"}, false},
        {{.user = "u1"}, true}, /* compared as decoded */
        {{.user = "u1", .session = "s2"}, false},
        {{.order = "17"}, true},
        {{.order = "18"}, false},
        {{.key = "17"}, true},
        {{.reason = "serv"}, true},
        {{.reason = "503"}, true},
        {{.reason = "504"}, false},
    };
    (void)state;
    assert_true(event_read(json, strlen(json), &facts));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(selection_takes(&cases[i].selection, &e, &facts),
                         cases[i].want);
    }
    /* Bytes that are no event have none of these. */
    assert_true(selection_takes(&cases[0].selection, &e, NULL));
    assert_false(selection_takes(&cases[1].selection, &e, NULL));
}

static void the_audit_log_gets_no_personal_data(void **state)
{
    struct given given[] = {{OPTION_USER, "jane"},
                            {OPTION_STATE, "dead"},
                            {OPTION_ORDER, "A-17"},
                            {OPTION_YES, NULL}};
    const struct command purge = {.name = "purge"};
    const struct ctl ctl = {.command = &purge, .given = given, .given_n = 4};
    char out[100];
    (void)state;
    selection_words(&ctl, out, sizeof out);
    assert_string_equal(out, "spoolctl purge --user ... --state dead "
                             "--order ...");
    char small[20];
    selection_words(&ctl, small, sizeof small);
    assert_string_equal(small, "spoolctl purge --us");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_are_read),
        cmocka_unit_test(ids_come_one_a_line_or_as_json_lines),
        cmocka_unit_test(a_line_without_an_id_is_named),
        cmocka_unit_test(an_event_is_taken_by_all_its_filters),
        cmocka_unit_test(the_audit_log_gets_no_personal_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
