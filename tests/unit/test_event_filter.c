#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "events/filter.h"

static const char purchase[] =
    "{\"name\":\"CHECKOUT\",\"step\":\"purchase\",\"totalPrice\":1.50,"
    "\"testMode\":true,\"title\":\"a \\\"b\\\"\",\"x\":null,"
    "\"stadt\":\"K\\u00f6ln\",\"params\":{\"deep\":\"1\"}}";

static void a_filter_takes_what_it_says(void **state)
{
    (void)state;
    static const struct {
        const char *expression;
        bool want;
    } cases[] = {
        {"", true},
        {"  ", true},
        {"name = CHECKOUT", true},
        {"name=CHECKOUT", true},
        {"name = \"CHECKOUT\"", true},
        {"\"name\" = CHECKOUT", true},
        {"name = CHECKOUT and step = purchase", true},
        {"name = CHECKOUT and step = basket", false},
        {"step=purchase and name=PAGE_VIEW", false},
        {"name = checkout", false},
        {"totalPrice = 1.50", true},
        {"totalPrice = 1.5", false},
        {"totalPrice = \"1.50\"", false},
        {"testMode = true", true},
        {"testMode = \"true\"", false},
        {"title = \"a \\\"b\\\"\"", true},
        {"stadt = K\xC3\xB6ln", true},
        {"stadt = \"K\\u00F6ln\"", true},
        {"x = null", false},
        {"deep = 1", false},
        {"params = 1", false},
        {"none = 1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct filter *filter = NULL;
        assert_int_equal(filter_create(cases[i].expression, &filter, NULL),
                         SPOOL_OK);
        if (filter_takes(filter, purchase, sizeof purchase - 1) !=
            cases[i].want) {
            fail_msg("%s", cases[i].expression);
        }
        filter_destroy(filter);
    }
    assert_true(filter_takes(NULL, purchase, sizeof purchase - 1));
}

static void a_wrong_filter_names_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *expression;
        const char *place;
    } cases[] = {
        {"name", "= is missing at character 5"},
        {"name = ", "a value is missing at character 8"},
        {"= x", "a member is missing at character 1"},
        {"name == x", "a value is missing at character 7"},
        {"name = x y = z", "and is missing at character 10"},
        {"name = x or y = z", "and is missing at character 10"},
        {"name = x and", "a member is missing at character 13"},
        {"name = x and and", "= is missing at character 17"},
        {"name = \"x", "a quote is not closed at character 8"},
        {"name = \"\\x\"", "escape at character 9"},
        {"name = 'x'", "a value is missing at character 8"},
        {"(name = x)", "a member is missing at character 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct filter *filter = NULL;
        struct spool_error err;
        assert_int_equal(filter_create(cases[i].expression, &filter, &err),
                         SPOOL_MISUSE);
        assert_null(filter);
        if (strstr(err.message, cases[i].place) == NULL) {
            fail_msg("%s: %s", cases[i].expression, err.message);
        }
    }
}

static void a_filter_has_sixteen_terms(void **state)
{
    (void)state;
    char text[512] = "a=1";
    struct filter *filter = NULL;
    for (int i = 1; i < FILTER_TERMS_MAX; i++) {
        strcat(text, " and a=1");
    }
    assert_int_equal(filter_create(text, &filter, NULL), SPOOL_OK);
    assert_true(filter_takes(filter, "{\"a\":1}", 7));
    filter_destroy(filter);
    strcat(text, " and a=1");
    assert_int_equal(filter_create(text, &filter, NULL), SPOOL_MISUSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_filter_takes_what_it_says),
        cmocka_unit_test(a_wrong_filter_names_the_place),
        cmocka_unit_test(a_filter_has_sixteen_terms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
