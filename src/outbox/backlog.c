#include "outbox/backlog.h"

#include <stdlib.h>

#include "base/error.h"
#include "outbox/overtake.h"
#include "outbox/visit.h"

/* Rows looked at in one snapshot, while who reads ahead waits. */
#define SLICE 1000

/* Of the filter: for each event that waits, and at least and at most. */
#define BITS_EACH 16
#define BITS_MIN  ((uint64_t)1 << 15)
#define BITS_MAX  ((uint64_t)1 << 23)

/* Bits set for a session. */
#define HASHES 4

struct backlog *backlog_create(struct outbox *box, int64_t destination,
                               int lane)
{
    struct backlog *b = calloc(1, sizeof *b);
    if (b != NULL) {
        b->box = box;
        b->destination = destination;
        b->lane = lane;
        b->phase = SURVEY_BEGINS;
    }
    return b;
}

void backlog_destroy(struct backlog *b)
{
    if (b != NULL) {
        free(b->bits);
        free(b);
    }
}

/* ---- the filter ---- */

/* Sessions may be told apart by few bits of their part. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

void backlog_add(struct backlog *b, int64_t part)
{
    uint64_t h = mix((uint64_t)part), step = (h >> 32) | 1;
    for (int i = 0; i < HASHES; i++, h += step) {
        b->bits[(h & b->mask) / 64] |= (uint64_t)1 << (h % 64);
    }
}

bool backlog_has(const struct backlog *b, int64_t part)
{
    uint64_t h = mix((uint64_t)part), step = (h >> 32) | 1;
    bool has = true;
    for (int i = 0; i < HASHES && has; i++, h += step) {
        has = (b->bits[(h & b->mask) / 64] >> (h % 64)) & 1;
    }
    return has;
}

static bool make_filter(struct backlog *b, int64_t events)
{
    uint64_t bits = BITS_MIN, most = BITS_MAX / (uint64_t)b->members.lanes;
    while (bits < (uint64_t)events * BITS_EACH && bits < most) {
        bits *= 2;
    }
    b->mask = bits - 1;
    b->bits = calloc((size_t)(bits / 64), sizeof *b->bits);
    return b->bits != NULL;
}

/* ---- the survey ---- */

/* A held event is released at any time, and waits then. Later ones cannot be
 * held but behind `position`, where they are seen as they come. */
static enum spool_status add_held(struct db *db, struct backlog *b,
                                  struct spool_error *err)
{
    bool row;
    sqlite3_stmt *s = db_query(db, STATEMENT_HOLD_PARTS, "");
    enum spool_status status = db_row(db, s, &row, err);
    while (status == SPOOL_OK && row) {
        backlog_add(b, sqlite3_column_int64(s, 0));
        status = db_row(db, s, &row, err);
    }
    return status;
}

static enum spool_status begin(struct db *db, struct backlog *b,
                               struct spool_error *err)
{
    struct destination d;
    bool found;
    int64_t cursor = 0, last = 0;
    enum spool_status status =
        destination_get(db, b->destination, &found, &d, err);
    if (status == SPOOL_OK && (!found || b->lane >= d.lanes)) {
        return failed(err, SPOOL_NOT_FOUND, "the lane is gone");
    }
    if (status == SPOOL_OK) {
        status = db_number(db, err, 0, &cursor, STATEMENT_LANE_CURSOR, "ii",
                           b->destination, (int64_t)b->lane);
    }
    if (status == SPOOL_OK) {
        status = db_number(db, err, 0, &last, STATEMENT_LAST_ID, "");
    }
    if (status != SPOOL_OK) {
        return status;
    }
    b->rewound = d.rewound;
    b->members = (struct membership){
        .lanes = d.lanes, .lane = b->lane, .destination = d.id};
    b->cursor = cursor;
    b->position = last > cursor ? last : cursor;
    b->phase = SURVEY_TILES;
    b->to = -1; /* no tile yet */
    if (!make_filter(b, b->position - cursor)) {
        return failed(err, SPOOL_NO_MEMORY, "out of memory for a backlog");
    }
    return add_held(db, b, err);
}

/* Looking at rows in one snapshot. */
struct look {
    struct backlog *b;
    bool all;   /* of the range, whichever of the two lanes they went by */
    bool stale; /* a run of the express lane ended before a row */
    int n;
};

static bool look_at_row(void *arg, const struct row *row)
{
    struct look *l = arg;
    struct membership *m = &l->b->members;
    if (!l->all && !membership_knows(m, row->id)) {
        l->b->at = m->run_hi + 1;
        l->stale = true;
        return true;
    }
    if (l->all ? row->part % m->lanes == l->b->lane
               : membership_has(m, row->id, row->part)) {
        backlog_add(l->b, row->part);
    }
    l->b->at = row->id + 1;
    return ++l->n >= SLICE;
}

/* Looks at rows from b->at to b->to; b->at is past b->to behind the last. */
static enum spool_status look_at_rows(struct db *db, struct look *l,
                                      struct spool_error *err)
{
    struct backlog *b = l->b;
    enum spool_status status = SPOOL_OK;
    do {
        l->stale = false;
        if (!l->all) {
            status = membership_look(db, &b->members, b->at, err);
        }
        if (status == SPOOL_OK) {
            status = visit_events(db, b->at, b->to, look_at_row, l, err);
        }
    } while (status == SPOOL_OK && l->stale);
    if (l->n < SLICE) {
        b->at = b->to + 1;
    }
    return status;
}

/* The next range to look at: a tile that waits, of the lane and then of its
 * express lane, and at last the log behind the cursor. A tile that was looked
 * at may be cut smaller meanwhile, and one behind the cursor is of the log. */
static enum spool_status next_range(struct db *db, struct backlog *b,
                                    struct spool_error *err)
{
    bool row;
    int64_t lane =
        b->phase == SURVEY_TILES ? b->lane : b->members.lanes + b->lane;
    if (b->phase == SURVEY_LOG) {
        b->phase = SURVEY_READY;
        return SPOOL_OK;
    }
    sqlite3_stmt *s = db_query(db, STATEMENT_TILE_OPEN_BEHIND, "iii",
                               b->destination, lane, b->to);
    enum spool_status status = db_row(db, s, &row, err);
    if (status != SPOOL_OK) {
        return status;
    }
    if (row) {
        struct tile t;
        tile_read(s, &t);
        (void)sqlite3_reset(s);
        b->at = t.lo;
        b->to = t.hi;
    } else if (b->phase == SURVEY_TILES) {
        b->phase = SURVEY_EXPRESS_TILES;
        b->to = -1;
        b->at = 0;
    } else {
        b->phase = SURVEY_LOG;
        b->at = b->cursor + 1;
        b->to = b->position;
    }
    return SPOOL_OK;
}

static enum spool_status survey(struct db *db, void *arg,
                                struct spool_error *err)
{
    struct backlog *b = arg;
    struct look l = {.b = b};
    enum spool_status status = SPOOL_OK;
    if (b->phase == SURVEY_BEGINS) {
        status = begin(db, b, err);
    }
    if (status == SPOOL_OK) {
        status = membership_renew(db, &b->members, err);
    }
    while (status == SPOOL_OK && b->phase != SURVEY_READY && l.n < SLICE) {
        l.all = b->phase != SURVEY_LOG;
        if (b->at > b->to) {
            status = next_range(db, b, err);
        } else {
            status = look_at_rows(db, &l, err);
        }
    }
    return status;
}

enum spool_status backlog_step(struct backlog *b, bool *ready,
                               struct spool_error *err)
{
    enum spool_status status = outbox_read(b->box, survey, b, err);
    *ready = status == SPOOL_OK && b->phase == SURVEY_READY;
    return status;
}
