#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "limits.h"
#include "size.h"

static void a_size_is_read_as_it_is_written(void **state)
{
    static const struct {
        const char *text;
        int64_t want; /* -1: it is no size */
    } cases[] = {{"0", 0},
                 {"1", 1},
                 {"1048576", 1 << 20},
                 {"100B", 100},
                 {"4K", 4096},
                 {"4k", 4096},
                 {"500M", (int64_t)500 << 20},
                 {"500MB", (int64_t)500 << 20},
                 {"2G", (int64_t)2 << 30},
                 {"2 GiB", (int64_t)2 << 30},
                 {"3T", (int64_t)3 << 40},
                 {"none", 0},
                 {"8388607T", (int64_t)8388607 << 40},
                 {"8388608T", -1},
                 {"9223372036854775807", INT64_MAX},
                 {"9223372036854775808", -1},
                 {"", -1},
                 {" 1", -1},
                 {"-1", -1},
                 {"+1", -1},
                 {"1.5G", -1},
                 {"1X", -1},
                 {"1iB", -1},
                 {"1GG", -1},
                 {"G", -1},
                 {"1G2", -1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t got = -1;
        if (size_parse(cases[i].text, &got) != (cases[i].want >= 0) ||
            got != cases[i].want) {
            fail_msg("'%s' became %lld", cases[i].text, (long long)got);
        }
    }
}

static void the_closest_limit_says_how_full_it_is(void **state)
{
    static const struct {
        int64_t max_events, max_bytes, events, bytes, disk_free, want;
    } cases[] = {{0, 0, 5, 5, 100, 0},        {10, 0, 5, 5, 100, 50},
                 {10, 1000, 5, 900, 100, 90}, {10, 1000, 20, 900, 100, 200},
                 {10, 0, 5, 0, 10, 100},      {0, 0, 0, 0, 11, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct spool_limits l = {.max_events = cases[i].max_events,
                                 .max_bytes = cases[i].max_bytes};
        struct spool_usage u = {.events = cases[i].events,
                                .bytes = cases[i].bytes,
                                .disk_free_bytes = cases[i].disk_free,
                                .disk_kept_bytes = 10};
        assert_int_equal(limits_full(&l, &u), cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_size_is_read_as_it_is_written),
        cmocka_unit_test(the_closest_limit_says_how_full_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
