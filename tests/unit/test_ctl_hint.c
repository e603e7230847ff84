#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "hint.h"

static void a_slip_finds_the_nearest_name(void **state)
{
    static const char *const names[] = {"status",          "state",  "ls",
                                        "destination add", "replay", "put"};
    static const struct {
        const char *word, *want;
    } cases[] = {
        {"statsu", "status"},
        {"sttaus", "status"},
        {"stat", "state"},
        {"state", "state"},
        {"reply", "replay"},
        {"destinaton add", "destination add"},
        {"destination", "destination add"},
        {"putt", "put"},
        {"ptu", "put"},
        {"sl", "ls"},
        {"kubernetes", NULL},
        {"x", NULL},
        {"", NULL},
        {"a-word-that-is-much-longer-than-any-name-there-is", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got =
            hint_nearest(cases[i].word, names, sizeof names / sizeof *names);
        if (cases[i].want == NULL) {
            assert_null(got);
        } else {
            assert_non_null(got);
            assert_string_equal(got, cases[i].want);
        }
    }
}

static void without_names_nothing_is_near(void **state)
{
    (void)state;
    assert_null(hint_nearest("put", NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slip_finds_the_nearest_name),
        cmocka_unit_test(without_names_nothing_is_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
