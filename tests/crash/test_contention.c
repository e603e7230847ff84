/* test_contention [--seed N] [--rounds N] [--seconds N]
 *
 * A crowd at one spool, each a process of its own: eight producers of three
 * threads, a flusher, somebody who checkpoints every millisecond as the spool
 * does, and an operator who looks, replays and purges. At the end everything
 * is drained: nobody lost anything, no id is missing, SQLite's own structure is
 * sound and the sums add up.
 *
 * In the same run the checks must notice a row that was taken out of the file,
 * and bare SQLite must lose rows: to a crowd of its own, or, when that does not
 * happen in the time, to the race made by hand.
 *
 * Three rounds of two seconds; with SPOOL_TEST_FULL=1 thirty of twenty. */
#define _DEFAULT_SOURCE /* usleep */
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/random.h"
#include "crash/board.h"
#include "crash/crowd.h"
#include "crash/race.h"
#include "crash/worker.h"
#include "integration/sandbox_child.h"
#include "spool/flusher.h"
#include "spool/handle.h"
#include "support/box.h"
#include "support/checker.h"
#include "support/long_run.h"
#include "support/result.h"

#define DRAIN_MS 120000

extern char **environ;

struct arguments {
    uint64_t seed;
    long rounds, seconds;
    int crowd_seconds; /* of the control, at most */
};

struct contention {
    struct rng rng;
    char folder[64], path[96], journal[96], log[96], board[96], key[96];
    struct sandbox_child sandbox;
    struct worker producers[BOARD_PRODUCERS], flusher, checkpointer;
    int lives;
    long commands; /* of the operator */
    long troubles; /* whatever should not have happened */
    long gaps;     /* ids without an event */
    long findings; /* of verify */
    long planted;  /* rows taken out, to see whether that is noticed */
    long noticed;  /* of them */
    struct checker_report judged;
};

static void trouble(struct contention *c, const char *what, const char *why)
{
    (void)fprintf(stderr, "contention: %s: %s\n", what, why);
    c->troubles++;
}

/* ---- the checkpointer, in a process of its own ---- */

static int play_checkpointer(const char *path)
{
    sqlite3 *lock, *db;
    worker_begin();
    if (sqlite3_open(path, &lock) != SQLITE_OK ||
        sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_busy_timeout(lock, 10000) != SQLITE_OK) {
        return 1;
    }
    bare_run(lock, "PRAGMA wal_autocheckpoint = 0");
    bare_run(db, "PRAGMA wal_autocheckpoint = 0");
    worker_is_at_work();
    for (;;) {
        bare_run(lock, "BEGIN IMMEDIATE");
        (void)bare_number(db, "PRAGMA wal_checkpoint(PASSIVE)");
        bare_run(lock, "ROLLBACK");
        (void)usleep(1000);
    }
}

/* ---- the operator ---- */

/* Done, nothing matched, or not everything. */
static bool is_fine(int status)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return code == 0 || code == 3 || code == 5;
}

static void run_command(struct contention *c, const char *line)
{
    char command[512];
    char shell[] = "/bin/sh", dash[] = "-c";
    char *argv[] = {shell, dash, command, NULL};
    pid_t pid;
    int status = -1;
    (void)snprintf(command, sizeof command, "exec '%s' -s '%s' -q %s >'%s/out'",
                   SPOOLCTL, c->path, line, c->folder);
    if (posix_spawn(&pid, shell, NULL, NULL, argv, environ) != 0 ||
        waitpid(pid, &status, 0) != pid || !is_fine(status)) {
        trouble(c, "spoolctl fails", line);
    }
    c->commands++;
}

static void operate(struct contention *c)
{
    static const char *const commands[] = {
        "status",
        "ls --limit 20",
        "ls --state dead --limit 5",
        "why shop",
        "replay --state dead --limit 3 --yes",
        "purge --session 6-1-2 --limit 5 --yes",
        "gate",
        "verify",
    };
    size_t last = sizeof commands / sizeof *commands - 1;
    run_command(c, commands[rng_upto(&c->rng, (int64_t)last)]);
}

/* ---- setting up ---- */

static struct spool *open_spool(const struct contention *c)
{
    struct spool *spool;
    struct spool_options options;
    struct spool_error err;
    spool_options_default(&options);
    options.path = c->path;
    if (spool_open(&options, &spool, &err) != SPOOL_OK) {
        (void)fprintf(stderr, "contention: %s\n", err.message);
        exit(1);
    }
    return spool;
}

static void make_paths(struct contention *c)
{
    fixture_make_folder(c->folder);
    (void)snprintf(c->path, sizeof c->path, "%s/outbox.db", c->folder);
    (void)snprintf(c->journal, sizeof c->journal, "%s/journal", c->folder);
    (void)snprintf(c->log, sizeof c->log, "%s/endpoint.log", c->folder);
    (void)snprintf(c->board, sizeof c->board, "%s/board", c->folder);
    (void)snprintf(c->key, sizeof c->key, "%s/key", c->folder);
    FILE *key = fopen(c->key, "we");
    if (key == NULL || fputs("a-key\n", key) < 0 || fclose(key) != 0) {
        perror(c->key);
        exit(1);
    }
}

/* One session's events are refused now and then, so that there are dead ones
 * to replay. */
static void start_endpoint(struct contention *c)
{
    const char *options[] = {"--log", c->log, "--seconds", "7200", NULL};
    sandbox_child_start(&c->sandbox, options);
    sandbox_child_set_faults(&c->sandbox, "bad-input-if=~5-0-3\n"
                                          "close-after:rate=1:seed=5");
}

static void make_spool(struct contention *c)
{
    struct destination d;
    struct spool_error err;
    struct spool *spool = open_spool(c);
    destination_default(&d);
    (void)snprintf(d.name, sizeof d.name, "shop");
    (void)snprintf(d.url, sizeof d.url, "http://127.0.0.1:%u", c->sandbox.port);
    (void)snprintf(d.api_key_file, sizeof d.api_key_file, "%s", c->key);
    d.lanes = 2;
    d.batch_events = 50;
    d.batch_age_ms = 5;
    d.backoff_base_ms = 1;
    d.backoff_cap_ms = 20;
    if (destination_add(spool_outbox(spool), &d, &err) != SPOOL_OK) {
        trouble(c, "no destination", err.message);
    }
    spool_close(spool);
}

static void start(struct contention *c, struct worker *w, char *const argv[])
{
    worker_start(w, argv);
    if (!worker_wait(w)) {
        trouble(c, "does not get to work", argv[0]);
    }
}

static void start_crowd(struct contention *c)
{
    static char producer[] = CRASH_PRODUCER, flusher[] = CRASH_FLUSHER;
    static char self[] = "/proc/self/exe", checkpointer[] = "--checkpointer";
    char number[16], life[16];
    char *flush[] = {flusher, c->path, NULL};
    char *check[] = {self, checkpointer, c->path, NULL};
    char *put[] = {producer, c->path, c->journal, c->board, number, life, NULL};
    for (int i = 0; i < BOARD_PRODUCERS; i++) {
        (void)snprintf(number, sizeof number, "%d", i);
        (void)snprintf(life, sizeof life, "%d", ++c->lives);
        start(c, &c->producers[i], put);
    }
    start(c, &c->flusher, flush);
    start(c, &c->checkpointer, check);
}

static void stop_crowd(struct contention *c)
{
    bool well = true;
    for (int i = 0; i < BOARD_PRODUCERS; i++) {
        well = worker_kill(&c->producers[i]) && well;
    }
    well = worker_kill(&c->flusher) && well;
    well = worker_kill(&c->checkpointer) && well;
    if (!well) {
        trouble(c, "somebody", "had ended");
    }
}

/* ---- the end ---- */

static void drain(struct contention *c, struct spool *spool)
{
    struct spool_error err;
    struct destination d;
    struct spool_flusher_options options;
    sandbox_child_set_faults(&c->sandbox, "");
    if (destination_find(spool_outbox(spool), "shop", &d, &err) == SPOOL_OK) {
        d.batch_events = 500;
        (void)destination_set(spool_outbox(spool), &d, &err);
    }
    spool_flusher_options_default(&options);
    enum spool_status status =
        spool_flush(spool, NULL, DRAIN_MS, &options, &err);
    /* What is left may be dead; what waits is judged. */
    if (status != SPOOL_OK && status != SPOOL_UNFINISHED) {
        trouble(c, "the drain", err.message);
    }
}

static void judge(struct contention *c, struct spool *spool)
{
    struct destination d;
    struct spool_error err;
    struct checker_report r;
    struct checker *checker = checker_create();
    if (destination_find(spool_outbox(spool), "shop", &d, &err) != SPOOL_OK) {
        trouble(c, "no destination", err.message);
        exit(1);
    }
    checker_read_journal(checker, c->journal);
    checker_read_log(checker, c->log);
    checker_read_spool(checker, spool_outbox(spool), &d);
    checker_judge(checker, &r);
    checker_destroy(checker);
#define ADD(name, bad, meaning) c->judged.name += r.name;
    CHECKER_MAP(ADD)
#undef ADD
}

static void print_finding(void *arg, const char *sentence)
{
    (void)arg;
    (void)fprintf(stderr, "verify: %s\n", sentence);
}

static void ignore_finding(void *arg, const char *sentence)
{
    (void)arg;
    (void)sentence;
}

static long verify_file(struct contention *c, verify_finding *each)
{
    struct spool_error err;
    int64_t findings = 0;
    struct spool *spool = open_spool(c);
    if (verify(spool_outbox(spool), each, NULL, &findings, &err) != SPOOL_OK) {
        trouble(c, "cannot verify", err.message);
    }
    spool_close(spool);
    return (long)findings;
}

/* Ids of a log from which nothing was dropped are dense. */
static long count_gaps(sqlite3 *db)
{
    return bare_number(db, "SELECT ifnull(max(id), 0) - count(*) "
                           "FROM spool_event");
}

static void check_file(struct contention *c)
{
    sqlite3 *db = bare_open(c->path);
    if (bare_number(db, "SELECT integrity_check = 'ok' "
                        "FROM pragma_integrity_check LIMIT 1") != 1) {
        trouble(c, "integrity_check", "is not ok");
    }
    c->gaps += count_gaps(db);
    (void)sqlite3_close(db);
    c->findings += verify_file(c, print_finding);

    db = bare_open(c->path);
    bare_run(db, "DELETE FROM spool_event WHERE id = "
                 "(SELECT max(id) / 2 FROM spool_event)");
    c->planted++;
    bool noticed = count_gaps(db) == 1;
    (void)sqlite3_close(db);
    c->noticed += noticed && verify_file(c, ignore_finding) > 0;
}

static void play(struct contention *c, long seconds)
{
    struct timespec begun;
    make_paths(c);
    start_endpoint(c);
    make_spool(c);
    board_unmap(board_map(c->board));
    start_crowd(c);
    (void)clock_gettime(CLOCK_MONOTONIC, &begun);
    while (long_run_seconds(&begun) < (double)seconds) {
        operate(c);
    }
    stop_crowd(c);
    struct spool *spool = open_spool(c);
    drain(c, spool);
    judge(c, spool);
    spool_close(spool);
    check_file(c);
    (void)sandbox_child_stop(&c->sandbox, NULL, 0);
    fixture_remove_folder(c->folder);
}

/* Whether a control's mistake shows; words say which. */
static bool bare_sqlite_loses(int seconds, char *words, size_t size)
{
    char folder[64] = "/dev/shm/spool-crowd-XXXXXX", path[96];
    if (mkdtemp(folder) != NULL) {
        bool corrupt = crowd_corrupts("/proc/self/exe", folder, seconds);
        fixture_remove_folder(folder);
        if (corrupt) {
            (void)snprintf(words, size, "bare SQLite was damaged by a crowd");
            return true;
        }
    }
    fixture_make_folder(folder);
    (void)snprintf(path, sizeof path, "%s/bare.db", folder);
    long rows = race_bare(path);
    fixture_remove_folder(folder);
    bool mended = outbox_engine_lacks()[0] == '\0';
    (void)snprintf(words, size, "bare SQLite%s has %ld of %d rows left",
                   mended ? ", mended," : "", rows, RACE_ROWS);
    return mended || rows < RACE_ROWS;
}

static bool parse(int argc, char **argv, struct arguments *a)
{
    struct rng any;
    bool is_full = long_run_is_full();
    rng_init(&any);
    a->seed = rng_next(&any);
    a->rounds = is_full ? 30 : 3;
    a->seconds = is_full ? 20 : 2;
    a->crowd_seconds = is_full ? 120 : 3;
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (more && strcmp(argv[i], "--seed") == 0) {
            a->seed = strtoull(argv[++i], NULL, 0);
        } else if (more && strcmp(argv[i], "--rounds") == 0) {
            a->rounds = strtol(argv[++i], NULL, 10);
        } else if (more && strcmp(argv[i], "--seconds") == 0) {
            a->seconds = strtol(argv[++i], NULL, 10);
        } else {
            (void)fprintf(stderr,
                          "usage: %s [--seed N] [--rounds N] [--seconds N]\n",
                          argv[0]);
            return false;
        }
    }
    return true;
}

static bool tell(const struct contention *c, const struct arguments *a,
                 double seconds)
{
    char figures[1536], report[1024], words[256], lost[128];
    const struct checker_report *r = &c->judged;
    bool caught = bare_sqlite_loses(a->crowd_seconds, lost, sizeof lost);
    checker_report_print(r, report, sizeof report);
    (void)snprintf(figures, sizeof figures,
                   "\"processes\":11,\"rounds\":%ld,\"commands\":%ld,"
                   "\"gaps\":%ld,\"findings\":%ld,\"troubles\":%ld,%s",
                   a->rounds, c->commands, c->gaps, c->findings, c->troubles,
                   report);
    (void)snprintf(words, sizeof words,
                   "%ld of %ld rows taken out of the file noticed; %s",
                   c->noticed, c->planted, lost);
    return result_tell(&(struct result){
        .test = "contention",
        .what = "an event put by one of eight processes beside a flusher, a "
                "checkpointer and an operator",
        .n = r->attempted,
        .failures = r->lost + r->unexpected + r->mutated + r->reordered +
                    r->unexplained + r->rekeyed + r->miscounted + r->waiting +
                    c->gaps + c->findings + c->troubles,
        .seed = a->seed,
        .folder = "/tmp",
        .control = words,
        .caught = caught && c->noticed == c->planted,
        .seconds = seconds,
        .figures = figures});
}

int main(int argc, char **argv)
{
    struct arguments a;
    struct timespec begun;
    static struct contention c;
    if (argc == 3 && strcmp(argv[1], "--checkpointer") == 0) {
        return play_checkpointer(argv[2]);
    }
    if (argc == 5 && strcmp(argv[1], "--bare") == 0) {
        return crowd_play(argv[2], argv[3], argv[4]);
    }
    if (!parse(argc, argv, &a)) {
        return 2;
    }
    (void)printf("seed %" PRIu64 "\n", a.seed);
    (void)fflush(stdout);
    (void)clock_gettime(CLOCK_MONOTONIC, &begun);
    c.rng.state = a.seed;
    for (long i = 0; i < a.rounds; i++) {
        play(&c, a.seconds);
    }
    return tell(&c, &a, long_run_seconds(&begun)) ? 0 : 1;
}
