/* A spool under siege: producers, a flusher and an endpoint at work, and
 * kill -9 at random moments, round after round; then everything is drained and
 * judged. */
#ifndef CRASH_SIEGE_H
#define CRASH_SIEGE_H

#include "base/random.h"
#include "support/checker.h"

/* Mistakes that may be planted: the last argument of crash-producer and of
 * crash-flusher. NULL: none. */
struct siege_mistakes {
    const char *producer;
    const char *flusher;
};

/* Added up over sieges. */
struct siege_tally {
    long rounds;
    long producers_killed, producers_hit; /* hit: with a put under way */
    long flushers_killed, flushers_hit;   /* with a batch in flight */
    long all_killed;      /* rounds in which nobody was left: the next one to
                             open has to recover the file */
    long queue_not_empty; /* rounds in which something waited when it was hit */
    long findings;        /* of verify, after every round */
    long deserters;       /* workers that ended by themselves, and whatever else
                             should not have happened */
    double reopen_ms_max; /* longest opening of the file after a kill */
    struct checker_report judged; /* of all of them */
};

/* One spool through so many rounds. Everything random comes from rng. */
void siege(struct rng *rng, long rounds, const struct siege_mistakes *mistakes,
           struct siege_tally *tally);

#endif
