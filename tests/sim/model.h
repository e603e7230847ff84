/* What a spool must look like after what was done to it, told without any of
 * its code: a list of the events that were accepted, and for each destination
 * what its endpoint saw of them. */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_EVENTS 512
#define MODEL_PLACES 4
#define MODEL_BODY   96

struct model_event {
    int64_t id; /* 0: none */
    uint32_t part;
    char body[MODEL_BODY];
    size_t len;
    bool odd;    /* what the filter asks for */
    bool poison; /* the endpoint refuses it */
    bool quarantined;
    bool let_go; /* was quarantined, until it was replayed somewhere */
    bool keyed;
    int64_t until; /* held until; 0: never was */
    size_t page;   /* what let it go; 0: nothing yet */
    bool may_go;   /* its time has been over, or somebody let it go */
};

/* An event as a destination's endpoint has it. */
struct model_seen {
    int stored;    /* times */
    int explained; /* reasons for it to be stored again */
    int ambiguous; /* tries of which nobody knows */
    bool answered; /* delivered, says an answer the sender got */
    bool settled;  /* and it was recorded, since the last replay */
    bool taken;    /* out of the log, to be sent */
    bool refused;  /* alone */
    bool purged;
    bool late; /* its place in the order is no longer promised */
};

struct model_place {
    bool there;
    int gone[4]; /* by lane: 0, or 1 + requests since the flusher saw that */
    int64_t id, base;
    int lanes;
    bool filtered;
    struct model_seen seen[MODEL_EVENTS];
};

struct model {
    size_t n; /* events, from 1 on */
    struct model_event events[MODEL_EVENTS];
    struct model_place places[MODEL_PLACES];
    bool failed;
    char why[256]; /* the first thing that does not hold */
};

void model_fail(struct model *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

bool model_takes(const struct model_place *p, const struct model_event *e);

/* The wall clock shows now: what is held may be over. */
void model_clock(struct model *m, int64_t now);

/* A page of its part was accepted as event n. */
void model_page(struct model *m, size_t n);

/* A request to a place that was removed begins with event n: only what was
 * taken before may leave, and one at most, which was on its way to the network
 * just then, once the lane has found it gone. */
void model_check_removed(struct model *m, size_t place, int lane, size_t n);

/* The endpoint of a place stores event n, with these bytes. */
void model_store(struct model *m, size_t place, size_t n, const char *body,
                 size_t len);

/* Whether a place may say so of event n. */
void model_check_state(struct model *m, size_t place, size_t n,
                       const char *state);

/* The event is in the log no more. */
void model_check_gone(struct model *m, size_t n);

#endif
