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
    bool whole; /* its events are those that the log holds: retention dropped
                   none. Not on disk: it is true of what is not settled, and of
                   what has been counted */
};

/* The columns of a query that ends in STATEMENT_TILE_COLUMNS. */
void tile_read(sqlite3_stmt *s, struct tile *t);

/* Which events are a lane's own: those of its sessions but for the runs that
 * went by its express lane, which are that one's (schema/0005_express.sql). The
 * express lane of lane l is lanes + l. */
struct membership {
    int lanes;
    int lane; /* may be set to another one before a pass */
    const struct outbox_filters *filters;
    void *filter; /* NULL takes all */
    int64_t destination;
    int64_t express_to;     /* none behind this id went by an express lane */
    int64_t run_lo, run_hi; /* the next run of a pass; nothing is known of ids
                               behind it */
};

/* d as it is in the transaction that asks, or membership_renew follows. */
enum spool_status membership_open(struct membership *m, struct outbox *box,
                                  const struct destination *d, int lane,
                                  struct spool_error *err);
void membership_close(struct membership *m);

/* A new snapshot: what went by an express lane meanwhile. */
enum spool_status membership_renew(struct db *db, struct membership *m,
                                   struct spool_error *err);

/* A pass over rows in order is to ask membership_has from id on. */
enum spool_status membership_look(struct db *db, struct membership *m,
                                  int64_t id, struct spool_error *err);

/* False: look again, from this id on. */
static inline bool membership_knows(const struct membership *m, int64_t id)
{
    return id <= m->run_hi;
}

/* Asked of every row, and of most spools with one lane. */
static inline bool membership_has(const struct membership *m, int64_t id,
                                  int64_t part)
{
    bool express = m->lane >= m->lanes;
    return (m->lanes == 1 || part % m->lanes == m->lane % m->lanes) &&
           (id >= m->run_lo) == express;
}

/* The lane of one event, without a pass. */
enum spool_status membership_find_lane(struct db *db,
                                       const struct membership *m, int64_t id,
                                       int64_t part, int *lane,
                                       struct spool_error *err);

/* Whether every event from id on is the lane's. */
static inline bool membership_has_all(const struct membership *m, int64_t id)
{
    return m->lanes == 1 && id > m->express_to;
}

bool membership_takes(const struct membership *m, const char *body, size_t len);

/* How many of lo..hi are the lane's own, taken by the filter and passed over.
 */
enum spool_status tile_count(struct db *db, struct membership *m, int64_t lo,
                             int64_t hi, int64_t *events, int64_t *passed,
                             struct spool_error *err);

/* Splits t behind id: t keeps lo..id, *right is id+1..hi. A tile that may have
 * been sent before and still waits gets new keys on both sides, since their
 * bytes are new; its attempts stay counted. lo <= id < hi. */
enum spool_status tile_split(struct db *db, struct rng *rng, int64_t now,
                             struct membership *m, struct tile *t, int64_t id,
                             struct tile *right, struct spool_error *err);

/* Makes lo..hi, which lies inside t, a tile of its own: *t is it then. */
enum spool_status tile_carve(struct db *db, struct rng *rng, int64_t now,
                             struct membership *m, struct tile *t, int64_t lo,
                             int64_t hi, struct spool_error *err);

enum spool_status tile_insert(struct db *db, struct tile *t, int64_t now,
                              const char *code, const char *reason,
                              struct spool_error *err);

/* Writes the state and everything that goes with it. */
enum spool_status tile_set(struct db *db, const struct tile *t, int64_t now,
                           const char *code, const char *reason,
                           struct spool_error *err);

#endif
