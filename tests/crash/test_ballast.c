/* test_ballast [--seed N] [--disks N] [--kind tmpfs|ext4|xfs|limit]
 *
 * Disks that run full beneath a spool, by the spool itself and by a second file
 * that grows and shrinks, until not a byte is left; then everything that waits
 * is delivered. What was accepted is there, nothing else is, and every delivery
 * is recorded, for which the ballast is given up. The control has no ballast:
 * there deliveries must be left that cannot be recorded, and would be made
 * again.
 *
 * On a limit of the size of files (RLIMIT_FSIZE) nothing can be kept back, so
 * there only what is lost counts. Everything is mounted where only this process
 * sees it; only root may. */
#define _GNU_SOURCE /* unshare */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/box.h"
#include "support/long_run.h"
#include "support/result.h"

#define SKIPPED     77
#define DISKS_QUICK 40
#define DISKS_FULL  400
#define GROUP       20
#define BODY        1500
#define REFUSALS    30 /* until a disk counts as full */
#define LEAVE       (3 << 20)

extern char **environ;

enum kind { TMPFS, EXT4, XFS, LIMIT, KINDS };
static const char *const kind_names[] = {"tmpfs", "ext4", "xfs", "limit"};

struct count {
    long disks, by_kind[KINDS], refused, put, delivered, given_up;
    long lost, unrecorded, shut; /* disks */
};

struct full {
    struct fixture f;
    struct rng rng;
    enum kind kind;
    char image[96], place[96], filler[112];
    int64_t accepted;
    struct turn turn; /* with the batch that is on its way */
    bool in_hand;
    int refused;
};

static char this_disk[64]; /* the arguments that bring it back */

static void give_up(const char *what, const char *why)
{
    (void)fprintf(stderr, "%s: %s: %s\n", this_disk, what, why);
    exit(1);
}

static bool run(char *const argv[])
{
    pid_t pid;
    int status = 0;
    return posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) == 0 &&
           waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

static bool mount_image(struct full *u, int mib)
{
    bool xfs = u->kind == XFS;
    char ext[] = "mkfs.ext4", make_xfs[] = "mkfs.xfs", q[] = "-q", m[] = "-m",
         none[] = "0", mount_it[] = "mount", o[] = "-o", loop[] = "loop";
    char *const for_ext[] = {ext, q, m, none, u->image, NULL};
    char *const for_xfs[] = {make_xfs, q, u->image, NULL};
    char *const bind[] = {mount_it, o, loop, u->image, u->place, NULL};
    int fd = open(u->image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    bool sized = fd >= 0 && ftruncate(fd, (off_t)mib << 20) == 0;
    return close(fd) == 0 && sized && run(xfs ? for_xfs : for_ext) && run(bind);
}

/* False where the file system cannot be had. */
static bool make_disk(struct full *u)
{
    char size[32];
    int mib = (int)rng_upto(&u->rng, u->kind == TMPFS ? 63 : 40) + 1;
    fixture_make_folder(u->f.folder);
    (void)snprintf(u->image, sizeof u->image, "%s/image", u->f.folder);
    (void)snprintf(u->place, sizeof u->place, "%s/place", u->f.folder);
    (void)snprintf(u->filler, sizeof u->filler, "%s/filler", u->place);
    (void)snprintf(u->f.path, sizeof u->f.path, "%s/place/outbox.db",
                   u->f.folder);
    if (mkdir(u->place, 0700) != 0) {
        give_up("no folder", strerror(errno));
    }
    switch (u->kind) {
    case TMPFS:
        (void)snprintf(size, sizeof size, "size=%dm,mode=0700", mib + 1);
        return mount("spool-test", u->place, "tmpfs", 0, size) == 0;
    case EXT4:
        return mount_image(u, mib + 8);
    case XFS:
        return mount_image(u, 300);
    case LIMIT:
    case KINDS:
        break;
    }
    return true;
}

static void remove_disk(struct full *u)
{
    outbox_close(u->f.box);
    (void)umount(u->place);
    fixture_remove_folder(u->place);
    fixture_remove_folder(u->f.folder);
}

/* Grows the second file until so many bytes are free, or none. */
static void grow(const struct full *u, int64_t leave)
{
    static const char zeros[4096];
    struct statvfs s;
    size_t part = sizeof zeros;
    int fd = open(u->filler, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || statvfs(u->place, &s) != 0) {
        return; /* not even a name fits */
    }
    int64_t room = (int64_t)s.f_bavail * (int64_t)s.f_frsize;
    if (room > leave + 65536) {
        struct stat st;
        (void)fstat(fd, &st);
        (void)posix_fallocate(fd, st.st_size, (off_t)(room - leave - 65536));
    }
    while (leave == 0 && part > 0) {
        part = write(fd, zeros, part) == (ssize_t)part ? part : part / 2;
    }
    (void)close(fd);
}

static void set_limit(rlim_t bytes)
{
    struct rlimit r;
    (void)getrlimit(RLIMIT_FSIZE, &r);
    r.rlim_cur = bytes == 0 ? r.rlim_max : bytes;
    (void)setrlimit(RLIMIT_FSIZE, &r);
}

/* False on a disk without room for that. */
static bool open_box(struct full *u, bool ballast)
{
    struct outbox_options o = {.path = u->f.path,
                               .create = true,
                               .clock = &u->f.clock,
                               .ballast_bytes = ballast ? 0 : -1};
    struct spool_error err;
    enum spool_status status = outbox_open(&o, &u->f.box, &err);
    if (status != SPOOL_OK && status != SPOOL_FULL) {
        give_up("cannot open", err.message);
    }
    return status == SPOOL_OK;
}

static void put(struct full *u)
{
    static char body[BODY];
    struct outbox_event events[GROUP];
    struct spool_error err;
    size_t n = (size_t)rng_upto(&u->rng, GROUP - 1) + 1;
    memset(body, ' ', sizeof body);
    body[0] = '{';
    body[BODY - 1] = '}';
    for (size_t i = 0; i < n; i++) {
        events[i] = (struct outbox_event){.body = body, .len = BODY};
    }
    enum spool_status status = outbox_append(u->f.box, events, n, &err);
    if (status == SPOOL_OK) {
        u->accepted += (int64_t)n;
    } else if (status == SPOOL_FULL) {
        u->refused++;
    } else {
        give_up("a put on a full disk", err.message);
    }
}

/* The batch in hand arrived; takes the next one. False when that cannot be
 * recorded. */
static bool deliver_one(struct full *u)
{
    static const struct take_options take = {0};
    struct spool_error err;
    struct batch sent = u->turn.batches[0];
    struct settlement s = {.outcome = OUTCOME_DELIVERED,
                           .sent_at = u->f.now,
                           .http = 200,
                           .code = "OK",
                           .reason = "",
                           .answer = ""};
    struct done done = {.batch = &sent, .s = &s};
    struct order order = {.take = &take};
    if (u->in_hand) {
        order.done = &done;
        order.done_n = 1;
    }
    enum spool_status status =
        batch_turn(u->f.box, u->f.d.id, 0, &order, &u->turn, &err);
    if (u->in_hand) {
        batch_finish(&sent);
    }
    if (status != SPOOL_OK && status != SPOOL_FULL) {
        give_up("a delivery on a full disk", err.message);
    }
    u->in_hand = status == SPOOL_OK && u->turn.taken == TAKEN_BATCH;
    return status == SPOOL_OK;
}

/* Fills the disk: the spool by events, the other by its size. A batch is on its
 * way meanwhile. */
static void fill(struct full *u)
{
    grow(u, rng_upto(&u->rng, LEAVE - (1 << 19)) + (1 << 19));
    put(u);
    (void)deliver_one(u);
    for (int i = 0; i < 4000 && u->refused < REFUSALS; i++) {
        put(u);
        if (rng_upto(&u->rng, 200) == 0) {
            (void)unlink(u->filler);
            grow(u, rng_upto(&u->rng, LEAVE));
        }
    }
    if (u->kind != LIMIT) {
        grow(u, 0);
    }
    put(u);
}

/* Delivers what waits, until one cannot be recorded; how many batches. */
static long deliver(struct full *u, bool *unrecorded)
{
    long n = 0;
    bool recorded = true;
    if (!u->in_hand) {
        (void)deliver_one(u); /* a take that fails sends nothing */
    }
    while (u->in_hand && recorded) {
        recorded = deliver_one(u);
        n++;
    }
    *unrecorded = !recorded;
    return n;
}

static void complain(void *arg, const char *sentence)
{
    (void)arg;
    (void)fprintf(stderr, "verify: %s\n", sentence);
}

/* Opens it anew: as full as it is, and, if that cannot be, when there is room.
 * A spool that has filled the disk by itself, without a ballast, stays shut. */
static bool open_again(struct full *u, bool ballast, struct count *c)
{
    outbox_close(u->f.box);
    u->f.box = NULL;
    bool open = open_box(u, ballast);
    c->shut += !open;
    (void)unlink(u->filler);
    return open || open_box(u, ballast);
}

/* Whether what was accepted, and no more, is there. */
static bool is_whole(struct full *u)
{
    struct spool_error err;
    int64_t last = -1, findings = -1;
    return verify(u->f.box, complain, NULL, &findings, &err) == SPOOL_OK &&
           findings == 0 &&
           inspect_last_id(u->f.box, &last, &err) == SPOOL_OK &&
           last == u->accepted;
}

static bool is_same(const char *path, const struct stat *then)
{
    struct stat now;
    return stat(path, &now) == 0 && now.st_ino == then->st_ino &&
           now.st_ctim.tv_sec == then->st_ctim.tv_sec &&
           now.st_ctim.tv_nsec == then->st_ctim.tv_nsec;
}

static void one_disk(uint64_t seed, enum kind kind, bool ballast,
                     struct count *c)
{
    struct full u = {.rng = {.state = seed}, .kind = kind};
    char path[128];
    struct stat made;
    bool unrecorded;
    struct spool_error err;
    (void)snprintf(this_disk, sizeof this_disk,
                   "--seed %" PRIu64 " --disks 1 --kind %s", seed,
                   kind_names[kind]);
    if (!make_disk(&u)) {
        (void)printf("%s cannot be had here: passed over\n", kind_names[kind]);
        remove_disk(&u);
        return;
    }
    u.f.clock = clock_system;
    u.f.now = 1;
    if (!open_box(&u, ballast)) {
        give_up("cannot open", "the disk is full at once");
    }
    (void)snprintf(path, sizeof path, "%s-ballast", u.f.path);
    bool had = stat(path, &made) == 0;
    destination_default(&u.f.d);
    (void)snprintf(u.f.d.name, sizeof u.f.d.name, "shop");
    (void)snprintf(u.f.d.url, sizeof u.f.d.url, "http://127.0.0.1:1");
    u.f.d.batch_events = GROUP;
    u.f.d.batch_age_ms = 0;
    if (destination_add(u.f.box, &u.f.d, &err) != SPOOL_OK) {
        give_up("no destination", err.message);
    }
    set_limit(kind == LIMIT ? (rlim_t)(2 << 20) : 0);
    fill(&u);
    c->delivered += deliver(&u, &unrecorded);
    set_limit(0);
    c->given_up +=
        had && !is_same(path, &made); /* it may have been made again */
    c->disks++;
    c->by_kind[kind]++;
    c->put += (long)u.accepted;
    c->refused += u.refused;
    c->unrecorded += unrecorded && kind != LIMIT;
    bool whole = open_again(&u, ballast, c) ? is_whole(&u) : !ballast;
    c->lost += !whole;
    if (!whole || (unrecorded && kind != LIMIT && ballast)) {
        (void)printf("%s: %s\n", this_disk,
                     whole ? "a delivery was not recorded" : "not whole");
    }
    remove_disk(&u);
}

static enum kind kind_named(const char *name)
{
    for (int k = 0; k < KINDS; k++) {
        if (strcmp(name, kind_names[k]) == 0) {
            return (enum kind)k;
        }
    }
    give_up(name, "there is no such kind of disk");
    return KINDS;
}

/* A fifth has a limit, a tenth each is ext4 and XFS, the others are tmpfs. */
static enum kind kind_of(long i, bool full)
{
    if (i % 5 == 4) {
        return LIMIT;
    }
    return i % 5 == 3 ? (full && i % 2 == 0 ? XFS : EXT4) : TMPFS;
}

/* Disks on which something went wrong once. */
static void known_disks(struct count *with, struct count *without)
{
    /* The WAL took the ballast, and could not be checkpointed any more. */
    one_disk(UINT64_C(17735201830463590898), TMPFS, true, with);
    /* Blocks of 1024: SIGBUS for whoever opened it. */
    one_disk(222, EXT4, false, without);
}

static bool tell(const struct count *with, const struct count *without,
                 uint64_t seed, double seconds)
{
    char figures[256], words[128];
    long of_kind[KINDS];
    for (int k = 0; k < KINDS; k++) {
        of_kind[k] = with->by_kind[k] + without->by_kind[k];
    }
    (void)snprintf(figures, sizeof figures,
                   "\"tmpfs\":%ld,\"ext4\":%ld,\"xfs\":%ld,\"limit\":%ld,"
                   "\"accepted\":%ld,\"refused\":%ld,\"batches\":%ld,"
                   "\"ballasts_given_up\":%ld,\"lost\":%ld,\"unrecorded\":%ld,"
                   "\"shut\":%ld",
                   of_kind[TMPFS], of_kind[EXT4], of_kind[XFS], of_kind[LIMIT],
                   with->put, with->refused, with->delivered, with->given_up,
                   with->lost + without->lost, with->unrecorded, with->shut);
    (void)snprintf(words, sizeof words,
                   "no ballast: deliveries that cannot be recorded on %ld of "
                   "%ld disks",
                   without->unrecorded, without->disks);
    return result_tell(&(struct result){
        .test = "full-disk",
        .what = "the disk that runs full beneath a spool",
        .n = with->disks + without->disks,
        .failures = with->lost + with->unrecorded + without->lost,
        .seed = seed,
        .control = words,
        .caught =
            without->unrecorded > 0 && with->given_up > 0 && with->refused > 0,
        .seconds = seconds,
        .figures = figures});
}

int main(int argc, char **argv)
{
    struct count with = {0}, without = {0};
    struct rng rng;
    bool full = long_run_is_full();
    long disks = full ? DISKS_FULL : DISKS_QUICK;
    enum kind kind = KINDS; /* as it comes */
    struct timespec start, end;
    rng_init(&rng);
    uint64_t seed = rng_next(&rng);
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0) {
            seed = strtoull(argv[i + 1], NULL, 0);
        } else if (strcmp(argv[i], "--disks") == 0) {
            disks = strtol(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--kind") == 0) {
            kind = kind_named(argv[i + 1]);
        }
    }
    (void)printf("seed %" PRIu64 "\n", seed);
    (void)fflush(stdout);
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        (void)printf("skipped: a mount namespace of its own is refused (%s); "
                     "run as root\n",
                     strerror(errno));
        return SKIPPED;
    }
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    if (kind == KINDS) {
        known_disks(&with, &without);
    }
    for (long i = 0; i < disks; i++) {
        bool ballast = i % 4 != 3;
        one_disk(seed + (uint64_t)i, kind != KINDS ? kind : kind_of(i, full),
                 ballast, ballast ? &with : &without);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    return tell(&with, &without, seed,
                (double)(end.tv_sec - start.tv_sec) +
                    (double)(end.tv_nsec - start.tv_nsec) / 1e9)
               ? 0
               : 1;
}
