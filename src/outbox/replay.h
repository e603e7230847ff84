/* Replays that go on beside live events: what was selected is kept in the
 * spool, and the flusher lets a slice of it wait again at a time, so that live
 * events never stand behind more than a slice. In the order of ids. */
#ifndef OUTBOX_REPLAY_H
#define OUTBOX_REPLAY_H

#include "outbox/destination.h"

/* How fast; 0 is no such limit. */
struct replay_terms {
    int64_t rate; /* events a second */
    int share;    /* percent, up to 99, of what is delivered, for as long as a
                     batch or more of live events waits too */
};

struct replay {
    int64_t id;
    int64_t at; /* begun, wall ms */
    char destination[DESTINATION_NAME_SIZE];
    struct replay_terms terms;
    int64_t events;  /* selected */
    int64_t done;    /* of them, looked at */
    int64_t changed; /* of those, to be delivered again; the others were gone
                        or waited already */
};

/* ids ascend and differ; n is at least 1. Audited. */
enum spool_status replay_begin(struct outbox *box, const struct destination *d,
                               const int64_t *ids, size_t n,
                               const struct replay_terms *terms,
                               const char *who_and_why, int64_t *id,
                               struct spool_error *err);

/* Up to max into out, by id; *n is how many there are. */
enum spool_status replay_list(struct outbox *box, struct replay *out,
                              size_t max, size_t *n, struct spool_error *err);

/* What it has not come to stays as it is; *out says how far it was. Audited.
 * SPOOL_NOT_FOUND when there is none of that id. */
enum spool_status replay_stop(struct outbox *box, int64_t id,
                              struct replay *out, struct spool_error *err);

/* One slice of each replay at a running destination (only: of that name; NULL:
 * all) whose last slice has left. *active: some of them has more to do. To be
 * called about once a second. Blocks on the disk. */
enum spool_status replay_step(struct outbox *box, const char *only,
                              bool *active, struct spool_error *err);

#endif
