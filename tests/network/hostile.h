/* An endpoint that misbehaves as a table says: raw sockets on the loopback, one
 * thread, a behaviour a request. What came is kept for the checker. */
#ifndef NETWORK_HOSTILE_H
#define NETWORK_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>

#include "network/tls_peer.h"
#include "support/checker.h"

enum hostile_reads { READS_ALL, READS_HALF, READS_HEADER, READS_NOTHING };

enum hostile_ends {
    ENDS_KEEP,
    ENDS_CLOSE,
    ENDS_RESET,
    ENDS_STALL,   /* open and mute until the client goes */
    ENDS_RESTART, /* reset, and nobody listens for a while */
    ENDS_SHUT     /* reads no more, so that the window shuts; reset once the
                     door is turned */
};

/* What stands at the port before anything is sent. */
enum hostile_door {
    DOOR_OPEN,
    DOOR_CLOSED, /* connections are refused */
    DOOR_FULL    /* the queue is full: nothing comes back at all */
};

struct behaviour {
    const char *name;
    /* What may become of the batch: D delivered, R retry, U uncertain,
     * X refused, H hold. */
    const char *classes;
    const char *answer;  /* bytes on the wire, %d the second host's port */
    const char *endless; /* after it, again and again */
    enum hostile_reads reads;
    enum hostile_ends ends;
    enum hostile_door door;
    int delay_ms; /* before the answer, */
    int drip_ms;  /* and before each of its bytes */
    int times;    /* requests in a row; 0 is 1 */
    bool keeps;   /* stores what it was sent, if that was whole */
    bool dedupes; /* likewise, and what comes again it does not */
    /* Where the batch is sent instead, until its first try is over. */
    const char *host;
    enum tls_peer tls;
    bool renews_trust; /* not the peer gets better: its authority is trusted */
    size_t bytes;      /* of the batch, about; 0: few */
    bool needs_realm;  /* realm.h */
    bool needs_ipv6;
    bool needs_patience; /* longer deadlines */
    int least_ms;        /* sooner than this it was no such fault */
    const char *unsaid;  /* by the reason that is reported */
    bool asks_for_a_day; /* and is not tried again before */
};

/* behaviours.c */
extern const struct behaviour behaviours[];
extern const size_t behaviour_count;

struct hostile;

struct hostile *hostile_start(void);
int hostile_port(const struct hostile *h);

/* The next requests meet these, one after another; all others are stored and
 * answered with success, on a connection that stays if keep. The table is
 * borrowed. n at most 16. */
void hostile_arm(struct hostile *h, const struct behaviour *const *list,
                 size_t n, bool keep);

/* How many of the armed ones no request has met, or were not what they say. */
size_t hostile_left(struct hostile *h);

/* Closes the door as said, and everything that is open. */
void hostile_door(struct hostile *h, enum hostile_door door);

void hostile_stop(struct hostile *h);

/* After hostile_stop: how many requests came here, how many of them met an
 * armed behaviour, and how many went to the second host. */
size_t hostile_requests(const struct hostile *h);
size_t hostile_fired(const struct hostile *h);
int hostile_strangers(const struct hostile *h);

/* Tells the checker all of them. */
void hostile_tell(const struct hostile *h, struct checker *c);
void hostile_free(struct hostile *h);

#endif
