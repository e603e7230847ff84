/* How long one delete of retention holds the write lock, its commit included: a
 * put that comes meanwhile waits for that. Every so often there is a checkpoint
 * behind it, as behind a put, and the WAL begins anew: those are told apart. */
#include <fcntl.h>
#include <stdio.h>
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

/* Of this thread's processor: no matter what else runs on the machine. */
static double cpu_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool step(struct outbox *box, double *cpu_ms)
{
    static const struct retention at_once = {0, (int64_t)1 << 40};
    struct spool_error err;
    bool more;
    double cpu = cpu_now();
    bench_must(retain_step(box, &at_once, &more, &err) == SPOOL_OK,
               "step of retention");
    cpu = (cpu_now() - cpu) * 1000;
    *cpu_ms = cpu > *cpu_ms ? cpu : *cpu_ms;
    return more;
}

struct hold hold_measure(struct outbox *box, const char *dir,
                         struct lock_watch *watch)
{
    struct hold h = {0};
    lock_watch_follow(watch, &box->writer.db);
    while (step(box, &h.cpu_ms)) {
    }
    h.sync_ms = longest_sync(dir, (size_t)watch->n[LOCK_COMMIT]) * 1000;
    return h;
}
