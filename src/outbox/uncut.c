#include "outbox/uncut.h"

#include "outbox/hold.h"
#include "outbox/row.h"

/* Ids that a lane is cut past in one transaction. */
#define CUT_MOST 50000

/* The next tile of the lane, from the cursor to hi, which the cursor is then.
 */
static enum spool_status append_tile(struct db *db, struct uncut u,
                                     int64_t *cursor, int64_t hi,
                                     enum tile_state state, const char *code,
                                     const char *reason, struct tile *t,
                                     struct spool_error *err)
{
    *t = (struct tile){.destination = u.members->destination,
                       .lane = u.members->lane,
                       .lo = *cursor + 1,
                       .hi = hi,
                       .state = state};
    uuid_v7(u.rng, u.now, t->key);
    *cursor = hi;
    enum spool_status status =
        tile_count(db, u.members, t->lo, t->hi, &t->events, &t->passed, err);
    if (status == SPOOL_OK) {
        status = tile_insert(db, t, u.now, code, reason, err);
    }
    if (status == SPOOL_OK) {
        status = db_run(db, err, STATEMENT_LANE_MOVE, "iii",
                        u.members->destination, (int64_t)u.members->lane, hi);
    }
    return status;
}

static enum spool_status is_of_lane(struct db *db, struct uncut u, int64_t id,
                                    bool *out, struct spool_error *err)
{
    sqlite3_stmt *s = db_query(db, STATEMENT_EVENT_GET, "i", id);
    enum spool_status status = db_row(db, s, out, err);
    if (status == SPOOL_OK && *out) {
        struct row row;
        row_read(s, &row);
        bool taken = membership_takes(u.members, row.body, row.len);
        int64_t part = row.part;
        int lane;
        (void)sqlite3_reset(s);
        status = membership_find_lane(db, u.members, id, part, &lane, err);
        *out = taken && lane == u.members->lane;
    }
    return status;
}

static enum spool_status cut_held_one(struct db *db, struct uncut u,
                                      int64_t *cursor, int64_t held,
                                      struct spool_error *err)
{
    struct tile t;
    bool quarantined;
    char reason[DESTINATION_REASON_SIZE];
    enum spool_status status =
        hold_look_up(db, held, &quarantined, reason, sizeof reason, err);
    if (status == SPOOL_OK && held > *cursor + 1) {
        status = append_tile(db, u, cursor, held - 1, TILE_PENDING, NULL, NULL,
                             &t, err);
    }
    return status == SPOOL_OK
               ? append_tile(db, u, cursor, held,
                             quarantined ? TILE_DEAD : TILE_HELD,
                             quarantined ? "INVALID" : "", reason, &t, err)
               : status;
}

/* What is held or quarantined before id becomes a tile of its own, as when the
 * flusher comes to it: in a pending one it would count as waiting to be sent.
 */
static enum spool_status cut_held(struct db *db, struct uncut u,
                                  int64_t *cursor, int64_t id,
                                  struct spool_error *err)
{
    int64_t held = *cursor;
    for (;;) {
        bool ours;
        enum spool_status status = hold_next_event(db, held + 1, &held, err);
        if (status != SPOOL_OK || held >= id) {
            return status;
        }
        status = is_of_lane(db, u, held, &ours, err);
        if (status == SPOOL_OK && ours) {
            status = cut_held_one(db, u, cursor, held, err);
        }
        if (status != SPOOL_OK) {
            return status;
        }
    }
}

enum spool_status uncut_take(struct db *db, struct uncut u, int64_t id,
                             int64_t hi, struct tile *t,
                             struct spool_error *err)
{
    int64_t cursor;
    enum spool_status status =
        db_number(db, err, 0, &cursor, STATEMENT_LANE_CURSOR, "ii",
                  u.members->destination, (int64_t)u.members->lane);
    if (status == SPOOL_OK) {
        status = cut_held(db, u, &cursor, id, err);
    }
    return status == SPOOL_OK ? append_tile(db, u, &cursor, hi, TILE_PENDING,
                                            NULL, NULL, t, err)
                              : status;
}

enum spool_status uncut_approach(struct db *db, struct uncut u, int64_t id,
                                 bool *more, struct spool_error *err)
{
    int64_t cursor = 0;
    const struct membership *m = u.members;
    *more = false;
    if (m->lane >= m->lanes) {
        return SPOOL_OK;
    }
    enum spool_status status =
        db_number(db, err, -1, &cursor, STATEMENT_LANE_CURSOR, "ii",
                  m->destination, (int64_t)m->lane);
    int64_t hi = cursor + CUT_MOST;
    if (status != SPOOL_OK || cursor < 0 || hi >= id ||
        (m->filter == NULL && membership_has_all(m, cursor + 1))) {
        return status;
    }
    struct tile t;
    *more = true;
    status = cut_held(db, u, &cursor, hi + 1, err);
    return status == SPOOL_OK && cursor < hi
               ? append_tile(db, u, &cursor, hi, TILE_PENDING, NULL, NULL, &t,
                             err)
               : status;
}
