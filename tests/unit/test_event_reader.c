#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "events/event_reader.h"

#define IDS  "\"userId\":\"u\",\"sessionId\":\"s\""
#define EV   "{\"name\":\"A\"," IDS "}"
#define BAD  "{\"name\":\"A\" " IDS "}"
#define OPEN "{\"name\":\"A\"," IDS

/* A good event is written as +, a bad one as the first letter of its fault, e
 * for enum; what was skipped behind it as its length. */
static void tell(struct event_reader *r, char *out, size_t size)
{
    struct event_item item;
    size_t len = 0;
    uint64_t count = 0;
    out[0] = '\0';
    enum spool_status status;
    while ((status = event_reader_next(r, &item, NULL)) == SPOOL_OK) {
        assert_int_equal(item.index, count++);
        char mark = item.status == SPOOL_OK
                        ? '+'
                        : event_fault_name(item.finding.fault)[0];
        len += (size_t)snprintf(out + len, size - len, "%c", mark);
        if (item.skipped > 0) {
            len += (size_t)snprintf(out + len, size - len, "%d",
                                    (int)item.skipped);
        }
        assert_true(len < size);
    }
    assert_int_equal(status, SPOOL_NOT_FOUND);
    assert_int_equal(event_reader_next(r, &item, NULL), SPOOL_NOT_FOUND);
    event_reader_finish(r);
}

struct source {
    const char *text;
    size_t len;
    size_t at;
    size_t step;
};

static ssize_t give(void *arg, char *buf, size_t n)
{
    struct source *s = arg;
    size_t left = s->len - s->at;
    n = n < s->step ? n : s->step;
    n = n < left ? n : left;
    memcpy(buf, s->text + s->at, n);
    s->at += n;
    return (ssize_t)n;
}

static void expect(enum event_source source, const char *text, const char *want)
{
    struct event_checks checks = {.mode = EVENT_OFF};
    struct event_reader r;
    char got[256];
    size_t len = strlen(text);
    char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    event_reader_init_bytes(&r, &checks, source, copy, len);
    tell(&r, got, sizeof got);
    if (strcmp(got, want) != 0) {
        fail_msg("%s: %s, not %s", text, got, want);
    }
    static const size_t steps[] = {1, 2, 7, 64, 100000};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct source s = {copy, len, 0, steps[i]};
        event_reader_init(&r, &checks, source, give, &s);
        tell(&r, got, sizeof got);
        if (strcmp(got, want) != 0) {
            fail_msg("%s by %zu: %s, not %s", text, steps[i], got, want);
        }
    }
    free(copy);
}

static void a_file_holds_events_in_any_order(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *want;
    } cases[] = {
        {"", ""},
        {" \n", ""},
        {"[]", ""},
        {"[ ]\n[]", ""},
        {EV, "+"},
        {"[" EV "]", "+"},
        {"[" EV "," EV "]", "++"},
        {"[\n" EV ",\n" EV "\n]\n", "++"},
        {EV "\n" EV "\n", "++"},
        {EV EV, "++"},
        {EV "\r\n\r\n" EV, "++"},
        {EV "[" EV "]" EV "\n[" EV "," EV "]", "+++++"},
        {"{\n  \"name\": \"A\",\n  \"userId\": \"u\",\n"
         "  \"sessionId\": \"s\"\n}\n" EV,
         "++"},
        /* What is JSON but no event. */
        {"1", "t"},
        {"123 " EV, "t+"},
        {"\"x\" null " EV " true", "tt+t"},
        {"[1,\"x\",[" EV "]," EV "]", "ttt+"},
        {"{}", "m"},
        {"[{}]\n" EV, "m+"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(EVENT_FILE, cases[i].text, cases[i].want);
    }
}

static void a_broken_event_costs_one_event(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *want;
    } cases[] = {
        /* One a line. */
        {BAD "\n" EV "\n", "s41+"},
        {EV "\n" BAD "\n" EV "\n", "+s41+"},
        {OPEN "\n" EV "\n" EV, "s41++"},
        {"{\"name\":\"A\n" EV, "s11+"},
        {"{\"name\":\n" EV, "s50"}, /* the next line could be the value */
        {"oops\n" EV, "s5+"},
        {"oops " EV, "s5+"},
        {EV " oops\n" EV, "+s5+"},
        {"}\n" EV, "s2+"},
        {"]\n" EV, "s2+"},
        {EV ",\n" EV ",\n", "+s2+s2"},
        {EV "," EV, "+s1+"},
        {"{'name':'A'}\n" EV, "s12+"},
        {"{\"a\":[1,2}\n" EV, "s10+"},
        {"{\"a\":1]}\n" EV, "s8+"},
        {"{\"a\":1,\"a\":2}\n" EV, "s13+"},
        {"\xEF\xBB\xBF" EV "\n" EV, "s3++"},
        /* Over several lines. */
        {"{\n\"a\":1\n\"b\":[\n{\n\"c\":1\n},\n{\n\"c\":2\n}\n]\n}\n" EV,
         "s38+"},
        {"{\n\"a\":\"x\xE2\x80\x9D,\n\"b\":1\n}\n" EV, "s20+"},
        /* In an array. */
        {"[" EV "," BAD "," EV "]", "+s41+"},
        {"[\n" BAD ",\n" EV "\n]\n" EV, "s41++"},
        {"[\n" OPEN ",\n" EV "\n]\n" EV, "s42++"},
        {"[" EV ",oops," EV "]" EV, "+s4++"},
        {"[oops\n]" EV, "s5+"},
        {"[" EV ",]" EV, "+s+"},
        {"[" EV EV "]" EV, "+s++"},
        {"[" EV " oops ," EV "]" EV, "+s5++"},
        {"[," EV "]", "s1+"},
        {"[" OPEN "]" EV, "s40+"},
        {"[" EV, "+s"},
        {"[" EV ",", "+s"},
        {"[", "s"},
        {OPEN, "s40"},
        {"{", "s1"},
        {"\"", "s1"},
        {"nul", "s3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(EVENT_FILE, cases[i].text, cases[i].want);
    }
}

static void a_body_is_one_array_or_one_event(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *want;
    } cases[] = {
        {"", "s"},
        {" \n", "s"},
        {"[]", ""},
        {EV, "+"},
        {" [" EV "," EV "] ", "++"},
        {"[" EV ",{}," EV "]", "+m+"},
        {"5", "t"},
        {EV EV, "+s"},
        {"[" EV "][" EV "]", "+s"},
        {"[" EV "] x", "+s"},
        {"[" EV ",]", "+s"},
        {"[" EV " " EV "]", "+s"},
        {"[" EV "," BAD "," EV "]", "+s"},
        {"[" EV, "+s"},
        {"\xEF\xBB\xBF[]", "s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(EVENT_BODY, cases[i].text, cases[i].want);
    }
}

static void places_count_from_the_start_of_the_input(void **state)
{
    (void)state;
    static const char text[] = EV "\n " EV "\n" BAD "\n{\"name\":7}";
    struct event_checks checks = {.mode = EVENT_OFF};
    struct event_reader r;
    struct event_item item;
    struct source s = {text, sizeof text - 1, 0, 10};
    size_t ev = strlen(EV);
    event_reader_init(&r, &checks, EVENT_FILE, give, &s);
    assert_int_equal(event_reader_next(&r, &item, NULL), SPOOL_OK);
    assert_int_equal(item.offset, 0);
    assert_int_equal(item.len, ev);
    assert_int_equal(event_reader_next(&r, &item, NULL), SPOOL_OK);
    assert_int_equal(item.offset, ev + 2);
    assert_memory_equal(item.json, EV, ev);
    assert_true(json_equals(item.facts.user_id, "u"));
    assert_int_equal(event_reader_next(&r, &item, NULL), SPOOL_OK);
    assert_int_equal(item.offset, 2 * ev + 3);
    assert_int_equal(item.finding.offset, 2 * ev + 3 + 12);
    assert_null(item.json);
    assert_int_equal(event_reader_next(&r, &item, NULL), SPOOL_OK);
    assert_int_equal(item.offset, 3 * ev + 4);
    assert_int_equal(item.finding.offset, 3 * ev + 4 + 8);
    assert_string_equal(item.finding.path, "/name");
    assert_int_equal(event_reader_next(&r, &item, NULL), SPOOL_NOT_FOUND);
    event_reader_finish(&r);
    event_reader_finish(&r);
}

/* An event of exactly len bytes. */
static void long_event(char *out, size_t len)
{
    static const char head[] = "{\"name\":\"A\"," IDS ",\"x\":\"";
    memset(out, 'x', len);
    memcpy(out, head, sizeof head - 1);
    memcpy(out + len - 2, "\"}", 2);
}

static void an_event_is_limited_and_so_is_memory(void **state)
{
    (void)state;
    size_t len = 2 * EVENT_BYTES_MAX + 200000;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, ' ', len);
    long_event(text, EVENT_BYTES_MAX);
    long_event(text + EVENT_BYTES_MAX, EVENT_BYTES_MAX + 1);
    long_event(text + len - 99, 99);
    static const size_t steps[] = {1000, 4096, 1000000};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct event_checks checks = {.mode = EVENT_OFF};
        struct event_reader r;
        struct source s = {text, len, 0, steps[i]};
        struct event_item item;
        event_reader_init(&r, &checks, EVENT_FILE, give, &s);
        assert_int_equal(event_reader_next(&r, &item, NULL), SPOOL_OK);
        assert_int_equal(item.status, SPOOL_OK);
        assert_int_equal(event_reader_next(&r, &item, NULL), SPOOL_OK);
        assert_int_equal(item.finding.fault, EVENT_LIMIT);
        assert_int_equal(item.skipped, EVENT_BYTES_MAX + 1);
        assert_int_equal(event_reader_next(&r, &item, NULL), SPOOL_OK);
        assert_int_equal(item.len, 99);
        assert_true(r.buffer.cap <= 4 * EVENT_BYTES_MAX);
        event_reader_finish(&r);
    }
    free(text);
}

static ssize_t break_down(void *arg, char *buf, size_t n)
{
    (void)arg;
    (void)buf;
    (void)n;
    errno = EIO;
    return -1;
}

static void a_read_error_ends_the_reader(void **state)
{
    (void)state;
    struct event_checks checks = {.mode = EVENT_OFF};
    struct event_reader r;
    struct event_item item;
    struct spool_error err;
    event_reader_init(&r, &checks, EVENT_FILE, break_down, NULL);
    assert_int_equal(event_reader_next(&r, &item, &err), SPOOL_IO);
    assert_non_null(strstr(err.message, "cannot read the events"));
    assert_int_equal(event_reader_next(&r, &item, &err), SPOOL_NOT_FOUND);
    event_reader_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_holds_events_in_any_order),
        cmocka_unit_test(a_broken_event_costs_one_event),
        cmocka_unit_test(a_body_is_one_array_or_one_event),
        cmocka_unit_test(places_count_from_the_start_of_the_input),
        cmocka_unit_test(an_event_is_limited_and_so_is_memory),
        cmocka_unit_test(a_read_error_ends_the_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
