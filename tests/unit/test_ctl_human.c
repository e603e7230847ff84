#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "human.h"
#include "json_line.h"

static void counts_are_grouped(void **state)
{
    static const struct {
        int64_t n;
        const char *want;
    } cases[] = {
        {0, "0"},
        {999, "999"},
        {1000, "1,000"},
        {48210, "48,210"},
        {1234567, "1,234,567"},
        {-1234, "-1,234"},
        {INT64_MAX, "9,223,372,036,854,775,807"},
    };
    char out[HUMAN_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(human_count(cases[i].n, out), cases[i].want);
    }
}

static void sizes_have_a_fitting_unit(void **state)
{
    static const struct {
        int64_t n;
        const char *want;
    } cases[] = {
        {0, "0 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {149 << 10, "149 KiB"},
        {(int64_t)61 << 20, "61 MiB"},
        {(int64_t)5 << 30, "5.0 GiB"},
    };
    char out[HUMAN_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(human_bytes(cases[i].n, out), cases[i].want);
    }
}

static void the_end_of_a_line_is_no_word(void **state)
{
    char out[32];
    (void)state;
    assert_string_equal(human_words("try later\r\n", out, sizeof out),
                        "try later");
    assert_string_equal(human_words("\n", out, sizeof out), "");
    assert_string_equal(human_words("a\nb", out, sizeof out), "a?b");
}

static void one_event_is_one_event(void **state)
{
    char out[HUMAN_SIZE];
    (void)state;
    assert_string_equal(human_events(1, out), "1 event");
    assert_string_equal(human_events(0, out), "0 events");
    assert_string_equal(human_events(12480, out), "12,480 events");
}

static void an_answer_says_its_code_once(void **state)
{
    static const struct {
        const char *code, *reason, *want;
    } cases[] = {
        {"BAD_INPUT", "BAD_INPUT: no good", "BAD_INPUT: no good"},
        {"HTTP 503", "no service", "HTTP 503: no service"},
        {"SUCCESS", "", "SUCCESS"},
        {"", "a sentence", "a sentence"},
        {"", "", ""},
        {"X", "\033[2J", "X: ?[2J"},
    };
    char out[64];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(
            human_answer(cases[i].code, cases[i].reason, out, sizeof out),
            cases[i].want);
    }
}

static void json_text_is_valid_whatever_the_bytes_are(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *want;
    } cases[] = {
        {"plain", 5, "plain"},
        {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", 9,
         "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"},
        {"a\xFF"
         "b",
         3,
         "a\xEF\xBF\xBD"
         "b"},
        {"\xC3", 1, "\xEF\xBF\xBD"},                 /* cut off */
        {"\xC0\xAF", 2, "\xEF\xBF\xBD\xEF\xBF\xBD"}, /* overlong */
        {"\xED\xA0\x80", 3,
         "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* a surrogate */
        {"\xF4\x90\x80\x80", 4,
         "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_object *o = json_make();
        json_add_bytes(o, "t", cases[i].bytes, cases[i].len);
        assert_string_equal(
            json_object_get_string(json_object_object_get(o, "t")),
            cases[i].want);
        (void)json_object_put(o);
    }
}

static void json_text_is_decoded(void **state)
{
    static const char text[] = "a\\u00e4\\n\\\"";
    struct json_object *o = json_make();
    (void)state;
    json_add_decoded(o, "t", (struct json_text){text, strlen(text), true});
    json_add_decoded(o, "none", (struct json_text){0});
    assert_string_equal(
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
        "{\"t\":\"a\xC3\xA4\\n\\\"\",\"none\":\"\"}");
    (void)json_object_put(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_grouped),
        cmocka_unit_test(sizes_have_a_fitting_unit),
        cmocka_unit_test(the_end_of_a_line_is_no_word),
        cmocka_unit_test(one_event_is_one_event),
        cmocka_unit_test(an_answer_says_its_code_once),
        cmocka_unit_test(json_text_is_valid_whatever_the_bytes_are),
        cmocka_unit_test(json_text_is_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
