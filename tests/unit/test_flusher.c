/* The flusher with a sender that answers by a script: no network, no sleeping;
 * what it would wait for is told by its reports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "delivery/flusher.h"
#include "delivery/lane.h"
#include "support/box.h"

enum answer { OK, E503, E429, E401, LOST, UNSENT, BAD };

struct scene;

/* One request; answered from the loop's next turn. */
struct http_post {
    struct scene *scene;
    http_done *done;
    void *arg;
    struct http_post *next;
};

struct http {
    struct scene *scene;
    uv_idle_t idle;
    struct http_post *first;
    bool mute; /* never answers */
    void (*closed)(void *arg);
    void *closed_arg;
};

struct scene {
    struct fixture *f;
    uv_loop_t loop;
    struct flusher *flusher;
    const enum answer *script;
    size_t script_n, requests;
    char bodies[64][256];
    char keys[64][UUID_SIZE];
    char told[1024]; /* the reports, a word each */
    int64_t last_wait;
    int64_t wall_off;  /* how far the wall clock is off */
    int64_t wall_jump; /* set by so much while a retry is waited for */
    bool wake_on_jump;
    uv_timer_t jump, guard;
    bool mute;
    bool stopped;
    int posts_open;
};

static struct scene *current; /* the sender's table has no argument for it */

static void answer_one(uv_idle_t *idle)
{
    struct http *h = idle->data;
    struct scene *s = h->scene;
    struct http_post *post = h->first;
    if (post == NULL) {
        (void)uv_idle_stop(idle);
        return;
    }
    h->first = post->next;
    static const struct reply replies[] = {
        [OK] = {.http = 200,
                .body = "{\"statusCode\":\"SUCCESS\"}",
                .body_len = 24},
        [E503] = {.http = 503, .body = "", .body_len = 0},
        [E429] = {.http = 429, .body = "", .retry_after = "7"},
        [E401] = {.http = 401, .body = ""},
        [LOST] = {.transport = TRANSPORT_LOST, .body = "", .error = "lost"},
        [UNSENT] = {.transport = TRANSPORT_UNSENT,
                    .body = "",
                    .error = "refused"},
        [BAD] = {.http = 200,
                 .body = "{\"statusCode\":\"BAD_INPUT\"}",
                 .body_len = 26},
    };
    size_t i = s->requests++;
    struct reply reply = replies[i < s->script_n ? s->script[i] : OK];
    reply.content_type = "application/json";
    reply.error = reply.error == NULL ? "" : reply.error;
    s->posts_open--;
    post->done(post->arg, &reply);
    free(post);
}

static enum spool_status fake_create(struct uv_loop_s *loop,
                                     const struct http_options *options,
                                     struct http **out, struct spool_error *err)
{
    (void)options;
    (void)err;
    struct http *h = calloc(1, sizeof *h);
    assert_non_null(h);
    h->scene = current;
    (void)uv_idle_init(loop, &h->idle);
    h->idle.data = h;
    *out = h;
    return SPOOL_OK;
}

static enum spool_status
fake_post(struct http *h, const struct http_request *request, http_done *done,
          void *arg, struct http_post **out, struct spool_error *err)
{
    (void)err;
    struct scene *s = h->scene;
    struct http_post *post = calloc(1, sizeof *post);
    assert_non_null(post);
    *post = (struct http_post){s, done, arg, h->first};
    h->first = post;
    s->posts_open++;
    assert_int_equal(s->posts_open, 1); /* one lane: one in flight */
    size_t n = s->requests < 64 ? s->requests : 63;
    (void)snprintf(s->bodies[n], sizeof s->bodies[n], "%.*s",
                   (int)request->body_len, (const char *)request->body);
    for (size_t i = 0; request->headers[i] != NULL; i++) {
        (void)sscanf(request->headers[i], "Idempotency-Key: %36s", s->keys[n]);
    }
    if (!s->mute) {
        (void)uv_idle_start(&h->idle, answer_one);
    }
    *out = post;
    return SPOOL_OK;
}

static void fake_cancel(struct http *h, struct http_post *post)
{
    assert_ptr_equal(h->first, post);
    h->first = NULL;
    h->scene->posts_open--;
    free(post);
}

static void fake_closed(uv_handle_t *handle)
{
    struct http *h = handle->data;
    h->closed(h->closed_arg);
    free(h);
}

static void fake_destroy(struct http *h, void (*closed)(void *arg), void *arg)
{
    assert_null(h->first);
    h->closed = closed;
    h->closed_arg = arg;
    uv_close((uv_handle_t *)&h->idle, fake_closed);
}

static const struct sender_ops fake_sender = {fake_create, fake_post,
                                              fake_cancel, fake_destroy};

/* A flusher begins with them. */
static const struct lanes *lanes_of(const struct scene *s)
{
    return (const struct lanes *)s->flusher;
}

static void jump(uv_timer_t *timer)
{
    struct scene *s = timer->data;
    s->wall_off += s->wall_jump;
    if (s->wake_on_jump) { /* as the flusher does each second */
        for (struct lane *l = lanes_of(s)->first; l != NULL; l = l->next) {
            lane_wake(l, true);
        }
    }
}

/* Ends a test that would wait for a wall clock. */
static void give_up(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void note_report(void *arg, const struct spool_report *r)
{
    static const char *const words[] = {
        [SPOOL_REPORT_DELIVERED] = "delivered",
        [SPOOL_REPORT_RETRY] = "retry",
        [SPOOL_REPORT_UNCERTAIN] = "uncertain",
        [SPOOL_REPORT_SPLIT] = "split",
        [SPOOL_REPORT_DEAD] = "dead",
        [SPOOL_REPORT_HELD] = "held",
        [SPOOL_REPORT_RESUMED] = "resumed",
        [SPOOL_REPORT_DAMAGED] = "damaged",
        [SPOOL_REPORT_TROUBLE] = "trouble",
        [SPOOL_REPORT_STOPPED] = "stopped",
    };
    struct scene *s = arg;
    size_t n = strlen(s->told);
    (void)snprintf(s->told + n, sizeof s->told - n, "%s%s", n > 0 ? " " : "",
                   words[r->kind]);
    if (r->kind == SPOOL_REPORT_RETRY || r->kind == SPOOL_REPORT_HELD) {
        s->last_wait = r->wait_ms;
    }
    if (s->wall_jump != 0 && s->wall_off == 0 &&
        (r->kind == SPOOL_REPORT_RETRY || r->kind == SPOOL_REPORT_HELD)) {
        (void)uv_timer_start(&s->jump, jump, 20, 0);
    }
}

static void note_stopped(void *arg)
{
    ((struct scene *)arg)->stopped = true;
}

static void stop_when_idle(void *arg)
{
    struct scene *s = arg;
    (void)s;
    uv_stop(&s->loop);
}

/* arg: how far the wall clock is off. */
static int64_t real_wall(void *arg)
{
    return clock_wall_ms(&clock_system) + *(const int64_t *)arg;
}

static int64_t real_mono(void *arg)
{
    (void)arg;
    return clock_mono_ms(&clock_system);
}

/* The real clock, since the loop's timers run by it; backoff of 1 to 2 ms. */
static void scene_open(struct scene *s, void **state)
{
    struct spool_error err;
    memset(s, 0, sizeof *s);
    s->f = *state;
    s->f->clock = (struct clock){real_wall, real_mono, &s->wall_off};
    s->f->d.backoff_base_ms = 1;
    s->f->d.backoff_cap_ms = 2;
    assert_int_equal(destination_set(s->f->box, &s->f->d, &err), SPOOL_OK);
    assert_int_equal(uv_loop_init(&s->loop), 0);
    current = s;
}

static void scene_start(struct scene *s, bool foreground)
{
    struct spool_error err;
    struct flusher_options options = {.box = s->f->box,
                                      .loop = &s->loop,
                                      .sender = &fake_sender,
                                      .foreground = foreground,
                                      .idle = stop_when_idle,
                                      .report = note_report,
                                      .arg = s,
                                      .stop_grace_ms = 1,
                                      .keep_ms = -1};
    if (flusher_start(&options, &s->flusher, &err) != SPOOL_OK) {
        fail_msg("%s", err.message);
    }
}

static void scene_close(struct scene *s)
{
    flusher_stop(s->flusher, note_stopped, s);
    (void)uv_run(&s->loop, UV_RUN_DEFAULT);
    assert_true(s->stopped);
    assert_int_equal(uv_loop_close(&s->loop), 0);
    fixture_verify(s->f);
}

/* Puts n events, answers by the script until nothing waits. */
static void drain(struct scene *s, void **state, int n,
                  const enum answer *script, size_t script_n)
{
    scene_open(s, state);
    s->script = script;
    s->script_n = script_n;
    fixture_put(s->f, n);
    scene_start(s, true);
    (void)uv_run(&s->loop, UV_RUN_DEFAULT);
    scene_close(s);
}

static void expect_states(struct scene *s, size_t n, const char *want)
{
    char states[64];
    assert_string_equal(fixture_states(s->f, states, n), want);
}

static void it_delivers_everything_in_order(void **state)
{
    struct scene s;
    drain(&s, state, 6, NULL, 0);
    assert_string_equal(s.told, "delivered delivered");
    assert_string_equal(s.bodies[0],
                        "[{\"n\":1},{\"n\":2},{\"n\":3},{\"n\":4}]");
    assert_string_equal(s.bodies[1], "[{\"n\":5},{\"n\":6}]");
    expect_states(&s, 6, "dddddd");
}

static void what_failed_goes_out_again_unchanged(void **state)
{
    static const enum answer script[] = {E503, LOST, UNSENT, OK};
    struct scene s;
    drain(&s, state, 4, script, 4);
    assert_string_equal(s.told, "retry uncertain retry delivered");
    for (int i = 1; i < 4; i++) {
        assert_string_equal(s.bodies[i], s.bodies[0]);
        assert_string_equal(s.keys[i], s.keys[0]);
    }
    assert_int_equal(strlen(s.keys[0]), 36);
    expect_states(&s, 4, "dddd");
}

static int count_events(const char *body)
{
    int n = 0;
    for (; *body != '\0'; body++) {
        n += *body == '{' ? 1 : 0;
    }
    return n;
}

static void after_a_failure_it_starts_slowly(void **state)
{
    static const enum answer script[] = {E503};
    struct scene s;
    struct spool_error err;
    ((struct fixture *)*state)->d.batch_events = 12;
    scene_open(&s, state);
    s.script = script;
    s.script_n = 1;
    fixture_put(s.f, 1);
    assert_int_equal(destination_set(s.f->box, &s.f->d, &err), SPOOL_OK);
    scene_start(&s, true);
    while (s.posts_open == 0) {
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    }
    /* The first batch is under way with one event; now many wait. */
    fixture_put(s.f, 30);
    (void)uv_run(&s.loop, UV_RUN_DEFAULT);
    scene_close(&s);
    expect_states(&s, 31, "ddddddddddddddddddddddddddddddd");
    /* The event that failed, then twice the first window, not 12. */
    assert_int_equal(count_events(s.bodies[1]), 1);
    assert_int_equal(count_events(s.bodies[2]), 10);
    assert_int_equal(count_events(s.bodies[3]), 12);
}

static void
what_was_taken_ahead_waits_until_the_one_before_arrives(void **state)
{
    static const enum answer script[] = {E503, LOST, OK, BAD};
    struct scene s;
    drain(&s, state, 12, script, 4);
    /* 1-4 twice more, 5-8 refused and split, 9-12 behind them */
    assert_string_equal(s.told, "retry uncertain delivered split delivered "
                                "delivered delivered");
    static const char first[] = "[{\"n\":1},{\"n\":2},{\"n\":3},{\"n\":4}]";
    for (int i = 0; i < 3; i++) {
        assert_string_equal(s.bodies[i], first);
        assert_string_equal(s.keys[i], s.keys[0]);
    }
    assert_string_equal(s.bodies[4], "[{\"n\":5},{\"n\":6}]");
    assert_string_equal(s.bodies[5], "[{\"n\":7},{\"n\":8}]");
    assert_string_equal(s.bodies[6],
                        "[{\"n\":9},{\"n\":10},{\"n\":11},{\"n\":12}]");
    expect_states(&s, 12, "dddddddddddd");
}

static void a_fault_of_the_account_consumes_nothing_and_resumes(void **state)
{
    static const enum answer script[] = {E401, E401, UNSENT, OK};
    struct scene s;
    drain(&s, state, 6, script, 4);
    /* a probe without an answer leaves it held */
    assert_string_equal(s.told, "held held retry resumed delivered delivered");
    expect_states(&s, 6, "dddddd");
}

static void a_refused_batch_is_split_down_to_one(void **state)
{
    /* 1-4 refused, 1-2 fine, 3-4 refused, 3 refused alone, 4 fine */
    static const enum answer script[] = {BAD, OK, BAD, BAD, OK};
    struct scene s;
    drain(&s, state, 4, script, 5);
    assert_string_equal(s.told, "split delivered split dead delivered");
    expect_states(&s, 4, "ddxd");
}

static void retry_after_is_a_lower_bound(void **state)
{
    static const enum answer script[] = {E429};
    struct scene s;
    scene_open(&s, state);
    s.script = script;
    s.script_n = 1;
    fixture_put(s.f, 1);
    scene_start(&s, true);
    while (s.told[0] == '\0') {
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    }
    assert_string_equal(s.told, "retry");
    assert_in_range(s.last_wait, 7000, 7700);
    scene_close(&s);
    expect_states(&s, 1, "r");
}

/* More than one turn's worth of them. */
static void what_lies_behind_much_that_is_set_aside_is_delivered(void **state)
{
    struct scene s;
    static struct outbox_event e[1200];
    struct spool_error err;
    struct sums sums;
    scene_open(&s, state);
    for (int i = 0; i < 1200; i++) {
        e[i] = (struct outbox_event){
            .body = "{}", .len = 2, .quarantine = i < 1199 ? "bad" : NULL};
    }
    assert_int_equal(outbox_append(s.f->box, e, 1200, &err), SPOOL_OK);
    scene_start(&s, true);
    (void)uv_run(&s.loop, UV_RUN_DEFAULT);
    scene_close(&s);
    assert_string_equal(s.told, "delivered");
    assert_int_equal(inspect_sums(s.f->box, &s.f->d, &sums, &err), SPOOL_OK);
    assert_int_equal(sums.by_state[EVENT_DEAD], 1199);
    assert_int_equal(sums.waiting, 0);
}

static void a_put_wakes_it(void **state)
{
    struct scene s;
    scene_open(&s, state);
    scene_start(&s, false);
    (void)uv_run(&s.loop, UV_RUN_DEFAULT); /* until idle */
    fixture_put(s.f, 1);
    while (s.requests == 0) {
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    }
    while (s.told[0] == '\0') {
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    }
    assert_string_equal(s.told, "delivered");
    scene_close(&s);
}

static void a_stop_gives_up_on_an_endpoint_that_does_not_answer(void **state)
{
    struct scene s;
    scene_open(&s, state);
    s.mute = true;
    fixture_put(s.f, 2);
    scene_start(&s, true);
    while (s.posts_open == 0) {
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    }
    scene_close(&s);
    assert_string_equal(s.told, "uncertain");
    expect_states(&s, 2, "uu");
}

static void a_second_flusher_is_told_who_works(void **state)
{
    struct scene s;
    struct spool_error err;
    struct flusher *second;
    scene_open(&s, state);
    scene_start(&s, true);
    struct flusher_options options = {
        .box = s.f->box, .loop = &s.loop, .sender = &fake_sender};
    assert_int_equal(flusher_start(&options, &second, &err), SPOOL_HELD);
    assert_non_null(strstr(err.message, "process"));
    scene_close(&s);
}

static void a_missing_key_file_holds_and_names_it(void **state)
{
    struct scene s;
    struct spool_error err;
    struct destination d;
    scene_open(&s, state);
    (void)snprintf(s.f->d.api_key_file, sizeof s.f->d.api_key_file,
                   "/nonexistent/key");
    assert_int_equal(destination_set(s.f->box, &s.f->d, &err), SPOOL_OK);
    fixture_put(s.f, 1);
    scene_start(&s, true);
    while (s.told[0] == '\0') {
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    }
    scene_close(&s);
    assert_int_equal(s.requests, 0);
    assert_int_equal(destination_find(s.f->box, "shop", &d, &err), SPOOL_OK);
    assert_int_equal(d.state, DESTINATION_HELD);
    assert_non_null(strstr(d.reason, "/nonexistent/key"));
    expect_states(&s, 1, "p");
}

static void a_clock_that_is_set_neither_parks_nor_hurries_a_retry(void **state)
{
    /* Whoever looks meanwhile waits on as before. */
    static const struct {
        int64_t jump;
        bool wakes;
        enum answer answer;
        const char *told;
    } cases[] = {
        {INT64_C(-3600000), true, E503, "retry delivered"},
        {INT64_C(3600000), false, E503, "retry delivered"},
        {INT64_C(3600000), true, E503, "retry delivered"},
        {INT64_C(-86400000) * 365, true, E503, "retry delivered"},
        {INT64_C(86400000) * 365, true, E503, "retry delivered"},
        {INT64_C(-3600000), true, E401, "held resumed delivered"},
        {INT64_C(3600000), true, E401, "held resumed delivered"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene s;
        struct spool_error err;
        scene_open(&s, state);
        s.script = &cases[i].answer;
        s.script_n = 1;
        s.wall_jump = cases[i].jump;
        s.wake_on_jump = cases[i].wakes;
        s.f->d.backoff_base_ms = 400; /* 40 to 400 ms */
        s.f->d.backoff_cap_ms = 400;
        assert_int_equal(destination_set(s.f->box, &s.f->d, &err), SPOOL_OK);
        fixture_put(s.f, 1);
        (void)uv_timer_init(&s.loop, &s.jump);
        (void)uv_timer_init(&s.loop, &s.guard);
        s.jump.data = &s;
        (void)uv_timer_start(&s.guard, give_up, 10000, 0);
        uv_unref((uv_handle_t *)&s.guard);
        int64_t start = clock_mono_ms(&clock_system);
        scene_start(&s, true);
        (void)uv_run(&s.loop, UV_RUN_DEFAULT);
        int64_t took = clock_mono_ms(&clock_system) - start;
        uv_close((uv_handle_t *)&s.jump, NULL);
        uv_close((uv_handle_t *)&s.guard, NULL);
        assert_int_equal(s.wall_off, s.wall_jump);
        scene_close(&s);
        assert_string_equal(s.told, cases[i].told);
        assert_true(took >= s.last_wait);
    }
}

/* Waits for a hold whose end moves away an hour meanwhile, and counts what the
 * loop has to do. */
static void a_hold_that_the_clock_moved_away_is_waited_for(void **state)
{
    struct scene s;
    struct outbox_event e = {.body = "{}", .len = 2};
    int turns = 0;
    scene_open(&s, state);
    s.wall_jump = INT64_C(-3600000);
    e.hold_until = real_wall(&s.wall_off) + 300;
    assert_int_equal(outbox_append(s.f->box, &e, 1, NULL), SPOOL_OK);
    (void)uv_timer_init(&s.loop, &s.jump);
    (void)uv_timer_init(&s.loop, &s.guard);
    s.jump.data = &s;
    (void)uv_timer_start(&s.jump, jump, 50, 0);
    (void)uv_timer_start(&s.guard, give_up, 900, 0);
    scene_start(&s, false);
    while (turns < 200 && uv_is_active((uv_handle_t *)&s.guard)) {
        (void)uv_run(&s.loop, UV_RUN_ONCE);
        turns++;
    }
    uv_close((uv_handle_t *)&s.jump, NULL);
    uv_close((uv_handle_t *)&s.guard, NULL);
    assert_int_equal(s.wall_off, s.wall_jump);
    scene_close(&s);
    assert_true(turns < 200);
    assert_int_equal(s.requests, 0);
    expect_states(&s, 1, "h");
}

static void a_rate_is_kept(void **state)
{
    struct scene s;
    struct spool_error err;
    scene_open(&s, state);
    s.f->d.rate = 100;
    assert_int_equal(destination_set(s.f->box, &s.f->d, &err), SPOOL_OK);
    fixture_put(s.f, 12);
    int64_t start = clock_mono_ms(&clock_system);
    scene_start(&s, true);
    (void)uv_run(&s.loop, UV_RUN_DEFAULT);
    int64_t took = clock_mono_ms(&clock_system) - start;
    scene_close(&s);
    assert_string_equal(s.told, "delivered delivered delivered");
    expect_states(&s, 12, "dddddddddddd");
    assert_true(took >= 78); /* 8 events behind the first batch */
}

static void a_rate_below_a_batch_makes_smaller_ones(void **state)
{
    struct scene s;
    struct spool_error err;
    scene_open(&s, state);
    s.f->d.rate = 2;
    assert_int_equal(destination_set(s.f->box, &s.f->d, &err), SPOOL_OK);
    fixture_put(s.f, 2);
    scene_start(&s, true);
    (void)uv_run(&s.loop, UV_RUN_DEFAULT);
    scene_close(&s);
    assert_int_equal(count_events(s.bodies[0]), 2);
}

static void a_start_on_a_backlog_waits_and_a_stop_ends_that(void **state)
{
    struct scene s;
    struct spool_error err;
    struct fixture *f = *state;
    f->now = clock_wall_ms(&clock_system) - 120000;
    fixture_put(f, 1); /* two minutes ago */
    scene_open(&s, state);
    s.f->d.spread_ms = (int64_t)24 * 3600 * 1000;
    assert_int_equal(destination_set(s.f->box, &s.f->d, &err), SPOOL_OK);
    scene_start(&s, false);
    for (int i = 0; i < 4; i++) {
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    }
    assert_int_equal(s.requests + (size_t)s.posts_open, 0);
    scene_close(&s);
    expect_states(&s, 1, "p");
}

static void run_until_delivered(struct scene *s, size_t events)
{
    char states[64];
    while (strspn(fixture_states(s->f, states, events), "d") < events) {
        (void)uv_run(&s->loop, UV_RUN_ONCE);
    }
}

static void set_lanes(struct scene *s, int lanes)
{
    struct spool_error err = {0};
    s->f->d.lanes = lanes;
    while (destination_set(s->f->box, &s->f->d, &err) == SPOOL_BUSY) {
        (void)uv_run(&s->loop, UV_RUN_ONCE); /* settles what has arrived */
    }
    assert_int_equal(destination_set(s->f->box, &s->f->d, &err), SPOOL_OK);
}

static void other_lanes_are_taken_up_while_it_runs(void **state)
{
    struct scene s;
    scene_open(&s, state);
    scene_start(&s, false);
    fixture_put(s.f, 4);
    run_until_delivered(&s, 4);
    set_lanes(&s, 3);
    fixture_put(s.f, 4);
    run_until_delivered(&s, 8);
    set_lanes(&s, 1);
    fixture_put(s.f, 4);
    run_until_delivered(&s, 12);
    scene_close(&s);
    expect_states(&s, 12, "dddddddddddd");
}

static void
what_was_taken_ahead_stays_when_its_destination_is_gone(void **state)
{
    struct scene s;
    struct spool_error err;
    int64_t left;
    scene_open(&s, state);
    s.mute = true;
    fixture_put(s.f, 24);
    scene_start(&s, false);
    while (lanes_of(&s)->first == NULL || lanes_of(&s)->first->ready_n < 3) {
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    }
    struct lane *lane = lanes_of(&s)->first;
    assert_int_equal(destination_remove(s.f->box, s.f->d.name, &left, &err),
                     SPOOL_OK);
    answer_one(&lanes_of(&s)->http->idle); /* the next one leaves at once */
    while (lane->rest.because != TAKEN_GONE) {
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    }
    while (!lane->ended) {
        if (s.posts_open > 0) {
            answer_one(&lanes_of(&s)->http->idle);
        }
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    }
    assert_int_equal(s.requests, 2);
    scene_close(&s);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_delivers_everything_in_order),
        TEST(what_failed_goes_out_again_unchanged),
        TEST(after_a_failure_it_starts_slowly),
        TEST(what_was_taken_ahead_waits_until_the_one_before_arrives),
        TEST(what_was_taken_ahead_stays_when_its_destination_is_gone),
        TEST(a_fault_of_the_account_consumes_nothing_and_resumes),
        TEST(a_refused_batch_is_split_down_to_one),
        TEST(retry_after_is_a_lower_bound),
        TEST(what_lies_behind_much_that_is_set_aside_is_delivered),
        TEST(a_put_wakes_it),
        TEST(a_stop_gives_up_on_an_endpoint_that_does_not_answer),
        TEST(a_second_flusher_is_told_who_works),
        TEST(a_missing_key_file_holds_and_names_it),
        TEST(other_lanes_are_taken_up_while_it_runs),
        TEST(a_clock_that_is_set_neither_parks_nor_hurries_a_retry),
        TEST(a_hold_that_the_clock_moved_away_is_waited_for),
        TEST(a_rate_is_kept),
        TEST(a_rate_below_a_batch_makes_smaller_ones),
        TEST(a_start_on_a_backlog_waits_and_a_stop_ends_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
