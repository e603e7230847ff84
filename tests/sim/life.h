/* What happens to a simulated machine: twelve operations, drawn or given. */
#ifndef SIM_LIFE_H
#define SIM_LIFE_H

#include "sim/world.h"

enum op {
    OP_PUT,
    OP_PUT_MANY,
    OP_PUT_HELD,
    OP_PUT_PAGE,
    OP_RUN,
    OP_CRASH,
    OP_CLOCK,
    OP_PAUSE, /* or resume */
    OP_REPLAY,
    OP_PURGE,
    OP_RETAIN,
    OP_PLACE, /* a destination comes or goes */
    OPS
};

struct life {
    const char *folder;
    uint64_t seed;
    enum plant plant;
    bool backlog;       /* begins with an outage */
    bool clocks;        /* mostly jumps of the clocks */
    const enum op *ops; /* NULL: drawn */
    int n;
    int64_t hour_ms; /* virtual time to fill */
};

/* Lives through it, then lets all faults end and waits until it has drained.
 * w->m says whether the promises held, w->hash what happened. */
void life_run(struct world *w, const struct life *life);

#endif
