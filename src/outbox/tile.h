/* Tiles: the ranges of the log that a lane has been cut into. Everything that
 * happens to events is cutting tiles: a refused batch becomes two of half the
 * range, a single refused event is a tile of one that is dead, replay and purge
 * cut theirs out of what is there.
 *
 * All of it runs inside the caller's write transaction on db. */
#ifndef OUTBOX_TILE_H
#define OUTBOX_TILE_H

#include "base/random.h"
#include "outbox/db.h"
#include "outbox/destination.h"

struct outbox;

enum tile_state {
    TILE_PENDING,
    TILE_SENDING,
    TILE_RETRYING,
    TILE_UNCERTAIN,
    TILE_DELIVERED,
    TILE_DEAD,
    TILE_PURGED,
    TILE_HELD /* one event, waits for the next page of its session */
};
#define TILE_STATES (TILE_HELD + 1)

const char *tile_state_name(enum tile_state state);
bool tile_is_waiting(enum tile_state state);

struct tile {
    int64_t id;
    int64_t destination;
    int lane;
    int64_t lo, hi;
    int64_t events, passed;
    enum tile_state state;
    char key[UUID_SIZE];
    int attempts, uncertain, unknown;
    int64_t next_at;
};

/* The columns of a query that ends in STATEMENT_TILE_COLUMNS. */
void tile_read(sqlite3_stmt *s, struct tile *t);

/* Which events are a lane's own. */
struct membership {
    int lanes;
    int lane;
    const struct outbox_filters *filters;
    void *filter; /* NULL takes all */
    int64_t destination;
};

enum spool_status membership_open(struct membership *m, struct outbox *box,
                                  const struct destination *d, int lane,
                                  struct spool_error *err);
void membership_close(struct membership *m);

/* Asked of every row, and of most spools with one lane. */
static inline bool membership_has_part(const struct membership *m, int64_t part)
{
    return m->lanes == 1 || part % m->lanes == m->lane;
}

bool membership_takes(const struct membership *m, const char *body, size_t len);

/* How many of lo..hi are the lane's own, taken by the filter and passed over.
 */
enum spool_status tile_count(struct db *db, const struct membership *m,
                             int64_t lo, int64_t hi, int64_t *events,
                             int64_t *passed, struct spool_error *err);

/* Splits t behind id: t keeps lo..id, *right is id+1..hi. A tile that may have
 * been sent before and still waits gets new keys on both sides, since their
 * bytes are new; its attempts stay counted. lo <= id < hi. */
enum spool_status tile_split(struct db *db, struct rng *rng, int64_t now,
                             const struct membership *m, struct tile *t,
                             int64_t id, struct tile *right,
                             struct spool_error *err);

/* Makes lo..hi, which lies inside t, a tile of its own: *t is it then. */
enum spool_status tile_carve(struct db *db, struct rng *rng, int64_t now,
                             const struct membership *m, struct tile *t,
                             int64_t lo, int64_t hi, struct spool_error *err);

enum spool_status tile_insert(struct db *db, struct tile *t, int64_t now,
                              const char *code, const char *reason,
                              struct spool_error *err);

/* Writes the state and everything that goes with it. */
enum spool_status tile_set(struct db *db, const struct tile *t, int64_t now,
                           const char *code, const char *reason,
                           struct spool_error *err);

#endif
