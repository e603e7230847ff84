/* test_sim [--seed N] [--count N] [--one N] [--clocks | --backlog] [--jobs N]
 *
 * The outbox and the flusher as they are, in a simulated world: time, chance,
 * network, store faults and death come from one seed, and after each step all
 * that can be seen is held against a model that knows nothing of their code.
 * At the end all faults are over, and it must drain.
 *
 * One run in a hundred is made twice and must leave the same trace. Then all
 * short sequences of operations. With --clocks, instead of both, a world whose
 * clocks jump; with --backlog one that begins with an outage, so that new
 * events overtake what it left. Planted mistakes in the same program must be
 * found.
 *
 * --one N plays the one run with that seed and says what it found. N jobs share
 * the drawn lives: the same ones, whatever N. SIGTERM ends a longer run early,
 * with the result of what it did until then. */
#define _DEFAULT_SOURCE /* mkdtemp */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim/life.h"
#include "support/long_run.h"
#include "support/result.h"

#define OPS_A_LIFE  30
#define CONTROL_MAX 400
#define SHOWN       5
#define JOBS_MAX    64

static struct world the_world;
static char folder[32];

struct tally {
    int64_t n, failures, again, differ;
    struct counts c;
};

static void tally_add(struct tally *t, const struct tally *more)
{
    const struct counts *c = &more->c;
    t->n += more->n;
    t->failures += more->failures;
    t->again += more->again;
    t->differ += more->differ;
    t->c.accepted += c->accepted;
    t->c.requests += c->requests;
    t->c.crashes += c->crashes;
    t->c.store_faults += c->store_faults;
    t->c.jumps += c->jumps;
    t->c.ambiguous += c->ambiguous;
    t->c.refusals += c->refusals;
    t->c.faults += c->faults;
    t->c.resends += c->resends;
    t->c.backlogs += c->backlogs;
    t->c.overtakes += c->overtakes;
}

static uint64_t play(const struct life *life, struct tally *t)
{
    life_run(&the_world, life);
    tally_add(t, &(struct tally){.n = 1,
                                 .failures = the_world.m.failed ? 1 : 0,
                                 .c = the_world.counts});
    return the_world.hash;
}

/* Which world it is. */
enum kind { KIND_PLAIN, KIND_CLOCKS, KIND_BACKLOG };

static const char *const kind_options[] = {"", " --clocks", " --backlog"};

static struct life life_of(uint64_t seed, enum kind kind, enum plant plant)
{
    return (struct life){.folder = folder,
                         .seed = seed,
                         .plant = plant,
                         .clocks = kind == KIND_CLOCKS,
                         .backlog = kind == KIND_BACKLOG,
                         .n = OPS_A_LIFE,
                         .hour_ms = kind == KIND_BACKLOG ? 240000 : 3600000};
}

static void complain(const struct life *life, const struct tally *t)
{
    if (the_world.m.failed && t->failures <= SHOWN) {
        (void)printf("seed %" PRIu64 "%s: %s\n", life->seed,
                     kind_options[life->clocks    ? KIND_CLOCKS
                                  : life->backlog ? KIND_BACKLOG
                                                  : KIND_PLAIN],
                     the_world.m.why);
    }
}

/* One of several processes that share the lives of a run. */
struct share {
    int job, jobs;
    pid_t pid;
    int from; /* what it says when it ends: its sum */
};

struct sum {
    struct tally t;
    uint64_t hash; /* the same however the lives are shared out */
};

static void play_share(const struct share *share, uint64_t seed, int64_t count,
                       enum kind kind, struct sum *sum)
{
    struct tally *t = &sum->t;
    for (int64_t i = share->job; i < count && !long_run_is_told_to_end();
         i += share->jobs) {
        struct life life = life_of(seed + (uint64_t)i, kind, PLANT_NONE);
        uint64_t first = play(&life, t);
        complain(&life, t);
        sum->hash += first;
        if (i % 100 == 0) {
            struct tally unused = {0};
            t->again++;
            if (play(&life, &unused) != first) {
                t->differ++;
                (void)printf("seed %" PRIu64
                             ": another trace the second time\n",
                             life.seed);
            }
        }
    }
    t->failures += t->differ;
}

static void make_folder(void)
{
    static const char name[] = "/dev/shm/spool-sim-XXXXXX";
    memcpy(folder, name, sizeof name);
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        exit(1);
    }
}

static void end_world(void)
{
    world_end(&the_world);
    free(the_world.requests);
    (void)rmdir(folder);
}

static void start_share(struct share *share, uint64_t seed, int64_t count,
                        enum kind kind)
{
    int ends[2];
    if (pipe(ends) != 0 || (share->pid = fork()) < 0) {
        perror("a process for a share of the lives");
        exit(1);
    }
    if (share->pid == 0) {
        struct sum sum = {0};
        make_folder();
        play_share(share, seed, count, kind, &sum);
        end_world();
        _exit(write(ends[1], &sum, sizeof sum) == sizeof sum ? 0 : 1);
    }
    (void)close(ends[1]);
    share->from = ends[0];
}

static void end_share(struct share *share, struct sum *sum)
{
    struct sum its = {0};
    struct pollfd end = {.fd = share->from, .events = POLLIN};
    do {
        if (long_run_is_told_to_end()) {
            (void)kill(share->pid, SIGTERM);
        }
    } while (poll(&end, 1, -1) < 0 && errno == EINTR);
    if (read(share->from, &its, sizeof its) != sizeof its) {
        (void)printf("a process died in the middle of its lives\n");
        its = (struct sum){.t.failures = 1};
    }
    (void)close(share->from);
    (void)waitpid(share->pid, NULL, 0);
    tally_add(&sum->t, &its.t);
    sum->hash += its.hash;
}

static struct sum play_many(uint64_t seed, int64_t count, enum kind kind,
                            int jobs)
{
    struct share shares[JOBS_MAX];
    struct sum sum = {0};
    jobs = jobs < 1 ? 1 : jobs > JOBS_MAX ? JOBS_MAX : jobs;
    for (int i = 0; i < jobs; i++) {
        shares[i] = (struct share){.job = i, .jobs = jobs};
        if (jobs > 1) {
            start_share(&shares[i], seed, count, kind);
        }
    }
    if (jobs == 1) {
        play_share(&shares[0], seed, count, kind, &sum);
    }
    for (int i = 0; jobs > 1 && i < jobs; i++) {
        end_share(&shares[i], &sum);
    }
    return sum;
}

/* Every sequence of at most `longest` operations. */
static void play_all(uint64_t seed, int longest, struct tally *t)
{
    for (int n = 1; n <= longest; n++) {
        int64_t all = 1;
        for (int i = 0; i < n; i++) {
            all *= OPS;
        }
        for (int64_t k = 0; k < all && !long_run_is_told_to_end(); k++) {
            enum op ops[8];
            int64_t rest = k;
            for (int i = 0; i < n; i++, rest /= OPS) {
                ops[i] = (enum op)(rest % OPS);
            }
            struct life life =
                life_of(seed + (uint64_t)k, KIND_PLAIN, PLANT_NONE);
            life.ops = ops;
            life.n = n;
            life.hour_ms = 60000;
            (void)play(&life, t);
            if (the_world.m.failed && t->failures <= SHOWN) {
                (void)printf("operations");
                for (int i = 0; i < n; i++) {
                    (void)printf(" %d", ops[i]);
                }
                (void)printf(": %s\n", the_world.m.why);
            }
        }
    }
}

/* How many of the mistakes from..to are found. */
static int plant_all(uint64_t seed, int from, int to, enum kind kind,
                     char *told, size_t size)
{
    int found = 0;
    told[0] = '\0';
    for (int p = from; p <= to; p++) {
        struct tally t = {0};
        while (t.failures == 0 && t.n < CONTROL_MAX) {
            struct life life =
                life_of(seed + (uint64_t)t.n, kind, (enum plant)p);
            (void)play(&life, &t);
        }
        found += t.failures > 0 ? 1 : 0;
        if (t.failures == 0) {
            (void)printf("planted mistake %d was not found\n", p);
        } else {
            (void)printf("planted mistake %d, run %d: %s\n", p, (int)t.n,
                         the_world.m.why);
        }
    }
    (void)snprintf(told, size, "%d of %d planted mistakes found", found,
                   to - from + 1);
    return to - from + 1 - found;
}

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool tell(const char *test, const char *what, const struct tally *t,
                 uint64_t seed, double began, const char *control, bool caught,
                 uint64_t hash)
{
    char figures[512];
    (void)snprintf(
        figures, sizeof figures,
        "\"accepted\":%" PRId64 ",\"requests\":%" PRId64 ",\"crashes\":%" PRId64
        ",\"store_faults\":%" PRId64 ",\"clock_jumps\":%" PRId64
        ",\"ambiguous\":%" PRId64 ",\"refusals\":%" PRId64
        ",\"faults\":%" PRId64 ",\"same_key_resends\":%" PRId64
        ",\"backlogs\":%" PRId64 ",\"overtakes\":%" PRId64
        ",\"run_again\":%" PRId64 ",\"trace\":\"%016" PRIx64 "\"",
        t->c.accepted, t->c.requests, t->c.crashes, t->c.store_faults,
        t->c.jumps, t->c.ambiguous, t->c.refusals, t->c.faults, t->c.resends,
        t->c.backlogs, t->c.overtakes, t->again, hash);
    struct result r = {.test = test,
                       .what = what,
                       .n = t->n,
                       .failures = t->failures,
                       .seed = seed,
                       .folder = folder,
                       .control = control,
                       .caught = caught,
                       .seconds = seconds() - began,
                       .figures = figures};
    bool fired = t->c.crashes > 0 && t->c.ambiguous > 0 && t->c.jumps > 0;
    if (!fired) {
        (void)printf("%s: no fault was injected\n", test);
    }
    return result_tell(&r) && fired;
}

static int play_one(uint64_t seed, enum kind kind)
{
    struct tally t = {0};
    struct life life = life_of(seed, kind, PLANT_NONE);
    uint64_t hash = play(&life, &t);
    (void)printf("seed %" PRIu64 " trace %016" PRIx64 ": %s\n", seed, hash,
                 the_world.m.failed ? the_world.m.why : "holds");
    return t.failures > 0 ? 1 : 0;
}

static bool play_everything(uint64_t seed, int64_t count, bool full, int jobs)
{
    struct tally all = {0};
    char told[64];
    double began = seconds();
    struct sum drawn = play_many(seed, count, KIND_PLAIN, jobs);
    int missed = plant_all(seed, PLANT_SETTLES, PLANT_REKEYS, KIND_PLAIN, told,
                           sizeof told);
    bool good = tell("simulation",
                     "lives of an hour with faults from one seed, held against "
                     "a model after each step, then drained",
                     &drawn.t, seed, began, told, missed == 0, drawn.hash);
    began = seconds();
    play_all(seed, full ? 4 : 2, &all);
    return tell("simulation-all",
                "every sequence of a few of twelve operations, against the "
                "same model",
                &all, seed, began, told, missed == 0, 0) &&
           good;
}

static bool play_clocks(uint64_t seed, int64_t count, int jobs)
{
    char told[64];
    double began = seconds();
    struct sum sum = play_many(seed, count, KIND_CLOCKS, jobs);
    int missed = plant_all(seed, PLANT_WALL_CLOCK, PLANT_WALL_CLOCK,
                           KIND_CLOCKS, told, sizeof told);
    return tell("clock",
                "lives in which the clocks jump by up to 30 years and stand "
                "still: no stall, no stampede, no other order",
                &sum.t, seed, began, told, missed == 0, sum.hash);
}

static bool play_backlog(uint64_t seed, int64_t count, int jobs)
{
    char told[64];
    double began = seconds();
    struct sum sum = play_many(seed, count, KIND_BACKLOG, jobs);
    int missed = plant_all(seed, PLANT_BLIND, PLANT_BLIND, KIND_BACKLOG, told,
                           sizeof told);
    if (sum.t.c.overtakes == 0) {
        (void)printf("no batch overtook a backlog\n");
    }
    return tell("simulation-backlog",
                "lives that begin with an outage: new events overtake what it "
                "left, but not their own sessions",
                &sum.t, seed, began, told, missed == 0, sum.hash) &&
           sum.t.c.overtakes > 0;
}

int main(int argc, char **argv)
{
    bool full = long_run_is_full();
    enum kind kind = KIND_PLAIN;
    bool one = false, good;
    uint64_t seed = 1;
    int64_t count = 0;
    int jobs = full ? (int)sysconf(_SC_NPROCESSORS_ONLN) : 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--clocks") == 0) {
            kind = KIND_CLOCKS;
        } else if (strcmp(argv[i], "--backlog") == 0) {
            kind = KIND_BACKLOG;
        } else if (i + 1 < argc && strcmp(argv[i], "--count") == 0) {
            count = strtoll(argv[++i], NULL, 10);
        } else if (i + 1 < argc && strcmp(argv[i], "--jobs") == 0) {
            jobs = (int)strtol(argv[++i], NULL, 10);
        } else if (i + 1 < argc && strncmp(argv[i], "--", 2) == 0) {
            one = strcmp(argv[i], "--one") == 0;
            seed = strtoull(argv[++i], NULL, 10);
        }
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    the_world.requests = calloc(REQUESTS_MAX, sizeof *the_world.requests);
    if (the_world.requests == NULL) {
        perror("memory");
        return 1;
    }
    make_folder();
    (void)printf("seed %" PRIu64 "\n", seed);
    if (one) {
        good = play_one(seed, kind) == 0;
    } else if (kind == KIND_BACKLOG) {
        good = play_backlog(seed, count > 0 ? count : full ? 10000 : 30, jobs);
    } else if (kind == KIND_CLOCKS) {
        good = play_clocks(seed, count > 0 ? count : full ? 10000 : 40, jobs);
    } else {
        good = play_everything(seed,
                               count > 0 ? count
                               : full    ? 100000
                                         : 60,
                               full, jobs);
    }
    end_world();
    return good ? 0 : 1;
}
