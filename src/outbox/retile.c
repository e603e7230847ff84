#include "outbox/retile.h"

#include <stdio.h>
#include <stdlib.h>

#include "outbox/hold.h"
#include "outbox/keep.h"
#include "outbox/salvage.h"
#include "outbox/store.h"

/* One lane of a destination, being tiled anew. */
struct lane {
    const struct destination *d;
    struct membership members;
    int64_t cursor; /* cut up to here, as far as it is known; 0: unknown */
    int64_t to;
    bool believed; /* its tiles say what became of their events */
};

static enum spool_status put_tile(struct db *db, struct retile *r,
                                  struct lane *l, struct tile *t,
                                  struct spool_error *err)
{
    int64_t events = t->events, passed = t->passed;
    enum spool_status status =
        tile_count(db, &l->members, t->lo, t->hi, &t->events, &t->passed, err);
    if (status != SPOOL_OK) {
        return status;
    }
    bool same = events == t->events && passed == t->passed;
    if (t->key[0] == '\0' || (!same && tile_is_waiting(t->state))) {
        uuid_v7(&r->rng, outbox_now(r->box), t->key); /* its bytes are new */
    }
    return tile_insert(db, t, outbox_now(r->box), NULL, NULL, err);
}

/* The state of an event that no batch is known of. */
static enum spool_status held_state(struct db *db, int64_t event,
                                    enum tile_state *state,
                                    struct spool_error *err)
{
    bool row;
    sqlite3_stmt *s = db_query(db, STATEMENT_HOLD_GET, "i", event);
    enum spool_status status = db_row(db, s, &row, err);
    if (status == SPOOL_OK && row) {
        *state = sqlite3_column_int(s, 0) != 0 ? TILE_DEAD : TILE_HELD;
        (void)sqlite3_reset(s);
    }
    return status;
}

/* lo..hi is pending again, in tiles of a batch's size; held events are tiles
 * of their own. */
static enum spool_status put_gap(struct db *db, struct retile *r,
                                 struct lane *l, int64_t lo, int64_t hi,
                                 struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    int64_t step = l->d->body == BODY_OBJECT ? 1 : l->d->batch_events;
    while (status == SPOOL_OK && lo <= hi) {
        int64_t held = 0;
        struct tile t = {.destination = l->d->id, .lane = l->members.lane};
        t.state = TILE_PENDING;
        t.lo = lo;
        t.hi = lo + step - 1 < hi ? lo + step - 1 : hi;
        status = db_number(db, err, 0, &held, STATEMENT_HOLD_NEXT, "i", lo);
        if (lo <= r->report->behind) { /* dropped, so it was settled */
            t.hi = hi < r->report->behind ? hi : r->report->behind;
            t.state = TILE_DELIVERED;
        } else if (status == SPOOL_OK && held == lo) {
            t.hi = lo;
            status = held_state(db, lo, &t.state, err);
        } else if (held > lo && held <= t.hi) {
            t.hi = held - 1;
        }
        if (status == SPOOL_OK) {
            status = put_tile(db, r, l, &t, err);
        }
        if (status == SPOOL_OK && t.lo <= l->cursor && t.events > 0 &&
            t.lo > r->report->behind) {
            r->report->twice += t.events;
            recover_tell(db, r->report, RECOVER_TWICE, l->d->name, t.lo, t.hi);
        }
        lo = t.hi + 1;
    }
    return status;
}

static int by_lo(const void *a, const void *b)
{
    const struct tile *x = a, *y = b;
    return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* The tiles of the lane's express lane that follow one another. */
static enum spool_status put_express_tiles(struct db *db, struct retile *r,
                                           struct lane *l, bool *whole,
                                           struct spool_error *err)
{
    struct tile *tiles;
    size_t n;
    int64_t next = 1;
    enum spool_status status = SPOOL_OK;
    *whole = salvage_tiles(r->damaged, l->d->id, l->members.lane, &tiles, &n);
    if (n > 0) {
        qsort(tiles, n, sizeof *tiles, by_lo);
    }
    for (size_t i = 0; status == SPOOL_OK && i < n; i++) {
        if (tiles[i].lo >= next && tiles[i].hi <= l->to) {
            next = tiles[i].hi + 1;
            status = put_tile(db, r, l, &tiles[i], err);
        }
    }
    free(tiles);
    return status;
}

/* Whether every run lies in tiles. */
static enum spool_status runs_are_tiled(struct db *db, const struct retile *r,
                                        const struct destination *d, bool *are,
                                        struct spool_error *err)
{
    bool more;
    *are = true;
    sqlite3_stmt *s = db_query(db, STATEMENT_EXPRESS_RUNS, "i", d->id);
    enum spool_status status = db_row(db, s, &more, err);
    while (status == SPOOL_OK && more && *are) {
        int64_t lane = sqlite3_column_int64(s, 0);
        int64_t lo = sqlite3_column_int64(s, 1);
        int64_t hi = sqlite3_column_int64(s, 2);
        for (bool found = true; status == SPOOL_OK && *are && found &&
                                hi <= r->report->to && lo <= hi;) {
            struct tile t = {.hi = 0};
            sqlite3_stmt *at = db_query(db, STATEMENT_TILE_AT, "iii", d->id,
                                        d->lanes + lane, lo);
            status = db_row(db, at, &found, err);
            if (status == SPOOL_OK && found) {
                tile_read(at, &t);
                (void)sqlite3_reset(at);
            }
            *are = t.hi >= lo;
            lo = t.hi + 1;
        }
        if (status == SPOOL_OK) {
            status = db_row(db, s, &more, err);
        }
    }
    (void)sqlite3_reset(s);
    return status;
}

/* What went by express lanes, if all of that can be read; else nobody knows
 * which of the events between a lane's own are settled with its tiles. */
static enum spool_status put_express(struct db *db, struct retile *r,
                                     const struct destination *d,
                                     bool *believed, struct spool_error *err)
{
    *believed = salvage_express(db, r->damaged, d->id, r->report->to);
    enum spool_status status =
        db_run(db, err, STATEMENT_EXPRESS_BACK, "i", d->id);
    for (int i = 0; status == SPOOL_OK && *believed && i < d->lanes; i++) {
        struct lane l = {.d = d, .to = r->report->to};
        status = membership_open(&l.members, r->box, d, d->lanes + i, err);
        if (status == SPOOL_OK) {
            status = membership_renew(db, &l.members, err);
        }
        if (status == SPOOL_OK) {
            status = put_express_tiles(db, r, &l, believed, err);
        }
        membership_close(&l.members);
    }
    if (status == SPOOL_OK && *believed) {
        status = runs_are_tiled(db, r, d, believed, err);
    }
    if (status == SPOOL_OK && !*believed) {
        r->report->state_whole = false;
        status = db_run(db, err, STATEMENT_EXPRESS_DISBELIEVE, "ii", d->id,
                        r->report->to);
        if (status == SPOOL_OK) {
            status = db_run(db, err, STATEMENT_EXPRESS_TILES_DISBELIEVE, "ii",
                            d->id, r->report->to);
        }
    }
    return status;
}

/* Nothing would let an event go whose hold could not be read. */
static enum spool_status end_lost_hold(struct db *db, struct tile *t,
                                       struct spool_error *err)
{
    int64_t held = t->lo;
    enum spool_status status = SPOOL_OK;
    if (t->state == TILE_HELD) {
        status = hold_next_event(db, t->lo, &held, err);
    }
    t->state = held == t->lo ? t->state : TILE_PENDING;
    return status;
}

static enum spool_status tile_lane(struct db *db, struct retile *r,
                                   struct lane *l, int64_t base,
                                   struct spool_error *err)
{
    struct tile *tiles;
    size_t n;
    int64_t next = base + 1;
    enum spool_status status = SPOOL_OK;
    if (!salvage_tiles(r->damaged, l->d->id, l->members.lane, &tiles, &n)) {
        r->report->state_whole = false;
        l->cursor = l->cursor > 0 ? l->cursor : l->to;
    }
    if (n > 0) {
        qsort(tiles, n, sizeof *tiles, by_lo);
    }
    n = l->believed ? n : 0;
    for (size_t i = 0; status == SPOOL_OK && i < n; i++) {
        struct tile *t = &tiles[i];
        if (t->lo < next || t->hi > l->to) {
            continue; /* read twice, or damaged */
        }
        status = put_gap(db, r, l, next, t->lo - 1, err);
        if (status == SPOOL_OK) {
            status = end_lost_hold(db, t, err);
        }
        if (status == SPOOL_OK) {
            status = put_tile(db, r, l, t, err);
        }
        next = t->hi + 1;
    }
    free(tiles);
    if (status == SPOOL_OK) {
        status = put_gap(db, r, l, next, l->to, err);
    }
    return status;
}

static int64_t ask_damaged(const struct retile *r, const char *what, int64_t id,
                           int64_t missing)
{
    char sql[160];
    (void)snprintf(sql, sizeof sql, "SELECT %s = %lld", what, (long long)id);
    return salvage_number(r->damaged, sql, missing);
}

/* A destination that was added since reads from its own base on. */
static enum spool_status put_destination(struct db *db, struct retile *r,
                                         const struct destination *d,
                                         struct spool_error *err)
{
    int64_t base = keep_base(r->damaged, d->id, r->report->behind);
    if (base < 0 || base >= d->base || d->base != r->report->to) {
        return SPOOL_OK;
    }
    bool believed;
    enum spool_status status = put_express(db, r, d, &believed, err);
    for (int i = 0; status == SPOOL_OK && i < d->lanes; i++) {
        struct lane l = {.d = d, .to = r->report->to, .believed = believed};
        char what[96];
        (void)snprintf(what, sizeof what,
                       "cursor FROM spool_lane WHERE lane = %d AND destination",
                       i);
        l.cursor = ask_damaged(r, what, d->id, l.to);
        (void)snprintf(what, sizeof what,
                       "base FROM spool_lane WHERE lane = %d AND destination",
                       i);
        int64_t from = ask_damaged(r, what, d->id, base);
        status = membership_open(&l.members, r->box, d, i, err);
        if (status == SPOOL_OK) {
            status = membership_renew(db, &l.members, err);
        }
        if (status == SPOOL_OK) {
            status = tile_lane(db, r, &l, from, err);
        }
        if (status == SPOOL_OK) {
            status = db_run(db, err, STATEMENT_LANES_BACK, "iii", d->id,
                            (int64_t)i, from);
        }
        membership_close(&l.members);
    }
    if (status == SPOOL_OK) {
        status = db_run(db, err, STATEMENT_DESTINATION_BACK, "ii", d->id, base);
    }
    return status == SPOOL_OK
               ? db_run(db, err, STATEMENT_SHED_COUNT, "i", d->id)
               : status;
}

enum spool_status retile(struct db *db, struct retile *r,
                         struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    int64_t id = 0;
    while (status == SPOOL_OK) {
        struct destination d;
        bool found;
        status =
            db_number(db, err, 0, &id, STATEMENT_DESTINATION_NEXT, "i", id);
        if (status != SPOOL_OK || id == 0) {
            return status;
        }
        status = destination_get(db, id, &found, &d, err);
        if (status == SPOOL_OK) {
            status = put_destination(db, r, &d, err);
        }
    }
    return status;
}
