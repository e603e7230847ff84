/* Reading ahead: the events of a lane's next batches, read by a thread of the
 * flusher's while others fly and are settled. A row of batches, each beginning
 * where the one before it ends; one read at a time. All calls on the loop's
 * thread. */
#ifndef DELIVERY_AHEAD_H
#define DELIVERY_AHEAD_H

#include "delivery/job_thread.h"
#include "outbox/batch.h"

struct ahead {
    struct outbox *box;
    struct job_thread *thread;
    int lane;
    void (*done)(void *arg); /* a read has ended */
    void *arg;
    bool reading;
    struct job job;
    struct destination as;              /* for the read under way */
    struct prefetch fresh[BATCH_AHEAD]; /* being read */
    size_t fresh_n, fresh_room, fresh_bytes;
    struct prefetch row[BATCH_AHEAD]; /* read, not taken yet */
    size_t n, bytes;
    int64_t behind; /* what is read next begins behind this id; -1: nothing is,
                       the end of the log is near */
    struct buffer spare[BATCH_AHEAD]; /* empty: memory for the next ones */
    size_t spare_n;
};

void ahead_init(struct ahead *a, struct outbox *box, struct job_thread *thread,
                int lane, void (*done)(void *arg), void *arg);
void ahead_finish(struct ahead *a); /* not while it reads */

/* Where the row begins: behind the batch that was taken last; -1: nowhere. Only
 * while the row is empty and nothing is read. */
void ahead_follow(struct ahead *a, int64_t behind);

/* Reads on if there is room and a place to go on from. */
void ahead_read(struct ahead *a, const struct destination *d);

/* Moves up to most batches of the row to out, in order. How many. */
size_t ahead_take(struct ahead *a, struct prefetch *out, size_t most);

/* What was read does not follow what was cut. */
void ahead_forget(struct ahead *a);

/* The memory of a body serves the next one: so many pages cost more to get from
 * the system than to fill. Takes over that of bytes which nobody needs any
 * more; what it does not take stays where it is. */
void ahead_keep_memory(struct ahead *a, struct buffer *used);
void ahead_drop_memory(struct ahead *a);

#endif
