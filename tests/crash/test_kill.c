/* test_kill [--seed N] [--rounds N]
 *
 * kill -9 of producers and flusher at random moments. Whatever was acknowledged
 * arrives, in order, and nothing arrives twice without the spool knowing why.
 * This says nothing about a power cut, after which the system's cache is gone
 * as well: test_power does.
 *
 * In the same run three planted mistakes must be noticed: a producer that
 * believes an event accepted too early, a flusher that believes a batch
 * delivered too early, one that sends every batch twice.
 *
 * 200 rounds; with SPOOL_TEST_FULL=1 10,000. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crash/siege.h"
#include "outbox/outbox.h"

/* Of one spool; then a new one is besieged, so that no round has to check the
 * events of thousands. */
#define ROUNDS_OF_ONE 25

#define ROUNDS_QUICK 200
#define ROUNDS_FULL  10000

/* Of a control, and how often it may be tried. */
#define CONTROL_ROUNDS 6
#define CONTROL_TRIES  5

struct arguments {
    uint64_t seed;
    long rounds;
};

static bool parse(int argc, char **argv, struct arguments *a)
{
    struct rng any;
    const char *full = getenv("SPOOL_TEST_FULL");
    rng_init(&any);
    a->seed = rng_next(&any);
    a->rounds =
        full != NULL && strcmp(full, "1") == 0 ? ROUNDS_FULL : ROUNDS_QUICK;
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (more && strcmp(argv[i], "--seed") == 0) {
            a->seed = strtoull(argv[++i], NULL, 0);
        } else if (more && strcmp(argv[i], "--rounds") == 0) {
            a->rounds = strtol(argv[++i], NULL, 10);
        } else {
            (void)fprintf(stderr, "usage: %s [--seed N] [--rounds N]\n",
                          argv[0]);
            return false;
        }
    }
    return true;
}

struct control {
    const char *name;
    struct siege_mistakes mistakes;
    size_t number; /* of the report: must not stay 0 */
    long caught;
};

/* What a control does besides is of no interest. */
static void run_control(struct rng *rng, struct control *c)
{
    for (int i = 0; i < CONTROL_TRIES && c->caught == 0; i++) {
        struct siege_tally tally = {0};
        siege(rng, CONTROL_ROUNDS, &c->mistakes, &tally);
        memcpy(&c->caught, (const char *)&tally.judged + c->number,
               sizeof c->caught);
    }
}

static double seconds_since(const struct timespec *from)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - from->tv_sec) +
           (double)(now.tv_nsec - from->tv_nsec) / 1e9;
}

static long failures_of(const struct siege_tally *t)
{
    const struct checker_report *r = &t->judged;
    return r->lost + r->unexpected + r->mutated + r->reordered +
           r->unexplained + r->rekeyed + r->miscounted + r->waiting + r->dead +
           t->findings + t->deserters;
}

static void print_tally(const struct siege_tally *t)
{
    char report[1024];
    checker_report_print(&t->judged, report, sizeof report);
    (void)printf("\"producers_killed\":%ld,\"producers_hit\":%ld,"
                 "\"flushers_killed\":%ld,\"flushers_hit\":%ld,"
                 "\"all_killed\":%ld,\"queue_not_empty\":%ld,"
                 "\"reopen_ms_max\":%.1f,\"findings\":%ld,\"deserters\":%ld,"
                 "%s",
                 t->producers_killed, t->producers_hit, t->flushers_killed,
                 t->flushers_hit, t->all_killed, t->queue_not_empty,
                 t->reopen_ms_max, t->findings, t->deserters, report);
}

int main(int argc, char **argv)
{
    static const struct siege_mistakes none = {NULL, NULL};
    struct control controls[] = {
        {"acknowledged_early_lost",
         {"early", NULL},
         offsetof(struct checker_report, lost),
         0},
        {"settled_early_lost",
         {NULL, "hasty"},
         offsetof(struct checker_report, lost),
         0},
        {"sent_twice_unexplained",
         {NULL, "twice"},
         offsetof(struct checker_report, unexplained),
         0},
    };
    struct arguments a;
    struct siege_tally tally = {0};
    struct timespec start;
    if (!parse(argc, argv, &a)) {
        return 2;
    }
    (void)printf("seed %" PRIu64 "\n", a.seed);
    (void)fflush(stdout);
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    struct rng rng = {.state = a.seed};
    while (tally.rounds < a.rounds) {
        long left = a.rounds - tally.rounds;
        siege(&rng, left < ROUNDS_OF_ONE ? left : ROUNDS_OF_ONE, &none, &tally);
    }
    long failures = failures_of(&tally);
    (void)printf("{\"test\":\"kill\",\"n\":%ld,\"seed\":%" PRIu64
                 ",\"sqlite\":\"%s\",",
                 tally.rounds, a.seed, outbox_engine());
    print_tally(&tally);
    (void)printf(",\"control\":{");
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++) {
        run_control(&rng, &controls[i]);
        failures += controls[i].caught == 0;
        (void)printf("%s\"%s\":%ld", i > 0 ? "," : "", controls[i].name,
                     controls[i].caught);
    }
    (void)printf("},\"failures\":%ld,\"seconds\":%.1f}\n", failures,
                 seconds_since(&start));
    return failures == 0 ? 0 : 1;
}
