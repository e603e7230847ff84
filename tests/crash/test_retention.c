/* test_retention [--seed N] [--events N]
 *
 * A spool that was drained: retention, run as the flusher runs it, deletes its
 * events in small transactions and gives the file's pages back. Every
 * transaction is bounded in rows, in pages given back and in what it writes, so
 * that no producer waits for long; none is synced while it holds the write
 * lock, so that nobody waits for the disk on its account (how long it took is
 * printed, and so is the longest sync; spool-bench tells more of that); and at
 * the end the file is small again, with the orders still in it. The controls
 * are a delete of everything in one transaction, and a step that is synced.
 *
 * 20,000 events; with SPOOL_TEST_FULL=1 a million, after which the file has to
 * be below 10 MB. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/random.h"
#include "outbox/limits.h"
#include "outbox/retain.h"
#include "outbox/store.h"
#include "support/box.h"
#include "support/lock_watch.h"
#include "support/long_run.h"
#include "support/result.h"

#define BATCH 500
#define SOME  1000
#define BODY  300
#define DAY   ((int64_t)24 * 3600 * 1000)

/* What one transaction of retention may do. */
#define ROWS_MOST   250
#define PAGES_MOST  200
#define FRAMES_MOST 200

#define FILE_MOST ((int64_t)10 * 1000 * 1000)

struct drained {
    struct fixture *f;
    struct rng rng;
    int64_t events, orders, dead;
    int64_t peak, end;                  /* bytes of the file and its WAL */
    int64_t steps, rows, pages, frames; /* the most of each in one step */
    int64_t unbounded;
};

static void must(enum spool_status status, const struct spool_error *err)
{
    if (status != SPOOL_OK) {
        fail_msg("%s", err->message);
    }
}

static int64_t size_of(const struct fixture *f, const char *suffix)
{
    char path[128];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s%s", f->path, suffix);
    return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

static int64_t size_of_all(const struct fixture *f)
{
    return size_of(f, "") + size_of(f, "-wal");
}

/* One in a hundred is an order. */
static void put(struct drained *d)
{
    static char bodies[SOME][BODY], numbers[SOME][24];
    static struct outbox_event events[SOME];
    struct spool_error err;
    for (int64_t done = 0; done < d->events; done += SOME) {
        for (int i = 0; i < SOME; i++) {
            int64_t n = done + i;
            int len = snprintf(bodies[i], BODY, "{\"n\":\"%0*" PRId64 "\"}",
                               BODY - 10, n);
            events[i] =
                (struct outbox_event){.body = bodies[i], .len = (size_t)len};
            if (rng_upto(&d->rng, 99) == 0) {
                (void)snprintf(numbers[i], sizeof numbers[i], "A-%" PRId64, n);
                events[i].order =
                    (struct outbox_order){numbers[i], "10.00", "EUR"};
                d->orders++;
            }
        }
        must(outbox_append(d->f->box, events, SOME, &err), &err);
    }
}

/* All but the first ten, which are refused one by one. */
static void drain(struct drained *d)
{
    static const struct take_options take = {0};
    struct turn turn = {0};
    struct spool_error err;
    struct order order = {.take = &take};
    must(batch_turn(d->f->box, d->f->d.id, 0, &order, &turn, &err), &err);
    while (turn.taken == TAKEN_BATCH) {
        struct batch b = turn.batches[0];
        bool refused = d->dead < 10 && (b.n < BATCH || b.lo == 1);
        struct settlement s = {.outcome = refused ? OUTCOME_REFUSED
                                                  : OUTCOME_DELIVERED,
                               .sent_at = d->f->now,
                               .http = 200,
                               .code = "CODE",
                               .reason = "a reason",
                               .answer = ""};
        struct done done = {.batch = &b, .s = &s};
        order = (struct order){.done = &done, .done_n = 1, .take = &take};
        must(batch_turn(d->f->box, d->f->d.id, 0, &order, &turn, &err), &err);
        d->dead += done.settled.died ? 1 : 0;
        batch_finish(&b);
    }
}

static struct limits_usage use(const struct drained *d)
{
    struct limits_usage u;
    struct spool_error err;
    must(limits_usage(d->f->box, &u, &err), &err);
    return u;
}

static int64_t greatest(int64_t *most, int64_t n)
{
    *most = n > *most ? n : *most;
    return n;
}

/* Accounts for a transaction; a checkpoint behind it makes the file smaller,
 * not the database. */
static void look(struct drained *d, const struct limits_usage *before,
                 int64_t pages_before, int64_t pages, int64_t frames)
{
    struct limits_usage after = use(d);
    int64_t rows = greatest(&d->rows, before->events - after.events);
    int64_t back = greatest(&d->pages, pages_before - pages);
    frames = greatest(&d->frames, frames);
    d->unbounded +=
        rows > ROWS_MOST || back > PAGES_MOST || frames > FRAMES_MOST ? 1 : 0;
}

static enum spool_status count_pages(struct db *db, void *arg,
                                     struct spool_error *err)
{
    return db_number(db, err, 0, arg, STATEMENT_PAGE_COUNT, "");
}

static int64_t pages_of(const struct drained *d)
{
    int64_t pages = 0;
    struct spool_error err;
    must(outbox_read(d->f->box, count_pages, &pages, &err), &err);
    return pages;
}

/* What it wrote cannot be told when a checkpoint came behind it. */
static void step(struct drained *d, bool *more)
{
    struct spool_error err;
    const struct writer *w = &d->f->box->writer;
    struct limits_usage before = use(d);
    int64_t pages = pages_of(d);
    int frames = w->db.wal_frames;
    must(retain_step(d->f->box, &retention_default, more, &err), &err);
    look(d, &before, pages, pages_of(d),
         w->db.wal_frames == 0 ? 0 : w->db.wal_frames - frames);
}

static void retain(struct drained *d)
{
    bool more = true;
    d->f->now += DAY + 1;
    while (more) {
        step(d, &more);
        assert_true(++d->steps < d->events);
    }
}

static void make(struct drained *d, int64_t events, uint64_t seed)
{
    void *state;
    struct spool_error err;
    *d = (struct drained){.events = events, .rng = {seed}};
    (void)fixture_setup(&state);
    d->f = state;
    d->f->d.batch_events = BATCH;
    d->f->d.batch_bytes = 1 << 20;
    must(destination_set(d->f->box, &d->f->d, &err), &err);
    put(d);
    drain(d);
    d->peak = size_of_all(d->f);
}

static void end(struct drained *d)
{
    void *state = d->f;
    (void)fixture_teardown(&state);
}

static enum spool_status delete_all(struct db *db, void *arg,
                                    struct spool_error *err)
{
    (void)arg;
    return db_exec(db,
                   "UPDATE spool_store SET dropped_to = (SELECT max(id) "
                   "FROM spool_event), gone = dropped_to;"
                   "UPDATE spool_store SET gone = dropped_to;"
                   "DELETE FROM spool_event",
                   err);
}

static bool control_is_caught(uint64_t seed, struct lock_watch *watch)
{
    struct drained d;
    struct spool_error err;
    make(&d, 3 * SOME, seed);
    struct limits_usage before = use(&d);
    lock_watch_follow(watch, &d.f->box->writer.db);
    must(outbox_write(d.f->box, delete_all, NULL, &err), &err);
    look(&d, &before, 0, 0, 0);
    end(&d);
    return d.unbounded == 1 && watch->synced[LOCK_COMMIT] == 1;
}

int main(int argc, char **argv)
{
    struct timespec began;
    struct drained d;
    uint64_t seed = long_run_seed(argc, argv);
    long events = long_run_option(argc, argv, "--events",
                                  long_run_is_full() ? 1000000 : 20000);
    (void)clock_gettime(CLOCK_MONOTONIC, &began);
    struct lock_watch watch;
    lock_watch_start(&watch, 0);
    bool caught = control_is_caught(seed, &watch);
    make(&d, events / SOME * SOME, seed);
    lock_watch_follow(&watch, &d.f->box->writer.db);
    retain(&d);
    struct lock_watch seen = watch;
    fixture_verify(d.f);
    d.end = size_of_all(d.f);
    bool small = d.end < FILE_MOST && d.end < d.peak / 2;
    bool kept = use(&d).events == d.dead && d.dead > 0;
    bool unsynced = seen.n[LOCK_COMMIT] > 0 && seen.synced[LOCK_COMMIT] == 0;
    char figures[512];
    (void)snprintf(
        figures, sizeof figures,
        "\"peak_bytes\":%" PRId64 ",\"end_bytes\":%" PRId64
        ",\"steps\":%" PRId64 ",\"most_rows\":%" PRId64
        ",\"most_pages\":%" PRId64 ",\"most_frames\":%" PRId64
        ",\"orders\":%" PRId64 ",\"dead\":%" PRId64
        ",\"longest_ms\":%.1f,\"wal_begun_ms\":%.1f,"
        "\"checkpoint_ms\":%.1f,\"sync_ms\":%.1f",
        d.peak, d.end, d.steps, d.rows, d.pages, d.frames, d.orders, d.dead,
        seen.longest[LOCK_COMMIT] * 1000, seen.longest[LOCK_BEGIN] * 1000,
        seen.longest[LOCK_CHECKPOINT] * 1000, seen.longest_sync * 1000);
    struct result r = {
        .test = "retention",
        .what = "an event that was delivered leaves the file in bounded "
                "transactions, and the file is small again",
        .n = d.events,
        .failures =
            d.unbounded + (small ? 0 : 1) + (kept ? 0 : 1) + (unsynced ? 0 : 1),
        .seed = seed,
        .folder = d.f->folder,
        .control = "everything deleted in one transaction, and the sync of "
                   "that, is noticed",
        .caught = caught,
        .seconds = long_run_seconds(&began),
        .figures = figures};
    bool good = result_tell(&r);
    end(&d);
    lock_watch_stop();
    return good ? 0 : 1;
}
