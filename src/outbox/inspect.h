/* Looking at an outbox beside whoever writes it. Every function reads in one or
 * more short snapshots and never holds one over a whole listing, so that the
 * WAL can restart; a long listing therefore shows each part as of its own
 * moment.
 */
#ifndef OUTBOX_INSPECT_H
#define OUTBOX_INSPECT_H

#include "outbox/destination.h"
#include "outbox/outbox.h"

/* An event's state for one destination. */
enum event_state {
    EVENT_PENDING,
    EVENT_SENDING,
    EVENT_RETRYING,
    EVENT_UNCERTAIN,
    EVENT_DELIVERED,
    EVENT_DEAD,
    EVENT_PURGED,
    EVENT_HELD /* waits for the next page of its session */
};
#define EVENT_STATES (EVENT_HELD + 1)

const char *event_state_name(enum event_state state);

struct sums {
    int64_t accepted; /* for this destination: behind its base */
    int64_t by_state[EVENT_STATES];
    int64_t passed;    /* not taken by its filter */
    int64_t lost;      /* by damage: neither their rows nor a batch is left */
    int64_t waiting;   /* pending + sending + retrying + uncertain + held */
    int64_t oldest_id; /* of the oldest waiting event, 0 when none waits */
    int64_t oldest_at; /* wall ms it was accepted at, 0 when none waits */
    int64_t unheld_at; /* likewise, of those that wait for no page */
    int64_t next_at;   /* wall ms of the next attempt, 0 when none is set */
    int64_t delivered_last_minute;
};

enum spool_status inspect_sums(struct outbox *box, const struct destination *d,
                               struct sums *out, struct spool_error *err);

/* The last id given: as many events have ever been accepted. */
enum spool_status inspect_last_id(struct outbox *box, int64_t *out,
                                  struct spool_error *err);

struct event_record {
    int64_t id;
    int64_t at;
    int64_t part;
    const char *body; /* borrowed during the call */
    size_t len;
    bool whole; /* its checksum fits */
    /* For the destination that was asked about; without one, pending. */
    enum event_state state;
    int64_t batch; /* 0 when it has not been cut yet */
    int attempts, uncertain;
    int64_t next_at;
    const char *key;    /* Idempotency-Key of the batch, "" when none */
    const char *code;   /* "" when none */
    const char *reason; /* "" when none */
};

/* Which events: zeroed means all of them, from the oldest on. */
struct event_range {
    int64_t lo, hi;       /* ids; hi 0: to the end */
    unsigned states;      /* bit 1 << event_state each; 0: any */
    int64_t since, until; /* accepted at; 0: any */
};

/* False ends the listing. */
typedef bool inspect_event(void *arg, const struct event_record *event);

/* Calls each for the events of a range as destination d (NULL: no matter
 * which) has them, by id. Events that d's filter passes over are left out.
 * Looks only at tiles of the states asked for. each may not call into the
 * outbox. */
enum spool_status inspect_events(struct outbox *box,
                                 const struct destination *d,
                                 const struct event_range *range,
                                 inspect_event *each, void *arg,
                                 struct spool_error *err);

struct attempt_record {
    int64_t at;
    const char *verdict;
    int http, curl;
    const char *code;
    int64_t duration_ms;
    int64_t events; /* how many were in the request */
    const char *key;
    const char *answer;
};

/* Every request that carried the event, oldest first. */
enum spool_status
inspect_attempts(struct outbox *box, const struct destination *d,
                 const struct event_record *event,
                 void (*each)(void *arg, const struct attempt_record *a),
                 void *arg, struct spool_error *err);

/* What does not add up: called once a finding, a sentence each. */
typedef void verify_finding(void *arg, const char *sentence);

/* Checks SQLite's own structure, every row's checksum, that ids are dense,
 * that batches tile their lanes and that the sums add up. SPOOL_OK however
 * much is found; *findings says how much. */
enum spool_status verify(struct outbox *box, verify_finding *each, void *arg,
                         int64_t *findings, struct spool_error *err);

#endif
