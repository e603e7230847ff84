#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "spool/answers.h"

static int setup(void **state)
{
    *state = answers_create();
    return *state == NULL;
}

static int teardown(void **state)
{
    answers_destroy(*state);
    return 0;
}

/* The answer to a batch of up to three events of a destination. */
static void land(struct answers *a, int64_t destination, const int64_t ids[3],
                 const char *body, size_t len, bool cut)
{
    struct destination d = {.id = destination};
    struct batch_event events[3];
    struct batch b = {.events = events};
    for (; b.n < 3 && ids[b.n] != 0; b.n++) {
        events[b.n] = (struct batch_event){.id = ids[b.n]};
    }
    struct reply reply = {.body = body, .body_len = len, .body_cut = cut};
    answers_land(a, &d, &b, &reply);
}

static void land_text(struct answers *a, int64_t destination, int64_t first,
                      const char *body)
{
    land(a, destination, (const int64_t[3]){first, first + 1}, body,
         strlen(body), false);
}

static bool has_landed(struct answers *a, struct wait *w)
{
    return answers_await(a, w, clock_mono_ms(&clock_system));
}

static void assert_answer(struct answers *a, struct wait *w, const char *body,
                          size_t index)
{
    assert_true(has_landed(a, w));
    assert_int_equal(w->landing->len, strlen(body));
    assert_memory_equal(w->landing->body, body, strlen(body));
    assert_int_equal(w->index, index);
    assert_false(w->landing->cut);
}

static void an_answer_that_lands_before_the_id_is_known_is_kept(void **state)
{
    struct answers *a = *state;
    struct wait w;
    answers_begin(a, &w, 7);
    land_text(a, 7, 1, "first");
    land_text(a, 8, 3, "of another destination");
    land_text(a, 7, 3, "mine");
    land_text(a, 7, 5, "last");
    answers_name(a, &w, 4);
    assert_answer(a, &w, "mine", 1);
    answers_end(a, &w);
}

static void an_answer_that_lands_later_is_given(void **state)
{
    struct answers *a = *state;
    struct wait w;
    answers_begin(a, &w, 7);
    answers_name(a, &w, 3);
    assert_false(has_landed(a, &w));
    land_text(a, 7, 1, "not mine");
    land_text(a, 8, 3, "of another destination");
    assert_false(has_landed(a, &w));
    land_text(a, 7, 3, "mine");
    land_text(a, 7, 3, "sent once more");
    assert_answer(a, &w, "mine", 0);
    answers_end(a, &w);
}

static void those_who_wait_for_one_batch_share_its_answer(void **state)
{
    struct answers *a = *state;
    struct wait early, late, same;
    answers_begin(a, &early, 7);
    answers_begin(a, &late, 7);
    answers_begin(a, &same, 7);
    answers_name(a, &early, 2);
    answers_name(a, &same, 2);
    land_text(a, 7, 1, "ours");
    answers_name(a, &late, 1);
    assert_answer(a, &early, "ours", 1);
    answers_end(a, &early);
    assert_answer(a, &same, "ours", 1);
    answers_end(a, &same);
    assert_answer(a, &late, "ours", 0);
    answers_end(a, &late);
}

static void an_event_has_an_answer_at_each_destination(void **state)
{
    struct answers *a = *state;
    struct wait here, there, late;
    answers_begin(a, &here, 7);
    answers_begin(a, &there, 8);
    answers_begin(a, &late, 8);
    answers_name(a, &here, 1);
    answers_name(a, &there, 1);
    land_text(a, 7, 1, "here");
    land_text(a, 8, 1, "there");
    answers_name(a, &late, 1);
    assert_answer(a, &here, "here", 0);
    assert_answer(a, &there, "there", 0);
    assert_answer(a, &late, "there", 0);
    answers_end(a, &here);
    answers_end(a, &there);
    answers_end(a, &late);
}

static void nothing_is_kept_for_a_wait_that_ended_or_is_named(void **state)
{
    struct answers *a = *state;
    struct wait named, failed, w;
    answers_begin(a, &named, 7);
    answers_name(a, &named, 9);
    land_text(a, 7, 1, "of nobody");
    answers_begin(a, &failed, 7);
    land_text(a, 7, 3, "kept for a while");
    answers_end(a, &failed); /* its put failed: it never had a name */
    answers_begin(a, &w, 7);
    answers_name(a, &w, 1);
    assert_false(has_landed(a, &w));
    answers_end(a, &w);
    answers_begin(a, &w, 7);
    answers_name(a, &w, 3);
    assert_false(has_landed(a, &w));
    answers_end(a, &w);
    answers_end(a, &named);
}

static void what_is_kept_has_a_limit(void **state)
{
    enum { LEN = 64 * 1024, N = 64 };
    struct answers *a = *state;
    struct wait old, young, slow;
    char *body = calloc(1, LEN);
    assert_non_null(body);
    answers_begin(a, &old, 7);
    answers_begin(a, &young, 7);
    answers_begin(a, &slow, 7);
    for (int64_t i = 1; i <= N; i++) {
        land(a, 7, (const int64_t[3]){i}, body, LEN, false);
    }
    free(body);
    answers_name(a, &old, 1);
    assert_false(has_landed(a, &old));
    answers_name(a, &young, N);
    assert_true(has_landed(a, &young));
    assert_int_equal(young.landing->len, LEN);
    answers_end(a, &old);
    answers_end(a, &slow);
    /* It holds what it was given, whatever is dropped. */
    assert_int_equal(young.landing->body[LEN - 1], '\0');
    answers_end(a, &young);
}

static void an_answer_longer_than_what_is_kept_says_so(void **state)
{
    struct answers *a = *state;
    struct wait w;
    answers_begin(a, &w, 7);
    answers_name(a, &w, 1);
    land(a, 7, (const int64_t[3]){1}, "[[[[", 4, true);
    assert_true(has_landed(a, &w));
    assert_true(w.landing->cut);
    assert_int_equal(w.landing->len, 0);
    answers_end(a, &w);
}

enum { THREADS = 4, ROUNDS = 2000 };

struct producer {
    struct answers *a;
    int64_t first;
    size_t wrong; /* answers that were not the event's */
    pthread_t thread;
};

/* Each event lands by itself, before or behind its name. */
static void *produce(void *arg)
{
    struct producer *p = arg;
    for (int64_t i = 0; i < ROUNDS; i++) {
        int64_t id = p->first + i;
        char body[32];
        struct wait w;
        (void)snprintf(body, sizeof body, "%lld", (long long)id);
        answers_begin(p->a, &w, 7);
        if (i % 2 == 0) {
            answers_name(p->a, &w, id);
        }
        land(p->a, 7, (const int64_t[3]){id}, body, strlen(body), false);
        if (i % 2 == 1) {
            answers_name(p->a, &w, id);
        }
        p->wrong += has_landed(p->a, &w) && w.landing->len == strlen(body) &&
                            memcmp(w.landing->body, body, strlen(body)) == 0
                        ? 0
                        : 1;
        answers_end(p->a, &w);
    }
    return NULL;
}

static void threads_do_not_get_into_each_others_way(void **state)
{
    struct producer producers[THREADS];
    for (int64_t i = 0; i < THREADS; i++) {
        producers[i] = (struct producer){.a = *state, .first = i * ROUNDS + 1};
        assert_int_equal(
            pthread_create(&producers[i].thread, NULL, produce, &producers[i]),
            0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(producers[i].thread, NULL), 0);
        assert_int_equal(producers[i].wrong, 0);
    }
}

static void *land_one(void *arg)
{
    land_text(arg, 7, 1, "woke me");
    return NULL;
}

static void a_landing_wakes_who_waits(void **state)
{
    struct answers *a = *state;
    struct wait w;
    pthread_t thread;
    answers_begin(a, &w, 7);
    answers_name(a, &w, 1);
    assert_int_equal(pthread_create(&thread, NULL, land_one, a), 0);
    assert_true(
        answers_await(a, &w, clock_mono_ms(&clock_system) + 3600 * 1000));
    assert_int_equal(pthread_join(thread, NULL), 0);
    answers_end(a, &w);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(an_answer_that_lands_before_the_id_is_known_is_kept),
        FACT(an_answer_that_lands_later_is_given),
        FACT(those_who_wait_for_one_batch_share_its_answer),
        FACT(an_event_has_an_answer_at_each_destination),
        FACT(nothing_is_kept_for_a_wait_that_ended_or_is_named),
        FACT(what_is_kept_has_a_limit),
        FACT(an_answer_longer_than_what_is_kept_says_so),
        FACT(threads_do_not_get_into_each_others_way),
        FACT(a_landing_wakes_who_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
