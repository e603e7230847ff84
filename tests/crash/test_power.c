/* test_power [--seed N] [--cuts N] [--twice N] [--failing N]
 *
 * A power cut at any moment of a spool's life: after it every acknowledged
 * event is there as it was put, what was settled is settled, and verify finds
 * nothing.
 *
 * The life is played on a disk that remembers every write and sync; then, cut
 * by cut, the files are made as the disk may have left them, and opened.
 * Some cuts are followed by a second one, while the spool that was opened
 * behind the first is at work again. In some lives syncs fail, and what they
 * were to write is read back as if it were on the disk; also while that is
 * being mended. In one each sync fails in its turn. In all of them retention
 * drops what was delivered, which need not be on disk at once. Three controls
 * in the same run must lose events: a disk that ignores syncs, a connection
 * that syncs as synchronous=NORMAL does, and one that goes on so behind a step
 * of retention. One with OFF must leave a corrupt file, and so must a mend that
 * does not know what a sync has lost.
 *
 * 3,000 cuts and 300 double ones, and a fifth of them once more where syncs
 * fail, or as many as are told, besides those in the mend; with
 * SPOOL_TEST_FULL=1 1,000,000 and 100,000, which may be shared out among
 * processes by seed and number. */
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

#include "crash/life.h"
#include "crash/memory.h"
#include "crash/outage.h"
#include "support/box.h"
#include "support/long_run.h"
#include "support/result.h"

#define LONG_EVERY    10 /* life is not a brief one */
#define CUTS_QUICK    3000
#define TWICE_QUICK   300
#define TWICE_FULL    100000
#define TWICE_EACH    10 /* second cuts behind a first one */
#define CUTS_FULL     1000000
#define CUTS_OF_LIFE  500
#define CUTS_OF_LONG  100 /* each costs what twenty others do */
#define CONTROL_CUTS  150
#define FAILING_PART  5  /* of the cuts, once more, with syncs that fail */
#define MENDS         1  /* cuts behind each operation of a mend */
#define STEPS_OF_EACH 40 /* of the life in which each sync fails */
#define UNMARKED_MOST 20 /* lives for that control */
#define OPEN_EVERY    16 /* cuts a spool is open for */

/* ---- after a cut ---- */

struct cut {
    char folder[64];
    char path[96];
    struct rng rng;
    struct disk_image images[DISK_FILES];
    int64_t put, settled; /* acknowledged before it */
    bool away;            /* the spool is, from a disk that failed */
    bool lost;            /* a sync has failed that was to write something */
    bool untidied;        /* events were dropped, and nothing synced since */
    long wrong;           /* of this cut */
    bool corrupt;         /* more than that something is missing */
    long opened;          /* cuts since the spool was opened afresh */
    struct outbox *box;   /* open while the files change beneath it */
    char why[SPOOL_ERROR_SIZE];
};

static void find(void *arg, const char *sentence)
{
    struct cut *c = arg;
    c->wrong++;
    c->corrupt = c->corrupt || strstr(sentence, "damaged") != NULL;
    (void)snprintf(c->why, sizeof c->why, "%s", sentence);
}

struct expected {
    struct cut *cut;
    int64_t next;
    int64_t gone; /* before it */
};

static bool compare(void *arg, const struct event_record *e)
{
    struct expected *x = arg;
    char body[BODY_MAX];
    size_t len = life_body(e->id, body);
    if (e->id < x->next || e->len != len || memcmp(e->body, body, len) != 0) {
        find(x->cut, "an event is not what was put");
    }
    x->gone += e->id - x->next;
    x->next = e->id + 1;
    return true;
}

static void look(struct cut *c, struct outbox *box)
{
    struct event_range all = {0};
    struct destination d;
    struct sums sums;
    struct spool_error err;
    struct expected x = {c, 1, 0};
    int64_t findings, last;
    if (verify(box, find, c, &findings, &err) != SPOOL_OK ||
        inspect_events(box, NULL, &all, compare, &x, &err) != SPOOL_OK ||
        destination_find(box, "shop", &d, &err) != SPOOL_OK ||
        inspect_sums(box, &d, &sums, &err) != SPOOL_OK ||
        inspect_last_id(box, &last, &err) != SPOOL_OK) {
        find(c, err.message);
        return;
    }
    x.gone += last - (x.next - 1);
    if (last < c->put) {
        find(c, "acknowledged events are lost");
    }
    if (x.gone > sums.by_state[EVENT_DELIVERED]) {
        find(c, "events are gone that were not delivered");
    }
    if (sums.by_state[EVENT_DELIVERED] + sums.by_state[EVENT_DEAD] <
        c->settled) {
        find(c, "settled batches are not settled any more");
    }
}

/* The files as the cut may have left them. What SQLite held of them in the -shm
 * is gone. */
static void make_files(struct cut *c, struct outage *o, enum outage_model model)
{
    /* The mark lags behind a cut; the one that lies here is of another life. */
    char mark[160];
    (void)snprintf(mark, sizeof mark, "%s-mark", c->path);
    (void)unlink(mark);
    o->sector = rng_upto(&c->rng, 1) == 0 ? 512 : 4096;
    outage_strike(o, model, &c->rng, c->images);
    memory_replace(c->images);
}

/* Most of the time of a start is spent on the schema and the statements, which
 * are the same every time. So a spool that is open finds other files beneath
 * it, and every so often one starts from nothing. */
static bool open_spool(struct cut *c)
{
    struct spool_error err;
    struct outbox_options options = {.path = c->path};
    if (c->box != NULL && ++c->opened < OPEN_EVERY) {
        return true;
    }
    outbox_close(c->box);
    c->box = NULL;
    c->opened = 0;
    if (outbox_open(&options, &c->box, &err) != SPOOL_OK) {
        c->corrupt = true;
        find(c, err.message);
        return false;
    }
    return true;
}

/* One cut: the number of things that are wrong behind it. */
static long judge(struct cut *c, struct outage *o, enum outage_model model)
{
    c->wrong = 0;
    c->corrupt = false;
    make_files(c, o, model);
    if (open_spool(c)) {
        look(c, c->box);
    }
    return c->wrong;
}

struct count {
    long cuts, wrong; /* cuts, and those after which something was wrong */
    long corrupt;     /* of those */
    long whole_pages; /* cuts of a disk that writes 4096 bytes or nothing */
    long by_model[OUTAGE_MODELS];
    long ops, syncs, checkpoints, put;
    long tidied, untidied; /* events dropped; cuts before that was synced */
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
    if (op->kind == DISK_MARK) {
        c->put = op->len == MARK_PUT ? op->offset : c->put;
        c->settled = op->len == MARK_SETTLED ? op->offset : c->settled;
        c->away = op->len == MARK_AWAY ? op->offset != 0 : c->away;
        count->tidied += op->len == MARK_TIDIED ? op->offset : 0;
    }
    c->lost = c->lost || op->lost;
    c->untidied = op->kind != DISK_SYNC &&
                  (c->untidied || (op->kind == DISK_MARK &&
                                   op->len == MARK_TIDIED && op->offset > 0));
}

static enum outage_model any_model(struct rng *rng)
{
    return (enum outage_model)rng_upto(rng, OUTAGE_MODELS - 1);
}

static void note_cut(struct cut *c, struct outage *o, struct count *count)
{
    enum outage_model model = any_model(&c->rng);
    bool wrong = judge(c, o, model) > 0;
    count->cuts++;
    count->by_model[model]++;
    count->wrong += wrong;
    count->corrupt += wrong && c->corrupt;
    count->whole_pages += o->sector == 4096;
    count->untidied += c->untidied;
    if (wrong) {
        memcpy(count->why, c->why, sizeof count->why);
    }
}

/* Called after every operation of a recording, and how often it is worth a cut
 * there. */
typedef void strike(struct cut *c, struct outage *o, struct count *count);

/* So many strikes, spread over the recording by chance. What c says was
 * acknowledged before it still counts. */
static void walk(struct cut *c, const struct disk *disk, bool ignores_syncs,
                 long strikes, strike *each, struct count *count)
{
    struct outage o;
    const struct disk_op *before = NULL;
    memory_start(c->path);
    outage_begin(&o, disk, ignores_syncs);
    while (outage_step(&o)) {
        const struct disk_op *op = &disk->ops[o.at - 1];
        note_op(c, op, before, count);
        before = op->kind == DISK_MARK ? before : op;
        while (rng_upto(&c->rng, (int64_t)disk->n + strikes) < strikes) {
            each(c, &o, count);
        }
    }
    outage_finish(&o);
    memory_stop();
}

static void cut_life(struct cut *c, const struct disk *disk, bool ignores_syncs,
                     long cuts, struct count *count)
{
    c->put = 0;
    c->settled = 0;
    walk(c, disk, ignores_syncs, cuts, note_cut, count);
    count->put += (long)c->put;
}

/* A first cut, and second ones in the life behind it. */
static void note_double_cuts(struct cut *c, struct outage *o,
                             struct count *count)
{
    struct life again;
    int64_t put = c->put, settled = c->settled;
    make_files(c, o, any_model(&c->rng));
    life_go_on(&again, c->path, rng_next(&c->rng), o->disk->powersafe);
    walk(c, &again.disk, false, TWICE_EACH, note_cut, count);
    life_forget(&again);
    memory_start(c->path);
    c->put = put;
    c->settled = settled;
}

static void cut_life_twice(struct cut *c, const struct disk *disk, long cuts,
                           struct count *count)
{
    c->put = 0;
    c->settled = 0;
    walk(c, disk, false, (cuts + TWICE_EACH - 1) / TWICE_EACH, note_double_cuts,
         count);
}

/* ---- the program ---- */

/* SQLite's files are in memory, but others look for the database as well. */
static void make_folder(struct cut *c)
{
    fixture_make_folder(c->folder);
    (void)snprintf(c->path, sizeof c->path, "%s/outbox.db", c->folder);
    FILE *file = fopen(c->path, "we");
    if (file == NULL || fclose(file) != 0) {
        perror(c->path);
        exit(1);
    }
}

struct run {
    uint64_t seed;
    long cuts, twice, fails; /* the last: at least so many, mends included */
    struct count once, doubly;
    struct count failing;           /* lives in which syncs fail */
    struct count mending, unmarked; /* in those: the mend; a control */
    long ends;                      /* in those: commits that failed */
    long each;                      /* syncs that failed in their turn */
    struct count ignoring, forgetting, normal, off; /* controls */
};

static bool tell_once(const struct run *r, const char *folder, double seconds)
{
    const struct count *n = &r->once;
    char figures[512], words[256];
    (void)snprintf(
        figures, sizeof figures,
        "\"none\":%ld,\"all\":%ld,\"some\":%ld,\"torn\":%ld,"
        "\"garbage\":%ld,\"at_4096\":%ld,\"operations\":%ld,\"syncs\":%ld,"
        "\"checkpoints\":%ld,\"acknowledged\":%ld,\"dropped\":%ld,"
        "\"before_that_was_synced\":%ld",
        n->by_model[OUTAGE_NONE], n->by_model[OUTAGE_ALL],
        n->by_model[OUTAGE_SOME], n->by_model[OUTAGE_TORN],
        n->by_model[OUTAGE_GARBAGE], n->whole_pages, n->ops, n->syncs,
        n->checkpoints, n->put, n->tidied, n->untidied);
    (void)snprintf(words, sizeof words,
                   "syncs ignored: lost in %ld of %ld, synchronous=NORMAL: in "
                   "%ld of %ld, left so behind retention: in %ld of %ld, "
                   "synchronous=OFF: corrupt in %ld of %ld",
                   r->ignoring.wrong, r->ignoring.cuts, r->normal.wrong,
                   r->normal.cuts, r->forgetting.wrong, r->forgetting.cuts,
                   r->off.corrupt, r->off.cuts);
    return result_tell(&(struct result){
        .test = "power-cut",
        .what = "the power cut at any operation of a spool's life",
        .n = n->cuts,
        .failures = n->wrong,
        .seed = r->seed,
        .folder = folder,
        .control = words,
        .caught = r->ignoring.wrong > 0 && r->normal.wrong > 0 &&
                  r->forgetting.wrong > 0 && r->off.corrupt > 0 &&
                  n->untidied > 0,
        .seconds = seconds,
        .figures = figures});
}

static bool tell_doubly(const struct run *r, const char *folder, double seconds)
{
    char words[64];
    (void)snprintf(words, sizeof words, "as of power-cut: lost in %ld of %ld",
                   r->ignoring.wrong, r->ignoring.cuts);
    return result_tell(&(struct result){
        .test = "power-cut-twice",
        .what = "a second cut while the spool works on behind the first",
        .n = r->doubly.cuts,
        .failures = r->doubly.wrong,
        .seed = r->seed,
        .folder = folder,
        .control = words,
        .caught = r->ignoring.wrong > 0,
        .seconds = seconds});
}

static bool tell_failing(const struct run *r, const char *folder,
                         double seconds)
{
    char words[128], figures[128];
    (void)snprintf(words, sizeof words,
                   "what was lost is not written again: corrupt in %ld of %ld",
                   r->unmarked.corrupt, r->unmarked.cuts);
    (void)snprintf(figures, sizeof figures,
                   "\"commits_failed\":%ld,\"in_the_mend\":%ld,"
                   "\"each_sync_of_a_life\":%ld",
                   r->ends, r->mending.cuts, r->each);
    return result_tell(&(struct result){
        .test = "power-cut-failed-sync",
        .what = "a cut in a life in which a sync failed once or thrice",
        .n = r->failing.cuts + r->mending.cuts,
        .failures = r->failing.wrong + r->mending.wrong,
        .seed = r->seed,
        .folder = folder,
        .control = words,
        .caught = r->unmarked.corrupt > 0 && r->ends > 0 && r->mending.cuts > 0,
        .seconds = seconds,
        .figures = figures});
}

static void cut_mistaken_life(struct cut *c, uint64_t seed, const char *pragma,
                              bool late, struct count *count)
{
    struct life l;
    life_record(
        &l, seed,
        (struct way){
            .powersafe = true, .brief = true, .pragma = pragma, .late = late});
    cut_life(c, &l.disk, false, CONTROL_CUTS, count);
    life_forget(&l);
}

static void note_cut_away(struct cut *c, struct outage *o, struct count *count)
{
    if (c->away) {
        note_cut(c, o, count);
    }
}

/* Around each operation of the mend. */
static void cut_mend(struct cut *c, const struct disk *disk,
                     struct count *count)
{
    c->put = 0;
    c->settled = 0;
    walk(c, disk, false, MENDS * (long)disk->n, note_cut_away, count);
}

/* What a failed sync lost goes into the database without having been written
 * once more: a cut just then must leave it in pieces. */
static void cut_unmarked_lives(struct cut *c, struct run *r)
{
    for (uint64_t i = 0; i < UNMARKED_MOST && r->unmarked.corrupt == 0; i++) {
        struct life l;
        life_record(&l, r->seed + i,
                    (struct way){.powersafe = true,
                                 .brief = true,
                                 .failing = 3,
                                 .unmarked = true});
        cut_mend(c, &l.disk, &r->unmarked);
        life_forget(&l);
    }
}

static void cut_failing_life(struct cut *c, uint64_t seed, long cuts,
                             struct run *r)
{
    struct life l;
    struct way way = {.powersafe = seed % 2 == 0,
                      .brief = true,
                      .failing = seed % 4 < 2 ? 1 : 3};
    life_record(&l, seed, way);
    c->put = 0;
    c->settled = 0;
    walk(c, &l.disk, false, cuts, note_cut, &r->failing);
    cut_mend(c, &l.disk, &r->mending);
    r->ends += l.ends;
    life_forget(&l);
}

static void note_cut_told(struct cut *c, struct outage *o, struct count *count)
{
    if (c->lost && o->disk->ops[o->at - 1].kind == DISK_MARK) {
        note_cut(c, o, count);
    }
}

/* One life over and over, in which each of its syncs fails in its turn, cut
 * where something has been acknowledged since. A write on its disk may damage
 * the bytes beside it, so that the end of what was committed is written behind
 * the sync. */
static void cut_at_each_sync(struct cut *c, struct run *r)
{
    bool failed = true;
    for (int first = 1; failed; first++) {
        struct life l;
        struct way way = {.brief = true,
                          .steps = STEPS_OF_EACH,
                          .failing = 1,
                          .first = first};
        life_record(&l, r->seed, way);
        failed = l.disk.failing == 0;
        c->put = 0;
        c->settled = 0;
        c->lost = false;
        walk(c, &l.disk, false, (long)l.disk.n, note_cut_told, &r->failing);
        r->each += failed;
        life_forget(&l);
    }
}

/* Lives until there have been enough cuts; every second one on a disk on which
 * a write may damage the bytes beside it. */
static void run(struct cut *c, struct run *r)
{
    struct life l;
    uint64_t i;
    for (i = 0; r->once.cuts < r->cuts; i++) {
        struct way way = {.powersafe = i % 2 == 0,
                          .brief = i % LONG_EVERY != LONG_EVERY - 1};
        long left = r->cuts - r->once.cuts;
        long most = way.brief ? CUTS_OF_LIFE : CUTS_OF_LONG;
        long cuts = left < most ? left : most;
        life_record(&l, r->seed + i, way);
        cut_life(c, &l.disk, false, cuts, &r->once);
        cut_life_twice(c, &l.disk, cuts * r->twice / r->cuts, &r->doubly);
        cut_failing_life(c, r->seed + i, cuts / FAILING_PART, r);
        if (i == 0) {
            cut_life(c, &l.disk, true, CONTROL_CUTS, &r->ignoring);
        }
        life_forget(&l);
    }
    for (; r->failing.cuts + r->mending.cuts < r->fails; i++) {
        cut_failing_life(c, r->seed + i, CUTS_OF_LIFE / FAILING_PART, r);
    }
    cut_at_each_sync(c, r);
    cut_unmarked_lives(c, r);
    cut_mistaken_life(c, r->seed, "PRAGMA synchronous=NORMAL", true,
                      &r->forgetting);
    cut_mistaken_life(c, r->seed, "PRAGMA synchronous=NORMAL", false,
                      &r->normal);
    cut_mistaken_life(c, r->seed, "PRAGMA synchronous=OFF", false, &r->off);
}

int main(int argc, char **argv)
{
    static struct cut c;
    static struct run r;
    bool full = long_run_is_full();
    struct timespec start;
    r.seed = long_run_seed(argc, argv);
    r.cuts =
        long_run_option(argc, argv, "--cuts", full ? CUTS_FULL : CUTS_QUICK);
    r.twice =
        long_run_option(argc, argv, "--twice", full ? TWICE_FULL : TWICE_QUICK);
    r.fails = long_run_option(argc, argv, "--failing", 0);
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    c.rng.state = r.seed;
    make_folder(&c);
    run(&c, &r);
    bool once = tell_once(&r, c.folder, long_run_seconds(&start));
    bool doubly = tell_doubly(&r, c.folder, long_run_seconds(&start));
    bool failing = tell_failing(&r, c.folder, long_run_seconds(&start));
    if (!once || !doubly || !failing) {
        (void)printf("the last that was wrong: %s\n",
                     r.mending.wrong > 0   ? r.mending.why
                     : r.failing.wrong > 0 ? r.failing.why
                     : r.doubly.wrong > 0  ? r.doubly.why
                                           : r.once.why);
    }
    outbox_close(c.box);
    memory_free();
    for (int i = 0; i < DISK_FILES; i++) {
        disk_image_free(&c.images[i]);
    }
    fixture_remove_folder(c.folder);
    return once && doubly && failing ? 0 : 1;
}
