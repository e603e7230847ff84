/* Batches: how a flusher takes events out of the log and says what became of
 * them. One flusher at a time works on a spool (lock.h).
 *
 * batch_turn is the whole way out: it settles the batch that was sent and takes
 * the next one, in one transaction, so that a request costs one sync. */
#ifndef OUTBOX_BATCH_H
#define OUTBOX_BATCH_H

#include "base/buffer.h"
#include "base/random.h"
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
    size_t n;            /* events in it, at least 1 */
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

/* How a request body is put together from events. */
struct framing {
    const char *open, *between, *close;
};

struct take_options {
    struct framing framing;
    int most_events; /* slow start: at most so many now; 0 no such limit */
    bool hurry;      /* do not wait for a batch to fill or age */
    bool now;        /* do not wait for a retry or probe time either */
};

enum taken {
    TAKEN_BATCH,
    TAKEN_NOTHING, /* all events are settled; a put will change that */
    TAKEN_WAIT,    /* something is due at wait_until */
    TAKEN_HELD,    /* likewise: wait_until is the next probe */
    TAKEN_PAUSED,
    TAKEN_GONE /* the destination has been removed */
};

struct turn {
    /* What became of the batch that was settled. */
    bool died;    /* its single event is dead now */
    bool split;   /* it waits as two halves now */
    bool held;    /* the destination is held since this answer */
    bool resumed; /* the destination runs again since this answer */
    /* What comes next. */
    enum taken taken;
    int64_t wait_until;             /* wall ms */
    struct destination destination; /* as it is now */
    struct batch batch;             /* TAKEN_BATCH: the caller finishes it */
    int64_t damaged; /* rows set aside because their checksum is wrong */
};

/* Settles done (NULL: nothing to settle) as s says, then takes the next batch
 * of the lane; take NULL only settles. The batch is committed as `sending`
 * before this returns, so that a crash sends the same batch again under the
 * same key. Blocks on the disk: not for a loop's thread. On failure nothing is
 * settled or taken. */
enum spool_status batch_turn(struct outbox *box, int64_t destination, int lane,
                             const struct batch *done,
                             const struct settlement *s,
                             const struct take_options *take, struct turn *turn,
                             struct spool_error *err);

/* What an earlier flusher was sending when it ended is uncertain now. Call
 * once, with the flusher's lock held, before the first turn. *n batches. */
enum spool_status batch_recover(struct outbox *box, int64_t *n,
                                struct spool_error *err);

#endif
