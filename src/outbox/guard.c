#define _GNU_SOURCE /* memmem */
#include "outbox/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "outbox/aside.h"
#include "outbox/checkpoint.h"
#include "outbox/keep.h"
#include "outbox/place.h"
#include "outbox/store.h"
#include "outbox/wal.h"

/* Ids are dense: a million events a second come to this in 285 years. What
 * programs read as a floating point number is exact up to here. */
#define ID_MAX ((int64_t)1 << 53)

struct look {
    struct outbox *box;
    struct mark_state mark;
    struct stat file; /* as it lies there */
    int64_t last, epoch;
    bool gone;                   /* destinations could not be read any more */
    char aside[ASIDE_PATH_SIZE]; /* waits to be put back; "": nothing does */
    char home_path[PATH_MAX];
    int64_t home_device, home_inode;
    bool first; /* nobody had opened it before the mark was looked at: of a
                   first release, or just made */
    int64_t lost_lo, lost_hi; /* 0: none */
    const char *cause;
};

static void notice(struct outbox *box, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void notice(struct outbox *box, const char *format, ...)
{
    struct guard *g = &box->guard;
    if (g->notices < GUARD_NOTICES) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(g->notice[g->notices++], SPOOL_ERROR_SIZE, format,
                        args);
        va_end(args);
    }
}

static enum spool_status read_store(struct db *db, void *arg,
                                    struct spool_error *err)
{
    struct look *l = arg;
    bool row;
    enum spool_status status =
        db_number(db, err, 0, &l->last, STATEMENT_LAST_ID, "");
    if (status == SPOOL_OK && (l->last < 0 || l->last >= ID_MAX)) {
        atomic_store(&db->corrupt, true);
        return failed(err, SPOOL_DAMAGED,
                      "%s is damaged: it says that its last event has the id "
                      "%lld, which no spool comes to",
                      l->box->path, (long long)l->last);
    }
    if (status == SPOOL_OK) {
        status = keep_is_gone(db, &l->gone, err);
    }
    if (status == SPOOL_OK) {
        status = aside_waiting(db, l->box->path, &l->box->not_recovered,
                               l->aside, err);
    }
    if (status != SPOOL_OK) {
        return status;
    }
    sqlite3_stmt *s = db_query(db, STATEMENT_STORE_GUARD, "");
    status = db_row(db, s, &row, err);
    if (status == SPOOL_OK && row) {
        l->epoch = sqlite3_column_int64(s, 0);
        db_copy_text(s, 1, l->home_path, sizeof l->home_path);
        l->home_device = sqlite3_column_int64(s, 2);
        l->home_inode = sqlite3_column_int64(s, 3);
        (void)sqlite3_reset(s);
    }
    return status;
}

/* A file that was renamed has its inode still, and one whose disk has another
 * number since the last start its path. */
static bool is_at_home(const struct look *l)
{
    return l->home_inode == (int64_t)l->file.st_ino &&
           (l->home_device == (int64_t)l->file.st_dev ||
            strcmp(l->home_path, l->box->path) == 0);
}

static bool home_is_exact(const struct look *l)
{
    return is_at_home(l) && l->home_device == (int64_t)l->file.st_dev &&
           strcmp(l->home_path, l->box->path) == 0;
}

static enum spool_status record_loss(struct db *db, struct look *l,
                                     struct spool_error *err)
{
    char detail[SPOOL_ERROR_SIZE];
    int64_t now = outbox_now(l->box);
    l->lost_lo = l->last + 1;
    l->lost_hi = l->mark.last;
    (void)snprintf(detail, sizeof detail, "events %lld to %lld: %s",
                   (long long)l->lost_lo, (long long)l->lost_hi, l->cause);
    enum spool_status status = db_run(db, err, STATEMENT_LOST_INSERT, "iiit",
                                      l->lost_lo, l->lost_hi, now, l->cause);
    if (status == SPOOL_OK) {
        status = db_run(db, err, STATEMENT_LOST_TO, "ii", l->lost_hi,
                        l->lost_hi - l->last);
    }
    if (status == SPOOL_OK) {
        status = audit(db, now, "lost", NULL, l->lost_hi - l->lost_lo + 1,
                       detail, err);
    }
    return status;
}

static const char *mark_fault(enum mark_found found)
{
    switch (found) {
    case MARK_FOUND:
        return NULL;
    case MARK_MISSING:
        return "was missing";
    case MARK_TORN:
        return "was damaged";
    case MARK_FOREIGN:
        return "was another spool's";
    }
    return NULL;
}

static enum spool_status record_age(struct db *db, struct look *l,
                                    struct spool_error *err)
{
    char detail[128];
    (void)snprintf(detail, sizeof detail,
                   "the file is of epoch %lld and the mark of %lld",
                   (long long)l->epoch, (long long)l->mark.epoch);
    enum spool_status status =
        audit(db, outbox_now(l->box), "old-copy", NULL, 0, detail, err);
    return status == SPOOL_OK
               ? db_run(db, err, STATEMENT_STORE_EPOCH, "i", l->mark.epoch)
               : status;
}

static enum spool_status record_home(struct db *db, struct look *l,
                                     struct spool_error *err)
{
    return db_run(db, err, STATEMENT_STORE_HOME, "tii", l->box->path,
                  (int64_t)l->file.st_dev, (int64_t)l->file.st_ino);
}

/* Everything that was found, in one transaction; looks again, since another
 * process may have come first. */
static enum spool_status record(struct db *db, void *arg,
                                struct spool_error *err)
{
    struct look *l = arg;
    enum spool_status status = read_store(db, l, err);
    const char *fault = mark_fault(l->mark.found);
    bool old = l->epoch < l->mark.epoch;
    l->cause = old ? "the file is an older copy of itself, as a backup is that "
                     "was restored"
                   : "the end of the log is damaged or was cut off";
    if (status == SPOOL_OK && l->last < l->mark.last) {
        status = record_loss(db, l, err);
    }
    if (status == SPOOL_OK && old) {
        status = record_age(db, l, err);
    }
    if (status == SPOOL_OK && fault != NULL && !l->first) {
        status = audit(db, outbox_now(l->box), "mark-made-again", NULL, 0,
                       fault, err);
    }
    if (status == SPOOL_OK && (l->first || is_at_home(l))) {
        status = record_home(db, l, err);
    }
    /* What the store is must not hang on its first WAL. */
    db->wants_checkpoint = db->wants_checkpoint || l->first;
    return status;
}

static void tell(struct look *l)
{
    struct outbox *box = l->box;
    const char *fault = mark_fault(l->mark.found);
    if (l->lost_hi > 0) {
        notice(box,
               "events %lld to %lld were accepted and are lost: %s; keep a "
               "copy of %s and its -wal before anything else",
               (long long)l->lost_lo, (long long)l->lost_hi, l->cause,
               box->path);
    } else if (l->epoch < l->mark.epoch) {
        notice(box,
               "%s is an older copy of itself, as a backup is that was "
               "restored: what was delivered since may be delivered again",
               box->path);
    }
    if (l->gone) {
        notice(box,
               "the outbox was damaged and its destinations are gone; \"%s\" "
               "keeps all events for them: run spoolctl recover, add each one "
               "with spoolctl destination add, then remove it with spoolctl "
               "destination rm %s",
               DESTINATION_STAND_IN, DESTINATION_STAND_IN);
    }
    if (l->aside[0] != '\0' && !l->gone) {
        notice(box,
               "the outbox was damaged; what it held is neither counted nor "
               "delivered until spoolctl recover has put it back from %s",
               l->aside);
    }
    if (fault != NULL && !l->first) {
        notice(box,
               "%s-mark %s and was made again; events lost before that cannot "
               "be told",
               box->path, fault);
    }
}

static void tell_copy(struct look *l)
{
    struct outbox *box = l->box;
    box->guard.is_copy = l->home_inode != 0 && !is_at_home(l);
    if (box->guard.is_copy) {
        notice(box,
               "%s is a copy: the spool itself was at %s (inode %lld); two "
               "that deliver send everything twice, spoolctl init --adopt "
               "takes this one for the spool",
               box->path, l->home_path, (long long)l->home_inode);
    }
}

enum spool_status guard_new(const char *path, struct spool_error *err)
{
    char name[PATH_MAX + 8];
    (void)snprintf(name, sizeof name, "%s-mark", path);
    int64_t last = mark_peek(name);
    if (last == 0) {
        return SPOOL_OK;
    }
    return failed(err, SPOOL_DAMAGED,
                  "%s is missing or empty and its mark says that %lld events "
                  "were accepted; put the file (and its -wal) back, or move %s "
                  "(and the -wal) away to begin a new spool",
                  path, (long long)last, name);
}

enum spool_status guard_empty(const char *path, struct spool_error *err)
{
    struct stat st;
    char wal[PATH_MAX + 8];
    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    /* The file after what lies beside it: another may be making it. */
    bool has_wal = lstat(wal, &st) == 0 && st.st_size > WAL_HEAD;
    enum spool_status status = guard_new(path, err);
    if (lstat(path, &st) == 0 && (st.st_size > 0 || !S_ISREG(st.st_mode))) {
        return SPOOL_OK;
    }
    if (status == SPOOL_OK && has_wal) {
        return failed(err, SPOOL_DAMAGED,
                      "%s is missing or empty and %s is not, which may hold "
                      "events that are nowhere else; put the file back, or "
                      "move the -wal away to begin a new spool",
                      path, wal);
    }
    return status;
}

/* The row that says who the store is was written to the file itself when it was
 * made, on one of its first pages. */
static bool file_says(const char *path, const char *store_id)
{
    static const size_t size = (size_t)1 << 20;
    char *head = malloc(size);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t n = head == NULL || fd < 0 ? -1 : pread(fd, head, size, 0);
    bool says =
        n > 0 && memmem(head, (size_t)n, store_id, strlen(store_id)) != NULL;
    if (fd >= 0) {
        (void)close(fd);
    }
    free(head);
    return says;
}

enum spool_status guard_wal(const char *path, struct spool_error *err)
{
    char name[PATH_MAX + 8], store_id[UUID_SIZE];
    uint32_t number;
    (void)snprintf(name, sizeof name, "%s-mark", path);
    if (!wal_number(path, &number) ||
        !mark_denies_wal(name, number, store_id) ||
        !file_says(path, store_id)) { /* or it is the mark that is another's */
        return SPOOL_OK;
    }
    return failed(err, SPOOL_DAMAGED,
                  "%s-wal is another spool's and was not believed; put back "
                  "this spool's own, or move it away (events that were only in "
                  "its own are lost then, and named); if it is this spool's "
                  "all the same, move %s away",
                  path, name);
}

/* As it is by now; nothing else has been written to it. */
static void remember_wal(struct outbox *box)
{
    uint32_t number;
    if (wal_number(box->path, &number)) {
        mark_wal(&box->writer.mark, number);
    }
}

static enum spool_status open_mark(struct look *l, char name[PATH_MAX + 8],
                                   struct spool_error *err)
{
    struct outbox *box = l->box;
    (void)snprintf(name, PATH_MAX + 8, "%s-mark", box->path);
    if (stat(box->path, &l->file) != 0) {
        return failed_errno(err, "cannot look at %s", box->path);
    }
    return mark_open(&box->writer.mark, name, site_mode(box->path),
                     box->store_id, &l->mark, err);
}

enum spool_status guard_open(struct outbox *box, struct spool_error *err)
{
    struct look l = {.box = box};
    char name[PATH_MAX + 8];
    enum spool_status status = outbox_read(box, read_store, &l, err);
    l.first = l.home_inode == 0;
    if (status == SPOOL_OK) {
        status = open_mark(&l, name, err);
    }
    if (status == SPOOL_OK) {
        remember_wal(box);
    }
    if (status == SPOOL_OK && l.mark.left_open) {
        status = checkpoint_mend(&box->writer, err);
    }
    if (status == SPOOL_OK) {
        status = outbox_read(box, read_store, &l, err);
    }
    if (status != SPOOL_OK) {
        return status;
    }
    bool found = l.mark.found == MARK_FOUND;
    if (!found || l.last < l.mark.last || l.epoch < l.mark.epoch ||
        (!home_is_exact(&l) && (l.first || is_at_home(&l)))) {
        status = outbox_write(box, record, &l, err);
    }
    if (status == SPOOL_OK && !found) {
        int64_t last = l.last > l.mark.last ? l.last : l.mark.last;
        status = mark_rebuild(&box->writer.mark, name, box->store_id, last,
                              l.epoch, err);
    }
    if (status == SPOOL_OK && l.mark.left_open) {
        mark_mended(&box->writer.mark);
    }
    if (status == SPOOL_OK) {
        tell(&l);
        tell_copy(&l);
    }
    return status;
}

enum spool_status guard_raise_epoch(struct db *db, struct spool_error *err)
{
    enum spool_status status = db_run(db, err, STATEMENT_STORE_RAISE_EPOCH, "");
    if (status == SPOOL_OK) {
        status =
            db_number(db, err, 0, &db->told.epoch, STATEMENT_STORE_GUARD, "");
    }
    db->wants_checkpoint = true;
    return status;
}

struct adoption {
    struct outbox *box;
    struct look look;
    char store_id[UUID_SIZE];
    int64_t seen;
};

static enum spool_status adopt(struct db *db, void *arg,
                               struct spool_error *err)
{
    struct adoption *a = arg;
    struct outbox *box = a->box;
    int64_t now = outbox_now(box);
    enum spool_status status = read_store(db, &a->look, err);
    if (status == SPOOL_OK) {
        status = db_number(db, err, 0, &a->seen, STATEMENT_LOST_UNSEEN, "");
    }
    if (status == SPOOL_OK) {
        status = db_run(db, err, STATEMENT_LOST_SEEN, "i", now);
    }
    if (status == SPOOL_OK && box->guard.is_copy) {
        uuid_v7(&box->rng, now, a->store_id);
        status = db_run(db, err, STATEMENT_STORE_RENAME, "t", a->store_id);
        if (status == SPOOL_OK) {
            status = record_home(db, &a->look, err);
        }
    }
    if (status == SPOOL_OK && (a->seen > 0 || box->guard.is_copy)) {
        status = audit(db, now, "adopt", NULL, a->seen,
                       box->guard.is_copy ? "a copy is the spool now, with a "
                                            "store id of its own"
                                          : "lost events are known of",
                       err);
    }
    return status;
}

enum spool_status outbox_adopt(struct outbox *box, bool *was_copy,
                               int64_t *lost, struct spool_error *err)
{
    struct adoption a = {.box = box, .look = {.box = box}};
    char name[PATH_MAX + 8];
    (void)snprintf(name, sizeof name, "%s-mark", box->path);
    if (stat(box->path, &a.look.file) != 0) {
        return failed_errno(err, "cannot look at %s", box->path);
    }
    enum spool_status status = outbox_write(box, adopt, &a, err);
    if (status == SPOOL_OK && box->guard.is_copy) {
        memcpy(box->store_id, a.store_id, sizeof box->store_id);
        status = mark_rebuild(&box->writer.mark, name, box->store_id,
                              a.look.last, a.look.epoch, err);
    }
    if (status == SPOOL_OK) {
        *was_copy = box->guard.is_copy;
        *lost = a.seen;
        box->guard = (struct guard){0};
    }
    return status;
}

void outbox_notices(const struct outbox *box,
                    void (*each)(void *arg, const char *sentence), void *arg)
{
    for (int i = 0; i < box->guard.notices; i++) {
        each(arg, box->guard.notice[i]);
    }
}

void outbox_place_notices(const struct outbox *box,
                          void (*each)(void *arg, const char *sentence),
                          void *arg)
{
    place_notices(box->path, each, arg);
}
