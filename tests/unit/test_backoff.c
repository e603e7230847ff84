#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "delivery/backoff.h"

#define DAY_MS ((int64_t)86400000)
#define ROUNDS 20000

struct spread {
    int64_t least, most;
    double mean;
};

/* Seeded, so that a run is the same every time. */
static struct spread backoffs(unsigned attempts, int64_t base, int64_t cap,
                              int64_t asked)
{
    struct rng rng = {42};
    struct spread s = {INT64_MAX, INT64_MIN, 0.0};
    for (int i = 0; i < ROUNDS; i++) {
        int64_t ms = backoff_ms(&rng, attempts, base, cap, asked);
        s.least = ms < s.least ? ms : s.least;
        s.most = ms > s.most ? ms : s.most;
        s.mean += (double)ms / ROUNDS;
    }
    return s;
}

static struct spread probes(unsigned count, int64_t base, int64_t cap)
{
    struct rng rng = {42};
    struct spread s = {INT64_MAX, INT64_MIN, 0.0};
    for (int i = 0; i < ROUNDS; i++) {
        int64_t ms = probe_ms(&rng, count, base, cap);
        s.least = ms < s.least ? ms : s.least;
        s.most = ms > s.most ? ms : s.most;
        s.mean += (double)ms / ROUNDS;
    }
    return s;
}

/* Within the bounds, reaching nearly to both, and evenly in between. */
static void assert_spread(struct spread s, int64_t least, int64_t most)
{
    int64_t slack = (most - least) / 100 + 1;
    assert_in_range(s.least, least, least + slack);
    assert_in_range(s.most, most - slack, most);
    double off = s.mean - ((double)least + (double)most) / 2;
    assert_true(off < (double)slack && off > (double)-slack);
}

static void a_wait_is_anywhere_up_to_a_bound_that_doubles(void **state)
{
    (void)state;
    assert_spread(backoffs(1, 1000000, 90000000, -1), 100001, 1000000);
    assert_spread(backoffs(2, 1000000, 90000000, -1), 100001, 2000000);
    assert_spread(backoffs(5, 1000000, 90000000, -1), 100001, 16000000);
    assert_spread(backoffs(8, 1000000, 90000000, -1), 100001, 90000000);
}

static void no_number_of_attempts_overflows(void **state)
{
    (void)state;
    static const unsigned attempts[] = {31, 32, 33, 62, 63, 64, 65, UINT32_MAX};
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        assert_spread(backoffs(attempts[i], 1000000, 90000000, -1), 100001,
                      90000000);
        struct spread s = backoffs(attempts[i], 1, INT64_MAX, -1);
        assert_true(s.least > 0);
        s = backoffs(attempts[i], INT64_MAX, INT64_MAX, -1);
        assert_true(s.least > 0);
    }
}

static void a_wait_is_never_nothing(void **state)
{
    (void)state;
    assert_int_equal(backoffs(1, 1, 1, -1).least, 1);
    assert_int_equal(backoffs(1, 5, 100, -1).least, 1);
    /* A cap below the floor is still a cap. */
    assert_int_equal(backoffs(9, 1000, 10, -1).most, 10);
}

static void retry_after_is_the_soonest(void **state)
{
    (void)state;
    assert_spread(backoffs(1, 100, 1000, 5000000), 5000000, 5500000);
    /* A short one leaves the longer backoff alone but for its beginning. */
    struct spread s = backoffs(1, 1000000, 1000000, 500000);
    assert_true(s.least >= 500000);
    assert_true(s.most > 990000);
    s = backoffs(1, 1000000, 1000000, 0);
    assert_int_equal(s.most, backoffs(1, 1000000, 1000000, -1).most);
}

static void retry_after_is_clamped_to_a_day(void **state)
{
    (void)state;
    assert_spread(backoffs(1, 100, 1000, DAY_MS * 365), DAY_MS,
                  DAY_MS + DAY_MS / 10);
    assert_spread(backoffs(1, 100, 1000, INT64_MAX), DAY_MS,
                  DAY_MS + DAY_MS / 10);
}

static void probes_grow_and_keep_half(void **state)
{
    (void)state;
    assert_spread(probes(0, 1000000, 90000000), 500000, 1000000);
    assert_spread(probes(1, 1000000, 90000000), 1000000, 2000000);
    assert_spread(probes(4, 1000000, 90000000), 8000000, 16000000);
    assert_spread(probes(7, 1000000, 90000000), 45000000, 90000000);
    assert_spread(probes(UINT32_MAX, 1000000, 90000000), 45000000, 90000000);
    assert_int_equal(probes(0, 1, 1).least, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_is_anywhere_up_to_a_bound_that_doubles),
        cmocka_unit_test(no_number_of_attempts_overflows),
        cmocka_unit_test(a_wait_is_never_nothing),
        cmocka_unit_test(retry_after_is_the_soonest),
        cmocka_unit_test(retry_after_is_clamped_to_a_day),
        cmocka_unit_test(probes_grow_and_keep_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
