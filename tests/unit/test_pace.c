/* The rate of a destination: pure, so a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "delivery/pace.h"

/* Sends batches of n whenever it may, from `from` ms for `ms`. How many. */
static int64_t send_for(struct pace *p, int64_t n, int64_t from, int64_t ms)
{
    int64_t sent = 0;
    for (int64_t now = from; now < from + ms; now++) {
        while (pace_wait_ms(p, now) == 0) {
            pace_spend(p, n);
            sent += n;
        }
    }
    return sent;
}

static void the_rate_holds_whatever_the_size_of_a_batch(void **state)
{
    static const int64_t rates[] = {1, 7, 100, 2500};
    static const int64_t sizes[] = {1, 3, 50, 1000};
    (void)state;
    for (size_t r = 0; r < 4; r++) {
        for (size_t s = 0; s < 4; s++) {
            struct pace p = {0};
            pace_set(&p, rates[r], 5000);
            int64_t sent = send_for(&p, sizes[s], 5000, 100000);
            int64_t want = rates[r] * 100;
            int64_t last = 1 + rates[r] / 1000; /* of the last ms */
            assert_in_range(sent, want - last, want + sizes[s]);
        }
    }
}

static void a_wait_is_as_long_as_it_says(void **state)
{
    struct pace p = {0};
    (void)state;
    pace_set(&p, 10, 0);
    assert_int_equal(pace_wait_ms(&p, 0), 0);
    pace_spend(&p, 50);
    int64_t wait = pace_wait_ms(&p, 0);
    assert_in_range(wait, 4999, 5001);
    assert_int_not_equal(pace_wait_ms(&p, wait - 2), 0);
    assert_int_equal(pace_wait_ms(&p, wait), 0);
}

static void a_rest_saves_up_one_second_and_no_more(void **state)
{
    struct pace p = {0};
    (void)state;
    pace_set(&p, 20, 0);
    assert_int_equal(pace_wait_ms(&p, INT64_C(1) << 40), 0);
    int64_t burst = send_for(&p, 1, INT64_C(1) << 40, 1);
    assert_int_equal(burst, 20);
}

static void without_a_rate_nothing_waits(void **state)
{
    struct pace p = {0};
    (void)state;
    pace_set(&p, 0, 7);
    pace_spend(&p, 1000000);
    assert_int_equal(pace_wait_ms(&p, 7), 0);
    pace_set(&p, 5, 8);
    assert_int_equal(pace_wait_ms(&p, 8), 0);
}

static void a_debt_outlives_a_change_of_the_rate(void **state)
{
    struct pace p = {0};
    (void)state;
    pace_set(&p, 10, 0);
    pace_spend(&p, 100);
    pace_set(&p, 1000, 0);
    assert_in_range(pace_wait_ms(&p, 0), 99, 101);
    pace_set(&p, 0, 1);
    assert_int_equal(pace_wait_ms(&p, 1), 0);
}

static void a_clock_that_stands_still_gives_nothing_away(void **state)
{
    struct pace p = {0};
    (void)state;
    pace_set(&p, 10, 1000);
    pace_spend(&p, 5);
    int64_t wait = pace_wait_ms(&p, 1000);
    assert_int_equal(pace_wait_ms(&p, 1000), wait);
    assert_int_equal(pace_wait_ms(&p, 0), wait);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rate_holds_whatever_the_size_of_a_batch),
        cmocka_unit_test(a_wait_is_as_long_as_it_says),
        cmocka_unit_test(a_rest_saves_up_one_second_and_no_more),
        cmocka_unit_test(without_a_rate_nothing_waits),
        cmocka_unit_test(a_debt_outlives_a_change_of_the_rate),
        cmocka_unit_test(a_clock_that_stands_still_gives_nothing_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
