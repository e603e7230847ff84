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
#include "support/long_run.h"
#include "support/result.h"

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
    rng_init(&any);
    a->seed = rng_next(&any);
    a->rounds = long_run_is_full() ? ROUNDS_FULL : ROUNDS_QUICK;
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

static long failures_of(const struct siege_tally *t)
{
    const struct checker_report *r = &t->judged;
    return r->lost + r->unexpected + r->mutated + r->reordered +
           r->unexplained + r->rekeyed + r->miscounted + r->waiting + r->dead +
           t->findings + t->deserters;
}

static void figures_of(const struct siege_tally *t, char *out, size_t size)
{
    char report[1024];
    checker_report_print(&t->judged, report, sizeof report);
    (void)snprintf(out, size,
                   "\"producers_killed\":%ld,\"producers_hit\":%ld,"
                   "\"flushers_killed\":%ld,\"flushers_hit\":%ld,"
                   "\"all_killed\":%ld,\"queue_not_empty\":%ld,"
                   "\"reopen_ms_max\":%.1f,\"findings\":%ld,"
                   "\"deserters\":%ld,%s",
                   t->producers_killed, t->producers_hit, t->flushers_killed,
                   t->flushers_hit, t->all_killed, t->queue_not_empty,
                   t->reopen_ms_max, t->findings, t->deserters, report);
}

/* The mistakes that must be noticed; *caught if all were. */
static void run_controls(struct rng *rng, bool *caught, char *words,
                         size_t size)
{
    struct control controls[] = {
        {"acknowledged early: lost",
         {"early", NULL},
         offsetof(struct checker_report, lost),
         0},
        {"settled early: lost",
         {NULL, "hasty"},
         offsetof(struct checker_report, lost),
         0},
        {"sent twice: unexplained",
         {NULL, "twice"},
         offsetof(struct checker_report, unexplained),
         0},
    };
    size_t len = 0;
    *caught = true;
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++) {
        run_control(rng, &controls[i]);
        *caught = *caught && controls[i].caught > 0;
        int n = snprintf(words + len, size - len, "%s%s %ld", i > 0 ? ", " : "",
                         controls[i].name, controls[i].caught);
        len += n > 0 && (size_t)n < size - len ? (size_t)n : 0;
    }
}

int main(int argc, char **argv)
{
    static const struct siege_mistakes none = {NULL, NULL};
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
    char figures[2048], words[256];
    bool caught;
    run_controls(&rng, &caught, words, sizeof words);
    figures_of(&tally, figures, sizeof figures);
    return result_tell(&(struct result){
               .test = "kill",
               .what = "kill -9 of producers, flusher or all at random "
                       "moments, endpoint misbehaving",
               .n = tally.rounds,
               .failures = failures_of(&tally),
               .seed = a.seed,
               .folder = "/tmp",
               .control = words,
               .caught = caught,
               .seconds = long_run_seconds(&start),
               .figures = figures})
               ? 0
               : 1;
}
