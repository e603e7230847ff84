#include "crash/siege.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crash/board.h"
#include "crash/worker.h"
#include "integration/sandbox_child.h"
#include "spool/flusher.h"
#include "spool/handle.h"
#include "support/box.h"

/* The longest time between the last start and the kill. */
#define MOMENT_MAX_US 20000

#define SIEGE_PRODUCERS 2 /* at most BOARD_PRODUCERS */

/* For the drain; nothing takes that long. */
#define DRAIN_MS 60000

struct siege_state {
    struct rng *rng;
    const struct siege_mistakes *mistakes;
    struct siege_tally *tally;
    char folder[64];
    char path[96], journal[96], log[96], board_path[96], key[96];
    struct sandbox_child sandbox;
    struct board *board;
    struct worker producers[SIEGE_PRODUCERS];
    struct worker flusher;
    int lives; /* producers started so far, over all sieges */
};

static void trouble(struct siege_state *s, const char *what, const char *why)
{
    (void)fprintf(stderr, "siege: %s: %s\n", what, why);
    s->tally->deserters++;
}

/* ---- setting up ---- */

static void make_paths(struct siege_state *s)
{
    fixture_make_folder(s->folder);
    (void)snprintf(s->path, sizeof s->path, "%s/outbox.db", s->folder);
    (void)snprintf(s->journal, sizeof s->journal, "%s/journal", s->folder);
    (void)snprintf(s->log, sizeof s->log, "%s/endpoint.log", s->folder);
    (void)snprintf(s->board_path, sizeof s->board_path, "%s/board", s->folder);
    (void)snprintf(s->key, sizeof s->key, "%s/key", s->folder);
    FILE *key = fopen(s->key, "we");
    if (key == NULL || fputs("a-key\n", key) < 0 || fclose(key) != 0) {
        perror(s->key);
        exit(1);
    }
}

/* Slow, so that requests are in flight when the kill comes; now and then
 * failing, so that what is uncertain for another reason is there too. */
static void start_endpoint(struct siege_state *s)
{
    char faults[256];
    const char *options[] = {"--log", s->log, "--seconds", "7200", NULL};
    unsigned seed = (unsigned)rng_upto(s->rng, 1000000);
    (void)snprintf(faults, sizeof faults,
                   "slow=4\nstatus=503:rate=3:seed=%u\n"
                   "close-after:rate=3:seed=%u\nstore-then-500:rate=1:seed=%u",
                   seed, seed + 1, seed + 2);
    sandbox_child_start(&s->sandbox, options);
    sandbox_child_set_faults(&s->sandbox, faults);
}

static struct spool *open_spool(struct siege_state *s)
{
    struct spool *spool = NULL;
    struct spool_options options;
    struct spool_error err;
    struct timespec from, to;
    spool_options_default(&options);
    options.path = s->path;
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    if (spool_open(&options, &spool, &err) != SPOOL_OK) {
        trouble(s, "the spool cannot be opened", err.message);
        exit(1);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    double ms = (double)(to.tv_sec - from.tv_sec) * 1e3 +
                (double)(to.tv_nsec - from.tv_nsec) / 1e6;
    if (ms > s->tally->reopen_ms_max) {
        s->tally->reopen_ms_max = ms;
    }
    return spool;
}

static void make_spool(struct siege_state *s)
{
    struct destination d;
    struct spool_error err;
    struct spool *spool = open_spool(s);
    destination_default(&d);
    (void)snprintf(d.name, sizeof d.name, "shop");
    (void)snprintf(d.url, sizeof d.url, "http://127.0.0.1:%u", s->sandbox.port);
    (void)snprintf(d.api_key_file, sizeof d.api_key_file, "%s", s->key);
    d.lanes = (int)rng_upto(s->rng, 2) + 1;
    d.batch_events = (int)rng_upto(s->rng, 15) + 5;
    d.batch_age_ms = 5;
    d.backoff_base_ms = 1;
    d.backoff_cap_ms = 20;
    if (destination_add(spool_outbox(spool), &d, &err) != SPOOL_OK) {
        trouble(s, "no destination", err.message);
        exit(1);
    }
    spool_close(spool);
}

/* ---- a round ---- */

static void start_producer(struct siege_state *s, int i)
{
    static char program[] = CRASH_PRODUCER;
    char number[16], life[16], mistake[16];
    char *argv[] = {program, s->path, s->journal, s->board_path,
                    number,  life,    NULL,       NULL};
    (void)snprintf(number, sizeof number, "%d", i);
    (void)snprintf(life, sizeof life, "%d", ++s->lives);
    if (s->mistakes->producer != NULL) {
        (void)snprintf(mistake, sizeof mistake, "%s", s->mistakes->producer);
        argv[6] = mistake;
    }
    worker_start(&s->producers[i], argv);
}

static void start_flusher(struct siege_state *s)
{
    static char program[] = CRASH_FLUSHER;
    char mistake[16];
    char *argv[] = {program, s->path, NULL, NULL};
    if (s->mistakes->flusher != NULL) {
        (void)snprintf(mistake, sizeof mistake, "%s", s->mistakes->flusher);
        argv[2] = mistake;
    }
    worker_start(&s->flusher, argv);
}

/* Starts who does not run. Mostly waits until they are at work, but a start
 * must survive a kill as well. */
static void man(struct siege_state *s)
{
    bool wait = rng_upto(s->rng, 3) > 0;
    for (int i = 0; i < SIEGE_PRODUCERS; i++) {
        if (s->producers[i].pid == 0) {
            start_producer(s, i);
            if (wait && !worker_wait(&s->producers[i])) {
                trouble(s, "a producer", "does not get to work");
            }
        }
    }
    if (s->flusher.pid == 0) {
        start_flusher(s);
        if (wait && !worker_wait(&s->flusher)) {
            trouble(s, "a flusher", "does not get to work");
        }
    }
}

static void kill_producer(struct siege_state *s, int i)
{
    int inside = 0;
    if (!worker_kill(&s->producers[i])) {
        s->tally->deserters++;
    }
    for (int t = 0; t < BOARD_THREADS; t++) {
        inside += atomic_exchange(&s->board->inside[i][t], 0);
    }
    s->tally->producers_killed++;
    s->tally->producers_hit += inside > 0;
}

static void kill_flusher(struct siege_state *s)
{
    if (!worker_kill(&s->flusher)) {
        s->tally->deserters++;
    }
    s->tally->flushers_killed++;
}

/* Whom it hits. */
enum victims { FLUSHER, ONE_PRODUCER, PRODUCERS, EVERYBODY };

static enum victims strike(struct siege_state *s)
{
    enum victims victims = (enum victims)rng_upto(s->rng, EVERYBODY);
    int one = (int)rng_upto(s->rng, SIEGE_PRODUCERS - 1);
    for (int i = 0; i < SIEGE_PRODUCERS; i++) {
        if (victims == PRODUCERS || victims == EVERYBODY ||
            (victims == ONE_PRODUCER && i == one)) {
            kill_producer(s, i);
        }
    }
    if (victims == FLUSHER || victims == EVERYBODY) {
        kill_flusher(s);
    }
    s->tally->all_killed += victims == EVERYBODY;
    return victims;
}

static void print_finding(void *arg, const char *sentence)
{
    (void)arg;
    (void)fprintf(stderr, "verify: %s\n", sentence);
}

static void check(struct siege_state *s, struct spool *spool)
{
    struct spool_error err;
    int64_t findings = 0;
    if (verify(spool_outbox(spool), print_finding, NULL, &findings, &err) !=
        SPOOL_OK) {
        trouble(s, "cannot verify", err.message);
    }
    s->tally->findings += (long)findings;
}

/* Opens what is left and looks at it; whoever survived goes on meanwhile. */
static void inspect(struct siege_state *s, enum victims victims)
{
    struct destination d;
    struct sums sums;
    struct spool_error err;
    struct spool *spool = open_spool(s);
    struct outbox *box = spool_outbox(spool);
    if (destination_find(box, "shop", &d, &err) != SPOOL_OK ||
        inspect_sums(box, &d, &sums, &err) != SPOOL_OK) {
        trouble(s, "no sums", err.message);
        exit(1);
    }
    s->tally->queue_not_empty += sums.waiting > 0;
    if (victims == FLUSHER || victims == EVERYBODY) {
        s->tally->flushers_hit += sums.by_state[EVENT_SENDING] > 0;
    }
    check(s, spool);
    spool_close(spool);
}

static void round_of(struct siege_state *s)
{
    long us = (long)rng_upto(s->rng, MOMENT_MAX_US);
    struct timespec moment = {.tv_nsec = us * 1000};
    man(s);
    /* Not to wait for something: this is the random moment. */
    (void)nanosleep(&moment, NULL);
    inspect(s, strike(s));
    s->tally->rounds++;
}

/* ---- the end ---- */

/* The endpoint is well, and batches are large, to get it over with. */
static void drain(struct siege_state *s, struct spool *spool)
{
    struct spool_error err;
    struct destination d;
    struct outbox *box = spool_outbox(spool);
    struct spool_flusher_options options;
    sandbox_child_set_faults(&s->sandbox, "");
    if (destination_find(box, "shop", &d, &err) == SPOOL_OK) {
        d.batch_events = 500;
        (void)destination_set(box, &d, &err);
    }
    spool_flusher_options_default(&options);
    if (spool_flush(spool, NULL, DRAIN_MS, &options, &err) != SPOOL_OK) {
        trouble(s, "the drain", err.message);
    }
}

static void judge(struct siege_state *s, struct spool *spool)
{
    struct destination d;
    struct spool_error err;
    struct checker_report r;
    struct checker *c = checker_create();
    if (destination_find(spool_outbox(spool), "shop", &d, &err) != SPOOL_OK) {
        trouble(s, "no destination", err.message);
        exit(1);
    }
    checker_read_journal(c, s->journal);
    checker_read_log(c, s->log);
    checker_read_spool(c, spool_outbox(spool), &d);
    checker_judge(c, &r);
    checker_destroy(c);
#define SIEGE_ADD(name, bad, meaning) s->tally->judged.name += r.name;
    CHECKER_MAP(SIEGE_ADD)
#undef SIEGE_ADD
}

static void finish(struct siege_state *s)
{
    for (int i = 0; i < SIEGE_PRODUCERS; i++) {
        if (!worker_kill(&s->producers[i])) {
            s->tally->deserters++;
        }
    }
    if (!worker_kill(&s->flusher)) {
        s->tally->deserters++;
    }
    struct spool *spool = open_spool(s);
    drain(s, spool);
    check(s, spool);
    judge(s, spool);
    spool_close(spool);
    (void)sandbox_child_stop(&s->sandbox, NULL, 0);
    board_unmap(s->board);
    fixture_remove_folder(s->folder);
}

void siege(struct rng *rng, long rounds, const struct siege_mistakes *mistakes,
           struct siege_tally *tally)
{
    struct siege_state s = {.rng = rng, .mistakes = mistakes, .tally = tally};
    make_paths(&s);
    s.board = board_map(s.board_path);
    start_endpoint(&s);
    make_spool(&s);
    for (long i = 0; i < rounds; i++) {
        round_of(&s);
    }
    finish(&s);
}
