/* Jobs are done one after another on another thread and told of on the loop's,
 * in the order in which they came. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "delivery/job_thread.h"

#define JOBS 100

struct errand {
    struct job job;
    struct scene *scene;
    int number;
};

struct scene {
    struct job_thread thread;
    uv_loop_t loop;
    pthread_t loops;
    struct errand errands[JOBS];
    int ran, told, given;
    int wrong_ran, wrong_told; /* not in turn, or on the other thread */
    bool closed;
};

static void run(void *arg)
{
    struct errand *e = arg;
    struct scene *s = e->scene;
    s->wrong_ran +=
        pthread_equal(pthread_self(), s->loops) || e->number != s->ran;
    s->ran++;
}

static void closed(uv_handle_t *handle)
{
    struct scene *s = handle->data;
    s->closed = true;
}

static void give(struct scene *s);

static void done(void *arg)
{
    struct errand *e = arg;
    struct scene *s = e->scene;
    s->wrong_told +=
        !pthread_equal(pthread_self(), s->loops) || e->number != s->told;
    s->told++;
    if (s->told == JOBS) {
        job_thread_stop(&s->thread);
        job_thread_detach(&s->thread, s, closed);
    } else {
        give(s);
    }
}

static void give(struct scene *s)
{
    if (s->given < JOBS) {
        struct errand *e = &s->errands[s->given];
        *e = (struct errand){.scene = s, .number = s->given++};
        e->job = (struct job){.run = run, .done = done, .arg = e};
        job_thread_do(&s->thread, &e->job);
    }
}

/* Each job that is told of gives the next; `first` of them are out at once. */
static void jobs_in_turn(int first)
{
    struct scene s = {.loops = pthread_self()};
    assert_int_equal(uv_loop_init(&s.loop), 0);
    assert_int_equal(job_thread_start(&s.thread), 0);
    job_thread_attach(&s.thread, &s.loop);
    for (int i = 0; i < first; i++) {
        give(&s);
    }
    (void)uv_run(&s.loop, UV_RUN_DEFAULT);
    assert_int_equal(s.ran, JOBS);
    assert_int_equal(s.told, JOBS);
    assert_int_equal(s.wrong_ran, 0);
    assert_int_equal(s.wrong_told, 0);
    assert_true(s.closed);
    assert_int_equal(uv_loop_close(&s.loop), 0);
}

static void one_job_after_another(void **state)
{
    (void)state;
    jobs_in_turn(1);
}

static void several_wait_in_turn(void **state)
{
    (void)state;
    jobs_in_turn(7);
}

static void all_at_once(void **state)
{
    (void)state;
    jobs_in_turn(JOBS);
}

static void ends_without_a_job(void **state)
{
    (void)state;
    struct job_thread w;
    assert_int_equal(job_thread_start(&w), 0);
    job_thread_stop(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_job_after_another),
        cmocka_unit_test(several_wait_in_turn),
        cmocka_unit_test(all_at_once),
        cmocka_unit_test(ends_without_a_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
