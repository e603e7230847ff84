#include "crash/life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "crash/memory.h"
#include "outbox/checkpoint.h"
#include "outbox/limits.h"
#include "outbox/retain.h"
#include "outbox/store.h"

/* A life in brief, with a checkpoint every few commits: a cut costs what the
 * files weigh. */
#define STEPS       120
#define WAL_FRAMES  24
#define STEPS_LONG  500 /* enough for a checkpoint as in earnest, or two */
#define STEPS_AGAIN 12  /* of a life behind a cut */

static void give_up(const char *what, const char *why)
{
    (void)fprintf(stderr, "life: %s: %s\n", what, why);
    exit(1);
}

/* The nth event: what it is can be said from n alone. */
size_t life_body(int64_t n, char body[BODY_MAX])
{
    struct rng rng = {.state = (uint64_t)n};
    int filler = (int)rng_upto(&rng, 500) + 1;
    return (size_t)snprintf(body, BODY_MAX, "{\"n\":%lld,\"filler\":\"%0*d\"}",
                            (long long)n, filler, 0);
}

/* What is there when a spool is opened that has lived before. */
static enum spool_status look_around(struct life *l, struct spool_error *err)
{
    struct sums sums;
    int64_t n;
    enum spool_status status =
        destination_find(l->f->box, "shop", &l->f->d, err);
    if (status == SPOOL_OK) {
        status = batch_recover(l->f->box, &n, err);
    }
    if (status == SPOOL_OK) {
        status = inspect_sums(l->f->box, &l->f->d, &sums, err);
    }
    if (status == SPOOL_OK) {
        status = inspect_last_id(l->f->box, &l->put, err);
    }
    if (status == SPOOL_OK) {
        l->settled = sums.by_state[EVENT_DELIVERED] + sums.by_state[EVENT_DEAD];
    }
    return status;
}

static enum spool_status open_again(struct life *l, struct spool_error *err)
{
    char mark[sizeof l->f->path + 8];
    struct outbox_options options = {.path = l->f->path, .clock = &l->f->clock};
    outbox_close(l->f->box);
    l->f->box = NULL;
    if (l->unmarked) {
        (void)snprintf(mark, sizeof mark, "%s-mark", l->f->path);
        (void)unlink(mark);
    }
    enum spool_status status = outbox_open(&options, &l->f->box, err);
    return status == SPOOL_OK ? look_around(l, err) : status;
}

/* A commit failed: what was to be stored may be there or not. The spool is
 * opened again, as soon as the disk allows it. */
static void end_and_open(struct life *l, const char *what,
                         const struct spool_error *err)
{
    struct spool_error why;
    if (err->status != SPOOL_UNKNOWN) {
        give_up(what, err->message);
    }
    if (l->in_hand) {
        batch_finish(&l->turn.batches[0]);
        l->in_hand = false;
    }
    disk_mark(&l->disk, MARK_AWAY, 1);
    for (bool failing = true; open_again(l, &why) != SPOOL_OK;) {
        if (!failing) {
            give_up("cannot open", why.message);
        }
        failing = l->disk.failing > 0;
    }
    disk_mark(&l->disk, MARK_AWAY, 0);
    l->ends++;
}

static void put(struct life *l, size_t n)
{
    static char bodies[GROUP_MAX][BODY_MAX];
    struct outbox_event events[GROUP_MAX];
    struct spool_error err;
    for (size_t i = 0; i < n; i++) {
        size_t len = life_body(++l->put, bodies[i]);
        events[i] = (struct outbox_event){.body = bodies[i], .len = len};
    }
    if (outbox_append(l->f->box, events, n, &err) != SPOOL_OK) {
        end_and_open(l, "cannot put", &err);
    }
    disk_mark(&l->disk, MARK_PUT, l->put);
}

static enum outcome answer(struct rng *rng)
{
    int64_t kind = rng_upto(rng, 19);
    return kind < 14   ? OUTCOME_DELIVERED
           : kind < 16 ? OUTCOME_RETRY
           : kind < 18 ? OUTCOME_UNCERTAIN
           : kind < 19 ? OUTCOME_REFUSED
                       : OUTCOME_HOLD;
}

/* Settles what is in hand, if anything, and takes what is next. */
static void turn(struct life *l)
{
    static const struct take_options take = {0};
    struct spool_error err;
    struct batch landed = l->turn.batches[0];
    struct settlement s = {.outcome = answer(&l->rng),
                           .retry_at = l->f->now + 10,
                           .probe_at = l->f->now + 10,
                           .sent_at = l->f->now,
                           .http = 200,
                           .code = "CODE",
                           .reason = "a reason",
                           .answer = ""};
    struct done done = {.batch = &landed, .s = &s};
    struct order order = {.take = &take};
    if (l->in_hand) {
        order.done = &done;
        order.done_n = 1;
    }
    l->f->now += 100;
    if (batch_turn(l->f->box, l->f->d.id, 0, &order, &l->turn, &err) !=
        SPOOL_OK) {
        if (l->in_hand) {
            batch_finish(&landed);
        }
        l->in_hand = false;
        end_and_open(l, "no turn", &err);
        disk_mark(&l->disk, MARK_SETTLED, l->settled);
        return;
    }
    if (l->in_hand) {
        bool settled = s.outcome == OUTCOME_DELIVERED || done.settled.died;
        l->settled += settled ? (int64_t)landed.n : 0;
        disk_mark(&l->disk, MARK_SETTLED, l->settled);
        batch_finish(&landed);
    }
    l->in_hand = l->turn.taken == TAKEN_BATCH;
}

/* Both who writes and who checkpoints make it. */
static void mistake(struct outbox *box, const char *pragma)
{
    struct spool_error err;
    bool is_open = box->writer.checkpoint.handle != NULL;
    if ((!is_open &&
         db_open(&box->writer.checkpoint, box->path, &err) != SPOOL_OK) ||
        db_exec(&box->writer.checkpoint, pragma, &err) != SPOOL_OK ||
        db_exec(&box->writer.db, pragma, &err) != SPOOL_OK) {
        give_up("no control", err.message);
    }
}

static int64_t events_of(struct life *l)
{
    struct limits_usage u;
    struct spool_error err;
    if (limits_usage(l->f->box, &u, &err) != SPOOL_OK) {
        give_up("no usage", err.message);
    }
    return u.events;
}

/* What is settled leaves the log, in a transaction that need not be on disk. */
static void tidy(struct life *l)
{
    static const struct retention at_once = {0, (int64_t)1 << 40};
    struct spool_error err;
    int64_t before = events_of(l);
    bool more;
    l->f->now += 1;
    if (retain_step(l->f->box, &at_once, &more, &err) != SPOOL_OK) {
        end_and_open(l, "no tidying", &err);
    }
    disk_mark(&l->disk, MARK_TIDIED, before - events_of(l));
    if (l->mistake != NULL) {
        mistake(l->f->box, l->mistake);
    }
}

static void live(struct life *l, int steps)
{
    for (int i = 0; i < steps; i++) {
        int64_t kind = rng_upto(&l->rng, 12);
        if (kind < 5) {
            put(l, 1);
        } else if (kind == 5) {
            put(l, (size_t)rng_upto(&l->rng, GROUP_MAX - 1) + 1);
        } else if (kind < 10) {
            turn(l);
        } else if (kind < 12) {
            tidy(l);
        } else {
            checkpoint_try(&l->f->box->writer);
        }
    }
}

/* Leaves the WAL empty: it was written for a powersafe disk. */
static void empty_wal(const char *path)
{
    sqlite3 *db;
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) !=
            SQLITE_OK) {
        give_up("no checkpoint", sqlite3_errmsg(db));
    }
    (void)sqlite3_close(db);
}

static void end(struct life *l)
{
    if (l->in_hand) {
        batch_finish(&l->turn.batches[0]);
    }
    outbox_close(l->f->box);
    l->f->box = NULL;
    disk_stop();
}

void life_record(struct life *l, uint64_t seed, struct way way)
{
    void *state = NULL;
    (void)fixture_setup(&state);
    *l = (struct life){.f = state, .rng = {.state = seed}};
    outbox_close(l->f->box);
    l->f->box = NULL;
    empty_wal(l->f->path);
    disk_start(&l->disk, l->f->path, way.powersafe);
    fixture_reopen(l->f);
    if (way.brief) {
        l->f->box->writer.wal_frames_max = WAL_FRAMES;
    }
    if (way.pragma != NULL && !way.late) {
        mistake(l->f->box, way.pragma);
    }
    l->mistake = way.pragma;
    l->unmarked = way.unmarked;
    l->disk.failing = way.failing;
    l->disk.syncs = way.first > 0     ? way.first - 1
                    : way.failing > 0 ? rng_upto(&l->rng, STEPS)
                                      : 0;
    live(l, way.steps > 0 ? way.steps : way.brief ? STEPS : STEPS_LONG);
    end(l);
}

void life_forget(struct life *l)
{
    disk_free(&l->disk);
    if (l->f != NULL) {
        (void)fixture_teardown((void **)&l->f);
    }
}

void life_go_on(struct life *l, const char *path, uint64_t seed, bool powersafe)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct spool_error err;
    if (f == NULL) {
        give_up("no second life", "out of memory");
    }
    (void)snprintf(f->path, sizeof f->path, "%s", path);
    *l = (struct life){.f = f, .rng = {.state = seed}};
    const struct disk_image *const before[DISK_FILES] = {
        memory_file(DISK_DATABASE), memory_file(DISK_WAL)};
    disk_start_from(&l->disk, before, powersafe);
    fixture_open(f, 100000000);
    f->box->writer.wal_frames_max = STEPS_AGAIN / 2;
    if (look_around(l, &err) != SPOOL_OK) {
        give_up("no second life", err.message);
    }
    live(l, STEPS_AGAIN);
    end(l);
    free(f);
    l->f = NULL;
}
