#include "outbox/turn.h"

#include <string.h>

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)

/* A tenth of a second or so of rows, and what a tile costs in rows. */
#define VAIN_MOST 50000
#define VAIN_TILE 100

/* A time on disk may come from a clock that was set since: nothing waits for
 * longer than the longest wait there is. */
bool turn_time_is_over(const struct turn_job *j, int64_t at)
{
    if (j->take->now || (at != 0 && at == j->take->not_yet)) {
        return j->take->now;
    }
    return at <= j->now || at > j->now + DAY_MS + DAY_MS / 8;
}

/* What seems to come from the future was put before the clock was set back: how
 * old it is nobody knows, and it does not wait until the clock is there again.
 */
bool turn_is_due(const struct turn_job *j, bool full, int64_t oldest)
{
    return full || j->take->hurry || oldest > j->now ||
           j->turn->destination.state == DESTINATION_HELD ||
           turn_time_is_over(j, oldest + j->turn->destination.batch_age_ms);
}

void turn_count_vain(struct turn_job *j, int64_t rows)
{
    j->vain += rows + VAIN_TILE;
}

bool turn_is_long(const struct turn_job *j)
{
    return j->vain >= VAIN_MOST;
}

struct tile turn_new_tile(struct turn_job *j, int64_t lo, int64_t hi,
                          int64_t events, int64_t passed, enum tile_state state)
{
    struct tile t = {.destination = j->destination,
                     .lane = j->lane,
                     .lo = lo,
                     .hi = hi,
                     .events = events,
                     .passed = passed,
                     .state = state};
    uuid_v7(&j->box->rng, j->now, t.key);
    return t;
}

void turn_give(struct turn_job *j, const struct tile *t, struct batch *b,
               bool more)
{
    b->id = t->id;
    b->destination = t->destination;
    b->lane = t->lane;
    b->lo = t->lo;
    b->hi = t->hi;
    memcpy(b->key, t->key, sizeof b->key);
    b->attempts = t->attempts;
    b->unknown = t->unknown;
    b->probe = j->turn->destination.state == DESTINATION_HELD;
    b->more = more;
    j->turn->taken = TAKEN_BATCH;
    j->turn->batches[j->turn->n++] = *b;
    *b = (struct batch){0};
}
