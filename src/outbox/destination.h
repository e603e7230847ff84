/* Destinations: the readers of the log, as an operator sets them up. */
#ifndef OUTBOX_DESTINATION_H
#define OUTBOX_DESTINATION_H

#include "outbox/outbox.h"

#define DESTINATION_NAME_SIZE 65 /* 64 bytes */

/* Stands for destinations that damage took (keep.h): paused, and without a URL;
 * recover and adding them again is what helps. */
#define DESTINATION_STAND_IN "lost-destinations"

#define DESTINATION_URL_SIZE     1024
#define DESTINATION_TEXT_SIZE    1024
#define DESTINATION_REASON_SIZE  400
#define DESTINATION_HEADERS_SIZE 2048
#define DESTINATION_LANES_MAX    256

enum destination_state {
    DESTINATION_RUNNING,
    DESTINATION_HELD,
    DESTINATION_PAUSED
};

/* Why it is held. */
enum hold_kind {
    HOLD_NONE,
    HOLD_FAULT,   /* account, URL, TLS, portal: no event was judged */
    HOLD_REFUSING /* it refuses every event it is sent */
};

/* What a request's body is. */
enum destination_body {
    BODY_ARRAY,  /* a JSON array of events */
    BODY_OBJECT, /* one event */
    BODY_NDJSON  /* an event a line */
};

struct destination {
    int64_t id;
    char name[DESTINATION_NAME_SIZE];
    char url[DESTINATION_URL_SIZE];
    char profile[32];
    char origin[256];                         /* "" none */
    char api_key_file[DESTINATION_TEXT_SIZE]; /* "" none */
    char filter[DESTINATION_TEXT_SIZE];       /* "" takes all */
    int lanes;
    int batch_events;
    int64_t batch_bytes;
    int64_t batch_age_ms;
    int64_t backoff_base_ms;
    int64_t backoff_cap_ms;
    int hold_after; /* refused events in a row before it is held; 0: never */
    int64_t base;   /* reads the log behind this id */
    enum destination_body body;
    char success[128]; /* statuses that mean success; "" the profile's rule */
    char headers[DESTINATION_HEADERS_SIZE];  /* of its own, a line each */
    char header_file[DESTINATION_TEXT_SIZE]; /* where more are; "" none */
    char ca_file[DESTINATION_TEXT_SIZE];     /* "" the system's */
    char client_cert[DESTINATION_TEXT_SIZE]; /* "" none */
    char client_key[DESTINATION_TEXT_SIZE];  /* "" it is in client_cert */
    char proxy[256];                         /* "" none */
    int64_t rate;      /* events a second at most; 0: no limit */
    int64_t spread_ms; /* a start on a backlog is put off by up to this */
    /* What became of it; ignored by add and set. */
    enum destination_state state;
    enum hold_kind hold_kind;
    char reason[DESTINATION_REASON_SIZE];
    int64_t since; /* wall ms */
    int probes;
    int64_t next_probe_at; /* wall ms */
    int dead_in_row;
    int64_t shed; /* events that gave way before it came to them: who has read
                     ahead reads again when this has changed */
    int64_t express_to; /* none behind this id went by an express lane */
    int64_t rewound;    /* changes when settled events are to wait again */
};

/* All numbers as they are by default; base 0: from the beginning. */
void destination_default(struct destination *d);

const char *destination_state_name(enum destination_state state);
const char *destination_body_name(enum destination_body body);

/* False if there is no body of that name. */
bool destination_body_find(const char *name, enum destination_body *out);

/* d->base < 0 means "from now on"; the beginning is where retention has left
 * the log whole. Sets d->id. SPOOL_EXISTS when the name is taken, SPOOL_MISUSE
 * with a sentence for a value out of range. */
enum spool_status destination_add(struct outbox *box, struct destination *d,
                                  struct spool_error *err);

/* Writes back what can be changed. Filter and base cannot: the log has been cut
 * by them. Body and lanes only while nothing is in flight or waits to be sent
 * again, else SPOOL_BUSY; other lanes cut the log anew, which reads all of it
 * that is kept. Resets a hold, so that the next attempt is made at once. */
enum spool_status destination_set(struct outbox *box,
                                  const struct destination *d,
                                  struct spool_error *err);

/* Takes the destination, its batches and attempts out; the events stay.
 * undelivered is what it had not delivered; written to the audit log. */
enum spool_status destination_remove(struct outbox *box, const char *name,
                                     int64_t *undelivered,
                                     struct spool_error *err);

/* SPOOL_NOT_FOUND names the destinations there are. */
enum spool_status destination_find(struct outbox *box, const char *name,
                                   struct destination *out,
                                   struct spool_error *err);

/* All destinations, ordered by id, or the one of this name as destination_find
 * does. The caller frees *out; after a failure there is nothing to free. */
enum spool_status destination_list(struct outbox *box, const char *name,
                                   struct destination **out, size_t *n,
                                   struct spool_error *err);

/* By an operator, and audited. Resume also ends a hold at once. */
enum spool_status destination_pause(struct outbox *box, const char *name,
                                    struct spool_error *err);
enum spool_status destination_resume(struct outbox *box, const char *name,
                                     struct spool_error *err);

#endif
