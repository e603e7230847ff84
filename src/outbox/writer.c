#include "outbox/writer.h"

#include <string.h>
#include <time.h>

#include "base/error.h"
#include "outbox/checkpoint.h"
#include "outbox/shm.h"
#include "outbox/wal.h"

/* Four megabytes. A checkpoint costs the writers 7 ms at this size and 26 ms at
 * four times it; a WAL that nobody bounds slows every reader and the next
 * start. */
#define WAL_FRAMES_MAX 500
#define PAGE_BYTES     8192 /* as db_open.c makes them */
/* No disk has as much, and it can be multiplied by 100 for a class's share. */
#define KEPT_MAX (INT64_MAX / 128)

/* How long a leader waits for the threads that came last time. A sync takes
 * ten times as long, and each thread that makes it saves one. */
#define GATHER_NS 200000L

/* What cannot be recorded cannot be opened for that either. */
static enum spool_status make_openable(struct writer *w, const char *path,
                                       struct spool_error *err)
{
    if (shm_has_room(path)) {
        return SPOOL_OK;
    }
    ballast_give_up(&w->ballast);
    if (shm_has_room(path)) {
        return SPOOL_OK;
    }
    return failed(err, SPOOL_FULL,
                  "cannot open %s: the disk is full; free some space, nothing "
                  "was changed",
                  path);
}

enum spool_status writer_open(struct writer *w, const char *path,
                              int64_t ballast_bytes, struct spool_error *err)
{
    memset(w, 0, sizeof *w);
    w->last = &w->first;
    w->wal_frames_max = WAL_FRAMES_MAX;
    if (!ballast_init(&w->ballast, path, ballast_bytes)) {
        return failed(err, SPOOL_NO_MEMORY, "out of memory");
    }
    enum spool_status status = make_openable(w, path, err);
    if (status == SPOOL_OK) {
        status = db_open(&w->db, path, err);
    }
    if (status != SPOOL_OK) {
        ballast_finish(&w->ballast);
        return status;
    }
    shm_fill(w->db.handle);
    (void)pthread_mutex_init(&w->lock, NULL);
    return SPOOL_OK;
}

/* One that holds fewer frames than before has begun anew. */
static void tell_which_wal(struct writer *w)
{
    uint32_t number;
    if ((w->mark.wal == 0 || w->wal_frames_told == 0 ||
         w->db.wal_frames < w->wal_frames_told) &&
        wal_number(w->db.path, &number)) {
        mark_wal(&w->mark, number);
    }
    w->wal_frames_told = w->db.wal_frames;
}

void writer_close(struct writer *w)
{
    if (w->db.handle == NULL) {
        return;
    }
    if (w->ended == SPOOL_OK && checkpoint_settle(w)) {
        tell_which_wal(w);
        mark_end(&w->mark);
    }
    db_close(&w->checkpoint);
    db_close(&w->db);
    mark_close(&w->mark);
    site_close(&w->site);
    ballast_finish(&w->ballast);
    (void)pthread_mutex_destroy(&w->lock);
}

static void fail_all(struct write_job *jobs, const struct spool_error *why)
{
    for (struct write_job *j = jobs; j != NULL; j = j->next) {
        j->status = why->status;
        j->error = *why;
    }
}

/* Runs the jobs of one transaction. The jobs that failed by themselves, before
 * they wrote, keep their own error. */
static enum spool_status run_jobs(struct db *db, struct write_job *jobs,
                                  struct spool_error *why)
{
    for (struct write_job *j = jobs; j != NULL; j = j->next) {
        int before = sqlite3_total_changes(db->handle);
        j->status = j->run(db, j->arg, &j->error);
        /* SQLite itself rolls back after some errors of the disk. */
        if (j->status != SPOOL_OK &&
            (sqlite3_total_changes(db->handle) != before ||
             sqlite3_get_autocommit(db->handle) != 0)) {
            *why = j->error;
            return j->status;
        }
    }
    return SPOOL_OK;
}

static enum spool_status check_alive(const struct writer *w,
                                     struct spool_error *why)
{
    if (w->ended == SPOOL_OK) {
        return site_check(&w->site, w->db.path, why);
    }
    return failed(why, w->ended,
                  w->ended == SPOOL_MOVED
                      ? "%s takes nothing more since it or its -wal was moved, "
                        "removed, replaced or made read-only; close the spool "
                        "and open it again"
                      : "%s takes nothing more since a commit failed half-way; "
                        "close the spool and open it again",
                  w->db.path);
}

static enum spool_status check_after(struct writer *w, struct spool_error *why)
{
    struct spool_error moved;
    if (site_check_again(&w->site, w->db.path, &moved) == SPOOL_OK) {
        return SPOOL_OK;
    }
    w->ended = SPOOL_MOVED;
    return failed(why, SPOOL_UNKNOWN,
                  "what was just put is stored in what was %s: %s", w->db.path,
                  moved.message);
}

/* The commit is on disk, but in which file? A rename falls most likely into the
 * middle of it. Then the mark is told: before anybody is, and never before the
 * disk. Whoever sets the file aside reads the mark behind his rename: what is
 * in place still when it has been told is known to him. */
static enum spool_status confirm(struct writer *w, struct spool_error *why)
{
    enum spool_status status = check_after(w, why);
    if (status == SPOOL_OK) {
        tell_which_wal(w);
        mark_note(&w->mark, w->db.told.last, w->db.told.epoch);
        status = check_after(w, why);
    }
    return status;
}

static enum spool_status transact(struct writer *w, struct write_job *jobs,
                                  struct spool_error *why)
{
    enum spool_status status = db_begin(&w->db, why);
    if (status != SPOOL_OK) {
        return status;
    }
    mark_begin(&w->mark, shm_is_empty(w->db.handle));
    w->free_bytes = ballast_free_bytes(&w->ballast);
    status = run_jobs(&w->db, jobs, why);
    if (status == SPOOL_OK) {
        status = db_commit(&w->db, why);
    } else {
        db_rollback(&w->db);
    }
    return status == SPOOL_OK ? confirm(w, why) : status;
}

/* A WAL that begins anew, behind a checkpoint, is synced for that by whoever is
 * the first to write to it. That is not to be the job, so it is a transaction
 * of a moment in front of it. */
static enum spool_status transact_unsynced(struct writer *w,
                                           struct write_job *job,
                                           struct spool_error *why)
{
    struct spool_error failed_too;
    enum spool_status status = db_set_unsynced(&w->db, true, why);
    if (status == SPOOL_OK && w->db.wal_frames == 0) {
        status = checkpoint_overwrite(w, why);
    }
    if (status == SPOOL_OK) {
        status = transact(w, job, why);
    }
    enum spool_status again = db_set_unsynced(&w->db, false, &failed_too);
    if (again != SPOOL_OK) {
        *why = failed_too;
        return why->status = SPOOL_UNKNOWN;
    }
    return status;
}

/* One transaction. */
static void lead(struct writer *w, struct write_job *jobs)
{
    struct spool_error why = {0};
    w->db.told.last = w->db.told.epoch = 0;
    enum spool_status status = check_alive(w, &why);
    if (status == SPOOL_OK) {
        status = jobs->tidies ? transact_unsynced(w, jobs, &why)
                              : transact(w, jobs, &why);
    }
    if (status != SPOOL_OK) {
        fail_all(jobs, &why);
    }
    if (w->ended == SPOOL_OK && status == SPOOL_MOVED) {
        w->ended = status;
    } else if (w->ended == SPOOL_OK && status == SPOOL_UNKNOWN) {
        checkpoint_doubt(w);
    }
}

/* What the WAL holds may need room in the database as well, when it is
 * checkpointed. */
int64_t writer_keeps_free(const struct writer *w, int64_t wanted)
{
    int64_t wal = (int64_t)w->db.wal_frames * PAGE_BYTES;
    int64_t kept = wanted > w->ballast.bytes ? wanted : w->ballast.bytes;
    return wal + (kept < KEPT_MAX ? kept : KEPT_MAX);
}

enum spool_status writer_has_room(const struct writer *w, int64_t wanted,
                                  struct spool_error *err)
{
    int64_t kept = writer_keeps_free(w, wanted);
    if (w->free_bytes >= kept) {
        return SPOOL_OK;
    }
    return failed(err, SPOOL_FULL,
                  "%s takes no new events: %lld KiB are free on its disk, and "
                  "%lld are kept %s; free some space",
                  w->db.path, (long long)(w->free_bytes / 1024),
                  (long long)(kept / 1024),
                  wanted > w->ballast.bytes ? "free by its limits"
                                            : "for recording deliveries");
}

/* The disk was full for one of the jobs. A WAL that is checkpointed begins
 * anew, in the room it has already; what must be recorded may have the ballast
 * too. */
static void make_room(struct writer *w, const struct write_job *jobs)
{
    bool full = false, records = false;
    for (const struct write_job *j = jobs; j != NULL; j = j->next) {
        full = full || j->status == SPOOL_FULL;
        records = records || (j->status == SPOOL_FULL && j->records);
    }
    if (records) {
        ballast_give_up(&w->ballast);
    }
    if (records || (full && w->db.wal_frames > 0)) {
        checkpoint_try(w);
    }
}

static void wait_on(sem_t *s)
{
    while (sem_wait(s) != 0) { /* a signal */
    }
}

/* Waits a moment for the threads that shared the last commit: they were woken
 * by it and most are on their way back. Called and returns with the lock. */
static void gather(struct writer *w)
{
    if (w->waiting >= w->crowd || w->first->tidies) {
        return;
    }
    sem_t here;
    struct timespec until;
    (void)sem_init(&here, 0, 0);
    (void)clock_gettime(CLOCK_REALTIME, &until); /* sem_timedwait's clock */
    until.tv_nsec += GATHER_NS;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    w->gathered = &here;
    (void)pthread_mutex_unlock(&w->lock);
    (void)sem_timedwait(&here, &until);
    (void)pthread_mutex_lock(&w->lock);
    w->gathered = NULL;
    (void)sem_destroy(&here);
}

/* Those that have come, up to one that tidies; or that one alone. */
static struct write_job *take_jobs(struct writer *w)
{
    struct write_job *jobs = w->first, **end = &w->first;
    unsigned n = 0;
    do {
        end = &(*end)->next;
        n++;
    } while (*end != NULL && !(*end)->tidies && !jobs->tidies);
    w->first = *end;
    w->last = w->first == NULL ? &w->first : w->last;
    *end = NULL;
    w->waiting -= n;
    w->crowd = jobs->tidies ? w->crowd : n;
    return jobs;
}

static void release(struct write_job *jobs)
{
    for (struct write_job *j = jobs, *next; j != NULL; j = next) {
        next = j->next; /* from the post on the job is its thread's again */
        j->done = true;
        (void)sem_post(&j->woken);
    }
}

/* On a disk that is all but full each commit is checkpointed at once: a WAL
 * that grew for what is recorded would soon take the room, the ballast's too,
 * that the database needs to take the WAL in. */
static bool is_tight(const struct writer *w)
{
    return w->db.wal_frames > 0 && w->free_bytes < w->ballast.bytes;
}

/* Called and returns with the lock held. Whoever waits when it is over leads
 * next. */
static void lead_once(struct writer *w)
{
    w->leading = true;
    gather(w);
    struct write_job *jobs = take_jobs(w);
    (void)pthread_mutex_unlock(&w->lock);
    int changes = sqlite3_total_changes(w->db.handle);
    lead(w, jobs);
    /* As a flusher's turns are that find nothing, every second. */
    bool idle = sqlite3_total_changes(w->db.handle) == changes;
    if (w->ended == SPOOL_OK) {
        make_room(w, jobs);
    } else if (w->ended == SPOOL_UNKNOWN) {
        (void)checkpoint_overwrite(
            w, NULL); /* nobody is to take it for a commit */
    }
    /* Those who waited have their answer before the file is tidied. */
    release(jobs);
    if ((w->db.wal_frames >= w->wal_frames_max || is_tight(w) ||
         w->db.wants_checkpoint) &&
        w->ended == SPOOL_OK) {
        w->db.wants_checkpoint = false;
        checkpoint_try(w);
    }
    if (w->ballast.is_wanted && idle) {
        ballast_make(&w->ballast);
    }
    (void)pthread_mutex_lock(&w->lock);
    w->leading = false;
    if (w->first != NULL) {
        (void)sem_post(&w->first->woken);
        w->leading = true; /* in the name of the one who was woken */
    }
}

/* Puts a job into the queue; true if its thread is to lead. */
static bool enqueue(struct writer *w, struct write_job *job)
{
    *w->last = job;
    w->last = &job->next;
    w->waiting++;
    if (w->gathered != NULL && w->waiting >= w->crowd) {
        (void)sem_post(w->gathered);
    }
    return !w->leading;
}

static enum spool_status run_job(struct writer *w, struct write_job job,
                                 struct spool_error *err)
{
    (void)sem_init(&job.woken, 0, 0);
    (void)pthread_mutex_lock(&w->lock);
    if (!enqueue(w, &job)) {
        (void)pthread_mutex_unlock(&w->lock);
        wait_on(&job.woken);
        if (!job.done) {
            (void)pthread_mutex_lock(&w->lock);
        }
    }
    if (!job.done) {
        lead_once(w);
        (void)pthread_mutex_unlock(&w->lock);
    }
    (void)sem_destroy(&job.woken);
    if (job.status != SPOOL_OK) {
        return failed(err, job.status, "%s", job.error.message);
    }
    return SPOOL_OK;
}

enum spool_status writer_run(struct writer *w,
                             enum spool_status (*run)(struct db *, void *,
                                                      struct spool_error *),
                             void *arg, struct spool_error *err)
{
    return run_job(w, (struct write_job){.run = run, .arg = arg}, err);
}

enum spool_status writer_record(struct writer *w,
                                enum spool_status (*run)(struct db *, void *,
                                                         struct spool_error *),
                                void *arg, struct spool_error *err)
{
    struct write_job job = {.run = run, .arg = arg, .records = true};
    enum spool_status status = run_job(w, job, err);
    return status == SPOOL_FULL ? run_job(w, job, err) : status;
}

enum spool_status writer_tidy(struct writer *w,
                              enum spool_status (*run)(struct db *, void *,
                                                       struct spool_error *),
                              void *arg, struct spool_error *err)
{
    struct write_job job = {
        .run = run, .arg = arg, .records = true, .tidies = true};
    enum spool_status status = run_job(w, job, err);
    return status == SPOOL_FULL ? run_job(w, job, err) : status;
}
