/* What an operator does to events: replay and purge, each by cutting tiles out
 * of those that are there, in one transaction a call and with a line in the
 * audit log. In front of a purge the log may be cut up to its events, some of
 * it a transaction (uncut.h): that changes no event's state. */
#ifndef OUTBOX_OPERATE_H
#define OUTBOX_OPERATE_H

#include "outbox/destination.h"
#include "outbox/outbox.h"

struct operation {
    int64_t changed;
    int64_t skipped_sending; /* in flight right now: try again later */
    int64_t skipped_state;   /* already so: waiting (replay) or settled
                                (purge of delivered and purged ones) */
    int64_t skipped_gone;    /* dropped by retention, or never there */
};

/* ids ascend and differ. Delivers again what is delivered or dead; the events
 * go out again in the order of their ids, under new keys. On failure nothing
 * was changed, unless it is SPOOL_UNKNOWN, and *out says nothing. */
enum spool_status operate_replay(struct outbox *box,
                                 const struct destination *d,
                                 const int64_t *ids, size_t n,
                                 const char *who_and_why, struct operation *out,
                                 struct spool_error *err);

/* operate_replay inside the caller's write transaction, without a line in the
 * audit log. */
struct db;
enum spool_status operate_replay_within(struct db *db, struct outbox *box,
                                        const struct destination *d,
                                        const int64_t *ids, size_t n,
                                        const char *who_and_why,
                                        struct operation *out,
                                        struct spool_error *err);

/* Takes waiting and dead events out for good. Fails like operate_replay. */
enum spool_status operate_purge(struct outbox *box, const struct destination *d,
                                const int64_t *ids, size_t n,
                                const char *who_and_why, struct operation *out,
                                struct spool_error *err);

#endif
