/* Ratios of our work against a baseline measured in the same run:
 *
 *   spool-bench [--events N] [--depth N] [--dir DIR] [--only WORD] [--sync-ms
 * N]
 *
 * DIR must be on a real disk: a RAM file system has no sync to pay for. With
 * --sync-ms each sync takes so much longer while it is looked how long deletes
 * hold the writer. */
#define _DEFAULT_SOURCE /* mkdtemp */
#include "bench.h"

#include <dirent.h>
#include <getopt.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "outbox/inspect.h"
#include "spool/flusher.h"
#include "spool/handle.h"

#define BATCH 500

#define ROUNDS 7

struct options {
    size_t events;     /* of a bulk put and a drain */
    size_t depth;      /* pending, for the deep runs; 0 leaves them out */
    const char *dir;   /* work in here */
    const char *only;  /* NULL: everything */
    const char *event; /* 300 bytes */
    size_t len;
    int sync_ms; /* more for each sync while deletes are measured */
};

double bench_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void bench_must(int ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "spool-bench: no %s\n", what);
        exit(1);
    }
}

static void must(enum spool_status status, const struct spool_error *err)
{
    bench_must(status == SPOOL_OK, err->message);
}

/* bar 0: none is set. */
static void print_row(const char *work, double ours, double base, double bar)
{
    double ratio = ours / base;
    (void)printf("%-46s %12.0f %12.0f %7.2f %6.2f %s\n", work, ours, base,
                 ratio, bar,
                 bar == 0.0     ? ""
                 : ratio >= bar ? "ok"
                                : "BELOW");
    (void)fflush(stdout);
}

/* What both sides did in one go. */
struct round {
    double ours, base;
};

static int by_ratio(const void *a, const void *b)
{
    const struct round *x = a, *y = b;
    double left = x->ours / x->base, right = y->ours / y->base;
    return (left > right) - (left < right);
}

/* A side is over in half a second, in which a machine may have been busy with
 * something else: the middle one of several rounds is told. */
static void print_middle(const char *work, struct round rounds[ROUNDS],
                         double bar)
{
    qsort(rounds, ROUNDS, sizeof rounds[0], by_ratio);
    const struct round *middle = &rounds[ROUNDS / 2];
    const struct round *least = &rounds[0], *most = &rounds[ROUNDS - 1];
    print_row(work, middle->ours, middle->base, bar);
    (void)printf("  the middle of %d rounds, which gave %.2f to %.2f\n", ROUNDS,
                 least->ours / least->base, most->ours / most->base);
    (void)fflush(stdout);
}

static bool wanted(const struct options *o, const char *word)
{
    return o->only == NULL || strcmp(o->only, word) == 0;
}

static void make_path(const struct options *o, const char *name, char *out,
                      size_t size)
{
    static const char *const ends[] = {
        "", "-wal", "-shm", "-mark", "-flusher", "-ballast", "-destinations"};
    char path[600];
    (void)snprintf(out, size, "%s/%s", o->dir, name);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s", out, ends[i]);
        (void)unlink(path);
    }
}

static struct spool *open_spool(const char *path)
{
    struct spool_options options;
    struct spool *spool;
    struct spool_error err;
    spool_options_default(&options);
    options.path = path;
    must(spool_open(&options, &spool, &err), &err);
    return spool;
}

/* Events a second. */
static double bulk_put(const struct options *o, struct spool *spool, size_t n,
                       enum spool_check check)
{
    static struct spool_event events[1000];
    static struct spool_receipt receipts[1000];
    struct spool_put_options options = {.check = check};
    struct spool_error err;
    for (size_t i = 0; i < 1000; i++) {
        events[i] = (struct spool_event){.json = o->event, .len = o->len};
    }
    double start = bench_now();
    for (size_t done = 0; done < n; done += 1000) {
        size_t now = n - done < 1000 ? n - done : 1000;
        must(spool_put_many(spool, events, now, &options, receipts, &err),
             &err);
    }
    return (double)n / (bench_now() - start);
}

static double bulk_fresh(const struct options *o, enum spool_check check)
{
    char path[512];
    make_path(o, "bulk.db", path, sizeof path);
    struct spool *spool = open_spool(path);
    double speed = bulk_put(o, spool, o->events, check);
    spool_close(spool);
    return speed;
}

static void bench_bulk(const struct options *o)
{
    struct round strict[ROUNDS], off[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        char path[512];
        make_path(o, "base.db", path, sizeof path);
        double base = baseline_insert(path, o->event, o->len, o->events, 1000);
        off[i] = (struct round){bulk_fresh(o, SPOOL_CHECK_OFF), base};
        strict[i] = (struct round){bulk_fresh(o, SPOOL_CHECK_STRICT), base};
    }
    print_middle("bulk put, 1,000 a commit, checked", strict, 0.5);
    print_middle("bulk put, 1,000 a commit, checked as JSON", off, 0.0);
}

struct putter {
    const struct options *o;
    struct spool *spool;
    size_t n;
};

static void *put_singly(void *arg)
{
    const struct putter *p = arg;
    struct spool_error err;
    for (size_t i = 0; i < p->n; i++) {
        must(spool_put(p->spool, p->o->event, p->o->len, NULL, NULL, &err),
             &err);
    }
    return NULL;
}

static double put_by_threads(const struct options *o, size_t threads, size_t n)
{
    pthread_t ids[64];
    char path[512];
    make_path(o, "single.db", path, sizeof path);
    struct spool *spool = open_spool(path);
    struct putter p = {o, spool, n / threads};
    double start = bench_now();
    for (size_t i = 0; i < threads; i++) {
        bench_must(pthread_create(&ids[i], NULL, put_singly, &p) == 0,
                   "a thread");
    }
    for (size_t i = 0; i < threads; i++) {
        (void)pthread_join(ids[i], NULL);
    }
    double seconds = bench_now() - start;
    spool_close(spool);
    return (double)(p.n * threads) / seconds;
}

static void bench_single(const struct options *o)
{
    struct round one[ROUNDS], sixteen[ROUNDS], many[ROUNDS];
    size_t n = 2000;
    for (size_t i = 0; i < ROUNDS; i++) {
        char path[512];
        make_path(o, "base.db", path, sizeof path);
        double base = baseline_insert(path, o->event, o->len, n, 1);
        double ours = put_by_threads(o, 1, n);
        one[i] = (struct round){ours, base};
        sixteen[i] = (struct round){put_by_threads(o, 16, n * 6), ours};
        many[i] = (struct round){put_by_threads(o, 64, n * 12), ours};
    }
    print_middle("durable put, 1 thread", one, 0.8);
    print_middle("durable put, 16 threads against 1", sixteen, 8.0);
    print_middle("durable put, 64 threads against 1", many, 0.0);
}

static void add_destination(const char *path, int port)
{
    struct spool_error err;
    struct destination d;
    struct spool *spool = open_spool(path);
    destination_default(&d);
    (void)snprintf(d.name, sizeof d.name, "sink");
    (void)snprintf(d.url, sizeof d.url, "http://127.0.0.1:%d", port);
    d.batch_events = BATCH;
    d.batch_bytes = (int64_t)4 * 1024 * 1024;
    must(destination_add(spool_outbox(spool), &d, &err), &err);
    spool_close(spool);
}

/* A new spool with n events for the sink; its path. */
static void fill(const struct options *o, const char *name, int port, size_t n,
                 char path[512])
{
    make_path(o, name, path, 512);
    add_destination(path, port);
    struct spool *spool = open_spool(path);
    (void)bulk_put(o, spool, n, SPOOL_CHECK_OFF);
    spool_close(spool);
}

/* Events a second of a flush that delivers all there is, or as many as come in
 * `seconds`. In a process of its own, whose peak memory is told. */
static double drain(const char *path, double seconds, long *rss_kib)
{
    int ends[2];
    double speed = 0;
    struct rusage usage;
    bench_must(pipe(ends) == 0, "a pipe");
    pid_t pid = fork();
    bench_must(pid >= 0, "a process");
    if (pid == 0) {
        struct spool_stats before, after;
        struct spool_error err;
        struct spool *spool = open_spool(path);
        must(spool_stats(spool, "sink", &before, &err), &err);
        double start = bench_now();
        enum spool_status status = spool_flush(
            spool, NULL, seconds > 0 ? (int64_t)(seconds * 1000) : -1, NULL,
            &err);
        double took = bench_now() - start;
        bench_must(status == SPOOL_OK ||
                       (seconds > 0 && status == SPOOL_UNFINISHED),
                   err.message);
        must(spool_stats(spool, "sink", &after, &err), &err);
        speed = (double)(after.delivered - before.delivered) / took;
        bench_must(write(ends[1], &speed, sizeof speed) == sizeof speed,
                   "an answer");
        spool_close(spool);
        _exit(0);
    }
    (void)close(ends[1]);
    bench_must(read(ends[0], &speed, sizeof speed) == sizeof speed,
               "an answer");
    (void)close(ends[0]);
    (void)wait4(pid, NULL, 0, &usage);
    *rss_kib = usage.ru_maxrss;
    return speed;
}

static double bare_posts(const struct options *o, int port)
{
    size_t each = o->len + 1, len = each * BATCH + 1;
    char *body = malloc(len + 1);
    bench_must(body != NULL, "memory for a body");
    for (size_t i = 0; i < BATCH; i++) {
        body[i * each] = i == 0 ? '[' : ',';
        memcpy(body + i * each + 1, o->event, o->len);
    }
    body[len - 1] = ']';
    double requests = baseline_post(port, body, len, o->events / BATCH);
    free(body);
    return requests * BATCH;
}

static struct round drain_round(const struct options *o, int port, long *rss)
{
    char path[512];
    struct round r = {.base = bare_posts(o, port)};
    fill(o, "drain.db", port, o->events, path);
    r.ours = drain(path, 0, rss);
    return r;
}

static void bench_drain(const struct options *o)
{
    struct round rounds[ROUNDS];
    long rss = 0, most = 0;
    struct sink sink = sink_start();
    for (size_t i = 0; i < ROUNDS; i++) {
        rounds[i] = drain_round(o, sink.port, &rss);
        most = rss > most ? rss : most;
    }
    sink_stop(&sink);
    print_middle("drain, batches of 500, against bare libcurl", rounds, 0.4);
    (void)printf("%-46s %12ld\n", "  resident memory of the flusher, KiB",
                 most);
}

/* The bar is 20 ms; what the disk takes for a sync alone stands beside it. */
static void bench_hold(const struct options *o)
{
    char path[512];
    long rss;
    struct lock_watch watch;
    struct sink sink = sink_start();
    fill(o, "hold.db", sink.port, o->events, path);
    (void)drain(path, 0, &rss);
    sink_stop(&sink);
    lock_watch_start(&watch, o->sync_ms);
    struct spool *spool = open_spool(path);
    struct hold h = hold_measure(spool_outbox(spool), o->dir, &watch);
    spool_close(spool);
    lock_watch_stop();
    double ms = watch.longest[LOCK_COMMIT] * 1000;
    (void)printf("%-46s %12.1f %12.1f %7.2f %6.2f %s\n",
                 "longest delete, ms, against 20 ms", ms, 20.0, 20 / ms, 1.0,
                 ms <= 20 ? "ok" : "BELOW");
    (void)printf("  of %ld, %ld with a sync; none took more than %.1f ms of "
                 "the processor; a bare sync took up to %.1f ms%s;\n"
                 "  %ld checkpoints held the lock for up to %.1f ms, and %ld "
                 "times the WAL was begun anew, in up to %.1f ms\n",
                 watch.n[LOCK_COMMIT], watch.synced[LOCK_COMMIT], h.cpu_ms,
                 h.sync_ms, o->sync_ms > 0 ? ", and what was added" : "",
                 watch.n[LOCK_CHECKPOINT],
                 watch.longest[LOCK_CHECKPOINT] * 1000, watch.n[LOCK_BEGIN],
                 watch.longest[LOCK_BEGIN] * 1000);
}

/* Brings what the system has put out of its memory back into it. */
static void read_through(const char *path)
{
    static char block[1024 * 1024];
    FILE *file = fopen(path, "rb");
    bench_must(file != NULL, path);
    while (fread(block, sizeof block, 1, file) == 1) {
    }
    bench_must(!ferror(file), path);
    (void)fclose(file);
}

/* Put into an empty spool and a deep one; then as much delivered of each, in
 * the same time if they are as fast as each other. The empty one stays: in the
 * memory of a file that was removed a system writes sooner than in new one.
 * Both are read first: it is the depth that is measured, and some systems page
 * out what nobody has used for a minute (DAMON's reclaim: a twentieth of what
 * the deep one was to deliver came from the disk). */
static void depth_round(const struct options *o, int port, size_t i,
                        const char *deep, struct round *put, struct round *out,
                        long *deep_rss)
{
    char path[512], name[32];
    long rss;
    (void)snprintf(name, sizeof name, "empty-%zu.db", i);
    make_path(o, name, path, sizeof path);
    add_destination(path, port);
    struct spool *spool = open_spool(path);
    put->base = bulk_put(o, spool, o->events, SPOOL_CHECK_STRICT);
    spool_close(spool);
    spool = open_spool(deep);
    put->ours = bulk_put(o, spool, o->events, SPOOL_CHECK_STRICT);
    spool_close(spool);
    read_through(path);
    read_through(deep);
    out->base = drain(path, 0, &rss);
    out->ours = drain(deep, (double)o->events / out->base, &rss);
    *deep_rss = rss > *deep_rss ? rss : *deep_rss;
}

/* Milliseconds until a spool is open and its events are counted. */
static double count_ms(const char *path)
{
    struct spool_stats stats;
    struct spool_error err;
    double start = bench_now();
    struct spool *spool = open_spool(path);
    must(spool_stats(spool, "sink", &stats, &err), &err);
    double took = (bench_now() - start) * 1000;
    spool_close(spool);
    return took;
}

static void bench_depth(const struct options *o)
{
    char deep[512], work[64];
    long rss = 0;
    struct round put[ROUNDS], out[ROUNDS];
    struct sink sink = sink_start();
    fill(o, "deep.db", sink.port, o->depth, deep);
    double status_ms = count_ms(deep);
    sync(); /* what the system has yet to write slows who comes next */
    for (size_t i = 0; i < ROUNDS; i++) {
        depth_round(o, sink.port, i, deep, &put[i], &out[i], &rss);
    }
    sink_stop(&sink);
    (void)snprintf(work, sizeof work, "bulk put with %zu pending", o->depth);
    print_middle(work, put, 0.9);
    (void)snprintf(work, sizeof work, "drain with %zu pending", o->depth);
    print_middle(work, out, 0.9);
    (void)printf("%-46s %12.1f %32s\n", "  opening and counting it, ms",
                 status_ms, status_ms < 50 ? "50 ok" : "50 ABOVE");
    (void)printf("%-46s %12ld %32s\n", "  resident memory of the flusher, KiB",
                 rss, rss < 32768 ? "32768 ok" : "32768 ABOVE");
}

static char *make_event(size_t *len)
{
    static char event[400];
    int n = snprintf(
        event, sizeof event,
        "{\"name\":\"PRODUCT_VIEW\",\"userId\":\"-5093311807364102284\","
        "\"sessionId\":\"7731180042219306113\",\"device\":\"PC\","
        "\"productId\":\"COFFEE-250\",\"title\":\"Filter coffee 250 g\","
        "\"url\":\"https://shop.example.com/coffee-250\",\"image\":"
        "\"https://cdn.example.com/c250.jpg\",\"category\":\"Food>Coffee\","
        "\"price\":189.90,\"lang\":\"EN\",\"brand\":\"Good\"}");
    *len = (size_t)n;
    return event;
}

static void remove_dir(const char *dir)
{
    DIR *d = opendir(dir);
    for (struct dirent *e = d == NULL ? NULL : readdir(d); e != NULL;
         e = readdir(d)) {
        (void)unlinkat(dirfd(d), e->d_name, 0);
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    (void)rmdir(dir);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"events", required_argument, NULL, 'e'},
        {"depth", required_argument, NULL, 'd'},
        {"dir", required_argument, NULL, 'D'},
        {"only", required_argument, NULL, 'o'},
        {"sync-ms", required_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    struct options o = {.events = 200000, .depth = 0, .dir = "."};
    char dir[512];
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        switch (c) {
        case 'e':
            o.events = strtoul(optarg, NULL, 10);
            break;
        case 'd':
            o.depth = strtoul(optarg, NULL, 10);
            break;
        case 'D':
            o.dir = optarg;
            break;
        case 'o':
            o.only = optarg;
            break;
        case 's':
            o.sync_ms = atoi(optarg);
            break;
        default:
            (void)fprintf(stderr, "usage: spool-bench [--events N] [--depth N] "
                                  "[--dir DIR] [--only "
                                  "bulk|single|drain|hold|depth] "
                                  "[--sync-ms N]\n");
            return 2;
        }
    }
    (void)snprintf(dir, sizeof dir, "%s/spool-bench-XXXXXX", o.dir);
    bench_must(mkdtemp(dir) != NULL, "folder to work in");
    o.dir = dir;
    o.event = make_event(&o.len);
    (void)printf("SQLite %s, events of %zu bytes\n", outbox_engine(), o.len);
    (void)printf("%-46s %12s %12s %7s %6s\n", "work (events/s)", "ours",
                 "baseline", "ratio", "bar");
    if (wanted(&o, "bulk")) {
        bench_bulk(&o);
    }
    if (wanted(&o, "single")) {
        bench_single(&o);
    }
    if (wanted(&o, "drain")) {
        bench_drain(&o);
    }
    if (wanted(&o, "hold")) {
        bench_hold(&o);
    }
    if (o.depth > 0 && wanted(&o, "depth")) {
        bench_depth(&o);
    }
    remove_dir(dir);
    return 0;
}
