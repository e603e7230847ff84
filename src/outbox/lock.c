#define _DEFAULT_SOURCE /* flock */
#include "outbox/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "outbox/site.h"

#define LOCK_PATH_SIZE 4200

/* The locks that this process holds. A child that is forked shares them with
 * it, and would keep them when it is gone: so it closes them. */
static struct flusher_lock *held;
static pthread_mutex_t held_mutex = PTHREAD_MUTEX_INITIALIZER;

static void before_fork(void)
{
    (void)pthread_mutex_lock(&held_mutex);
}

static void in_parent(void)
{
    (void)pthread_mutex_unlock(&held_mutex);
}

static void in_child(void)
{
    for (struct flusher_lock *l = held; l != NULL; l = l->next) {
        (void)close(l->fd);
        l->fd = -1;
    }
    held = NULL;
    (void)pthread_mutex_unlock(&held_mutex);
}

static void watch_forks(void)
{
    (void)pthread_atfork(before_fork, in_parent, in_child);
}

static int open_lock_file(const char *outbox_path, char *path, size_t size)
{
    (void)snprintf(path, size, "%s-flusher", outbox_path);
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
    mode_t mode = site_mode(outbox_path);
    int fd = open(path, flags | O_CREAT | O_EXCL, mode);
    if (fd >= 0) {
        (void)fchmod(fd, mode); /* whatever the umask */
    } else if (errno == EEXIST) {
        fd = open(path, flags);
    }
    return fd;
}

static pid_t read_pid(int fd)
{
    char text[32] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    return n > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

static enum spool_status take(struct flusher_lock *lock,
                              const char *outbox_path, struct spool_error *err)
{
    char path[LOCK_PATH_SIZE];
    lock->fd = -1;
    int fd = open_lock_file(outbox_path, path, sizeof path);
    if (fd < 0) {
        return failed_errno(err, "cannot open the lock file %s", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        enum spool_status status =
            errno == EWOULDBLOCK
                ? failed(err, SPOOL_HELD,
                         "%s is being flushed by process %ld; there is one "
                         "flusher a spool, wait for it or stop it",
                         outbox_path, (long)read_pid(fd))
                : failed_errno(err, "cannot lock %s", path);
        (void)close(fd);
        return status;
    }
    /* For people only: the lock is the kernel's, whatever stands in here, also
     * when the disk is full. */
    char text[32];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    bool wrote = ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) == n;
    if (!wrote && errno != ENOSPC && errno != EDQUOT) {
        enum spool_status status = failed_errno(err, "cannot write %s", path);
        (void)close(fd);
        return status;
    }
    lock->fd = fd;
    lock->next = held;
    held = lock;
    return SPOOL_OK;
}

enum spool_status flusher_lock_take(struct flusher_lock *lock,
                                    const char *outbox_path,
                                    struct spool_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, watch_forks);
    (void)pthread_mutex_lock(&held_mutex);
    enum spool_status status = take(lock, outbox_path, err);
    (void)pthread_mutex_unlock(&held_mutex);
    return status;
}

void flusher_lock_drop(struct flusher_lock *lock)
{
    (void)pthread_mutex_lock(&held_mutex);
    struct flusher_lock **at = &held;
    while (*at != NULL && *at != lock) {
        at = &(*at)->next;
    }
    if (*at == lock) {
        *at = lock->next;
        /* A child that has just been forked may not have closed it yet. */
        (void)flock(lock->fd, LOCK_UN);
        (void)close(lock->fd);
        lock->fd = -1;
    }
    (void)pthread_mutex_unlock(&held_mutex);
}

pid_t flusher_lock_holder(const char *outbox_path)
{
    char path[LOCK_PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s-flusher", outbox_path);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return 0;
    }
    pid_t holder = 0;
    if (flock(fd, LOCK_SH | LOCK_NB) != 0) {
        holder = read_pid(fd);
    }
    (void)close(fd);
    return holder;
}
