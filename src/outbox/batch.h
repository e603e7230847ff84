/* Batches: how a flusher takes events out of the log and says what became of
 * them. One flusher at a time works on a spool (lock.h).
 *
 * batch_turn is the whole way out: it settles the batch that was sent and takes
 * the next one, in one transaction, so that a request costs one sync. That sync
 * need not be waited for between two requests: batches can be taken ahead while
 * one is in flight, those that landed meanwhile are settled together, and the
 * events of the next ones are read beside.
 *
 * Behind a backlog that was surveyed (backlog.h) new events may overtake it. */
#ifndef OUTBOX_BATCH_H
#define OUTBOX_BATCH_H

#include "base/buffer.h"
#include "base/random.h"
#include "outbox/backlog.h"
#include "outbox/destination.h"
#include "outbox/outbox.h"

/* Where an event lies in a batch's bytes. */
struct batch_event {
    int64_t id;
    size_t offset;
    size_t len;
};

struct batch {
    int64_t id;
    int64_t destination;
    int lane;
    int64_t lo, hi;
    char key[UUID_SIZE]; /* Idempotency-Key: same bytes, same key */
    int attempts;        /* requests made, this one included */
    int unknown;         /* earlier ones answered with an unknown code */
    bool probe;          /* sent to learn whether a held destination is well */
    bool more;           /* a limit ended it: there is likely more behind it */
    bool express;        /* it overtakes the lane's backlog */
    size_t n;            /* events in it, at least 1 */
    size_t room;         /* events there is room for */
    struct batch_event *events;
    struct buffer bytes; /* the request body */
};

void batch_finish(struct batch *b); /* safe twice */

enum outcome {
    OUTCOME_DELIVERED,
    OUTCOME_RETRY,     /* not processed, again at retry_at */
    OUTCOME_UNCERTAIN, /* perhaps processed, again at retry_at */
    OUTCOME_REFUSED,   /* split it; a single event is dead; when too many die
                          in a row the destination is held instead */
    OUTCOME_HOLD       /* the endpoint's fault: hold the destination */
};

struct settlement {
    enum outcome outcome;
    int64_t retry_at;  /* wall ms */
    int64_t probe_at;  /* wall ms: when a held destination is tried again */
    bool unknown_code; /* count towards "refused after a few retries" */
    int64_t sent_at;   /* wall ms */
    int http;
    int curl;
    int64_t duration_ms;
    const char *code;   /* short */
    const char *reason; /* a sentence */
    const char *answer; /* the endpoint's words, "" when none */
    size_t answer_len;
};

/* The events of the log's next batch, read before the turn that cuts it. Zeroed
 * is none. */
struct prefetch {
    struct batch batch;
    int64_t behind; /* the id it begins behind */
    int64_t hi;     /* the id it ends with */
    int64_t passed, damaged, oldest;
    bool full;
    /* What the destination was: a turn that finds another one ignores it. */
    int lanes;
    enum destination_body body;
    int64_t shed;       /* of the destination's events, when it was read */
    int64_t express_to; /* the last event that had left the lane by then */
};

void prefetch_finish(struct prefetch *p); /* safe twice */

/* Most batches that a turn takes, and that wait taken behind the one in flight:
 * what a crash makes uncertain without need. Half of them are a sync's worth: a
 * sync takes as long as a few batches to an endpoint nearby. */
#define BATCH_AHEAD 12

struct take_options {
    int most_events;   /* slow start: at most so many now; 0 no such limit */
    bool hurry;        /* do not wait for a batch to fill or age */
    int64_t spread_ms; /* what waited through an outage waits so long yet */
    bool now;          /* do not wait for a retry or probe time either */
    int64_t not_yet;   /* wall ms: this very time is still to be waited for,
                          whatever the wall clock says by now; 0: none */
    bool ahead;        /* batches of the lane are in flight or taken: take those
                          to be sent when they have arrived */
    struct backlog *backlog;     /* surveyed: new events may overtake it; NULL:
                                    none is known. The turn's until it ends */
    size_t most;                 /* batches, up to BATCH_AHEAD; 0 is one */
    struct prefetch *prefetched; /* of prefetched_n, used up as far as they
                                    fit, in order */
    size_t prefetched_n;
};

enum taken {
    TAKEN_BATCH,
    TAKEN_NOTHING, /* nothing is left to send; a put will change that, or
                      the end of a hold at wait_until, if that is not 0 */
    TAKEN_FILLING, /* fewer events than a batch: a put may fill it, at
                      wait_until it is old enough */
    TAKEN_MORE,    /* nothing yet: the turn has kept others from writing for
                      long enough, the next one is to go on at once */
    TAKEN_WAIT,    /* something is to be sent again at wait_until */
    TAKEN_HELD,    /* likewise: wait_until is the next probe */
    TAKEN_PAUSED,
    TAKEN_GONE /* the destination has been removed */
};

/* What became of a batch that was settled. */
struct settled {
    bool died;    /* its single event is dead now */
    bool split;   /* it waits as two halves now */
    bool held;    /* the destination is held since this answer */
    bool resumed; /* the destination runs again since this answer */
};

/* A batch that landed. */
struct done {
    const struct batch *batch;
    const struct settlement *s;
    struct settled settled; /* set by the turn */
};

struct turn {
    enum taken taken; /* TAKEN_BATCH, or why there is no first or no further
                         one */
    size_t n;         /* taken */
    struct batch batches[BATCH_AHEAD]; /* the caller finishes them */
    int64_t wait_until;                /* wall ms */
    struct destination destination;    /* as it is now */
    int64_t damaged; /* rows set aside because their checksum is wrong */
    int64_t behind;  /* the log goes on behind this id; -1: its end is near;
                        0: no batch was cut of it */
    bool aged;       /* a long backlog from an outage is behind what was taken,
                        and nothing is known of it */
    bool over;       /* take->backlog is over, or not true any more */
    bool another;    /* what overtakes it has become a backlog itself */
};

/* What a turn is to do. */
struct order {
    struct done *done; /* settle these, in order */
    size_t done_n;
    const struct batch *back; /* taken ahead and never sent: they wait again */
    size_t back_n;
    const struct take_options *take; /* NULL: take nothing */
};

/* One turn of a lane. A batch that is taken is committed as `sending` before
 * this returns, so that a crash sends the same batch again under the same key.
 * Blocks on the disk: not for a loop's thread. On failure nothing is settled or
 * taken. */
enum spool_status batch_turn(struct outbox *box, int64_t destination, int lane,
                             const struct order *order, struct turn *turn,
                             struct spool_error *err);

/* Reads what the lane's next cuts behind an id will take, beside whoever
 * writes: up to most of them, until they have so many bytes or the log ends, in
 * one look at the log. *n of out are read then; each begins where the one
 * before it ends. out's batches are empty but may have memory, which serves for
 * these. Rows never change, so they stay true; a turn whose cursor stands
 * elsewhere ignores them. After a failure those that were read before it are
 * good. */
enum spool_status batch_prefetch(struct outbox *box,
                                 const struct destination *d, int lane,
                                 int64_t behind, size_t bytes,
                                 struct prefetch *out, size_t most, size_t *n,
                                 struct spool_error *err);

/* What an earlier flusher was sending when it ended is uncertain now. Call
 * once, with the flusher's lock held, before the first turn. *n batches. */
enum spool_status batch_recover(struct outbox *box, int64_t *n,
                                struct spool_error *err);

#endif
