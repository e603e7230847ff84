#include "network/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events/event.h"
#include "spool/handle.h"
#include "support/box.h"

#define CASE_MS 10000 /* far beyond what any needs; a hang ends here */

#define DAY_MS INT64_C(86400000)

static void die(const char *what, const struct spool_error *err)
{
    (void)fprintf(stderr, "%s: %s\n", what, err->message);
    exit(2);
}

/* ---- what the flusher says ---- */

static char class_of(enum spool_report_kind kind)
{
    switch (kind) {
    case SPOOL_REPORT_DELIVERED:
        return 'D';
    case SPOOL_REPORT_RETRY:
        return 'R';
    case SPOOL_REPORT_UNCERTAIN:
        return 'U';
    case SPOOL_REPORT_SPLIT:
    case SPOOL_REPORT_DEAD:
        return 'X';
    case SPOOL_REPORT_HELD:
        return 'H';
    case SPOOL_REPORT_RESUMED:
        return 0;
    case SPOOL_REPORT_DAMAGED:
    case SPOOL_REPORT_TROUBLE:
    case SPOOL_REPORT_STOPPED:
        return '!';
    }
    return '!';
}

static void aim(struct run *r, const struct destination *d)
{
    struct spool_error err;
    if (destination_set(spool_outbox(r->spool), d, &err) != SPOOL_OK) {
        die("destination", &err);
    }
}

/* Where the batches of a case go. */
static void aim_at(struct run *r, const struct behaviour *b)
{
    struct destination d = r->shop;
    if (b->tls != TLS_NONE) {
        (void)snprintf(d.url, sizeof d.url, "https://127.0.0.1:%d/add?apiKey=k",
                       tls_front_port(r->tls));
        (void)snprintf(d.ca_file, sizeof d.ca_file, "%s/authority.pem",
                       r->folder);
        tls_front_show(r->tls, b->tls);
    } else if (b->host != NULL) {
        (void)snprintf(d.url, sizeof d.url, "http://%s:%d/add?apiKey=k",
                       b->host, hostile_port(r->hostile));
    }
    if (b->tls != TLS_NONE || b->host != NULL) {
        aim(r, &d);
    }
}

/* What was wrong before anything could be sent is put right. */
static void put_right(struct run *r, const struct behaviour *b)
{
    struct destination d = r->shop;
    if (b->door != DOOR_OPEN || b->ends == ENDS_SHUT) {
        hostile_door(r->hostile, DOOR_OPEN);
    }
    if (b->host != NULL) {
        aim(r, &r->shop);
    }
    if (b->tls != TLS_NONE) {
        /* The peer gets better and is not spoken to otherwise, or the operator
         * trusts its authority. */
        (void)snprintf(d.url, sizeof d.url, "https://127.0.0.1:%d/add?apiKey=k",
                       tls_front_port(r->tls));
        (void)snprintf(d.ca_file, sizeof d.ca_file, "%s/%s", r->folder,
                       b->renews_trust ? "both.pem" : "authority.pem");
        r->unmet = tls_front_met(r->tls) == 0;
        if (!b->renews_trust) {
            tls_front_show(r->tls, TLS_GOOD);
        }
        aim(r, &d);
    }
}

/* The first that became of a case. */
static void first_report(struct run *r, const struct spool_report *report)
{
    const struct behaviour *b = r->at;
    r->too_soon = uv_hrtime() / 1000000 - r->began_ms < (uint64_t)b->least_ms;
    r->misled = b->unsaid != NULL && strstr(report->reason, b->unsaid) != NULL;
    put_right(r, b);
    if (b->asks_for_a_day && report->wait_ms >= DAY_MS &&
        report->wait_ms <= DAY_MS + DAY_MS / 10) {
        r->starts_anew = true;
    }
}

static void reported(void *arg, const struct spool_report *report)
{
    struct run *r = arg;
    char class = class_of(report->kind);
    if (class == 0) {
        return;
    }
    if (r->class == 0) {
        r->class = class;
        if (r->at != NULL) {
            first_report(r, report);
        }
    }
    if (report->kind == SPOOL_REPORT_DELIVERED ||
        report->kind == SPOOL_REPORT_DEAD) {
        r->left -= report->events;
    }
}

/* ---- a case ---- */

static void time_is_over(uv_timer_t *timer)
{
    struct run *r = timer->data;
    r->overdue = true;
}

/* Its text, in a buffer of the caller's to free. */
static char *make_event(long number, size_t more)
{
    char *text = malloc(more + 128);
    if (text == NULL) {
        abort();
    }
    int n = snprintf(text, 128,
                     "{\"name\":\"A\",\"userId\":\"u\",\"sessionId\":"
                     "\"s\",\"params\":\"~s.%ld~",
                     number);
    memset(text + n, 'x', more);
    (void)strcpy(text + n + more, "\"}");
    return text;
}

static void put(struct run *r, int n)
{
    char *text[RUN_EVENTS_MAX], mark[32];
    size_t more = r->at != NULL ? r->at->bytes / (size_t)n : 0;
    struct spool_event events[RUN_EVENTS_MAX] = {{0}};
    struct spool_receipt receipts[RUN_EVENTS_MAX] = {{0}};
    struct spool_error err;
    for (int i = 0; i < n; i++) {
        text[i] = make_event(r->put + i, more);
        events[i] = (struct spool_event){text[i], strlen(text[i]), NULL};
        checker_attempt(r->checker, text[i], events[i].len);
    }
    if (spool_put_many(r->spool, events, (size_t)n, NULL, receipts, &err) !=
        SPOOL_OK) {
        die("put", &err);
    }
    for (int i = 0; i < n; i++) {
        (void)snprintf(mark, sizeof mark, "~s.%ld~", r->put + i);
        checker_answer(r->checker, mark, CHECKER_ACCEPTED, receipts[i].id);
        free(text[i]);
    }
    r->put += n;
}

static void start_flusher(struct run *r, bool foreground);

static void note_stopped(void *arg)
{
    struct run *r = arg;
    r->flusher = NULL;
}

/* An operator does not wait for a day. */
static void start_anew(struct run *r, bool foreground)
{
    flusher_stop(r->flusher, note_stopped, r);
    while (r->flusher != NULL) {
        (void)uv_run(&r->loop, UV_RUN_ONCE);
    }
    start_flusher(r, foreground);
}

/* Puts n events and waits until each has arrived or is dead. */
static bool deliver(struct run *r, int n)
{
    r->left = n;
    r->class = 0;
    r->too_soon = r->unmet = r->misled = r->starts_anew = false;
    r->began_ms = uv_hrtime() / 1000000;
    (void)uv_timer_start(&r->limit, time_is_over, CASE_MS, 0);
    put(r, n);
    while (r->left > 0 && !r->overdue) {
        (void)uv_run(&r->loop, UV_RUN_ONCE);
        if (r->starts_anew) {
            r->starts_anew = false;
            start_anew(r, true);
        }
    }
    (void)uv_timer_stop(&r->limit);
    r->took_ms = uv_hrtime() / 1000000 - r->began_ms;
    if (r->took_ms > r->slowest_ms) {
        r->slowest_ms = r->took_ms;
    }
    return !r->overdue;
}

/* Whether it is a request that meets it, or what stands before. */
static bool meets_endpoint(const struct behaviour *b)
{
    return b->door == DOOR_OPEN &&
           (b->host == NULL || strchr(b->classes, 'D') != NULL) &&
           (b->tls == TLS_NONE || b->answer != NULL);
}

bool run_play(struct run *r, const struct behaviour *const *list, size_t n,
              bool reused, int events)
{
    hostile_arm(r->hostile, NULL, 0, reused);
    bool ended = deliver(r, 1); /* leaves the connection as it is wanted */
    const struct behaviour *first = list[0];
    size_t met = meets_endpoint(first) ? 0 : 1; /* not by a request there */
    hostile_arm(r->hostile, list + met, n - met, reused);
    if (first->door != DOOR_OPEN) {
        hostile_door(r->hostile, first->door);
    }
    aim_at(r, first);
    r->at = first;
    bool several = first->bytes > EVENT_BYTES_MAX / 2;
    ended = ended && deliver(r, several ? RUN_EVENTS_MAX : events);
    r->at = NULL;
    if (first->tls != TLS_NONE || first->host != NULL) {
        aim(r, &r->shop);
    }
    if (first->asks_for_a_day) {
        start_anew(r, false);
    }
    r->cases++;
    return ended;
}

bool run_fired(struct run *r)
{
    return hostile_left(r->hostile) == 0 && !r->unmet && !r->too_soon;
}

/* ---- the whole ---- */

static void add_destination(struct run *r)
{
    struct spool_error err;
    struct destination *d = &r->shop;
    destination_default(d);
    (void)snprintf(d->name, sizeof d->name, "shop");
    (void)snprintf(d->url, sizeof d->url, "http://127.0.0.1:%d/add?apiKey=k",
                   hostile_port(r->hostile));
    d->batch_age_ms = 0;
    d->batch_bytes = (int64_t)2 * 1024 * 1024;
    d->backoff_base_ms = 1;
    d->backoff_cap_ms = 2;
    d->hold_after = 1000; /* a refusing endpoint is another test's */
    d->spread_ms = 0;
    if (destination_add(spool_outbox(r->spool), d, &err) != SPOOL_OK) {
        die("destination", &err);
    }
}

static void start_flusher(struct run *r, bool foreground)
{
    struct spool_error err;
    struct flusher_options o = {
        .box = spool_outbox(r->spool),
        .loop = &r->loop,
        .sender = r->sender,
        .foreground = foreground,
        .report = reported,
        .arg = r,
        .http = {.connect_timeout_ms =
                     r->is_patient ? RUN_PATIENT_CONNECT_MS : RUN_CONNECT_MS,
                 .total_timeout_ms =
                     r->is_patient ? RUN_PATIENT_TOTAL_MS : RUN_TOTAL_MS,
                 .idle_max_s = 60},
        .stop_grace_ms = 1000,
        .keep_ms = -1};
    if (flusher_start(&o, &r->flusher, &err) != SPOOL_OK) {
        die("flusher", &err);
    }
}

void run_begin(struct run *r, const struct sender_ops *sender, bool patient)
{
    struct spool_error err;
    char path[96];
    *r = (struct run){.sender = sender, .is_patient = patient};
    (void)snprintf(r->folder, sizeof r->folder, "/tmp/spool-test-XXXXXX");
    if (mkdtemp(r->folder) == NULL) {
        perror(r->folder);
        exit(2);
    }
    (void)snprintf(path, sizeof path, "%s/outbox.db", r->folder);
    struct spool_options options;
    spool_options_default(&options);
    options.path = path;
    options.check = SPOOL_CHECK_OFF;
    if (http_global_init(&err) != SPOOL_OK ||
        spool_open(&options, &r->spool, &err) != SPOOL_OK) {
        die("open", &err);
    }
    r->hostile = hostile_start();
    r->tls = tls_front_start(hostile_port(r->hostile), r->folder);
    r->checker = checker_create();
    add_destination(r);
    (void)uv_loop_init(&r->loop);
    (void)uv_timer_init(&r->loop, &r->limit);
    r->limit.data = r;
    start_flusher(r, false);
}

long run_finish(struct run *r, struct checker_report *report)
{
    struct destination d;
    struct spool_error err;
    flusher_stop(r->flusher, NULL, NULL);
    uv_close((uv_handle_t *)&r->limit, NULL);
    (void)uv_run(&r->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&r->loop);
    tls_front_stop(r->tls);
    hostile_stop(r->hostile);
    hostile_tell(r->hostile, r->checker);
    if (destination_find(spool_outbox(r->spool), "shop", &d, &err) !=
        SPOOL_OK) {
        die("destination", &err);
    }
    checker_read_spool(r->checker, spool_outbox(r->spool), &d);
    checker_judge(r->checker, report);
    long wrong = r->wrong + report->waiting + !checker_report_is_clean(report) +
                 hostile_strangers(r->hostile);
    checker_destroy(r->checker);
    spool_close(r->spool);
    fixture_remove_folder(r->folder);
    return wrong;
}
