#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "when.h"

#define HOUR ((int64_t)3600000)

/* 2026-03-29T10:30:00+02:00 in a zone whose summer time began that night. */
#define NOW INT64_C(1774773000000)

static int in_vienna(void **state)
{
    (void)state;
    /* As a rule and not by name, so that no zone files are needed. */
    (void)setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    return 0;
}

static void durations_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t want; /* -1: refused */
    } cases[] = {
        {"500ms", 500},     {"30s", 30000},
        {"5m", 300000},     {"5min", 300000},
        {"2h", 2 * HOUR},   {"1d", 24 * HOUR},
        {"1w", 168 * HOUR}, {"1h30m", HOUR * 3 / 2},
        {"7", 7000},        {"0", 0},
        {"0s", 0},          {"", -1},
        {"s", -1},          {"-1s", -1},
        {"1x", -1},         {"1h7", -1},
        {"7 s", -1},        {"1.5h", -1},
        {"99999w", -1},     {"99999999999999999999s", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms = -1;
        assert_int_equal(duration_parse(cases[i].text, 1000, &ms),
                         cases[i].want >= 0);
        assert_int_equal(ms, cases[i].want);
    }
}

static void a_bare_number_counts_in_the_unit_that_is_asked_for(void **state)
{
    int64_t ms = 0;
    (void)state;
    assert_true(duration_parse("250", 1, &ms));
    assert_int_equal(ms, 250);
}

static void durations_are_shown_in_two_units(void **state)
{
    static const struct {
        int64_t ms;
        const char *want;
    } cases[] = {
        {-5, "0 ms"},
        {0, "0 ms"},
        {999, "999 ms"},
        {1000, "1 s"},
        {61000, "1 min 1 s"},
        {60000, "1 min"},
        {4 * HOUR + 12 * 60000 + 7000, "4 h 12 min"},
        {HOUR + 5000, "1 h"},
        {50 * HOUR, "2 d 2 h"},
    };
    char out[WHEN_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        duration_text(cases[i].ms, out);
        assert_string_equal(out, cases[i].want);
    }
}

static void times_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t want; /* relative to NOW */
    } cases[] = {
        {"now", 0},
        {"2h", -2 * HOUR},
        {"90s", -90000},
        {"2026-03-29T08:30:00Z", 0},
        {"2026-03-29t08:30:00z", 0},
        {"2026-03-29T10:30:00+02:00", 0},
        {"2026-03-29T05:00:00-03:30", 0},
        {"2026-03-29T08:30:00.25Z", 250},
        {"2026-03-29T10:30:00", 0},
        {"2026-03-29 10:30", 0},
        {"2026-03-29", -(19 * HOUR / 2)}, /* 9.5 h: one hour was left out */
        {"today", -(19 * HOUR / 2)},
        {"today 10:30", 0},
        {"10:30", 0},
        {"yesterday", -(67 * HOUR / 2)},
        {"yesterday 18:00", -(31 * HOUR / 2)},
        {"2026-03-28T18:00", -(31 * HOUR / 2)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms = 0;
        assert_true(time_parse(cases[i].text, NOW, &ms));
        assert_int_equal(ms - NOW, cases[i].want);
    }
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "soon",
        "123",
        "2026-02-30",
        "2026-13-01",
        "2026-03-29T25:00:00Z",
        "2026-03-29T08:30:00Zx",
        "2026-03-29T08:30:00+2",
        "2026-03-29T",
        "yesterday18:00",
        "yesterday 18:00 ",
        "18:60",
        "2026-3-1",
        "-2h",
        "2026-03-29T08:30:00.Z",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int64_t ms = 42;
        if (time_parse(texts[i], NOW, &ms)) {
            fail_msg("'%s' was taken", texts[i]);
        }
        assert_int_equal(ms, 42);
    }
}

static void times_are_shown_with_their_offset(void **state)
{
    char out[WHEN_SIZE];
    (void)state;
    time_text(NOW, out);
    assert_string_equal(out, "2026-03-29T10:30:00+02:00");
    time_text(NOW - 24 * HOUR, out);
    assert_string_equal(out, "2026-03-28T09:30:00+01:00");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_read),
        cmocka_unit_test(a_bare_number_counts_in_the_unit_that_is_asked_for),
        cmocka_unit_test(durations_are_shown_in_two_units),
        cmocka_unit_test(times_are_read),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(times_are_shown_with_their_offset),
    };
    return cmocka_run_group_tests(tests, in_vienna, NULL);
}
