/* test_endpoint [--seed N] [--runs N]
 *
 * A hostile endpoint: each behaviour of behaviours.c, on a fresh and on a kept
 * connection, with one event and with several, then random sequences of them.
 * The flusher, its outbox and libcurl are the real ones; only the deadlines are
 * short. Each batch must end as the table says, within its time; at the end
 * nothing is lost, out of order or in the wrong bytes, every duplicate is one
 * the spool calls uncertain, and no other host was spoken to.
 *
 * A control sends again by itself what got no answer, as libcurl does with a
 * body that can be rewound: its duplicates must be noticed. */
#define _DEFAULT_SOURCE /* getrusage's ru_maxrss */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <uv.h>

#include "base/random.h"
#include "delivery/flusher.h"
#include "network/hostile.h"
#include "network/resender.h"
#include "outbox/destination.h"
#include "spool/handle.h"
#include "support/box.h"
#include "support/long_run.h"
#include "support/result.h"

#define CONNECT_MS 100
#define TOTAL_MS   150
#define CASE_MS    10000 /* far beyond what any needs; a hang ends here */
#define SEVERAL    5

/* What the address sanitizer keeps aside of freed memory counts too. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RSS_MAX_KB (600L * 1024)
#else
#define RSS_MAX_KB (64L * 1024)
#endif

struct run {
    char folder[64];
    struct spool *spool;
    uv_loop_t loop;
    uv_timer_t limit;
    struct flusher *flusher;
    struct hostile *hostile;
    struct checker *checker;
    long put;
    /* The case under way. */
    int64_t first_id;
    int64_t left;   /* of its events */
    char class;     /* how its first batch ended; 0: not yet */
    bool door_shut; /* opened by the first report */
    bool overdue;
    uint64_t took_ms, slowest_ms;
    long again;
    long cases, wrong;
};

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

static void reported(void *arg, const struct spool_report *report)
{
    struct run *r = arg;
    char class = class_of(report->kind);
    if (class == 0) {
        return;
    }
    if (r->class == 0) {
        r->class = class;
        if (r->door_shut) {
            r->door_shut = false;
            hostile_door(r->hostile, DOOR_OPEN);
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

static void put(struct run *r, int n)
{
    char text[SEVERAL][128], mark[32];
    struct spool_event events[SEVERAL] = {{0}};
    struct spool_receipt receipts[SEVERAL] = {{0}};
    struct spool_error err;
    for (int i = 0; i < n; i++) {
        int len = snprintf(text[i], sizeof text[i],
                           "{\"name\":\"A\",\"userId\":\"u\",\"sessionId\":"
                           "\"s\",\"params\":\"~s.%ld~\"}",
                           r->put + i);
        events[i] = (struct spool_event){text[i], (size_t)len, NULL};
        checker_attempt(r->checker, text[i], (size_t)len);
    }
    if (spool_put_many(r->spool, events, (size_t)n, NULL, receipts, &err) !=
        SPOOL_OK) {
        die("put", &err);
    }
    for (int i = 0; i < n; i++) {
        (void)snprintf(mark, sizeof mark, "~s.%ld~", r->put + i);
        checker_answer(r->checker, mark, CHECKER_ACCEPTED, receipts[i].id);
    }
    r->put += n;
}

/* Puts n events and waits until each has arrived or is dead. */
static bool deliver(struct run *r, int n)
{
    r->left = n;
    r->class = 0;
    r->overdue = false;
    uint64_t start = uv_hrtime();
    (void)uv_timer_start(&r->limit, time_is_over, CASE_MS, 0);
    put(r, n);
    while (r->left > 0 && !r->overdue) {
        (void)uv_run(&r->loop, UV_RUN_ONCE);
    }
    (void)uv_timer_stop(&r->limit);
    r->took_ms = (uv_hrtime() - start) / 1000000;
    if (r->took_ms > r->slowest_ms) {
        r->slowest_ms = r->took_ms;
    }
    return !r->overdue;
}

static bool play(struct run *r, const struct behaviour *const *list, size_t n,
                 bool reused, int events)
{
    hostile_arm(r->hostile, NULL, 0, reused);
    bool ended = deliver(r, 1); /* leaves the connection as it is wanted */
    hostile_arm(r->hostile, list, n, reused);
    r->door_shut = list[0]->door != DOOR_OPEN;
    if (r->door_shut) {
        hostile_arm(r->hostile, list + 1, n - 1, reused);
        hostile_door(r->hostile, list[0]->door);
    }
    ended = ended && deliver(r, events);
    r->cases++;
    return ended;
}

/* A machine that stands still for a whole deadline makes a lost answer of any:
 * such a case says nothing and is played again. */
#define TRIES 4

static bool too_slow(const struct run *r, const struct behaviour *b)
{
    return r->class == 'U' && strchr(b->classes, 'U') == NULL &&
           r->took_ms >= TOTAL_MS;
}

static void play_one(struct run *r, const struct behaviour *b, bool reused,
                     int events)
{
    bool ended = play(r, &b, 1, reused, events);
    for (int i = 1; i < TRIES && ended && too_slow(r, b); i++) {
        r->again++;
        ended = play(r, &b, 1, reused, events);
    }
    size_t left = hostile_left(r->hostile);
    if (!ended || left > 0 || r->class == 0 ||
        strchr(b->classes, r->class) == NULL) {
        r->wrong++;
        (void)fprintf(
            stderr, "%s, %s connection, %d events: %c instead of %s%s%s\n",
            b->name, reused ? "kept" : "fresh", events,
            r->class == 0 ? '-' : r->class, b->classes,
            ended ? "" : ", never ended", left == 0 ? "" : ", did not fire");
    }
}

static long play_table(struct run *r, bool tell)
{
    long skipped = 0;
    for (size_t i = 0; i < behaviour_count; i++) {
        const struct behaviour *b = &behaviours[i];
        if (b->skip != NULL) {
            skipped++;
            if (tell) {
                (void)printf("skipped: %s: %s\n", b->name, b->skip);
            }
            continue;
        }
        for (int mode = 0; mode < 4; mode++) {
            play_one(r, b, (mode & 1) != 0, (mode & 2) != 0 ? SEVERAL : 1);
        }
    }
    return skipped;
}

static void play_random(struct run *r, struct rng *rng, long runs)
{
    for (long i = 0; i < runs; i++) {
        const struct behaviour *list[4];
        size_t n = 1 + (size_t)rng_upto(rng, 3);
        for (size_t k = 0; k < n;) {
            list[k] = &behaviours[rng_upto(rng, (int64_t)behaviour_count - 1)];
            /* Only the first can find the door shut. */
            k +=
                list[k]->skip == NULL && (k == 0 || list[k]->door == DOOR_OPEN);
        }
        if (!play(r, list, n, rng_upto(rng, 1) == 1,
                  1 + (int)rng_upto(rng, SEVERAL - 1))) {
            r->wrong++;
            (void)fprintf(stderr, "sequence %ld (%s ...): never ended\n", i,
                          list[0]->name);
        }
    }
}

static const struct behaviour *find(const char *name)
{
    for (size_t i = 0; i < behaviour_count; i++) {
        if (strcmp(behaviours[i].name, name) == 0) {
            return &behaviours[i];
        }
    }
    abort();
}

static void play_restarts(struct run *r, long n)
{
    const struct behaviour *const kinds[] = {
        find("server restarts within the batch"),
        find("server restarts behind the batch")};
    for (long i = 0; i < n; i++) {
        play_one(r, kinds[i % 2], i % 4 < 2, SEVERAL);
    }
}

/* ---- the whole ---- */

static void add_destination(struct run *r)
{
    struct spool_error err;
    struct destination d;
    destination_default(&d);
    (void)snprintf(d.name, sizeof d.name, "shop");
    (void)snprintf(d.url, sizeof d.url, "http://127.0.0.1:%d/add?apiKey=k",
                   hostile_port(r->hostile));
    d.batch_age_ms = 0;
    d.backoff_base_ms = 1;
    d.backoff_cap_ms = 2;
    d.hold_after = 1000; /* a refusing endpoint is another test's */
    d.spread_ms = 0;
    if (destination_add(spool_outbox(r->spool), &d, &err) != SPOOL_OK) {
        die("destination", &err);
    }
}

static void begin(struct run *r, const struct sender_ops *sender)
{
    struct spool_error err;
    char path[96];
    *r = (struct run){0};
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
    r->checker = checker_create();
    add_destination(r);
    (void)uv_loop_init(&r->loop);
    (void)uv_timer_init(&r->loop, &r->limit);
    r->limit.data = r;
    struct flusher_options o = {.box = spool_outbox(r->spool),
                                .loop = &r->loop,
                                .sender = sender,
                                .report = reported,
                                .arg = r,
                                .http = {.connect_timeout_ms = CONNECT_MS,
                                         .total_timeout_ms = TOTAL_MS,
                                         .idle_max_s = 60},
                                .stop_grace_ms = 1000,
                                .keep_ms = -1};
    if (flusher_start(&o, &r->flusher, &err) != SPOOL_OK) {
        die("flusher", &err);
    }
}

/* Stops all and judges; returns how much is wrong. */
static long finish(struct run *r, struct checker_report *report)
{
    struct destination d;
    struct spool_error err;
    flusher_stop(r->flusher, NULL, NULL);
    uv_close((uv_handle_t *)&r->limit, NULL);
    (void)uv_run(&r->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&r->loop);
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

static long play_control(void)
{
    struct run r;
    struct checker_report report;
    const struct behaviour *b = find("close after all");
    begin(&r, &sender_resending);
    for (int i = 0; i < 10; i++) {
        (void)play(&r, &b, 1, true, SEVERAL);
    }
    (void)finish(&r, &report);
    hostile_free(r.hostile);
    return report.unexplained;
}

static long peak_kb(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static uint64_t read_options(int argc, char **argv, long *runs)
{
    struct rng rng;
    rng_init(&rng);
    uint64_t seed = rng_next(&rng);
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0) {
            seed = strtoull(argv[i + 1], NULL, 0);
        } else if (strcmp(argv[i], "--runs") == 0) {
            *runs = strtol(argv[i + 1], NULL, 10);
        }
    }
    (void)printf("seed %" PRIu64 "\n", seed);
    return seed;
}

int main(int argc, char **argv)
{
    bool full = long_run_is_full();
    long runs = full ? 20000 : 20;
    struct rng rng = {.state = read_options(argc, argv, &runs)};
    uint64_t seed = rng.state;
    (void)signal(SIGPIPE, SIG_IGN);
    clock_t start = clock();
    struct run r;
    begin(&r, &sender_http);
    long skipped = play_table(&r, true);
    long rss = peak_kb();
    play_random(&r, &rng, runs);
    play_restarts(&r, full ? 1000 : 8);
    struct checker_report report;
    long wrong = finish(&r, &report) + (rss > RSS_MAX_KB);
    char sums[600], figures[1000], words[96];
    checker_report_print(&report, sums, sizeof sums);
    (void)snprintf(figures, sizeof figures,
                   "%s,\"fired\":%zu,\"again\":%ld,\"skipped\":%ld,"
                   "\"requests\":%zu,\"to a second "
                   "host\":%d,\"slowest ms\":%" PRIu64 ",\"peak KiB\":%ld",
                   sums, hostile_fired(r.hostile), r.again, skipped,
                   hostile_requests(r.hostile), hostile_strangers(r.hostile),
                   r.slowest_ms, rss);
    hostile_free(r.hostile);
    long unexplained = play_control();
    (void)snprintf(words, sizeof words,
                   "a client that sends again: %ld unexplained duplicates",
                   unexplained);
    return result_tell(&(struct result){
               .test = "endpoint",
               .what = "a batch met by a hostile endpoint",
               .n = r.cases,
               .failures = wrong,
               .seed = seed,
               .folder = "/tmp",
               .control = words,
               .caught = unexplained > 0,
               .seconds = (double)(clock() - start) / CLOCKS_PER_SEC,
               .figures = figures})
               ? 0
               : 1;
}
