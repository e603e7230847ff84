/* A disk that is really full, beneath a spool at work: small file systems of
 * its own, mounted where only this process sees them. A put says that it is
 * full, nothing that was acknowledged is lost, what could not be recorded of
 * deliveries is made up for, and once there is room the same handle goes on.
 *
 * Only root may mount. */
#define _GNU_SOURCE /* unshare */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "integration/scene.h"
#include "support/box.h"
#include "support/long_run.h"
#include "support/result.h"

#define SKIPPED 77

extern char **environ;

struct small_disk {
    char folder[64]; /* the mount point, and beside it the image */
    char image[96], place[96], filler[112];
};

static int run(char *const argv[])
{
    pid_t pid;
    int status = 0;
    if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0) {
        return -1;
    }
    (void)waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void write_bytes(const char *path, size_t n)
{
    static const char zeros[65536];
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    for (size_t done = 0; done < n; done += sizeof zeros) {
        assert_int_equal(fwrite(zeros, 1, sizeof zeros, file), sizeof zeros);
    }
    assert_int_equal(fclose(file), 0);
}

static void mount_tmpfs(const struct small_disk *d, int mib)
{
    char size[32];
    (void)snprintf(size, sizeof size, "size=%dm,mode=0700", mib);
    assert_int_equal(mount("spool-test", d->place, "tmpfs", 0, size), 0);
}

/* False where there are no loop devices. */
static bool mount_ext4(const struct small_disk *d, int mib)
{
    char mkfs[] = "mkfs.ext4", quiet[] = "-q", reserve[] = "-m", none[] = "0";
    char mounts[] = "mount", option[] = "-o", loop[] = "loop";
    char image[96], place[96];
    (void)snprintf(image, sizeof image, "%s", d->image);
    (void)snprintf(place, sizeof place, "%s", d->place);
    write_bytes(image, (size_t)mib << 20);
    char *const make[] = {mkfs, quiet, reserve, none, image, NULL};
    char *const bind[] = {mounts, option, loop, image, place, NULL};
    return run(make) == 0 && run(bind) == 0;
}

static void make_small_disk(struct small_disk *d)
{
    fixture_make_folder(d->folder);
    (void)snprintf(d->image, sizeof d->image, "%s/image", d->folder);
    (void)snprintf(d->place, sizeof d->place, "%s/place", d->folder);
    (void)snprintf(d->filler, sizeof d->filler, "%s/filler", d->place);
    assert_int_equal(mkdir(d->place, 0700), 0);
}

static void remove_small_disk(const struct small_disk *d)
{
    (void)umount(d->place);
    (void)rmdir(d->place);
    fixture_remove_folder(d->folder);
}

static struct {
    long begun, ended, put, duplicated;
    bool noticed; /* an event that is missing */
} tally;

/* Whether the judge would see that a full disk has lost an event. */
static bool notices_a_loss(struct scene *s)
{
    static const char lost[] = "{\"n\":\"~a.lost~\"}";
    struct checker_report r;
    checker_attempt(s->checker, lost, sizeof lost - 1);
    checker_answer(s->checker, "~a.lost~", CHECKER_ACCEPTED, s->put + 1);
    checker_judge(s->checker, &r);
    return r.lost == 1;
}

/* Puts until it is full; the number of the next event. */
static int fill(struct scene *s)
{
    int n = 0;
    enum spool_status status = SPOOL_OK;
    while (status == SPOOL_OK) {
        status = scene_try(s, "a", n, 20);
        n += 20;
    }
    assert_int_equal(status, SPOOL_FULL);
    /* The last corners, one by one. */
    for (int i = 0; i < 100; i++) {
        status = scene_try(s, "a", n++, 1);
        if (status != SPOOL_OK && status != SPOOL_FULL) {
            fail_msg("on a full disk a put says %s", spool_status_name(status));
        }
    }
    return n;
}

/* Nothing of what was refused is found by whoever recovers the file. */
static void reopen(struct scene *s)
{
    struct spool_stats stats;
    struct spool_options options;
    struct spool_error err;
    scene_stop_flusher(s);
    spool_close(s->spool);
    s->spool = NULL;
    spool_options_default(&options);
    options.path = s->path;
    assert_int_equal(spool_open(&options, &s->spool, &err), SPOOL_OK);
    scene_stats(s, &stats);
    assert_int_equal(stats.accepted, s->put);
    scene_start_flusher(s);
}

static void fill_and_make_room(struct scene *s, const struct small_disk *d,
                               bool reopens)
{
    struct checker_report r;
    struct spool_stats stats;
    tally.begun++;
    write_bytes(d->filler, (size_t)1536 << 10);
    scene_start_in(s, d->place, "slow=5", 1, 50);
    scene_start_flusher(s);
    int n = fill(s);
    scene_stats(s, &stats); /* can still be asked */
    assert_int_equal(stats.accepted, s->put);
    print_message("full after %ld events\n", s->put);

    assert_int_equal(unlink(d->filler), 0);
    if (reopens) {
        reopen(s);
    }
    assert_int_equal(scene_try(s, "a", n, 50), SPOOL_OK);
    assert_int_equal(scene_try(s, "a", n + 50, 50), SPOOL_OK);
    scene_wait_for_delivered(s, s->put);
    scene_judge(s, &r);
    assert_int_equal(r.delivered, r.accepted);
    print_message("%ld troubles of the flusher, %ld duplicates\n",
                  s->reports[SPOOL_REPORT_TROUBLE], r.duplicated);
    tally.ended++;
    tally.put += s->put;
    tally.duplicated += r.duplicated;
    tally.noticed = notices_a_loss(s);
    scene_end(s);
}

static void a_full_tmpfs_loses_nothing(void **state)
{
    static const struct {
        int mib;
        bool reopens;
    } cases[] = {{4, false}, {4, true}, {6, true}, {8, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct small_disk d;
        make_small_disk(&d);
        mount_tmpfs(&d, cases[i].mib);
        fill_and_make_room(*state, &d, cases[i].reopens);
        remove_small_disk(&d);
    }
}

static void a_full_ext4_loses_nothing(void **state)
{
    struct small_disk d;
    make_small_disk(&d);
    if (mount_ext4(&d, 12)) {
        fill_and_make_room(*state, &d, false);
    } else {
        print_message("there are no loop devices here: skipped\n");
    }
    remove_small_disk(&d);
}

static bool tell(double seconds)
{
    char figures[64];
    (void)snprintf(figures, sizeof figures,
                   "\"accepted\":%ld,\"duplicated\":%ld", tally.put,
                   tally.duplicated);
    return result_tell(&(struct result){
        .test = "full-disk-room",
        .what = "a disk that runs full beneath a spool and its flusher, and "
                "has room again",
        .n = tally.begun,
        .failures = tally.begun - tally.ended,
        .control = tally.noticed ? "an event that is missing noticed"
                                 : "an event that is missing not noticed",
        .caught = tally.noticed,
        .seconds = seconds,
        .figures = figures});
}

int main(void)
{
    struct timespec start;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_full_tmpfs_loses_nothing, scene_setup,
                                        scene_teardown),
        cmocka_unit_test_setup_teardown(a_full_ext4_loses_nothing, scene_setup,
                                        scene_teardown),
    };
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        (void)printf("skipped: a mount namespace of its own is refused (%s); "
                     "run as root\n",
                     strerror(errno));
        return SKIPPED;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return tell(long_run_seconds(&start)) ? failed : 1;
}
