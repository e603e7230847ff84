/* test_memory [--seed N] [--points N]
 *
 * Memory that runs out at any allocation, once or from then on, in every thing
 * that is done with a spool: it is done, or refused in a sentence, or the
 * process ends itself (SIGABRT); it never crashes, hangs, or says that it has
 * done what it has not. The file is looked at afterwards by a process that has
 * memory.
 *
 * A control copies a text without looking at what strdup says.
 *
 * 300 points drawn by chance; with SPOOL_TEST_FULL=1 every one, or as many as
 * there is time for until SIGTERM. Not under a
 * sanitizer, which has an allocator of its own. */
#define _DEFAULT_SOURCE /* mkdtemp, strdup */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/random.h"
#include "delivery/verdict.h"
#include "outbox/retain.h"
#include "outbox/store.h"
#include "spool/handle.h"
#include "spool/limits.h"
#include "support/box.h"
#include "support/long_run.h"
#include "support/result.h"

#define EVENTS          12 /* there before: 4 delivered, 4 in flight, 4 waiting */
#define POINTS_QUICK    300
#define SECONDS_AT_MOST 20

/* ---- the allocator ---- */

static struct {
    bool on, from_then_on;
    long n, calls, fired;
} armed;

static bool fails(void)
{
    if (!armed.on) {
        return false;
    }
    armed.calls++;
    bool now =
        armed.from_then_on ? armed.calls >= armed.n : armed.calls == armed.n;
    armed.fired += now;
    return now;
}

/* glibc's own allocator, under the names it has for those who replace it. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
/* Seen by the libraries, whatever else is hidden. */
#define SEEN __attribute__((visibility("default")))
SEEN void *malloc(size_t n);
SEEN void *calloc(size_t n, size_t size);
SEEN void *realloc(void *p, size_t n);

void *malloc(size_t n)
{
    errno = ENOMEM;
    return fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    errno = ENOMEM;
    return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    errno = ENOMEM;
    return fails() ? NULL : __libc_realloc(p, n);
}

/* Whoever closes a watch waits for the kernel, which at tens of thousands of
 * points comes to more than all else; the spool does without one. */
int inotify_init1(int flags)
{
    (void)flags;
    errno = EMFILE;
    return -1;
}

/* ---- what is there before ---- */

static char folder[64];
static char path[96];

/* The nth event, as strictly checked as any. */
static size_t make_event(int n, char out[400])
{
    return (size_t)snprintf(
        out, 400,
        "{\"name\":\"PRODUCT_VIEW\",\"userId\":\"u-%d\",\"sessionId\":\"s-%d\","
        "\"device\":\"PC\",\"productId\":\"COFFEE-%d\",\"title\":\"Coffee\","
        "\"url\":\"https://shop.example.com/c\",\"image\":"
        "\"https://cdn.example.com/c.jpg\",\"category\":\"Food\","
        "\"price\":189.90,\"lang\":\"EN\"}",
        n, n % 3, n);
}

static void must(enum spool_status status, const struct spool_error *err)
{
    if (status != SPOOL_OK) {
        (void)fprintf(stderr, "test_memory: %s\n", err->message);
        exit(2);
    }
}

static enum spool_status open_spool(struct spool **spool,
                                    struct spool_error *err)
{
    struct spool_options options;
    spool_options_default(&options);
    options.path = path;
    return spool_open(&options, spool, err);
}

static enum spool_status put(struct spool *spool, int n, const char *key,
                             struct spool_error *err)
{
    char event[400];
    size_t len = make_event(n, event);
    struct spool_put_options options = {.key = key};
    return spool_put(spool, event, len, &options, NULL, err);
}

static enum spool_status take(struct spool *spool, struct done *done,
                              struct turn *turn, struct spool_error *err)
{
    static const struct take_options options = {.now = true, .hurry = true};
    struct order order = {
        .done = done, .done_n = done != NULL ? 1 : 0, .take = &options};
    return batch_turn(spool_outbox(spool), 1, 0, &order, turn, err);
}

static void make_template(void)
{
    struct spool *spool;
    struct spool_error err;
    struct destination d;
    struct turn turn, next;
    destination_default(&d);
    (void)snprintf(d.name, sizeof d.name, "shop");
    (void)snprintf(d.url, sizeof d.url, "http://127.0.0.1:1");
    d.batch_events = 4;
    must(open_spool(&spool, &err), &err);
    must(destination_add(spool_outbox(spool), &d, &err), &err);
    for (int n = 1; n <= EVENTS; n++) {
        must(put(spool, n, NULL, &err), &err);
    }
    must(take(spool, NULL, &turn, &err), &err);
    struct settlement s = {
        .outcome = OUTCOME_DELIVERED, .code = "", .reason = "", .answer = ""};
    struct done done = {.batch = &turn.batches[0], .s = &s};
    must(take(spool, &done, &next, &err), &err);
    batch_finish(&turn.batches[0]);
    batch_finish(&next.batches[0]);
    spool_close(spool);
}

/* The files keep their places on the disk, so that the spool does not take
 * itself for a copy. */
static const char *const suffixes[] = {"", "-wal", "-mark"};
static struct {
    char *bytes;
    size_t len;
} kept[3];

static void keep_template(void)
{
    for (size_t i = 0; i < 3; i++) {
        char name[128];
        (void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        FILE *file = fopen(name, "re");
        if (file != NULL) {
            kept[i].bytes = malloc(4 << 20);
            kept[i].len = fread(kept[i].bytes, 1, 4 << 20, file);
            (void)fclose(file);
        }
    }
}

static void restore_template(void)
{
    char name[128];
    (void)snprintf(name, sizeof name, "%s-shm", path);
    (void)unlink(name);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        FILE *file = kept[i].bytes == NULL ? NULL : fopen(name, "we");
        if (file == NULL) {
            (void)unlink(name);
        } else if (fwrite(kept[i].bytes, 1, kept[i].len, file) != kept[i].len ||
                   fclose(file) != 0) {
            perror(name);
            exit(2);
        }
    }
}

/* ---- what is done with it ---- */

/* What a child tells of one operation. */
struct told {
    enum spool_status status;
    long fired;
    int stored; /* events more, when the status is OK */
    char wrong[SPOOL_ERROR_SIZE];
};

static struct told told;
static struct spool *spool;

static void wrong(const char *why)
{
    (void)snprintf(told.wrong, sizeof told.wrong, "%s", why);
}

typedef enum spool_status operation(struct spool_error *err);

static enum spool_status do_open(struct spool_error *err)
{
    struct spool *other;
    enum spool_status status = open_spool(&other, err);
    if (status == SPOOL_OK) {
        spool_close(other);
    }
    return status;
}

static enum spool_status do_put(struct spool_error *err)
{
    told.stored = 1;
    return put(spool, EVENTS + 1, NULL, err);
}

static enum spool_status do_put_keyed(struct spool_error *err)
{
    told.stored = 1;
    return put(spool, EVENTS + 1, "a-key", err);
}

/* So full that what is delivered gives way, and one that is not. */
static void fill_up(void)
{
    struct spool_limits limits;
    struct spool_error err;
    must(spool_get_limits(spool, &limits, &err), &err);
    limits.max_events = EVENTS - 4;
    limits.classes[SPOOL_CLASS_VIEW].shed = 1;
    must(spool_set_limits(spool, &limits, &err), &err);
}

static enum spool_status do_put_many(struct spool_error *err)
{
    static char texts[3][400];
    struct spool_event events[3];
    struct spool_receipt receipts[3];
    for (int i = 0; i < 3; i++) {
        size_t len = make_event(EVENTS + 1 + i, texts[i]);
        events[i] = (struct spool_event){.json = texts[i], .len = len};
    }
    told.stored = 3;
    return spool_put_many(spool, events, 3, NULL, receipts, err);
}

/* The batch is the bytes that were put, framed. */
static void check_batch(const struct batch *b, int first)
{
    char want[2000] = "[";
    for (int n = first; n < first + 4; n++) {
        char event[400];
        (void)make_event(n, event);
        (void)strcat(want, n > first ? "," : "");
        (void)strcat(want, event);
    }
    (void)strcat(want, "]");
    if (b->bytes.len != strlen(want) ||
        memcmp(b->bytes.data, want, b->bytes.len) != 0) {
        wrong("the batch holds other bytes than were put");
    }
}

static struct turn turn;

/* Setting up needs memory that does not fail. */
static void take_first(void)
{
    struct spool_error err;
    int64_t n;
    must(batch_recover(spool_outbox(spool), &n, &err), &err);
    must(take(spool, NULL, &turn, &err), &err);
}

static enum spool_status do_take(struct spool_error *err)
{
    int64_t n;
    enum spool_status status = batch_recover(spool_outbox(spool), &n, err);
    if (status == SPOOL_OK) {
        status = take(spool, NULL, &turn, err);
    }
    if (status == SPOOL_OK && turn.taken == TAKEN_BATCH) {
        check_batch(&turn.batches[0], 5);
    } else if (status == SPOOL_OK) {
        wrong("there is no batch to take");
    }
    return status;
}

static enum spool_status settle(enum outcome outcome, int first,
                                struct spool_error *err)
{
    struct batch landed = turn.batches[0];
    struct settlement s = {.outcome = outcome,
                           .code = "CODE",
                           .reason = "a reason",
                           .answer = "an answer",
                           .answer_len = 9};
    struct done done = {.batch = &landed, .s = &s};
    enum spool_status status = take(spool, &done, &turn, err);
    if (status == SPOOL_OK && outcome == OUTCOME_DELIVERED) {
        check_batch(&turn.batches[0], first);
    }
    return status;
}

static enum spool_status do_settle(struct spool_error *err)
{
    return settle(OUTCOME_DELIVERED, 9, err);
}

static enum spool_status do_split(struct spool_error *err)
{
    return settle(OUTCOME_REFUSED, 5, err);
}

static enum spool_status operate(bool replay, int64_t id,
                                 struct spool_error *err)
{
    struct destination d;
    struct operation op;
    struct outbox *box = spool_outbox(spool);
    enum spool_status status = destination_find(box, "shop", &d, err);
    if (status == SPOOL_OK) {
        status = replay ? operate_replay(box, &d, &id, 1, "test", &op, err)
                        : operate_purge(box, &d, &id, 1, "test", &op, err);
    }
    if (status == SPOOL_OK && op.changed != 1) {
        wrong("an event that was named was not changed");
    }
    return status;
}

static enum spool_status do_replay(struct spool_error *err)
{
    return operate(true, 2, err);
}

static enum spool_status do_purge(struct spool_error *err)
{
    return operate(false, 11, err);
}

static bool see(void *arg, const struct event_record *e)
{
    char event[400];
    size_t len = make_event((int)e->id, event);
    if (e->len != len || memcmp(e->body, event, len) != 0) {
        wrong("an event is listed with other bytes than were put");
    }
    ++*(int *)arg;
    return true;
}

static enum spool_status do_list(struct spool_error *err)
{
    struct destination d;
    struct event_range all = {0};
    int n = 0;
    struct outbox *box = spool_outbox(spool);
    enum spool_status status = destination_find(box, "shop", &d, err);
    if (status == SPOOL_OK) {
        status = inspect_events(box, &d, &all, see, &n, err);
    }
    if (status == SPOOL_OK && n != EVENTS) {
        wrong("an event is not listed");
    }
    return status;
}

static enum spool_status do_stats(struct spool_error *err)
{
    struct spool_stats stats;
    enum spool_status status = spool_stats(spool, "shop", &stats, err);
    if (status == SPOOL_OK &&
        (stats.accepted != EVENTS || stats.delivered != 4)) {
        wrong("the sums are wrong");
    }
    return status;
}

static void found(void *arg, const char *sentence)
{
    (void)arg;
    wrong(sentence);
}

static enum spool_status do_verify(struct spool_error *err)
{
    int64_t findings;
    return verify(spool_outbox(spool), found, NULL, &findings, err);
}

static enum spool_status do_retain(struct spool_error *err)
{
    static const struct retention now = {.keep_ms = 0, .keep_keys_ms = 0};
    bool more;
    return retain_step(spool_outbox(spool), &now, &more, err);
}

/* An answer that must hold the destination is never taken for a delivery. */
static enum spool_status do_judge(struct spool_error *err)
{
    static const char body[] =
        "{\"statusCode\":\"UNVERIFIED_ACCOUNT\",\"responses\":[[],[]]}";
    struct judgement j;
    struct reply reply = {.http = 200,
                          .content_type = "application/json",
                          .body = body,
                          .body_len = sizeof body - 1,
                          .error = ""};
    (void)err;
    judge(PROFILE_SEGMENTIFY, &reply, 0, 0, &j);
    if (j.verdict != VERDICT_HOLD) {
        wrong("an answer was misread");
    }
    return SPOOL_OK;
}

static enum spool_status do_control(struct spool_error *err)
{
    char *copy = strdup("nobody looks whether there was memory");
    (void)err;
    told.stored = (int)strlen(copy);
    free(copy);
    return SPOOL_OK;
}

static const struct {
    const char *name;
    void (*set_up)(void);
    operation *run;
} operations[] = {
    {"open", NULL, do_open},
    {"put", NULL, do_put},
    {"put with a key", NULL, do_put_keyed},
    {"put three", NULL, do_put_many},
    {"put where it is full", fill_up, do_put},
    {"take", NULL, do_take},
    {"settle", take_first, do_settle},
    {"split", take_first, do_split},
    {"replay", NULL, do_replay},
    {"purge", NULL, do_purge},
    {"list", NULL, do_list},
    {"stats", NULL, do_stats},
    {"verify", NULL, do_verify},
    {"retain", NULL, do_retain},
    {"judge", NULL, do_judge},
    {"control", NULL, do_control},
};
#define OPERATIONS ((int)(sizeof operations / sizeof *operations) - 1)

/* ---- the points ---- */

static void be_child(int which, long n, bool from_then_on, int out)
{
    struct spool_error err = {0};
    (void)alarm(SECONDS_AT_MOST);
    must(open_spool(&spool, &err), &err);
    if (operations[which].set_up != NULL) {
        operations[which].set_up();
    }
    err = (struct spool_error){0};
    armed.n = n;
    armed.from_then_on = from_then_on;
    armed.on = true;
    told.status = operations[which].run(&err);
    armed.on = false;
    told.fired = armed.fired;
    if (told.status != SPOOL_OK && strlen(err.message) < 10) {
        wrong("it failed and does not say why");
    }
    (void)!write(out, &told, sizeof told);
    _exit(0);
}

static bool count_events(void *arg, const struct event_record *e)
{
    return see(arg, e);
}

/* With memory: the file is sound and holds what the child was told. */
static void look(void)
{
    struct spool_error err = {0};
    struct event_range all = {0};
    int64_t findings;
    int n = 0;
    if (open_spool(&spool, &err) != SPOOL_OK ||
        verify(spool_outbox(spool), found, NULL, &findings, &err) != SPOOL_OK ||
        inspect_events(spool_outbox(spool), NULL, &all, count_events, &n,
                       &err) != SPOOL_OK) {
        wrong(err.message);
        return;
    }
    int64_t last = 0;
    (void)inspect_last_id(spool_outbox(spool), &last, &err);
    spool_close(spool);
    int more = (int)last - EVENTS;
    if (told.status == SPOOL_OK && more != told.stored) {
        wrong("it was said to be stored and is not");
    } else if (told.status != SPOOL_OK && told.status != SPOOL_UNKNOWN &&
               more != 0) {
        wrong("it was said not to be stored and is");
    }
}

struct tally {
    long points, wrong, refused, ended;
};

/* Gives whether the fault fired. */
static bool try_point(int which, long n, bool from_then_on, struct tally *t)
{
    int ends[2], status = 0;
    restore_template();
    told = (struct told){0};
    if (pipe(ends) != 0) {
        perror("pipe");
        exit(2);
    }
    pid_t pid = fork();
    if (pid == 0) {
        be_child(which, n, from_then_on, ends[1]);
    }
    (void)close(ends[1]);
    bool whole = read(ends[0], &told, sizeof told) == (ssize_t)sizeof told;
    (void)close(ends[0]);
    (void)waitpid(pid, &status, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) {
        t->ended++;
        told.status = SPOOL_UNKNOWN;
        told.fired = 1;
    } else if (WIFSIGNALED(status)) {
        (void)snprintf(told.wrong, sizeof told.wrong, "it ended with %s",
                       strsignal(WTERMSIG(status)));
        told.fired = 1;
    } else if (!whole) {
        wrong("the child could not begin");
    }
    if (told.wrong[0] == '\0') {
        look();
    }
    bool fired = told.fired > 0;
    t->points += fired;
    t->refused += fired && told.status != SPOOL_OK;
    if (told.wrong[0] != '\0') {
        t->wrong++;
        if (which < OPERATIONS) {
            (void)fprintf(stderr, "%s, allocation %ld%s: %s\n",
                          operations[which].name, n,
                          from_then_on ? " and all behind it" : "", told.wrong);
        }
    }
    return fired;
}

/* How many allocations an operation makes, found by halving. */
static long count_points(int which)
{
    struct tally none = {0};
    long lo = 0, hi = 1;
    while (try_point(which, hi, true, &none)) {
        lo = hi;
        hi *= 2;
    }
    while (hi - lo > 1) {
        long middle = lo + (hi - lo) / 2;
        *(try_point(which, middle, true, &none) ? &lo : &hi) = middle;
    }
    return lo;
}

static bool tell(const struct tally *t, const struct tally *control,
                 uint64_t seed, long all, double seconds)
{
    char figures[160], words[96];
    (void)snprintf(figures, sizeof figures,
                   "\"possible\":%ld,\"operations\":%d,\"refused\":%ld,"
                   "\"ended by themselves\":%ld",
                   all, OPERATIONS, t->refused, t->ended);
    (void)snprintf(words, sizeof words,
                   "a strdup that is not looked at: crashed in %ld of %ld",
                   control->wrong, control->points);
    return result_tell(&(struct result){
        .test = "malloc-fault",
        .what = "an allocation that fails, once or from then on",
        .n = t->points,
        .failures = t->wrong,
        .seed = seed,
        .folder = folder,
        .control = words,
        .caught = control->wrong > 0,
        .seconds = seconds,
        .figures = figures});
}

static void run(struct rng *rng, long points, struct tally *t, long *all)
{
    long count[sizeof operations / sizeof *operations];
    for (int i = 0; i < OPERATIONS; i++) {
        count[i] = count_points(i);
        *all += 2 * count[i];
    }
    points = points == 0 ? *all : points;
    for (int i = 0; i < OPERATIONS; i++) {
        for (long n = 1; n <= count[i] && !long_run_is_told_to_end(); n++) {
            for (int persistent = 0; persistent < 2; persistent++) {
                if (rng_upto(rng, *all - 1) < points) {
                    (void)try_point(i, n, persistent == 1, t);
                }
            }
        }
    }
}

int main(int argc, char **argv)
{
    long points = long_run_option(argc, argv, "--points",
                                  long_run_is_full() ? 0 : POINTS_QUICK);
    struct tally tally = {0}, control = {0};
    struct timespec start;
    struct rng rng;
    long all = 0;
    uint64_t seed = long_run_seed(argc, argv);
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    rng.state = seed;
    fixture_make_ram_folder(folder);
    (void)snprintf(path, sizeof path, "%s/outbox.db", folder);
    make_template();
    keep_template();
    run(&rng, points, &tally, &all);
    (void)try_point(OPERATIONS, 1, false, &control);
    bool passed = tell(&tally, &control, seed, all, long_run_seconds(&start));
    fixture_remove_folder(folder);
    return passed ? 0 : 1;
}
