/* Requests whose answer does not come: uncertain, counted, and sent again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "integration/scene.h"

static void answers_that_come_too_late_are_uncertain(void **state)
{
    static const struct {
        const char *fault;
        long duplicated; /* events */
    } cases[] = {
        {"hang:first=3", 0},      /* nothing was kept */
        {"slow=2000:first=3", 15} /* kept each time: the first batch, and that
                                     of five which follows a failure */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene *s = *state;
        struct checker_report r;
        scene_start(s, cases[i].fault, 1, 5);
        s->options.request_timeout_ms = 200;
        scene_put(s, "a", 10, 100, NULL);
        scene_flush(s);
        scene_judge(s, &r);
        assert_int_equal(r.delivered, 100);
        assert_int_equal(r.duplicated, cases[i].duplicated);
        assert_int_equal(s->reports[SPOOL_REPORT_UNCERTAIN], 3);
        scene_end(s);
    }
}

/* Where a client library might send the request once more by itself. */
static void a_connection_that_dies_at_reuse_sends_no_second_copy(void **state)
{
    struct scene *s = *state;
    struct checker_report r;
    scene_start(s, "close-idle:every=3\nclose-kept:every=7", 1, 10);
    scene_put(s, "a", 30, 600, NULL);
    scene_flush(s);
    scene_judge(s, &r);
    assert_int_equal(r.delivered, 600);
    assert_int_equal(r.duplicated, 0); /* close-idle keeps nothing */
    assert_true(s->reports[SPOOL_REPORT_UNCERTAIN] +
                    s->reports[SPOOL_REPORT_RETRY] >
                5);
    scene_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            answers_that_come_too_late_are_uncertain, scene_setup,
            scene_teardown),
        cmocka_unit_test_setup_teardown(
            a_connection_that_dies_at_reuse_sends_no_second_copy, scene_setup,
            scene_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
