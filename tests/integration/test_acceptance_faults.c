/* An endpoint that fails in every way it can between good answers: everything
 * arrives, in order within its session, and what arrives twice does so because
 * of an answer that was uncertain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "integration/scene.h"

/* Most requests meet one of them. */
#define FAULTS                                                                 \
    "status=503:rate=10:seed=1\n"                                              \
    "retry-after=0:rate=10:seed=2\n"                                           \
    "status=500:rate=10:seed=3\n"                                              \
    "store-then-500:rate=5:seed=4\n"                                           \
    "close-before:rate=10:seed=5\n"                                            \
    "close-after:rate=10:seed=6\n"                                             \
    "cut:rate=10:seed=7\n"                                                     \
    "reset-half:rate=3:seed=8\n"                                               \
    "drop-after:rate=3:seed=9\n"                                               \
    "retry-after=1:every=97\n"

static void check_that_all_arrived(struct scene *s)
{
    struct checker_report r;
    scene_judge(s, &r);
    assert_int_equal(r.delivered, s->put);
    /* The faults have struck. */
    assert_true(r.duplicated > 0);
    assert_true(s->reports[SPOOL_REPORT_RETRY] > 0);
    assert_true(s->reports[SPOOL_REPORT_UNCERTAIN] > 0);
}

static void everything_arrives_through_every_fault(void **state)
{
    struct scene *s = *state;
    scene_start(s, FAULTS, 1, 50);
    scene_put(s, "a", 100, 3000, NULL);
    scene_flush(s);
    check_that_all_arrived(s);
    scene_end(s);
}

struct producer {
    struct scene *scene;
    const char *who;
    pthread_t thread;
};

static void *produce(void *arg)
{
    struct producer *p = arg;
    scene_put(p->scene, p->who, 25, 750, NULL);
    return NULL;
}

static void lanes_keep_the_order_while_threads_put(void **state)
{
    struct scene *s = *state;
    struct producer producers[] = {
        {.who = "a"}, {.who = "b"}, {.who = "c"}, {.who = "d"}};
    scene_start(s, FAULTS, 4, 20);
    scene_start_flusher(s);
    for (size_t i = 0; i < 4; i++) {
        producers[i].scene = s;
        assert_int_equal(
            pthread_create(&producers[i].thread, NULL, produce, &producers[i]),
            0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(producers[i].thread, NULL), 0);
    }
    scene_wait_for_delivered(s, 3000);
    check_that_all_arrived(s);
    scene_end(s);
}

static void a_stop_in_the_middle_costs_nothing(void **state)
{
    struct scene *s = *state;
    scene_start(s, FAULTS, 2, 20);
    scene_put(s, "a", 50, 1500, NULL);
    for (long part = 1; part <= 5; part++) {
        scene_start_flusher(s);
        scene_wait_for_delivered(s, part * 150);
        scene_stop_flusher(s);
    }
    scene_flush(s);
    check_that_all_arrived(s);
    scene_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_arrives_through_every_fault,
                                        scene_setup, scene_teardown),
        cmocka_unit_test_setup_teardown(lanes_keep_the_order_while_threads_put,
                                        scene_setup, scene_teardown),
        cmocka_unit_test_setup_teardown(a_stop_in_the_middle_costs_nothing,
                                        scene_setup, scene_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
