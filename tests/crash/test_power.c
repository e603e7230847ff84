/* test_power [--seed N] [--cuts N]
 *
 * A power cut at any moment of a spool's life: after it every acknowledged
 * event is there as it was put, what was settled is settled, and verify finds
 * nothing.
 *
 * The life is played on a disk that remembers every write and sync; then, cut
 * by cut, the files are made as the disk may have left them, and opened.
 * A control in the same run, on a disk that ignores syncs, must lose events.
 *
 * 3,000 cuts; with SPOOL_TEST_FULL=1 1,000,000. */
#define _DEFAULT_SOURCE /* mkdtemp */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "crash/outage.h"
#include "outbox/store.h"
#include "support/box.h"

/* A life in brief, with a checkpoint every few commits: a cut costs what the
 * files weigh. Every tenth is as long as in earnest. */
#define STEPS        120
#define WAL_FRAMES   24
#define LONG_EVERY   10
#define STEPS_LONG   500 /* enough for a checkpoint or two */
#define GROUP_MAX    20
#define BODY_MAX     600
#define CUTS_QUICK   3000
#define CUTS_FULL    1000000
#define CUTS_OF_LIFE 500
#define CONTROL_CUTS 150

enum mark { MARK_PUT, MARK_SETTLED };

struct life {
    struct fixture *f;
    struct disk disk;
    struct rng rng;
    struct turn turn;
    bool in_hand;    /* turn holds a batch that is on its way */
    int64_t put;     /* events tried */
    int64_t settled; /* delivered or dead */
};

static void give_up(const char *what, const char *why)
{
    (void)fprintf(stderr, "test_power: %s: %s\n", what, why);
    exit(1);
}

/* The nth event: what it is can be said from n alone. */
static size_t make_body(int64_t n, char body[BODY_MAX])
{
    struct rng rng = {.state = (uint64_t)n};
    int filler = (int)rng_upto(&rng, 500) + 1;
    return (size_t)snprintf(body, BODY_MAX, "{\"n\":%lld,\"filler\":\"%0*d\"}",
                            (long long)n, filler, 0);
}

/* ---- a life ---- */

static void put(struct life *l, size_t n)
{
    static char bodies[GROUP_MAX][BODY_MAX];
    struct outbox_event events[GROUP_MAX];
    struct spool_error err;
    for (size_t i = 0; i < n; i++) {
        size_t len = make_body(++l->put, bodies[i]);
        events[i] = (struct outbox_event){.body = bodies[i], .len = len};
    }
    if (outbox_append(l->f->box, events, n, &err) != SPOOL_OK) {
        give_up("cannot put", err.message);
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
        give_up("no turn", err.message);
    }
    if (l->in_hand) {
        bool settled = s.outcome == OUTCOME_DELIVERED || done.settled.died;
        l->settled += settled ? (int64_t)landed.n : 0;
        disk_mark(&l->disk, MARK_SETTLED, l->settled);
        batch_finish(&landed);
    }
    l->in_hand = l->turn.taken == TAKEN_BATCH;
}

static void live(struct life *l, int steps)
{
    for (int i = 0; i < steps; i++) {
        int64_t kind = rng_upto(&l->rng, 9);
        if (kind < 5) {
            put(l, 1);
        } else if (kind == 5) {
            put(l, (size_t)rng_upto(&l->rng, GROUP_MAX - 1) + 1);
        } else {
            turn(l);
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

static void record(struct life *l, uint64_t seed, bool powersafe, bool brief)
{
    void *state = NULL;
    (void)fixture_setup(&state);
    *l = (struct life){.f = state, .rng = {.state = seed}};
    outbox_close(l->f->box);
    l->f->box = NULL;
    empty_wal(l->f->path);
    disk_start(&l->disk, l->f->path, powersafe);
    fixture_reopen(l->f);
    if (brief) {
        l->f->box->writer.wal_frames_max = WAL_FRAMES;
    }
    live(l, brief ? STEPS : STEPS_LONG);
    if (l->in_hand) {
        batch_finish(&l->turn.batches[0]);
    }
    outbox_close(l->f->box);
    l->f->box = NULL;
    disk_stop();
}

static void forget(struct life *l)
{
    disk_free(&l->disk);
    (void)fixture_teardown((void **)&l->f);
}

/* ---- after a cut ---- */

struct cut {
    char folder[64];
    char path[96];
    struct rng rng;
    struct disk_image images[DISK_FILES];
    int64_t put, settled; /* acknowledged before it */
    long wrong;           /* of this cut */
    char why[SPOOL_ERROR_SIZE];
};

static void write_image(const struct cut *c, const char *suffix,
                        const struct disk_image *image)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s%s", c->path, suffix);
    FILE *file = fopen(path, "we");
    if (file == NULL ||
        (image->len > 0 &&
         fwrite(image->bytes, 1, image->len, file) != image->len) ||
        fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static void find(void *arg, const char *sentence)
{
    struct cut *c = arg;
    c->wrong++;
    (void)snprintf(c->why, sizeof c->why, "%s", sentence);
}

struct expected {
    struct cut *cut;
    int64_t next;
};

static bool compare(void *arg, const struct event_record *e)
{
    struct expected *x = arg;
    char body[BODY_MAX];
    size_t len = make_body(x->next, body);
    if (e->id != x->next || e->len != len || memcmp(e->body, body, len) != 0) {
        find(x->cut, "an event is not what was put");
    }
    x->next++;
    return true;
}

static void look(struct cut *c, struct outbox *box)
{
    struct event_range all = {0};
    struct destination d;
    struct sums sums;
    struct spool_error err;
    struct expected x = {c, 1};
    int64_t findings;
    if (verify(box, find, c, &findings, &err) != SPOOL_OK ||
        inspect_events(box, NULL, &all, compare, &x, &err) != SPOOL_OK ||
        destination_find(box, "shop", &d, &err) != SPOOL_OK ||
        inspect_sums(box, &d, &sums, &err) != SPOOL_OK) {
        find(c, err.message);
        return;
    }
    if (x.next - 1 < c->put) {
        find(c, "acknowledged events are lost");
    }
    if (sums.by_state[EVENT_DELIVERED] + sums.by_state[EVENT_DEAD] <
        c->settled) {
        find(c, "settled batches are not settled any more");
    }
}

/* One cut: the number of things that are wrong behind it. */
static long judge(struct cut *c, const struct outage *o,
                  enum outage_model model)
{
    struct outbox *box;
    struct spool_error err;
    char shm[128];
    struct outbox_options options = {.path = c->path};
    c->wrong = 0;
    outage_strike(o, model, &c->rng, c->images);
    write_image(c, "", &c->images[DISK_DATABASE]);
    write_image(c, "-wal", &c->images[DISK_WAL]);
    (void)snprintf(shm, sizeof shm, "%s-shm", c->path);
    (void)unlink(shm);
    if (outbox_open(&options, &box, &err) != SPOOL_OK) {
        find(c, err.message);
        return c->wrong;
    }
    look(c, box);
    outbox_close(box);
    return c->wrong;
}

struct count {
    long cuts, wrong; /* cuts, and those after which something was wrong */
    long by_model[OUTAGE_MODELS];
    long ops, syncs, checkpoints, put;
    char why[SPOOL_ERROR_SIZE];
};

static void note_op(struct cut *c, const struct disk_op *op,
                    const struct disk_op *before, struct count *count)
{
    count->ops++;
    count->syncs += op->kind == DISK_SYNC;
    /* The first write to the database after others is a checkpoint's. */
    count->checkpoints += op->kind == DISK_WRITE && op->file == DISK_DATABASE &&
                          before != NULL && before->file != DISK_DATABASE;
    if (op->kind == DISK_MARK && op->len == MARK_PUT) {
        c->put = op->offset;
    } else if (op->kind == DISK_MARK) {
        c->settled = op->offset;
    }
}

/* So many cuts, spread over the recording by chance. */
static void cut_life(struct cut *c, const struct disk *disk, bool ignores_syncs,
                     long cuts, struct count *count)
{
    struct outage o;
    const struct disk_op *before = NULL;
    c->put = 0;
    c->settled = 0;
    outage_begin(&o, disk, ignores_syncs);
    while (outage_step(&o)) {
        const struct disk_op *op = &disk->ops[o.at - 1];
        note_op(c, op, before, count);
        before = op->kind == DISK_MARK ? before : op;
        while (rng_upto(&c->rng, (int64_t)disk->n + cuts) < cuts) {
            enum outage_model model =
                (enum outage_model)rng_upto(&c->rng, OUTAGE_MODELS - 1);
            bool wrong = judge(c, &o, model) > 0;
            count->cuts++;
            count->by_model[model]++;
            count->wrong += wrong;
            if (wrong) {
                memcpy(count->why, c->why, sizeof count->why);
            }
        }
    }
    count->put += (long)c->put;
    outage_finish(&o);
}

/* ---- the program ---- */

static void make_folder(struct cut *c)
{
    /* In memory if there is a place for that; nothing here need last. */
    (void)snprintf(c->folder, sizeof c->folder, "/dev/shm/spool-test-XXXXXX");
    if (mkdtemp(c->folder) == NULL) {
        fixture_make_folder(c->folder);
    }
    (void)snprintf(c->path, sizeof c->path, "%s/outbox.db", c->folder);
}

static double seconds_since(const struct timespec *from)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - from->tv_sec) +
           (double)(now.tv_nsec - from->tv_nsec) / 1e9;
}

static void print(const struct count *count, const struct count *control,
                  uint64_t seed, double seconds)
{
    (void)printf(
        "{\"test\":\"power\",\"n\":%ld,\"seed\":%" PRIu64
        ",\"sqlite\":\"%s\",\"none\":%ld,\"all\":%ld,\"some\":%ld,"
        "\"torn\":%ld,\"garbage\":%ld,\"operations\":%ld,\"syncs\":%ld,"
        "\"checkpoints\":%ld,\"acknowledged\":%ld,\"failures\":%ld,"
        "\"control\":{\"cuts\":%ld,\"lost\":%ld},\"seconds\":%.1f}\n",
        count->cuts, seed, outbox_engine(), count->by_model[OUTAGE_NONE],
        count->by_model[OUTAGE_ALL], count->by_model[OUTAGE_SOME],
        count->by_model[OUTAGE_TORN], count->by_model[OUTAGE_GARBAGE],
        count->ops, count->syncs, count->checkpoints, count->put, count->wrong,
        control->cuts, control->wrong, seconds);
    if (count->wrong > 0) {
        (void)printf("the last of them: %s\n", count->why);
    }
}

/* Lives until there have been enough cuts; every second one on a disk on which
 * a write may damage the bytes beside it. */
static void run(struct cut *c, uint64_t seed, long cuts, struct count *count,
                struct count *control)
{
    bool powersafe = true;
    while (count->cuts < cuts) {
        struct life l;
        long left = cuts - count->cuts;
        record(&l, seed, powersafe, seed % LONG_EVERY != 0);
        seed++;
        cut_life(c, &l.disk, false, left < CUTS_OF_LIFE ? left : CUTS_OF_LIFE,
                 count);
        if (control->cuts == 0) {
            cut_life(c, &l.disk, true, CONTROL_CUTS, control);
        }
        forget(&l);
        powersafe = !powersafe;
    }
}

int main(int argc, char **argv)
{
    static struct cut c;
    static struct count count, control;
    const char *full = getenv("SPOOL_TEST_FULL");
    long cuts = full != NULL && strcmp(full, "1") == 0 ? CUTS_FULL : CUTS_QUICK;
    struct timespec start;
    rng_init(&c.rng);
    uint64_t seed = rng_next(&c.rng);
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0) {
            seed = strtoull(argv[i + 1], NULL, 0);
        } else if (strcmp(argv[i], "--cuts") == 0) {
            cuts = strtol(argv[i + 1], NULL, 10);
        }
    }
    (void)printf("seed %" PRIu64 "\n", seed);
    (void)fflush(stdout);
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    c.rng.state = seed;
    make_folder(&c);
    run(&c, seed, cuts, &count, &control);
    print(&count, &control, seed, seconds_since(&start));
    for (int i = 0; i < DISK_FILES; i++) {
        disk_image_free(&c.images[i]);
    }
    fixture_remove_folder(c.folder);
    return count.wrong == 0 && control.wrong > 0 ? 0 : 1;
}
