#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "spool/slice.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static bool is(struct json_text text, const char *want)
{
    if (want == NULL || text.at == NULL) {
        return want == NULL && text.at == NULL;
    }
    return text.len == strlen(want) && memcmp(text.at, want, text.len) == 0;
}

static void each_event_has_its_lists_as_they_were_written(void **state)
{
    static const struct {
        const char *answer;
        size_t n, index;
        const char *responses, *campaigns, *search;
    } cases[] = {
        {"{\"responses\":[[]],\"campaigns\":[[]]}", 1, 0, "[]", "[]", NULL},
        {"{\"responses\":[[1],[2],[3]]}", 3, 0, "[1]", NULL, NULL},
        {"{\"responses\":[[1],[2],[3]]}", 3, 1, "[2]", NULL, NULL},
        {"{\"responses\":[[1],[2],[3]]}", 3, 2, "[3]", NULL, NULL},
        {" {\"search\" : [ [ 1 ] , [2] ] }\n", 2, 0, NULL, NULL, "[ 1 ]"},
        {"{\"search\":[[\"a\"]],\"statusCode\":\"SUCCESS\",\"responses\":[[{"
         "\"responses\":[[9],[8]],\"p\":1.50,\"q\":123456789012345678901,"
         "\"r\":\"a\\/b\"}]],\"timestamp\":1,\"campaigns\":[[[]]]}",
         1, 0,
         "[{\"responses\":[[9],[8]],\"p\":1.50,\"q\":123456789012345678901,"
         "\"r\":\"a\\/b\"}]",
         "[[]]", "[\"a\"]"},
        {"{\"r\\u0065sponses\":[[1]]}", 1, 0, "[1]", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct slice slice;
        const char *why = slice_find(cases[i].answer, strlen(cases[i].answer),
                                     cases[i].n, cases[i].index, &slice);
        if (why != NULL || !is(slice.responses, cases[i].responses) ||
            !is(slice.campaigns, cases[i].campaigns) ||
            !is(slice.search, cases[i].search)) {
            fail_msg("case %zu: %s", i, why != NULL ? why : "another slice");
        }
    }
}

static void an_answer_that_does_not_fit_the_batch_has_no_slices(void **state)
{
    static const struct {
        const char *answer;
        const char *words;
    } cases[] = {
        {"", "no JSON object"},
        {"[[1],[2]]", "no JSON object"},
        {"{\"responses\":[[1],[2]]", "no JSON object"},
        {"{\"responses\":[[1],[2]]} x", "no JSON object"},
        {"{\"responses\":[[1],[2]],\"responses\":[[1],[2]]}", "no JSON object"},
        {"{\"responses\":[[1],[\"\xff\"]]}", "no JSON object"},
        {"{}", "no lists"},
        {"{\"statusCode\":\"SUCCESS\"}", "no lists"},
        {"{\"responses\":[]}", "one list for each"},
        {"{\"responses\":[[1]]}", "one list for each"},
        {"{\"responses\":[[1],[2],[3]]}", "one list for each"},
        {"{\"responses\":[[1],[2]],\"campaigns\":[[1]]}", "one list for each"},
        {"{\"responses\":[[1],[2]],\"search\":[]}", "one list for each"},
        {"{\"responses\":[[1],{}]}", "one list for each"},
        {"{\"responses\":[[1],null]}", "one list for each"},
        {"{\"responses\":{\"a\":[1],\"b\":[2]}}", "one list for each"},
        {"{\"responses\":null}", "one list for each"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct slice slice;
        const char *why =
            slice_find(cases[i].answer, strlen(cases[i].answer), 2, 0, &slice);
        if (why == NULL || strstr(why, cases[i].words) == NULL) {
            fail_msg("case %zu: %s", i, why != NULL ? why : "a slice");
        }
        assert_true(slice.responses.at == NULL && slice.campaigns.at == NULL &&
                    slice.search.at == NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_event_has_its_lists_as_they_were_written),
        cmocka_unit_test(an_answer_that_does_not_fit_the_batch_has_no_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
