/* The one way to write: jobs that share commits.
 *
 * A thread that has something to write queues a job. The first one there leads:
 * it runs every job that waits in one transaction, commits once and wakes the
 * others. Sixteen threads thus pay for one sync, and so do the lanes of a
 * flusher. Between processes SQLite's write lock decides.
 *
 * A job does its checking by reads before its first write. If it fails before
 * that, it alone fails; if it fails behind it, the transaction is rolled back
 * and all jobs in it fail with it.
 *
 * A commit is synced while the write lock is held: SQLite knows no other way.
 * So whoever waits for the lock waits for the disk too, behind a put, a turn of
 * a flusher and a checkpoint (two syncs, and one more to begin the WAL anew);
 * behind what only tidies he does not. */
#ifndef OUTBOX_WRITER_H
#define OUTBOX_WRITER_H

#include <pthread.h>
#include <semaphore.h>

#include "outbox/ballast.h"
#include "outbox/db.h"
#include "outbox/mark.h"
#include "outbox/site.h"

struct write_job {
    /* Runs on some thread that is inside writer_run. */
    enum spool_status (*run)(struct db *db, void *arg, struct spool_error *err);
    void *arg;
    bool records; /* says what became of events; new ones wait behind it */
    bool tidies;  /* need not be on disk: in a transaction of its own */
    enum spool_status status;
    struct spool_error error;
    bool done;
    /* Posted once: the job is done, or its thread is to lead. A semaphore of
     * each job's own, since one condition for all would wake sixteen threads to
     * queue for one mutex. */
    sem_t woken;
    struct write_job *next;
};

struct writer {
    struct db db;           /* used by the leader alone */
    struct db checkpoint;   /* likewise; opened when needed */
    int wal_frames_max;     /* from so many on it is checkpointed */
    int wal_frames_told;    /* when the mark was told which WAL it is */
    struct watermark mark;  /* likewise; opened by the guard */
    struct site site;       /* the files that are open; likewise */
    struct ballast ballast; /* likewise */
    int64_t free_bytes;     /* on the disk, as this transaction began */
    pthread_mutex_t lock;   /* over what follows */
    struct write_job *first, **last; /* waiting */
    unsigned waiting;
    unsigned crowd;  /* jobs in the last commit: who is likely to come again */
    sem_t *gathered; /* posted when the crowd is there; NULL: nobody waits */
    bool leading;
    /* Not SPOOL_OK: nothing is accepted any more. SPOOL_UNKNOWN: a commit
     * failed half-way; SPOOL_MOVED: the files are other ones. */
    enum spool_status ended;
};

/* ballast_bytes as of ballast_init. */
enum spool_status writer_open(struct writer *w, const char *path,
                              int64_t ballast_bytes, struct spool_error *err);
void writer_close(struct writer *w);

/* Runs one job; it is on disk when SPOOL_OK is returned. */
enum spool_status writer_run(struct writer *w,
                             enum spool_status (*run)(struct db *, void *,
                                                      struct spool_error *),
                             void *arg, struct spool_error *err);

/* Likewise, for what must be recorded also on a full disk: then the ballast is
 * given up, and the job run once more, so it begins anew each time. */
enum spool_status writer_record(struct writer *w,
                                enum spool_status (*run)(struct db *, void *,
                                                         struct spool_error *),
                                void *arg, struct spool_error *err);

/* Likewise, for what may come undone: it is done again then. It is committed
 * when this returns, and on disk with the next job of another kind or the next
 * checkpoint, whosever they are: never later than what was committed behind it.
 * No sync is made while it holds the write lock, so that nobody waits for the
 * disk on its account; nor does it share a commit. */
enum spool_status writer_tidy(struct writer *w,
                              enum spool_status (*run)(struct db *, void *,
                                                       struct spool_error *),
                              void *arg, struct spool_error *err);

/* For a job: how much must be free on the disk for new events, which is wanted
 * or, if that is more, the low-water mark. */
int64_t writer_keeps_free(const struct writer *w, int64_t wanted);

/* For a job: whether there is room for new events. */
enum spool_status writer_has_room(const struct writer *w, int64_t wanted,
                                  struct spool_error *err);

#endif
