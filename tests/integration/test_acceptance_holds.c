/* Faults of the account and of the endpoint hold the destination: nothing is
 * consumed, and it resumes without a hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "integration/scene.h"

static void hold_and_get_well(struct scene *s, const char *fault,
                              const char *word, int lanes)
{
    struct checker_report r;
    struct spool_stats stats;
    scene_start(s, fault, lanes, 50);
    scene_put(s, "a", 20, 300, NULL);
    scene_start_flusher(s);
    scene_wait_for_reports(s, SPOOL_REPORT_HELD, 6); /* it probes */
    scene_stats(s, &stats);
    assert_int_equal(stats.delivered, 0);
    assert_int_equal(stats.dead, 0);
    scene_read_destination(s);
    assert_int_equal(s->d.state, DESTINATION_HELD);
    assert_int_equal(s->d.hold_kind, HOLD_FAULT);
    if (strstr(s->d.reason, word) == NULL) {
        fail_msg("%s: \"%s\" says nothing of %s", fault, s->d.reason, word);
    }

    sandbox_child_set_faults(&s->sandbox, "");
    scene_wait_for_reports(s, SPOOL_REPORT_RESUMED, 1);
    scene_wait_for_delivered(s, 300);
    scene_judge(s, &r);
    assert_int_equal(r.delivered, 300);
    assert_int_equal(r.dead, 0);
    assert_int_equal(r.duplicated, 0);
    scene_end(s);
}

static void a_fault_of_the_account_consumes_nothing(void **state)
{
    static const struct {
        const char *fault, *word;
        int lanes;
    } cases[] = {
        {"code=UNVERIFIED_ACCOUNT", "UNVERIFIED_ACCOUNT", 1},
        {"code=NO_ACCOUNT", "NO_ACCOUNT", 1},
        {"status=401", "401", 1},
        {"status=403", "403", 1},
        {"status=404", "404", 1},
        {"status=405", "405", 1},
        {"html", "web page", 1},
        {"status=401", "401", 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hold_and_get_well(*state, cases[i].fault, cases[i].word,
                          cases[i].lanes);
    }
}

static void a_redirect_is_not_followed(void **state)
{
    struct sandbox_child elsewhere;
    char fault[128];
    sandbox_child_start(&elsewhere, NULL);
    (void)snprintf(fault, sizeof fault,
                   "redirect=http://127.0.0.1:%u/add/events/v1.json",
                   elsewhere.port);
    hold_and_get_well(*state, fault, "302", 1);
    assert_int_equal(sandbox_child_count(&elsewhere, "requests"), 0);
    assert_int_equal(sandbox_child_stop(&elsewhere, NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_fault_of_the_account_consumes_nothing,
                                        scene_setup, scene_teardown),
        cmocka_unit_test_setup_teardown(a_redirect_is_not_followed, scene_setup,
                                        scene_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
