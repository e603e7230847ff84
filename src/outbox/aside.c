#define _DEFAULT_SOURCE /* flock */
#include "outbox/aside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/random.h"
#include "outbox/db.h"
#include "outbox/keep.h"
#include "outbox/migrate.h"
#include "outbox/salvage.h"
#include "outbox/site.h"
#include "outbox/store.h"

#define OFFSET_USER_VERSION   60
#define OFFSET_APPLICATION_ID 68

struct names {
    char fresh[ASIDE_PATH_SIZE], lock[ASIDE_PATH_SIZE];
};

static void name_files(const char *path, struct names *n)
{
    (void)snprintf(n->fresh, sizeof n->fresh, "%s-fresh", path);
    (void)snprintf(n->lock, sizeof n->lock, "%s-aside", path);
}

unsigned long long aside_inode(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 ? (unsigned long long)st.st_ino : 0;
}

static enum spool_status take_lock(const struct names *n, int *fd,
                                   struct spool_error *err)
{
    *fd = open(n->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0) {
        return failed_errno(err, "cannot open the lock file %s", n->lock);
    }
    while (flock(*fd, LOCK_EX) != 0) {
        if (errno != EINTR) {
            enum spool_status status =
                failed_errno(err, "cannot lock %s", n->lock);
            (void)close(*fd);
            return status;
        }
    }
    return SPOOL_OK;
}

/* Where the damaged file goes: by the time the fresh one was made, so that
 * whoever finishes finds the same name. */
static void name_damaged(const char *path, const struct stat *fresh,
                         char out[ASIDE_PATH_SIZE])
{
    struct tm tm;
    char when[32] = "";
    time_t t = fresh->st_mtim.tv_sec;
    if (gmtime_r(&t, &tm) != NULL) {
        (void)strftime(when, sizeof when, "%Y%m%dT%H%M%S", &tm);
    }
    (void)snprintf(out, ASIDE_PATH_SIZE, "%s.damaged-%s.%03ldZ", path, when,
                   fresh->st_mtim.tv_nsec / 1000000);
}

static bool exists(const char *path)
{
    return aside_inode(path) != 0;
}

static void remove_beside(const char *path)
{
    static const char *const ends[] = {"-wal", "-shm"};
    for (int i = 0; i < 2; i++) {
        char name[ASIDE_PATH_SIZE + 16];
        (void)snprintf(name, sizeof name, "%s%s", path, ends[i]);
        (void)unlink(name);
    }
}

static void remove_half(const char *half)
{
    (void)unlink(half);
    remove_beside(half);
}

static enum spool_status checkpoint_all(struct db *db, struct spool_error *err)
{
    return sqlite3_wal_checkpoint_v2(db->handle, "main",
                                     SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                     NULL) == SQLITE_OK
               ? SPOOL_OK
               : db_failed(db, err, "cannot checkpoint");
}

/* Whoever had the damaged file open may have put events into it while the fresh
 * one was made. From its rename on nobody is told so any more. */
static enum spool_status catch_up(const char *path, const char *damaged,
                                  const char *fresh, struct spool_error *err)
{
    struct db db = {0};
    int64_t behind = 0, last = salvage_last_id(path, damaged);
    enum spool_status status = db_open(&db, fresh, err);
    if (status == SPOOL_OK) {
        status = db_number(&db, err, 0, &behind, STATEMENT_LAST_ID, "");
    }
    if (status == SPOOL_OK && last > behind) {
        char sql[400];
        (void)snprintf(sql, sizeof sql,
                       "BEGIN IMMEDIATE;"
                       "UPDATE spool_destination SET base = %lld;"
                       "UPDATE spool_lane SET base = %lld, cursor = %lld;"
                       "UPDATE spool_store SET lost_to = %lld;"
                       "UPDATE spool_store SET gone = lost_to; COMMIT",
                       (long long)last, (long long)last, (long long)last,
                       (long long)last);
        status = db_exec(&db, sql, err);
    }
    if (status == SPOOL_OK) {
        status = checkpoint_all(&db, err); /* also of one who was killed here */
    }
    db_close(&db);
    if (status == SPOOL_OK) {
        remove_beside(fresh);
    }
    return status;
}

/* Under the lock. Each step is skipped when it was done before; the damaged
 * WAL has gone before the fresh file comes, which it would be applied to. */
static enum spool_status move_files(const char *path, const struct names *n,
                                    struct spool_error *err)
{
    char damaged[ASIDE_PATH_SIZE], wal[ASIDE_PATH_SIZE + 8];
    char damaged_wal[ASIDE_PATH_SIZE + 8], shm[ASIDE_PATH_SIZE + 8];
    char keep[ASIDE_PATH_SIZE + 16], damaged_keep[ASIDE_PATH_SIZE + 16];
    struct stat st;
    if (stat(n->fresh, &st) != 0) {
        return SPOOL_OK; /* nothing was begun, or all is done */
    }
    name_damaged(path, &st, damaged);
    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    (void)snprintf(shm, sizeof shm, "%s-shm", path);
    (void)snprintf(damaged_wal, sizeof damaged_wal, "%s-wal", damaged);
    if (!exists(damaged) && rename(path, damaged) != 0 && errno != ENOENT) {
        return failed_errno(err, "cannot set the damaged %s aside", path);
    }
    if (!exists(damaged_wal) && rename(wal, damaged_wal) != 0 &&
        errno != ENOENT) {
        return failed_errno(err, "cannot set the damaged %s aside", wal);
    }
    (void)unlink(shm);
    keep_name(path, keep, sizeof keep);
    keep_name(damaged, damaged_keep, sizeof damaged_keep);
    if (!exists(damaged_keep) && rename(keep, damaged_keep) != 0 &&
        errno != ENOENT) {
        return failed_errno(err, "cannot set %s aside", keep);
    }
    enum spool_status status = catch_up(path, damaged, n->fresh, err);
    if (status != SPOOL_OK) {
        return status;
    }
    return site_replace(n->fresh, path, err);
}

enum spool_status aside_finish(const char *path, struct spool_error *err)
{
    struct names n;
    int fd;
    name_files(path, &n);
    if (!exists(n.fresh)) {
        return SPOOL_OK;
    }
    enum spool_status status = site_check_beside(path, err);
    if (status == SPOOL_OK) {
        status = take_lock(&n, &fd, err);
    }
    if (status == SPOOL_OK) {
        status = move_files(path, &n, err);
        (void)close(fd);
    }
    return status;
}

static unsigned be32(const unsigned char *p)
{
    return (unsigned)p[0] << 24 | (unsigned)p[1] << 16 | (unsigned)p[2] << 8 |
           p[3];
}

/* Ours by what its header says; or, where the header is what was damaged, by
 * events of ours in it. */
static enum spool_status check_ours(const char *path, int64_t last,
                                    struct spool_error *err)
{
    static const char magic[16] = "SQLite format 3";
    unsigned char head[100] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return failed_errno(err, "cannot read %s", path);
    }
    ssize_t n = pread(fd, head, sizeof head, 0);
    (void)close(fd);
    unsigned version = be32(head + OFFSET_USER_VERSION);
    bool sqlite =
        n == (ssize_t)sizeof head && memcmp(head, magic, sizeof magic) == 0;
    bool ours = be32(head + OFFSET_APPLICATION_ID) == MIGRATE_APPLICATION_ID;
    if (sqlite && ours && version > (unsigned)migrate_newest()) {
        return failed(err, SPOOL_NEWER,
                      "%s is damaged and of a newer release (schema version "
                      "%u); it was not touched, use that release of spool",
                      path, version);
    }
    if (sqlite ? ours : last > 0) {
        return SPOOL_OK;
    }
    return failed(err, SPOOL_DAMAGED,
                  "%s is no spool, or too damaged to tell; it was not touched, "
                  "move it away to begin a new spool",
                  path);
}

/* The base of every reader is the last id given out: what lies before is put
 * back by recover. */
static enum spool_status fill_fresh(struct db *db, const char *path,
                                    int64_t last, const struct clock *clock,
                                    struct spool_error *err)
{
    char id[UUID_SIZE], sql[700];
    struct rng rng;
    int64_t now = clock_wall_ms(clock);
    rng_init(&rng);
    uuid_v7(&rng, now, id);
    salvage_store_id(path, id);
    enum spool_status status =
        db_run(db, err, STATEMENT_STORE_MAKE, "ti", id, now);
    if (status == SPOOL_OK) {
        status = keep_salvage(db, path, now, err);
    }
    if (status == SPOOL_OK) {
        (void)snprintf(
            sql, sizeof sql,
            "UPDATE spool_destination SET base = %lld, shed = 0, "
            "shed_passed = 0, express_to = 0;"
            "INSERT INTO spool_lane (destination, lane, base, cursor) "
            "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n "
            "WHERE i < %d) SELECT id, i, %lld, %lld FROM spool_destination, n "
            "WHERE i < lanes;"
            "UPDATE spool_store SET lost_to = %lld, epoch = %lld;"
            "UPDATE spool_store SET gone = lost_to",
            (long long)last, DESTINATION_LANES_MAX - 1, (long long)last,
            (long long)last, (long long)last,
            (long long)salvage_number(path, "SELECT epoch FROM spool_store",
                                      0));
        status = db_exec(db, sql, err);
    }
    if (status == SPOOL_OK) {
        status = audit(db, now, "set-aside", NULL, last,
                       "the outbox was damaged; it was set aside and a fresh "
                       "one was begun behind this many events",
                       err);
    }
    return status;
}

/* One file, whole and on disk, without a WAL of its own. */
static enum spool_status make_fresh(const char *path, const char *half,
                                    int64_t last, const struct clock *clock,
                                    struct spool_error *err)
{
    struct db db;
    mode_t mode = site_mode(path);
    int fd =
        open(half, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    enum spool_status status = SPOOL_OK;
    if (fd < 0 || fchmod(fd, mode) != 0) {
        status = failed_errno(err, "cannot make %s", half);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    if (status == SPOOL_OK) {
        status = db_open(&db, half, err);
    }
    if (status != SPOOL_OK) {
        return status;
    }
    status = migrate(&db, err);
    if (status == SPOOL_OK) {
        status = db_begin(&db, err);
    }
    if (status == SPOOL_OK) {
        status = fill_fresh(&db, path, last, clock, err);
        if (status == SPOOL_OK) {
            status = db_commit(&db, err);
        } else {
            db_rollback(&db);
        }
    }
    if (status == SPOOL_OK) {
        status = checkpoint_all(&db, err);
    }
    db_close(&db);
    return status;
}

static enum spool_status begin(const char *path, const struct names *n,
                               const struct clock *clock,
                               struct spool_error *err)
{
    char half[ASIDE_PATH_SIZE + 8];
    (void)snprintf(half, sizeof half, "%s-half", n->fresh);
    int64_t last = salvage_last_id(path, path);
    enum spool_status status = check_ours(path, last, err);
    if (status != SPOOL_OK) {
        return status;
    }
    remove_half(half); /* of one who was killed */
    status = make_fresh(path, half, last, clock, err);
    if (status == SPOOL_OK) {
        status = site_replace(half, n->fresh, err);
    }
    remove_half(half);
    return status;
}

enum spool_status aside_make(const char *path, unsigned long long inode,
                             const struct clock *clock, struct spool_error *err)
{
    struct names n;
    int fd;
    name_files(path, &n);
    enum spool_status status = take_lock(&n, &fd, err);
    if (status != SPOOL_OK) {
        return status;
    }
    if (!exists(n.fresh) && aside_inode(path) == inode) {
        status = begin(path, &n, clock, err);
    }
    if (status == SPOOL_OK) {
        status = move_files(path, &n, err);
    }
    (void)close(fd);
    return status;
}

bool aside_newest(const char *path, const char *before,
                  char out[ASIDE_PATH_SIZE])
{
    char folder[ASIDE_PATH_SIZE], copy[ASIDE_PATH_SIZE];
    char prefix[ASIDE_PATH_SIZE + 16], best[256] = "";
    (void)snprintf(folder, sizeof folder, "%s", path);
    (void)snprintf(copy, sizeof copy, "%s", path);
    (void)snprintf(prefix, sizeof prefix, "%s.damaged-", basename(copy));
    const char *limit = before == NULL ? NULL : strrchr(before, '/');
    DIR *d = opendir(dirname(folder));
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        const char *end = strrchr(e->d_name, 'Z');
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0 && end != NULL &&
            end[1] == '\0' && strcmp(e->d_name, best) > 0 &&
            (limit == NULL || strcmp(e->d_name, limit + 1) < 0)) {
            (void)snprintf(best, sizeof best, "%s", e->d_name);
        }
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    if (best[0] != '\0') {
        (void)snprintf(out, ASIDE_PATH_SIZE, "%.*s%s",
                       (int)(strrchr(path, '/') - path + 1), path, best);
    }
    return best[0] != '\0';
}

enum spool_status aside_waiting(struct db *db, const char *path, int64_t *last,
                                char file[ASIDE_PATH_SIZE],
                                struct spool_error *err)
{
    enum spool_status status =
        db_number(db, err, 0, last, STATEMENT_NOT_RECOVERED, "");
    if (status == SPOOL_OK && (*last == 0 || !aside_newest(path, NULL, file))) {
        file[0] = '\0';
    }
    return status;
}
