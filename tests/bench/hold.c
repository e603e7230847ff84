/* How long one delete of retention keeps the writer, its commit included: a put
 * that comes meanwhile waits for that. Every so often there is a checkpoint
 * behind it, as behind a put: that is told apart. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "outbox/retain.h"
#include "outbox/store.h"

/* As many syncs of a page in the same place: what the disk does by itself. */
static double longest_sync(const char *dir, size_t n)
{
    static char page[8192];
    char path[600];
    double longest = 0;
    (void)snprintf(path, sizeof path, "%s/sync", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    bench_must(fd >= 0, "file to sync");
    for (size_t i = 0; i < n; i++) {
        double start = bench_now();
        bench_must(pwrite(fd, page, sizeof page,
                          (off_t)(i % 64 * sizeof page)) == sizeof page &&
                       fdatasync(fd) == 0,
                   "sync");
        double took = bench_now() - start;
        longest = took > longest ? took : longest;
    }
    (void)close(fd);
    (void)unlink(path);
    return longest;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of this thread's processor: no matter what else runs on the machine. */
static double cpu_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void keep_longest(double *longest_ms, double seconds)
{
    *longest_ms = seconds * 1000 > *longest_ms ? seconds * 1000 : *longest_ms;
}

static bool step(struct outbox *box, struct hold *h, double *took)
{
    static const struct retention at_once = {0, (int64_t)1 << 40};
    struct spool_error err;
    bool more;
    double start = bench_now(), cpu = cpu_now();
    bench_must(retain_step(box, &at_once, &more, &err) == SPOOL_OK,
               "step of retention");
    double seconds = bench_now() - start;
    keep_longest(&h->cpu_ms, cpu_now() - cpu);
    if (box->writer.db.wal_frames == 0) {
        keep_longest(&h->checkpoint_ms, seconds);
    } else {
        keep_longest(&h->longest_ms, seconds);
        took[h->n++] = seconds;
    }
    return more;
}

struct hold hold_measure(struct outbox *box, const char *dir)
{
    enum { STEPS_MOST = 100000 };
    double *took = calloc(STEPS_MOST, sizeof *took);
    struct hold h = {0};
    bench_must(took != NULL, "memory");
    while (step(box, &h, took) && h.n < STEPS_MOST) {
    }
    bench_must(h.n > 0, "step without a checkpoint");
    qsort(took, h.n, sizeof *took, by_size);
    h.middle_ms = took[h.n / 2] * 1000;
    h.most_ms = took[h.n * 99 / 100] * 1000;
    free(took);
    h.sync_ms = longest_sync(dir, h.n) * 1000;
    return h;
}
