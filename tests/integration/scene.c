#include "integration/scene.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "outbox/operate.h"
#include "spool/handle.h"
#include "support/box.h"

#define PATIENCE_S 30

/* Of one spool_put_many. */
#define GROUP 100

static void must(enum spool_status status, const struct spool_error *err)
{
    if (status != SPOOL_OK) {
        fail_msg("%s: %s", spool_status_name(status), err->message);
    }
}

static void start_sandbox(struct scene *s, const char *faults)
{
    const char *options[] = {"--log", s->log, NULL};
    sandbox_child_start(&s->sandbox, options);
    if (faults != NULL) {
        sandbox_child_set_faults(&s->sandbox, faults);
    }
}

static void add_destination(struct scene *s, int lanes, int batch_events)
{
    struct spool_error err;
    struct destination *d = &s->d;
    destination_default(d);
    (void)snprintf(d->name, sizeof d->name, "shop");
    (void)snprintf(d->url, sizeof d->url, "http://127.0.0.1:%u",
                   s->sandbox.port);
    (void)snprintf(d->api_key_file, sizeof d->api_key_file, "%s/key",
                   s->folder);
    FILE *key = fopen(d->api_key_file, "we");
    assert_non_null(key);
    assert_true(fputs("a-key\n", key) >= 0);
    assert_int_equal(fclose(key), 0);
    d->lanes = lanes;
    d->batch_events = batch_events;
    d->batch_age_ms = 0;
    d->backoff_base_ms = 1;
    d->backoff_cap_ms = 20;
    must(destination_add(spool_outbox(s->spool), d, &err), &err);
}

static void note_report(void *arg, const struct spool_report *report)
{
    struct scene *s = arg;
    (void)pthread_mutex_lock(&s->lock);
    s->reports[report->kind]++;
    if (report->kind == SPOOL_REPORT_DELIVERED) {
        s->delivered += (long)report->events;
    } else if (report->kind == SPOOL_REPORT_HELD) {
        (void)snprintf(s->reason, sizeof s->reason, "%s", report->reason);
    }
    (void)pthread_cond_broadcast(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
}

void scene_start(struct scene *s, const char *faults, int lanes,
                 int batch_events)
{
    scene_start_in(s, NULL, faults, lanes, batch_events);
}

void scene_start_in(struct scene *s, const char *place, const char *faults,
                    int lanes, int batch_events)
{
    struct spool_options options;
    struct spool_error err;
    memset(s, 0, sizeof *s);
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->changed, NULL);
    s->checker = checker_create();
    fixture_make_folder(s->folder);
    (void)snprintf(s->path, sizeof s->path, "%s/outbox.db",
                   place != NULL ? place : s->folder);
    (void)snprintf(s->log, sizeof s->log, "%s/endpoint.log", s->folder);
    start_sandbox(s, faults);
    spool_options_default(&options);
    options.path = s->path;
    must(spool_open(&options, &s->spool, &err), &err);
    add_destination(s, lanes, batch_events);
    spool_flusher_options_default(&s->options);
    s->options.report = note_report;
    s->options.arg = s;
}

void scene_end(struct scene *s)
{
    if (s->checker == NULL) {
        return;
    }
    scene_stop_flusher(s);
    spool_close(s->spool);
    if (s->sandbox.pid > 0) {
        assert_int_equal(sandbox_child_stop(&s->sandbox, NULL, 0), 0);
    }
    fixture_remove_folder(s->folder);
    checker_destroy(s->checker);
    (void)pthread_cond_destroy(&s->changed);
    (void)pthread_mutex_destroy(&s->lock);
    s->checker = NULL;
}

int scene_setup(void **state)
{
    *state = calloc(1, sizeof(struct scene));
    return *state != NULL ? 0 : -1;
}

int scene_teardown(void **state)
{
    scene_end(*state);
    free(*state);
    return 0;
}

/* ---- producing ---- */

static bool is_bad(const int *bad, int n)
{
    while (bad != NULL && *bad >= 0 && *bad != n) {
        bad++;
    }
    return bad != NULL && *bad == n;
}

/* The nth event of who's; a text of the caller's. */
static char *make_event(const char *who, int sessions, int n, bool bad)
{
    size_t size = 512;
    char *json = malloc(size);
    assert_non_null(json);
    int session = n % sessions;
    int len = snprintf(
        json, size,
        "{\"name\":\"CUSTOM_EVENT\",\"userId\":\"u%s-%d\",\"sessionId\":"
        "\"s%s-%d\",\"device\":\"PC\",\"type\":\"sale\",\"params\":{\"mark\":"
        "\"~%s-%d.%d~\",\"text\":\"\xC3\xA7ok \\\"g\xC3\xBCzel\\\" "
        "\\u00e9%s\"}}",
        who, session, who, session, who, session, n, bad ? " BAD-APPLE" : "");
    assert_in_range(len, 1, size - 1);
    return json;
}

static enum checker_answer answer_of(enum spool_status status)
{
    return status == SPOOL_OK        ? CHECKER_ACCEPTED
           : status == SPOOL_UNKNOWN ? CHECKER_UNKNOWN
                                     : CHECKER_REFUSED;
}

static void tell_answers(struct scene *s, const struct spool_event *events,
                         const struct spool_receipt *receipts, size_t n)
{
    (void)pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < n; i++) {
        char mark[64];
        assert_true(
            checker_mark(events[i].json, events[i].len, mark, sizeof mark));
        checker_answer(s->checker, mark, answer_of(receipts[i].status),
                       receipts[i].id);
        s->put += receipts[i].status == SPOOL_OK;
    }
    (void)pthread_mutex_unlock(&s->lock);
}

static enum spool_status put_group(struct scene *s, struct spool_event *events,
                                   size_t n, struct spool_error *err)
{
    struct spool_receipt receipts[GROUP];
    (void)pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < n; i++) {
        checker_attempt(s->checker, events[i].json, events[i].len);
    }
    (void)pthread_mutex_unlock(&s->lock);
    enum spool_status status =
        spool_put_many(s->spool, events, n, NULL, receipts, err);
    tell_answers(s, events, receipts, n);
    for (size_t i = 0; i < n; i++) {
        char *json;
        memcpy(&json, &events[i].json, sizeof json); /* ours, made above */
        free(json);
    }
    return status;
}

enum spool_status scene_try(struct scene *s, const char *who, int first, int n)
{
    struct spool_event events[GROUP];
    assert_in_range(n, 1, GROUP);
    for (int i = 0; i < n; i++) {
        const char *json = make_event(who, 5, first + i, false);
        events[i] = (struct spool_event){.json = json, .len = strlen(json)};
    }
    return put_group(s, events, (size_t)n, NULL);
}

void scene_put(struct scene *s, const char *who, int sessions, int n,
               const int *bad)
{
    struct spool_event events[GROUP];
    struct spool_error err;
    size_t waiting = 0;
    for (int i = 0; i < n; i++) {
        const char *json = make_event(who, sessions, i, is_bad(bad, i));
        events[waiting++] =
            (struct spool_event){.json = json, .len = strlen(json)};
        if (waiting == GROUP || i == n - 1) {
            must(put_group(s, events, waiting, &err), &err);
            waiting = 0;
        }
    }
}

/* ---- delivering ---- */

void scene_flush(struct scene *s)
{
    struct spool_error err;
    must(spool_flush(s->spool, NULL, (int64_t)PATIENCE_S * 1000, &s->options,
                     &err),
         &err);
}

void scene_start_flusher(struct scene *s)
{
    struct spool_error err;
    must(spool_flusher_start(s->spool, &s->options, &s->flusher, &err), &err);
}

void scene_stop_flusher(struct scene *s)
{
    spool_flusher_stop(s->flusher, NULL, NULL);
    s->flusher = NULL;
}

/* Waits until *number, which is under the lock, has reached n. */
static void wait_for(struct scene *s, const long *number, long n,
                     const char *what)
{
    struct timespec until;
    int rc = 0;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    (void)pthread_mutex_lock(&s->lock);
    while (*number < n && rc == 0) {
        rc = pthread_cond_timedwait(&s->changed, &s->lock, &until);
    }
    long reached = *number;
    (void)pthread_mutex_unlock(&s->lock);
    if (reached < n) {
        fail_msg("%ld %s after %d s where %ld were expected", reached, what,
                 PATIENCE_S, n);
    }
}

void scene_wait_for_reports(struct scene *s, enum spool_report_kind kind,
                            long n)
{
    wait_for(s, &s->reports[kind], n, "reports");
}

void scene_wait_for_delivered(struct scene *s, long events)
{
    wait_for(s, &s->delivered, events, "events delivered");
}

void scene_stats(struct scene *s, struct spool_stats *out)
{
    struct spool_error err;
    must(spool_stats(s->spool, s->d.name, out, &err), &err);
}

void scene_read_destination(struct scene *s)
{
    struct spool_error err;
    must(destination_find(spool_outbox(s->spool), "shop", &s->d, &err), &err);
}

struct dead {
    int64_t ids[1000];
    size_t n;
};

static bool note_dead(void *arg, const struct event_record *e)
{
    struct dead *dead = arg;
    dead->ids[dead->n++] = e->id;
    return dead->n < 1000;
}

long scene_replay_dead(struct scene *s)
{
    struct outbox *box = spool_outbox(s->spool);
    struct event_range range = {.states = 1U << EVENT_DEAD};
    struct dead dead = {.n = 0};
    struct operation done;
    struct spool_error err;
    must(inspect_events(box, &s->d, &range, note_dead, &dead, &err), &err);
    must(operate_replay(box, &s->d, dead.ids, dead.n, "a test", &done, &err),
         &err);
    assert_int_equal(done.changed, dead.n);
    return (long)dead.n;
}

/* ---- judging ---- */

static void print_finding(void *arg, const char *sentence)
{
    (void)arg;
    print_error("verify: %s\n", sentence);
}

void scene_judge(struct scene *s, struct checker_report *r)
{
    struct spool_error err;
    int64_t findings;
    char text[1024];
    scene_stop_flusher(s);
    must(verify(spool_outbox(s->spool), print_finding, NULL, &findings, &err),
         &err);
    assert_int_equal(findings, 0);
    checker_read_log(s->checker, s->log);
    checker_read_spool(s->checker, spool_outbox(s->spool), &s->d);
    checker_judge(s->checker, r);
    checker_report_print(r, text, sizeof text);
    print_message("{%s}\n", text);
    if (!checker_report_is_clean(r) || r->waiting > 0) {
        fail_msg("the run does not add up");
    }
    assert_int_equal(r->accepted, s->put);
}
