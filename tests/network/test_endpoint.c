/* test_endpoint [--seed N] [--runs N]
 *
 * A hostile endpoint: each behaviour of behaviours.c, on a fresh and on a kept
 * connection, with one event and with several, then random sequences of them.
 * The flusher, its outbox and libcurl are the real ones; only the deadlines are
 * short. Each batch must end as the table says, within its time; at the end
 * nothing is lost, out of order or in the wrong bytes, every duplicate is one
 * the spool calls uncertain, and no other host was spoken to.
 *
 * Where it may, it moves into a network of its own first (realm.h), for names
 * that are not found and packets that vanish; else those rows are skipped.
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

#include "base/random.h"
#include "network/names.h"
#include "network/realm.h"
#include "network/resender.h"
#include "network/run.h"
#include "support/long_run.h"
#include "support/result.h"

/* What the address sanitizer keeps aside of freed memory counts too. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RSS_MAX_KB (600L * 1024)
#else
#define RSS_MAX_KB (96L * 1024)
#endif

/* A machine that stands still for a whole deadline makes a lost answer of any,
 * or a connection that was never made: such a case says nothing and is played
 * again. */
#define TRIES 4

static bool too_slow(const struct run *r, const struct behaviour *b)
{
    bool expected = strchr(b->classes, r->class) != NULL;
    return !expected && ((r->class == 'U' && r->took_ms >= RUN_TOTAL_MS) ||
                         (r->class == 'R' && r->took_ms >= RUN_CONNECT_MS));
}

static void play_one(struct run *r, const struct behaviour *b, bool reused,
                     int events)
{
    bool ended = run_play(r, &b, 1, reused, events);
    for (int i = 1; i < TRIES && ended && too_slow(r, b); i++) {
        r->again++;
        ended = run_play(r, &b, 1, reused, events);
    }
    bool fired = run_fired(r);
    if (!ended || !fired || r->misled || r->class == 0 ||
        strchr(b->classes, r->class) == NULL) {
        r->wrong++;
        (void)fprintf(
            stderr, "%s, %s connection, %d events: %c instead of %s%s%s%s\n",
            b->name, reused ? "kept" : "fresh", events,
            r->class == 0 ? '-' : r->class, b->classes,
            ended ? "" : ", never ended", fired ? "" : ", did not fire",
            r->misled ? ", and says something else" : "");
    }
}

static struct realm realm;

static bool can_be(const struct behaviour *b)
{
    return (!b->needs_realm || realm.entered) &&
           (!b->needs_ipv6 || realm.has_ipv6);
}

static long tell_skipped(void)
{
    long skipped = 0;
    for (size_t i = 0; i < behaviour_count; i++) {
        if (!can_be(&behaviours[i])) {
            skipped++;
            (void)printf("skipped: %s: %s\n", behaviours[i].name, realm.why);
        }
    }
    return skipped;
}

/* Those that need as much patience as this run has. */
static void play_table(struct run *r)
{
    for (size_t i = 0; i < behaviour_count; i++) {
        const struct behaviour *b = &behaviours[i];
        if (!can_be(b) || b->needs_patience != r->is_patient) {
            continue;
        }
        for (int mode = 0; mode < 4 && !r->overdue; mode++) {
            play_one(r, b, (mode & 1) != 0,
                     (mode & 2) != 0 ? RUN_EVENTS_MAX : 1);
        }
    }
}

/* Where nothing but requests to the endpoint is in the way. */
static bool can_follow(const struct behaviour *b)
{
    return b->door == DOOR_OPEN && b->host == NULL && b->tls == TLS_NONE &&
           b->bytes == 0 && !b->asks_for_a_day;
}

static void play_random(struct run *r, struct rng *rng, long runs)
{
    for (long i = 0; i < runs && !r->overdue; i++) {
        const struct behaviour *list[4];
        size_t n = 1 + (size_t)rng_upto(rng, 3);
        for (size_t k = 0; k < n;) {
            list[k] = &behaviours[rng_upto(rng, (int64_t)behaviour_count - 1)];
            k += can_be(list[k]) && !list[k]->needs_patience &&
                 (k == 0 || can_follow(list[k]));
        }
        if (!run_play(r, list, n, rng_upto(rng, 1) == 1,
                      1 + (int)rng_upto(rng, RUN_EVENTS_MAX - 1))) {
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
    for (long i = 0; i < n && !r->overdue; i++) {
        play_one(r, kinds[i % 2], i % 4 < 2, RUN_EVENTS_MAX);
    }
}

/* The rows that take longer, by themselves. */
static long play_patiently(long *cases)
{
    struct run r;
    struct checker_report report;
    run_begin(&r, &sender_http, true);
    play_table(&r);
    long wrong = run_finish(&r, &report);
    hostile_free(r.hostile);
    *cases = r.cases;
    return wrong;
}

static long play_control(void)
{
    struct run r;
    struct checker_report report;
    const struct behaviour *b = find("close after all");
    run_begin(&r, &sender_resending, false);
    for (int i = 0; i < 10; i++) {
        (void)run_play(&r, &b, 1, true, RUN_EVENTS_MAX);
    }
    (void)run_finish(&r, &report);
    hostile_free(r.hostile);
    return report.unexplained;
}

static long peak_kb(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

#ifdef __SANITIZE_THREAD__
/* libcurl closes a socket that could not be connected before it says that it is
 * not to be watched any more. libuv then asks the kernel not to watch what is
 * closed (EBADF), or by now is the endpoint's, which another thread has
 * accepted and nobody watches (ENOENT): that is no harm. */
__attribute__((visibility("default"))) const char *
__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return "race_top:epoll_ctl\n";
}
#endif

int main(int argc, char **argv)
{
    bool full = long_run_is_full();
    long runs = long_run_option(argc, argv, "--runs", full ? 20000 : 20);
    uint64_t seed = long_run_seed(argc, argv);
    struct rng rng = {.state = seed};
    (void)signal(SIGPIPE, SIG_IGN);
    realm_enter(&realm); /* while there is but one thread */
    struct names *names = realm.entered ? names_start() : NULL;
    clock_t start = clock();
    long skipped = tell_skipped(), patient;
    struct run r;
    run_begin(&r, &sender_http, false);
    play_table(&r);
    long rss = peak_kb();
    play_random(&r, &rng, runs);
    play_restarts(&r, full ? 1000 : 8);
    struct checker_report report;
    long wrong = run_finish(&r, &report) + (rss > RSS_MAX_KB);
    wrong += play_patiently(&patient);
    char sums[600], figures[1000], words[96];
    checker_report_print(&report, sums, sizeof sums);
    (void)snprintf(figures, sizeof figures,
                   "%s,\"fired\":%zu,\"again\":%ld,\"skipped\":%ld,"
                   "\"requests\":%zu,\"names asked\":%zu,\"to a second "
                   "host\":%d,\"slowest ms\":%" PRIu64 ",\"peak KiB\":%ld",
                   sums, hostile_fired(r.hostile), r.again, skipped,
                   hostile_requests(r.hostile), names_asked(names),
                   hostile_strangers(r.hostile), r.slowest_ms, rss);
    hostile_free(r.hostile);
    names_stop(names);
    long unexplained = play_control();
    (void)snprintf(words, sizeof words,
                   "a client that sends again: %ld unexplained duplicates",
                   unexplained);
    return result_tell(&(struct result){
               .test = "endpoint",
               .what = "a batch met by a hostile endpoint",
               .n = r.cases + patient,
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
