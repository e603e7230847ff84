/* test_flip [--seed N] [--flips N] [--pages N]
 *
 * A bit that turns over in the outbox or its WAL, and pages that are zeroed,
 * swapped, older than they should be or cut off: no event is ever sent with
 * other bytes than were put, every event that is not sent is noticed, the rest
 * goes on its way, and new events are accepted.
 *
 * The control looks at the same damage without the rows' checksums: it must see
 * other bytes that nothing would have told.
 *
 * 200 flips and 40 pages; with SPOOL_TEST_FULL=1 10,000 and 2,000. */
#define _DEFAULT_SOURCE /* mkdtemp */
#include <dirent.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/random.h"
#include "outbox/aside.h"
#include "outbox/recover.h"
#include "outbox/store.h"
#include "support/box.h"
#include "support/long_run.h"
#include "support/result.h"

#define EVENTS      240 /* the first of them in the file, the rest in the WAL */
#define IN_FILE     140
#define DELIVERED   60
#define BODY_MAX    700
#define PAGE        8192
#define FLIPS_QUICK 200
#define PAGES_QUICK 40

enum damage { FLIP, ZEROED, SWAPPED, STALE, CUT_OFF, DAMAGES };

/* ---- the spool before it is damaged ---- */

struct file {
    char *bytes;
    size_t len;
};

/* The outbox, its WAL, the mark. */
static const char *const suffixes[] = {"", "-wal", "-mark"};
#define FILES 3

static char folder[64];
static char path[96];
static struct file kept[FILES];
static struct file older; /* the outbox at an earlier time */
static int64_t now;

static size_t make_body(int64_t n, char body[BODY_MAX])
{
    struct rng rng = {.state = (uint64_t)n};
    size_t len = (size_t)snprintf(body, BODY_MAX, "{\"n\":%lld,\"filler\":\"",
                                  (long long)n);
    for (int64_t more = rng_upto(&rng, 500); more > 0; more--) {
        body[len++] = (char)('a' + rng_upto(&rng, 25));
    }
    memcpy(body + len, "\"}", 2);
    return len + 2;
}

static int64_t now_of(void *arg)
{
    (void)arg;
    return now;
}

static const struct clock still = {now_of, now_of, NULL};

static void give_up(const char *what, const char *why)
{
    (void)fprintf(stderr, "test_flip: %s: %s\n", what, why);
    exit(2);
}

static enum spool_status open_box(struct outbox **box, struct spool_error *err)
{
    struct outbox_options options = {
        .path = path, .create = true, .clock = &still};
    return outbox_open(&options, box, err);
}

static void add_destination(struct outbox *box)
{
    struct destination d;
    struct spool_error err;
    destination_default(&d);
    (void)snprintf(d.name, sizeof d.name, "shop");
    (void)snprintf(d.url, sizeof d.url, "http://127.0.0.1:1");
    d.batch_events = 10;
    d.batch_age_ms = 0;
    if (destination_add(box, &d, &err) != SPOOL_OK) {
        give_up("no destination", err.message);
    }
}

static bool put(struct outbox *box, int64_t from, int64_t to,
                struct spool_error *err)
{
    for (int64_t n = from; n <= to; n++) {
        char body[BODY_MAX];
        struct outbox_event e = {.body = body, .len = make_body(n, body)};
        if (outbox_append(box, &e, 1, err) != SPOOL_OK) {
            return false;
        }
    }
    return true;
}

static void read_file(const char *suffix, struct file *out)
{
    char name[128];
    (void)snprintf(name, sizeof name, "%s%s", path, suffix);
    FILE *file = fopen(name, "re");
    struct stat s;
    if (file == NULL || fstat(fileno(file), &s) != 0) {
        give_up(name, "cannot be read");
    }
    out->len = (size_t)s.st_size;
    out->bytes = realloc(out->bytes, out->len + 1);
    if (out->bytes == NULL ||
        fread(out->bytes, 1, out->len, file) != out->len) {
        give_up(name, "cannot be read");
    }
    (void)fclose(file);
}

static void write_file(const char *suffix, const struct file *in)
{
    char name[128];
    (void)snprintf(name, sizeof name, "%s%s", path, suffix);
    FILE *file = fopen(name, "we");
    if (file == NULL || fwrite(in->bytes, 1, in->len, file) != in->len ||
        fclose(file) != 0) {
        give_up(name, "cannot be written");
    }
}

/* What a drain delivers, or why it stops. */
struct drained {
    bool there[2 * EVENTS];
    long other_bytes; /* events that were sent and are not what was put */
    long damaged;     /* set aside by their checksum */
};

/* One batch's events, each at its place in the batch's bytes. */
static void take_down(struct drained *d, const struct batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        char body[BODY_MAX];
        const struct batch_event *e = &b->events[i];
        size_t len = make_body(e->id, body);
        if (e->id < 1 || e->len != len ||
            memcmp(b->bytes.data + e->offset, body, len) != 0) {
            d->other_bytes++;
        } else if (e->id < 2 * EVENTS) { /* else a new one, behind a last id
                                            that damage has made up */
            d->there[e->id] = true;
        }
    }
}

/* Takes and delivers up to so many batches. */
static enum spool_status drain(struct outbox *box, int64_t destination,
                               int batches, struct drained *d,
                               struct spool_error *err)
{
    static const struct take_options take = {.now = true, .hurry = true};
    struct settlement s = {
        .outcome = OUTCOME_DELIVERED, .code = "", .reason = "", .answer = ""};
    struct batch landed = {0};
    struct done done = {.batch = &landed, .s = &s};
    struct order order = {.take = &take, .done = &done};
    struct turn turn;
    for (int i = 0;; i++) {
        order.take = i < batches ? &take : NULL;
        order.done_n = i > 0 ? 1 : 0;
        enum spool_status status =
            batch_turn(box, destination, 0, &order, &turn, err);
        batch_finish(&landed);
        if (status != SPOOL_OK || i == batches) {
            return status;
        }
        d->damaged += (long)turn.damaged;
        if (turn.taken != TAKEN_BATCH) {
            return SPOOL_OK;
        }
        take_down(d, &turn.batches[0]);
        landed = turn.batches[0];
    }
}

static void empty_folder(void)
{
    DIR *dir = opendir(folder);
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        (void)unlinkat(dirfd(dir), e->d_name, 0);
    }
    (void)closedir(dir);
}

/* Some events delivered, some waiting, half of it in the WAL. */
static void make_spool(void)
{
    struct outbox *box;
    struct spool_error err = {0};
    struct drained none = {0};
    empty_folder();
    now = 1000000;
    if (open_box(&box, &err) != SPOOL_OK) {
        give_up("cannot be made", err.message);
    }
    add_destination(box);
    box->writer.wal_frames_max = 1;
    bool done = put(box, 1, IN_FILE / 2, &err);
    read_file("", &older);
    done = done && put(box, IN_FILE / 2 + 1, IN_FILE, &err) &&
           drain(box, 1, DELIVERED / 20, &none, &err) == SPOOL_OK;
    box->writer.wal_frames_max = 1000000;
    done = done && put(box, IN_FILE + 1, EVENTS, &err) &&
           drain(box, 1, DELIVERED / 20, &none, &err) == SPOOL_OK;
    if (!done) {
        give_up("cannot be filled", err.message);
    }
    outbox_close(box);
    for (size_t i = 0; i < FILES; i++) {
        read_file(suffixes[i], &kept[i]);
    }
}

static unsigned long long made_inode;

/* In their old places, so that the spool does not take itself for a copy. */
static void restore_spool(void)
{
    char name[128];
    if (aside_inode(path) != made_inode || made_inode == 0) {
        make_spool();
        made_inode = aside_inode(path);
    }
    (void)snprintf(name, sizeof name, "%s-shm", path);
    (void)unlink(name);
    for (size_t i = 0; i < FILES; i++) {
        write_file(suffixes[i], &kept[i]);
    }
}

/* ---- damage ---- */

static void damage_page(enum damage kind, struct rng *rng, struct file *f)
{
    size_t pages = f->len / PAGE;
    size_t a = (size_t)rng_upto(rng, (int64_t)pages - 1) * PAGE;
    size_t b = (size_t)rng_upto(rng, (int64_t)pages - 1) * PAGE;
    char page[PAGE];
    switch (kind) {
    case ZEROED:
        memset(f->bytes + a, 0, PAGE);
        return;
    case SWAPPED:
        memcpy(page, f->bytes + a, PAGE);
        memcpy(f->bytes + a, f->bytes + b, PAGE);
        memcpy(f->bytes + b, page, PAGE);
        return;
    case STALE:
        if (a + PAGE <= older.len) {
            memcpy(f->bytes + a, older.bytes + a, PAGE);
        }
        return;
    case CUT_OFF:
        f->len = a;
        return;
    case FLIP:
    case DAMAGES:
        return;
    }
}

static void damage(enum damage kind, struct rng *rng)
{
    bool wal = kind == FLIP && rng_upto(rng, 1) == 1;
    struct file copy = kept[wal ? 1 : 0];
    copy.bytes = malloc(copy.len);
    if (copy.bytes == NULL) {
        give_up("no copy", "out of memory");
    }
    memcpy(copy.bytes, kept[wal ? 1 : 0].bytes, copy.len);
    if (kind == FLIP) {
        int64_t bit = rng_upto(rng, (int64_t)copy.len * 8 - 1);
        copy.bytes[bit / 8] = (char)(copy.bytes[bit / 8] ^ (1 << bit % 8));
    } else {
        damage_page(kind, rng, &copy);
    }
    write_file(suffixes[wal ? 1 : 0], &copy);
    free(copy.bytes);
}

/* ---- afterwards ---- */

struct after {
    struct outbox *box;
    long said; /* sentences of any kind about damage */
    bool set_aside;
    bool refused; /* the file is taken for no spool of ours */
    struct drained drained;
    long unchecked; /* rows with other bytes, which only the checksum tells */
    char why[SPOOL_ERROR_SIZE];
    bool wrong;
};

static void say(void *arg, const char *sentence)
{
    (void)sentence;
    ((struct after *)arg)->said++;
}

static void go_wrong(struct after *a, const char *what, const char *why)
{
    a->wrong = true;
    (void)snprintf(a->why, sizeof a->why, "%s: %.300s", what, why);
}

static bool look_unchecked(void *arg, const struct event_record *e)
{
    struct after *a = arg;
    char body[BODY_MAX];
    size_t len = make_body(e->id, body);
    a->unchecked += e->len != len || memcmp(e->body, body, len) != 0;
    return true;
}

/* A spool that met damage has to be opened again; true when it could be. */
static bool open_again(struct after *a)
{
    struct spool_error err = {0};
    outbox_close(a->box);
    a->box = NULL;
    enum spool_status status = open_box(&a->box, &err);
    if (status != SPOOL_OK) {
        a->box = NULL;
        a->refused = true;
        if (strlen(err.message) < 20) {
            go_wrong(a, "refused without a word", err.message);
        }
        return false;
    }
    outbox_notices(a->box, say, a);
    return true;
}

static void put_back(struct after *a)
{
    char damaged[ASIDE_PATH_SIZE];
    struct recover_report report = {0};
    struct spool_error err = {0};
    if (!aside_newest(path, NULL, damaged)) {
        return;
    }
    a->set_aside = true;
    a->said++;
    if (recover(a->box, damaged, false, &report, &err) != SPOOL_OK) {
        go_wrong(a, "cannot be recovered", err.message);
    }
}

/* New events are accepted, at the second try at the latest. */
static void put_new(struct after *a)
{
    struct spool_error err = {0};
    int64_t last;
    for (int i = 0; i < 3; i++) {
        if (a->box != NULL &&
            inspect_last_id(a->box, &last, &err) == SPOOL_OK &&
            put(a->box, last + 1, last + 1, &err)) {
            return;
        }
        a->said++;
        if (!open_again(a)) {
            return;
        }
    }
    go_wrong(a, "no new event is accepted", err.message);
}

static void deliver(struct after *a)
{
    struct spool_error err = {0};
    struct destination d;
    for (int i = 0; i < 3 && a->box != NULL; i++) {
        enum spool_status status = destination_find(a->box, "shop", &d, &err);
        int64_t n;
        if (status == SPOOL_NOT_FOUND) {
            a->said++;
            add_destination(a->box);
            status = destination_find(a->box, "shop", &d, &err);
        }
        if (status == SPOOL_OK) {
            status = batch_recover(a->box, &n, &err);
        }
        if (status == SPOOL_OK) {
            status = drain(a->box, d.id, 1000, &a->drained, &err);
        }
        if (status == SPOOL_OK) {
            return;
        }
        a->said++;
        if (open_again(a)) {
            put_back(a);
        }
    }
}

/* Whether an event that waited was sent, or its absence was said. */
static void compare(struct after *a)
{
    int64_t findings = 0;
    struct spool_error err = {0};
    if (a->box != NULL && verify(a->box, say, a, &findings, &err) != SPOOL_OK) {
        a->said++;
    }
    if (a->drained.other_bytes > 0) {
        go_wrong(a, "an event was sent with other bytes", "");
    }
    a->said += a->drained.damaged;
    for (int64_t n = DELIVERED + 1; n <= EVENTS; n++) {
        if (!a->drained.there[n] && a->said == 0 && !a->refused) {
            char which[32];
            (void)snprintf(which, sizeof which, "event %" PRId64, n);
            go_wrong(a, "not sent and not noticed", which);
        }
    }
}

static void live_on(struct after *a)
{
    struct spool_error err = {0};
    struct event_range all = {0};
    now += 1000;
    if (open_again(a)) {
        (void)inspect_events(a->box, NULL, &all, look_unchecked, a, &err);
        put_back(a);
        put_new(a);
        deliver(a);
        compare(a);
    }
    outbox_close(a->box);
}

/* ---- the program ---- */

struct tally {
    long n, wrong;
    long noticed, harmless, set_aside, refused;
    long unchecked; /* cases in which only the checksum told */
};

static void try_one(enum damage kind, struct rng *rng, struct tally *t)
{
    struct after a = {0};
    restore_spool();
    damage(kind, rng);
    live_on(&a);
    t->n++;
    t->wrong += a.wrong;
    t->noticed += a.said > 0 || a.refused;
    t->harmless += a.said == 0 && !a.refused;
    t->set_aside += a.set_aside;
    t->refused += a.refused;
    t->unchecked += a.unchecked > 0;
    if (a.wrong) {
        (void)fprintf(stderr, "case %ld (%d): %s\n", t->n, (int)kind, a.why);
    }
}

static bool tell(const char *test, const char *what, const struct tally *t,
                 const struct tally *flips, uint64_t seed, double seconds)
{
    char figures[200], words[128];
    (void)snprintf(figures, sizeof figures,
                   "\"noticed\":%ld,\"harmless\":%ld,\"set aside\":%ld,"
                   "\"refused as no spool\":%ld",
                   t->noticed, t->harmless, t->set_aside, t->refused);
    (void)snprintf(
        words, sizeof words,
        "without the rows' checksums: other bytes in %ld of %ld flips",
        flips->unchecked, flips->n);
    return result_tell(&(struct result){.test = test,
                                        .what = what,
                                        .n = t->n,
                                        .failures = t->wrong,
                                        .seed = seed,
                                        .folder = folder,
                                        .control = words,
                                        .caught = flips->unchecked > 0,
                                        .seconds = seconds,
                                        .figures = figures});
}

int main(int argc, char **argv)
{
    bool full = long_run_is_full();
    long flips =
        long_run_option(argc, argv, "--flips", full ? 10000 : FLIPS_QUICK);
    long pages =
        long_run_option(argc, argv, "--pages", full ? 2000 : PAGES_QUICK);
    struct tally bits = {0}, whole = {0};
    struct timespec start;
    struct rng rng;
    uint64_t seed = long_run_seed(argc, argv);
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    rng.state = seed;
    fixture_make_ram_folder(folder);
    (void)snprintf(path, sizeof path, "%s/outbox.db", folder);
    while (bits.n < flips) {
        try_one(FLIP, &rng, &bits);
    }
    bool passed = tell("flip", "a bit that turns over in the file or its WAL",
                       &bits, &bits, seed, long_run_seconds(&start));
    /* Whole pages seldom hold a row that is not as it was: the flips of the
     * same run show that the checksums are looked at. */
    while (whole.n < pages) {
        try_one((enum damage)(ZEROED + whole.n % (DAMAGES - 1)), &rng, &whole);
    }
    passed =
        tell("page-fault", "a page that is zeroed, swapped, stale or cut off",
             &whole, &bits, seed, long_run_seconds(&start)) &&
        passed;
    fixture_remove_folder(folder);
    return passed ? 0 : 1;
}
