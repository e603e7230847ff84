/* test_calls [--seed N] [--points N]
 *
 * The real programs, killed at every call that changes a file, makes it last,
 * or talks (strike.h): each command of a spool's life, and the upgrade of a
 * file of the first release. Some are killed a second time, in the command that
 * finds what the first kill left. Then the life goes on; what was acknowledged
 * arrives, and nothing else does.
 *
 * Controls in the same run: a flusher that believes a batch delivered before
 * the answer loses events; an upgrade without a transaction stops half-way.
 *
 * Some points, begun by chance; with SPOOL_TEST_FULL=1 all of them, each once
 * alone and once with a second kill. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/random.h"
#include "crash/story.h"
#include "outbox/migrate.h"
#include "support/long_run.h"
#include "support/result.h"

#define POINTS_QUICK  5 /* about, and a third as many upgrades */
#define CONTROL_FIRST 2 /* at the first call nothing can be wrong yet */
#define CONTROL_LAST  8

/* What comes before a command that is struck, so that it has much to do. */
static const enum story_step before[STEPS][6] = {
    [ADD] = {MAKE},
    [PUT] = {MAKE, ADD},
    [FLUSH] = {MAKE, ADD, PUT},
    [REPLAY] = {MAKE, ADD, PUT, FLUSH},
    [PURGE] = {MAKE, ADD, PUT},
    [UPGRADE] = {MAKE, ADD, PUT, FLUSH, PUT},
};

/* What comes after it, beginning with the same once more. */
static const enum story_step after[STEPS][5] = {
    [MAKE] = {MAKE, ADD, PUT, FLUSH},
    [ADD] = {ADD, PUT, FLUSH},
    [PUT] = {PUT, FLUSH},
    [FLUSH] = {FLUSH},
    [REPLAY] = {REPLAY, FLUSH},
    [PURGE] = {PURGE, PUT, FLUSH},
    [UPGRADE] = {UPGRADE, FLUSH},
};

static const struct strike none;

/* ---- a point ---- */

struct point {
    enum story_step step;
    struct strike first, second;
};

static void go_on(struct story *l, enum story_step struck)
{
    struct checker_report r = {0};
    char text[1024];
    for (const enum story_step *s = after[struck]; *s != END; s++) {
        (void)story_step(l, *s, &none, NULL);
        if (*s == UPGRADE &&
            first_release_version(l->path, &l->first) != migrate_newest()) {
            story_finds(l, "the next opening did not upgrade");
        }
    }
    story_judge(l, &r);
    if (!checker_report_is_clean(&r) || r.waiting != 0 || r.attempted == 0) {
        checker_report_print(&r, text, sizeof text);
        story_finds(l, text);
    }
}

/* True when the first kill came; *again tells of the second. */
static bool play(const struct point *p, bool *again, struct story *l)
{
    story_begin(l, "bad-input-if=culprit");
    for (const enum story_step *s = before[p->step]; *s != END; s++) {
        (void)story_step(l, *s, &none, NULL);
    }
    if (p->step == UPGRADE) {
        first_release_make(l->path, &l->first);
    }
    bool killed = story_step(l, p->step, &p->first, NULL);
    *again =
        killed && p->second.n > 0 && story_step(l, p->step, &p->second, NULL);
    if (p->step == UPGRADE && first_release_version(l->path, &l->first) == 0) {
        story_finds(l, "the upgrade was left half-way");
    }
    if (killed || l->wrong > 0) {
        go_on(l, p->step);
    }
    story_finish(l);
    return killed;
}

/* ---- all points ---- */

struct tally {
    long points, missed, pairs, wrong;
    long fired[STEPS];
    double seconds;
};

static long calls[STEPS][STRIKE_GROUPS];

/* How many each command makes when nobody kills it. */
static void count_calls(void)
{
    struct story l;
    story_begin(&l, "bad-input-if=culprit");
    for (enum story_step s = MAKE; s <= REPLAY; s++) {
        (void)story_step(&l, s, &none, calls[s]);
    }
    first_release_make(l.path, &l.first);
    (void)story_step(&l, UPGRADE, &none, calls[UPGRADE]);
    (void)story_step(&l, PUT, &none, NULL);
    (void)story_step(&l, PURGE, &none, calls[PURGE]);
    story_finish(&l);
}

static long sum_of_calls(enum story_step from, enum story_step to)
{
    long sum = 0;
    for (enum story_step s = from; s <= to; s++) {
        for (int g = 0; g < STRIKE_GROUPS; g++) {
            sum += calls[s][g];
        }
    }
    return sum;
}

static bool strike(struct tally *t, const struct point *p)
{
    struct story l;
    bool again = false;
    bool fired = play(p, &again, &l);
    t->points += fired;
    t->missed += !fired;
    t->pairs += again;
    t->fired[p->step] += fired;
    if (l.wrong > 0) {
        t->wrong++;
        (void)fprintf(stderr, "%s, call %ld of %s, second %ld of %s: %s\n",
                      story_names[p->step], p->first.n,
                      strike_group_name(p->first.group), p->second.n,
                      strike_group_name(p->second.group), l.why);
    }
    return fired;
}

/* Once alone, once with a second kill; or one of them, as the dice fall. */
static bool strike_point(struct tally *t, struct rng *rng, struct point *p,
                         bool both)
{
    bool pair = both || rng_upto(rng, 1) == 0;
    bool fired = (pair && !both) || strike(t, p);
    if (pair && fired) {
        p->second.group = (enum strike_group)rng_upto(rng, STRIKE_GROUPS - 1);
        p->second.n = 1 + (long)rng_upto(rng, 11);
        fired = strike(t, p);
    }
    return fired;
}

/* All calls, beyond what was counted until the kill no longer comes. */
static void strike_all(struct tally *t, struct rng *rng, enum story_step s,
                       enum strike_group group)
{
    bool fired = true;
    for (long n = 1; n <= calls[s][group] || fired; n++) {
        struct point p = {s, {group, n}, none};
        fired = strike_point(t, rng, &p, true);
    }
}

/* Every so many-th call. One that was counted, in a longer life, and does not
 * come in this is replaced by an earlier one. */
static void strike_some(struct tally *t, struct rng *rng, enum story_step from,
                        enum story_step to, long every)
{
    long left = (long)rng_upto(rng, every - 1);
    for (enum story_step s = from; s <= to; s++) {
        for (int g = 0; g < STRIKE_GROUPS; g++) {
            for (long n = 1; n <= calls[s][g]; n++) {
                bool fired = left-- > 0;
                for (long m = n; !fired && m > 0; m /= 2) {
                    struct point p = {s, {(enum strike_group)g, m}, none};
                    fired = strike_point(t, rng, &p, false);
                    left = every - 1;
                }
            }
        }
    }
}

static void run(struct tally *t, struct rng *rng, enum story_step from,
                enum story_step to, long points)
{
    struct timespec start;
    long sum = sum_of_calls(from, to);
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    (void)printf("%s to %s: %ld calls\n", story_names[from], story_names[to],
                 sum);
    (void)fflush(stdout);
    if (points > 0) {
        strike_some(t, rng, from, to, sum > points ? sum / points : 1);
    }
    for (enum story_step s = from; s <= to && points == 0; s++) {
        for (int g = 0; g < STRIKE_GROUPS; g++) {
            strike_all(t, rng, s, (enum strike_group)g);
        }
    }
    t->seconds = long_run_seconds(&start);
}

/* ---- the controls ---- */

/* The endpoint refuses for now, so that nothing arrives before the kill. The
 * second request of the hasty flusher is sent when the first is settled. */
static long lose(long *tries)
{
    long lost = 0;
    for (*tries = CONTROL_FIRST - 1; lost == 0 && *tries < CONTROL_LAST;) {
        struct checker_report r = {0};
        struct strike s = {STRIKE_SEND, ++*tries};
        struct story l;
        int code;
        story_begin(&l, "status=503");
        for (const enum story_step *step = before[FLUSH]; *step != END;
             step++) {
            (void)story_step(&l, *step, &none, NULL);
        }
        const char *const words[] = {CRASH_FLUSHER, l.path, "hasty", NULL};
        bool killed = strike_run(&s, words, l.ids, STORY_HANG_S, &code);
        sandbox_child_set_faults(&l.sandbox, "");
        (void)story_step(&l, FLUSH, &none, NULL);
        story_judge(&l, &r);
        story_finish(&l);
        lost = killed ? r.lost : 0;
    }
    return lost;
}

static bool tear(const char *self, long *tries)
{
    bool torn = false;
    for (*tries = CONTROL_FIRST - 1; !torn && *tries < CONTROL_LAST;) {
        struct strike s = {STRIKE_SYNC, ++*tries};
        struct story l;
        int code;
        story_begin(&l, "status=503");
        (void)story_step(&l, MAKE, &none, NULL);
        first_release_make(l.path, &l.first);
        const char *const words[] = {self, "--upgrade-carelessly", l.path,
                                     NULL};
        bool killed = strike_run(&s, words, l.ids, STORY_HANG_S, &code);
        torn = killed && first_release_version(l.path, &l.first) == 0;
        story_finish(&l);
    }
    return torn;
}

/* ---- the result ---- */

static bool tell_kills(const struct tally *t, uint64_t seed)
{
    char figures[512], control[128];
    long tries;
    long lost = lose(&tries);
    int len = snprintf(figures, sizeof figures,
                       "\"did_not_fire\":%ld,\"killed_again\":%ld", t->missed,
                       t->pairs);
    for (enum story_step s = MAKE; s < UPGRADE; s++) {
        len += snprintf(figures + len, sizeof figures - (size_t)len,
                        ",\"%s\":%ld", story_names[s], t->fired[s]);
    }
    (void)snprintf(control, sizeof control,
                   "delivered before the answer: lost %ld when killed at "
                   "request %ld",
                   lost, tries);
    return result_tell(&(struct result){
        .test = "kill-at-call",
        .what = "kill -9 of the real programs at the nth call that writes, "
                "syncs, removes or sends",
        .n = t->points,
        .failures = t->wrong,
        .seed = seed,
        .folder = "/tmp",
        .control = control,
        .caught = lost > 0,
        .seconds = t->seconds,
        .figures = figures});
}

static bool tell_upgrades(const struct tally *t, const char *self,
                          uint64_t seed)
{
    char figures[128], control[128];
    long tries;
    bool torn = tear(self, &tries);
    (void)snprintf(figures, sizeof figures,
                   "\"did_not_fire\":%ld,\"killed_again\":%ld", t->missed,
                   t->pairs);
    (void)snprintf(control, sizeof control,
                   "without a transaction: %s when killed at sync %ld",
                   torn ? "half-way" : "whole", tries);
    return result_tell(&(struct result){
        .test = "migration",
        .what = "kill -9 of the upgrade of a first release's file at the nth "
                "call that writes, syncs, removes or sends",
        .n = t->points,
        .failures = t->wrong,
        .seed = seed,
        .folder = "/tmp",
        .control = control,
        .caught = torn,
        .seconds = t->seconds,
        .figures = figures});
}

int main(int argc, char **argv)
{
    bool all = long_run_is_full();
    struct tally kills = {0}, upgrades = {0};
    struct rng rng;
    rng_init(&rng);
    uint64_t seed = rng_next(&rng);
    long points = all ? 0 : POINTS_QUICK;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0) {
            seed = strtoull(argv[i + 1], NULL, 0);
        } else if (strcmp(argv[i], "--points") == 0) {
            points = strtol(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--upgrade-carelessly") == 0) {
            first_release_upgrade_carelessly(argv[i + 1]);
            return 0;
        }
    }
    (void)printf("seed %" PRIu64 "\n", seed);
    /* The leak checker wants to trace the program as well, and cannot. */
    (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    rng.state = seed;
    count_calls();
    run(&kills, &rng, MAKE, PURGE, points);
    run(&upgrades, &rng, UPGRADE, UPGRADE, (points + 2) / 3);
    bool passed = tell_kills(&kills, seed);
    return tell_upgrades(&upgrades, argv[0], seed) && passed ? 0 : 1;
}
