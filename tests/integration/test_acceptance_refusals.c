/* An endpoint that refuses: one bad event costs one event, and an endpoint that
 * suddenly refuses everything costs next to none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "integration/scene.h"

static void three_bad_events_cost_three_events(void **state)
{
    struct scene *s = *state;
    static const int bad[] = {17, 499, 983, -1};
    struct checker_report r;
    struct spool_error err;
    scene_start(s, "bad-input-if=BAD-APPLE", 1, 250);
    scene_put(s, "a", 100, 1000, bad);
    assert_int_equal(spool_flush(s->spool, NULL, 30000, &s->options, &err),
                     SPOOL_UNFINISHED); /* the dead are left */
    scene_judge(s, &r);
    assert_int_equal(r.dead, 3);
    assert_int_equal(r.delivered, 997);
    assert_int_equal(r.duplicated, 0);
    assert_int_equal(s->reports[SPOOL_REPORT_DEAD], 3);
    assert_in_range(sandbox_child_count(&s->sandbox, "requests"), 4, 60);
    scene_end(s);
}

/* Refused until it is well; then the rest arrives, and the dead by a replay. */
static void refuse_all_for_a_while(struct scene *s, int lanes)
{
    struct checker_report r;
    struct spool_stats stats;
    scene_start(s, "refuse-all", lanes, 100);
    scene_put(s, "a", 50, 1000, NULL);
    scene_start_flusher(s);
    scene_wait_for_reports(s, SPOOL_REPORT_HELD, 5);
    scene_stats(s, &stats);
    assert_int_equal(stats.delivered, 0);
    assert_in_range(stats.dead, 0, 20);
    scene_read_destination(s);
    assert_int_equal(s->d.state, DESTINATION_HELD);
    assert_int_equal(s->d.hold_kind, HOLD_REFUSING);

    sandbox_child_set_faults(&s->sandbox, "");
    scene_wait_for_delivered(s, 1000 - (long)stats.dead);
    scene_read_destination(s);
    assert_int_equal(s->d.state, DESTINATION_RUNNING);
    assert_int_equal(scene_replay_dead(s), stats.dead);
    scene_wait_for_delivered(s, 1000);
    scene_judge(s, &r);
    assert_int_equal(r.delivered, 1000);
    assert_int_equal(r.duplicated, 0);
    assert_int_equal(r.dead, 0);
    scene_end(s);
}

static void an_endpoint_that_refuses_all_is_held(void **state)
{
    refuse_all_for_a_while(*state, 1);
}

static void lanes_do_not_multiply_the_dead(void **state)
{
    refuse_all_for_a_while(*state, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(three_bad_events_cost_three_events,
                                        scene_setup, scene_teardown),
        cmocka_unit_test_setup_teardown(an_endpoint_that_refuses_all_is_held,
                                        scene_setup, scene_teardown),
        cmocka_unit_test_setup_teardown(lanes_do_not_multiply_the_dead,
                                        scene_setup, scene_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
