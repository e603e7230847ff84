/* One simulated machine: an outbox, its flusher, the clocks, the endpoints, and
 * the model of what they promise. Everything in it comes from one seed. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "base/random.h"
#include "delivery/flusher.h"
#include "sim/model.h"

/* Mistakes to plant, each of which the model must find. */
enum plant {
    PLANT_NONE,
    PLANT_SETTLES,  /* a batch that was not answered well counts as delivered */
    PLANT_BURIES,   /* an endpoint's fault is taken for the event's */
    PLANT_REVERSES, /* a request's events leave in the wrong order */
    PLANT_FLIPS,    /* a byte changes on the way */
    PLANT_SENDS_TWICE, /* a request is repeated by whoever carries it */
    PLANT_FORGETS,     /* a process that dies takes what it was told along */
    PLANT_REKEYS,      /* a resend goes under a new key */
    PLANT_BLIND,       /* nobody looks who waits in a backlog */
    PLANT_WALL_CLOCK,  /* waiting is measured by the clock on the wall */
    PLANTS
};

enum answer { YES, BUSY_503, SLOW_DOWN_429, LOST, UNSENT, FAULT_401, ANSWERS };

#define REQUESTS_MAX 4096

struct request_seen {
    size_t place;
    int lane;
    char key[UUID_SIZE];
    uint64_t digest;
    size_t events[64], n;
    enum answer answer;
    bool refused, stored, answered, settled, dead_to_us;
    int64_t at; /* mono */
};

struct counts {
    int64_t accepted, requests, crashes, store_faults, jumps, ambiguous,
        refusals, faults, resends, backlogs, overtakes;
};

struct world {
    struct rng rng;
    struct model m;
    struct counts counts;
    uint64_t hash;
    enum plant plant;
    bool crowded;       /* long backlogs, sessions that come and go */
    int fault_percent;  /* of answers */
    int store_faults;   /* turns to fail yet */
    int64_t wall_ahead; /* wall - mono */
    struct clock clock;
    char folder[64], path[96];
    struct outbox *box;
    struct flusher *flusher;
    bool stopped;
    bool ghost; /* the process is dead: what it does is undone */
    int64_t fail_row_at[MODEL_PLACES][4]; /* mono, 0: none */
    int fail_row[MODEL_PLACES][4];
    struct request_seen *requests;
    size_t request_n;
    int retired[MODEL_PLACES];       /* removed, and not to come back */
    size_t touched_at[MODEL_PLACES]; /* request_n when an operator cut tiles */
};

void world_open(struct world *w, const char *folder, uint64_t seed,
                enum plant plant);
void world_close(struct world *w);

/* Nothing is left of the worlds that were. */
void world_end(struct world *w);

void world_note(struct world *w, const void *bytes, size_t n); /* trace */
int world_draw(struct world *w, int n);                        /* 0..n-1 */
int64_t world_wall(struct world *w);

void world_box_open(struct world *w);
void world_flusher_start(struct world *w);
void world_flusher_stop(struct world *w);
void world_run(struct world *w, int64_t ms);

/* The process dies between two instructions, and starts again. */
void world_crash(struct world *w);

/* Everything that can be asked of the product, held against the model. */
void world_check(struct world *w);

/* endpoint.c */
extern const struct sender_ops endpoint_sender;
extern struct world *world; /* the one there is */

/* What nobody will be told of any more. */
void endpoint_forget(struct world *w);

#endif
