/* The old tiles are put aside (their lanes become negative), the log is read
 * once to count and once to cut, and each event goes into the tile that its new
 * lane is building; the new lanes' express lanes are empty. What lay behind an
 * old lane's cursor, but before the furthest one, becomes pending tiles: never
 * sent, so of any size; but what is held or quarantined of it is a tile of its
 * own. */
#include "outbox/relane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "outbox/hold.h"
#include "outbox/tile.h"

/* Put aside: lane l is l - ASIDE. */
#define ASIDE 1000

/* Delivered tiles that were settled about the same time become one. */
#define SAME_TIME_MS 60000

struct old_tile {
    struct tile t;
    int64_t changed_at;
    char code[64];
    char reason[DESTINATION_REASON_SIZE];
};

/* The tile that a new lane is building; t.lo is 0 before the first. */
struct run {
    struct tile t;
    int64_t changed_at;
    int64_t source; /* the old tile's id, 0: it was not cut yet, or is held */
};

struct relane_job {
    struct outbox *box;
    const struct destination *d;
    int lanes;
    int64_t now, end; /* the new lanes' cursor */
    struct membership members;
    bool builds; /* the second time */
    struct old_tile *old;
    struct run *runs;
    int64_t dropped_to;
    int64_t last_gap;  /* the last id met that has no row */
    int64_t next_held; /* none between what is looked at and this */
    /* Of events that retention dropped, whose lanes nobody knows any more:
     * accounted for at the first ids that are missing. */
    int64_t delivered, purged, passed;
};

/* Its last words, or why it is not to be sent. */
static enum spool_status read_words(struct db *db, const struct run *r,
                                    struct old_tile *from,
                                    struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    if (r->source > 0) {
        bool row;
        sqlite3_stmt *s = db_query(db, STATEMENT_TILE_BY_ID, "i", r->source);
        status = db_row(db, s, &row, err);
        if (status == SPOOL_OK && row) {
            db_copy_text(s, 13, from->code, sizeof from->code);
            db_copy_text(s, 14, from->reason, sizeof from->reason);
            (void)sqlite3_reset(s);
        }
    } else if (r->t.state == TILE_DEAD) {
        bool quarantined;
        (void)snprintf(from->code, sizeof from->code, "INVALID");
        status = hold_look_up(db, r->t.lo, &quarantined, from->reason,
                              sizeof from->reason, err);
    }
    return status;
}

static enum spool_status write_run(struct db *db, struct relane_job *j,
                                   struct run *r, struct spool_error *err)
{
    struct old_tile *from = calloc(1, sizeof *from);
    if (from == NULL) {
        return failed(err, SPOOL_NO_MEMORY, "out of memory");
    }
    enum spool_status status = read_words(db, r, from, err);
    r->t.destination = j->d->id;
    uuid_v7(&j->box->rng, j->now, r->t.key);
    if (status == SPOOL_OK) {
        status =
            tile_insert(db, &r->t, r->changed_at, from->code,
                        from->reason[0] != '\0' ? from->reason : NULL, err);
    }
    free(from);
    return status;
}

/* Ends the lane's tile before an id. Ids of other lanes that lie between go to
 * it if it is delivered, else to a delivered one without events. */
static enum spool_status end_run(struct db *db, struct relane_job *j,
                                 struct run *r, int64_t before,
                                 struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    int64_t hi = r->t.hi;
    if (r->t.lo > 0) {
        if (r->t.state == TILE_DELIVERED) {
            r->t.hi = before - 1;
        }
        status = write_run(db, j, r, err);
        hi = r->t.hi;
    }
    if (status == SPOOL_OK && hi < before - 1) {
        struct run filler = {.changed_at = j->now,
                             .t = {.lane = r->t.lane,
                                   .lo = hi + 1,
                                   .hi = before - 1,
                                   .state = TILE_DELIVERED}};
        status = write_run(db, j, &filler, err);
    }
    return status;
}

static bool continues(const struct relane_job *j, const struct run *r,
                      const struct run *next)
{
    if (r->t.lo == 0 || r->t.state != next->t.state) {
        return false;
    }
    switch (r->t.state) {
    case TILE_DELIVERED:
        return llabs(r->changed_at - next->changed_at) <= SAME_TIME_MS;
    case TILE_PENDING: /* what waits has all its rows */
        return j->last_gap <= r->t.hi;
    case TILE_PURGED:
        return r->source == next->source;
    case TILE_SENDING:
    case TILE_RETRYING:
    case TILE_UNCERTAIN:
    case TILE_DEAD:
    case TILE_HELD:
        return false;
    }
    return false;
}

/* next is one id. */
static enum spool_status add(struct db *db, struct relane_job *j,
                             const struct run *next, struct spool_error *err)
{
    struct run *r = &j->runs[next->t.lane];
    if (continues(j, r, next)) {
        r->t.hi = next->t.hi;
        r->t.events += next->t.events;
        r->t.passed += next->t.passed;
        r->changed_at =
            r->changed_at > next->changed_at ? r->changed_at : next->changed_at;
        return SPOOL_OK;
    }
    enum spool_status status = end_run(db, j, r, next->t.lo, err);
    *r = *next;
    return status;
}

/* The old tile that an id lies in; its id is 0 when it was not cut. */
static enum spool_status find_old(struct db *db, struct relane_job *j,
                                  int64_t id, int lane, struct old_tile **out,
                                  struct spool_error *err)
{
    struct old_tile *o = &j->old[lane];
    *out = o;
    if (o->t.lo <= id && id <= o->t.hi) {
        return SPOOL_OK;
    }
    bool row;
    sqlite3_stmt *s = db_query(db, STATEMENT_TILE_AT, "iii", j->d->id,
                               (int64_t)lane - ASIDE, id);
    enum spool_status status = db_row(db, s, &row, err);
    *o = (struct old_tile){.t = {.lo = id, .hi = id, .state = TILE_PENDING}};
    if (status == SPOOL_OK && row) {
        struct tile t;
        tile_read(s, &t);
        if (t.hi >= id) {
            o->t = t;
            o->changed_at = sqlite3_column_int64(s, 15);
        }
        (void)sqlite3_reset(s);
    }
    return status;
}

static void count_row(struct relane_job *j, const struct old_tile *o,
                      bool taken)
{
    if (o->t.id == 0) {
        return;
    }
    if (!taken) {
        j->passed--;
    } else if (o->t.state == TILE_DELIVERED) {
        j->delivered--;
    } else if (o->t.state == TILE_PURGED) {
        j->purged--;
    }
}

/* As when the flusher comes to it: in a pending tile a held event would count
 * as waiting to be sent. */
static enum spool_status look_at_hold(struct db *db, struct relane_job *j,
                                      struct run *next, struct spool_error *err)
{
    bool quarantined;
    char reason[DESTINATION_REASON_SIZE];
    enum spool_status status = SPOOL_OK;
    if (next->t.state != TILE_PENDING || next->t.attempts > 0) {
        return SPOOL_OK;
    }
    if (j->next_held < next->t.lo) {
        status = hold_next_event(db, next->t.lo, &j->next_held, err);
    }
    if (status == SPOOL_OK && j->next_held == next->t.lo) {
        status = hold_look_up(db, next->t.lo, &quarantined, reason,
                              sizeof reason, err);
        next->t.state = quarantined ? TILE_DEAD : TILE_HELD;
        next->source = 0;
    }
    return status;
}

static enum spool_status look_at_row(struct db *db, struct relane_job *j,
                                     const struct row *row,
                                     struct spool_error *err)
{
    struct old_tile *o;
    int old;
    bool taken = membership_takes(&j->members, row->body, row->len);
    enum spool_status status =
        membership_find_lane(db, &j->members, row->id, row->part, &old, err);
    if (status == SPOOL_OK) {
        status = find_old(db, j, row->id, old, &o, err);
    }
    if (status != SPOOL_OK) {
        return status;
    }
    if (!j->builds) {
        count_row(j, o, taken);
        return SPOOL_OK;
    }
    struct run next = {
        .t = {.lane = (int)(row->part % j->lanes),
              .lo = row->id,
              .hi = row->id,
              .events = taken ? 1 : 0,
              .passed = taken ? 0 : 1,
              .state = taken ? o->t.state : TILE_DELIVERED,
              .attempts = o->t.state == TILE_DELIVERED ? 0 : o->t.attempts,
              .uncertain = o->t.state == TILE_DELIVERED ? 0 : o->t.uncertain},
        .changed_at = o->t.id > 0 ? o->changed_at : j->now,
        .source = o->t.id,
    };
    status = look_at_hold(db, j, &next, err);
    return status == SPOOL_OK ? add(db, j, &next, err) : status;
}

/* An id without a row: retention dropped it. */
static enum spool_status look_at_gap(struct db *db, struct relane_job *j,
                                     int64_t id, struct spool_error *err)
{
    bool purged = j->purged > 0;
    if (!j->builds || id > j->dropped_to ||
        (!purged && j->delivered + j->passed == 0)) {
        return SPOOL_OK;
    }
    struct run next = {
        .t = {.lo = id,
              .hi = id,
              .events = purged ? j->purged : j->delivered,
              .passed = purged ? 0 : j->passed,
              .state = purged ? TILE_PURGED : TILE_DELIVERED},
        .changed_at = j->now,
    };
    j->delivered = purged ? j->delivered : 0;
    j->passed = purged ? j->passed : 0;
    j->purged = 0;
    return add(db, j, &next, err);
}

static enum spool_status walk(struct db *db, struct relane_job *j,
                              struct spool_error *err)
{
    bool more;
    int64_t next = j->d->base + 1;
    sqlite3_stmt *s = db_query(db, STATEMENT_EVENTS_RANGE, "ii", next, j->end);
    enum spool_status status = db_row(db, s, &more, err);
    while (status == SPOOL_OK && more) {
        struct row row;
        row_read(s, &row);
        /* Two gaps account for all that is gone. */
        j->last_gap = next < row.id ? row.id - 1 : j->last_gap;
        for (int i = 0; status == SPOOL_OK && i < 2 && next < row.id; i++) {
            status = look_at_gap(db, j, next++, err);
        }
        if (status == SPOOL_OK) {
            status = look_at_row(db, j, &row, err);
        }
        next = row.id + 1;
        if (status == SPOOL_OK) {
            status = db_row(db, s, &more, err);
        }
    }
    (void)sqlite3_reset(s);
    for (int i = 0; status == SPOOL_OK && i < 2 && next <= j->end; i++) {
        status = look_at_gap(db, j, next++, err);
    }
    return status;
}

static enum spool_status build(struct db *db, struct relane_job *j,
                               struct spool_error *err)
{
    for (int lane = 0; lane < j->lanes; lane++) {
        j->runs[lane] = (struct run){.t = {.lane = lane, .hi = j->d->base}};
    }
    j->builds = true;
    memset(j->old, 0, 2 * (size_t)j->d->lanes * sizeof *j->old);
    enum spool_status status = walk(db, j, err);
    for (int lane = 0; status == SPOOL_OK && lane < j->lanes; lane++) {
        status = end_run(db, j, &j->runs[lane], j->end + 1, err);
    }
    if (status == SPOOL_OK && (j->delivered | j->purged | j->passed) != 0) {
        return failed(err, SPOOL_DAMAGED,
                      "%s: the batches do not add up to the log; run spoolctl "
                      "verify",
                      j->d->name);
    }
    return status;
}

static enum spool_status put_aside(struct db *db, struct relane_job *j,
                                   struct spool_error *err)
{
    enum spool_status status = db_number(
        db, err, j->d->base, &j->end, STATEMENT_LANE_FURTHEST, "i", j->d->id);
    if (j->end < j->d->express_to) {
        j->end = j->d->express_to;
    }
    if (status == SPOOL_OK) {
        status =
            db_number(db, err, 0, &j->dropped_to, STATEMENT_DROPPED_TO, "");
    }
    static const struct {
        enum statement sum;
        size_t offset;
    } sums[] = {
        {STATEMENT_SUM_DELIVERED, offsetof(struct relane_job, delivered)},
        {STATEMENT_SUM_PURGED, offsetof(struct relane_job, purged)},
        {STATEMENT_SUM_PASSED, offsetof(struct relane_job, passed)},
    };
    for (size_t i = 0; status == SPOOL_OK && i < 3; i++) {
        status = db_number(db, err, 0, (int64_t *)((char *)j + sums[i].offset),
                           sums[i].sum, "i", j->d->id);
    }
    if (status == SPOOL_OK) {
        status = db_run(db, err, STATEMENT_TILES_ASIDE, "ii", j->d->id,
                        (int64_t)ASIDE);
    }
    if (status == SPOOL_OK) {
        status = db_run(db, err, STATEMENT_ATTEMPTS_ASIDE, "ii", j->d->id,
                        (int64_t)ASIDE);
    }
    return status;
}

static enum spool_status make_lanes(struct db *db, const struct relane_job *j,
                                    struct spool_error *err)
{
    int64_t id = j->d->id;
    enum spool_status status =
        db_run(db, err, STATEMENT_TILES_DROP_ASIDE, "i", id);
    if (status == SPOOL_OK) {
        status = db_run(db, err, STATEMENT_DESTINATION_DELETE_LANES, "i", id);
    }
    if (status == SPOOL_OK) {
        status = db_run(db, err, STATEMENT_DESTINATION_DELETE_EXPRESS, "i", id);
    }
    for (int64_t lane = 0; status == SPOOL_OK && lane < j->lanes; lane++) {
        status =
            db_run(db, err, STATEMENT_LANE_INSERT, "iii", id, lane, j->d->base);
        if (status == SPOOL_OK) {
            status =
                db_run(db, err, STATEMENT_LANE_MOVE, "iii", id, lane, j->end);
        }
    }
    return status == SPOOL_OK ? db_run(db, err, STATEMENT_DESTINATION_LANES,
                                       "ii", id, (int64_t)j->lanes)
                              : status;
}

enum spool_status relane(struct db *db, struct outbox *box,
                         const struct destination *d, int lanes,
                         struct spool_error *err)
{
    struct relane_job j = {
        .box = box, .d = d, .lanes = lanes, .now = outbox_now(box)};
    j.old = calloc(2 * (size_t)d->lanes, sizeof *j.old); /* express lanes */
    j.runs = calloc((size_t)lanes, sizeof *j.runs);
    enum spool_status status =
        j.old == NULL || j.runs == NULL
            ? failed(err, SPOOL_NO_MEMORY, "out of memory")
            : membership_open(&j.members, box, d, 0, err);
    if (status == SPOOL_OK) {
        status = put_aside(db, &j, err);
    }
    if (status == SPOOL_OK) {
        status = walk(db, &j, err);
    }
    if (status == SPOOL_OK) {
        status = build(db, &j, err);
    }
    if (status == SPOOL_OK) {
        status = make_lanes(db, &j, err);
    }
    membership_close(&j.members);
    free(j.old);
    free(j.runs);
    return status;
}
