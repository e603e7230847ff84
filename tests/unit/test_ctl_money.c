#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "money.h"
#include "number_set.h"

static void amounts_are_read_as_written_or_not_at_all(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"0", "0"},
        {"19.90", "19.90"},
        {"-0.05", "-0.05"},
        {"007.10", "7.10"},
        {"999999999999999.999999999999999999",
         "999999999999999.999999999999999999"},
        {"59.970000000000006", "59.970000000000006"},
        {"", NULL},
        {"-", NULL},
        {".5", NULL},
        {"5.", NULL},
        {"1e3", NULL},
        {"+1", NULL},
        {" 1", NULL},
        {"1 ", NULL},
        {"1,50", NULL},
        {"1.2.3", NULL},
        {"1000000000000000", NULL},
        {"0.0000000000000000001", NULL},
        {"EUR", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct money m = {.whole = 42};
        char out[MONEY_SIZE];
        bool good = money_parse(cases[i].text, &m);
        assert_int_equal(good, cases[i].want != NULL);
        if (good) {
            assert_string_equal(money_text(&m, out), cases[i].want);
        } else {
            assert_int_equal(m.whole, 42);
        }
    }
}

static void sums_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *add[4], *want;
    } cases[] = {
        {{"0.10", "0.20"}, "0.30"},
        {{"0.1", "0.20", "3"}, "3.30"},
        {{"0.999", "0.001"}, "1.000"},
        {{"5", "-5.01"}, "-0.01"},
        {{"-5", "5.01"}, "0.01"},
        {{"-0.6", "-0.6", "0.2"}, "-1.0"},
        {{"1", "2"}, "3"},
        {{"0.1", "-0.1"}, "0.0"},
        {{"999999999999999.99", "0.01"}, "1000000000000000.00"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct money sum = {0};
        char out[MONEY_SIZE];
        for (size_t j = 0; j < 4 && cases[i].add[j] != NULL; j++) {
            struct money m;
            assert_true(money_parse(cases[i].add[j], &m));
            assert_true(money_add(&sum, &m));
        }
        assert_string_equal(money_text(&sum, out), cases[i].want);
    }
}

static void a_sum_never_wraps_round(void **state)
{
    (void)state;
    struct money sum = {0}, m;
    char out[MONEY_SIZE];
    int n = 0;
    assert_true(money_parse("999999999999999", &m));
    while (money_add(&sum, &m)) {
        assert_true(++n < 2000);
    }
    assert_int_equal(n, 1000);
    assert_string_equal(money_text(&sum, out), "999999999999999000");
}

static void a_number_is_new_once(void **state)
{
    (void)state;
    struct number_set set = {0};
    bool is_new;
    char text[16];
    assert_false(number_set_has(&set, "0"));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 5000; i++) {
            (void)snprintf(text, sizeof text, "%d", i);
            assert_true(number_set_add(&set, text, &is_new));
            assert_int_equal(is_new, round == 0);
        }
    }
    assert_int_equal(set.n, 5000);
    assert_true(number_set_has(&set, "4999"));
    assert_false(number_set_has(&set, "5000"));
    assert_false(number_set_has(&set, ""));
    number_set_finish(&set);
    number_set_finish(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amounts_are_read_as_written_or_not_at_all),
        cmocka_unit_test(sums_are_exact),
        cmocka_unit_test(a_sum_never_wraps_round),
        cmocka_unit_test(a_number_is_new_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
