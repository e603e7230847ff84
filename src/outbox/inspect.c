#include "outbox/inspect.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "outbox/hold.h"
#include "outbox/store.h"
#include "outbox/tile.h"

/* Events looked at in one snapshot. */
#define PAGE 500

static_assert((int)EVENT_HELD == (int)TILE_HELD,
              "an event's state is its tile's");

const char *event_state_name(enum event_state state)
{
    return tile_state_name((enum tile_state)state);
}

/* ---- events ---- */

/* What is known of one event, held until the snapshot is over: whoever prints
 * it may block for as long as a pager likes. */
struct held {
    struct event_record event;
    size_t body_at;
    char key[UUID_SIZE];
    char code[64];
    char reason[DESTINATION_REASON_SIZE];
};

struct lane_view {
    struct tile t; /* the next one that is wanted; lo > hi when none is */
    char code[64];
    char reason[DESTINATION_REASON_SIZE];
};

struct page {
    struct outbox *box;
    const struct destination *d;
    const struct event_range *range;
    int64_t at; /* the next id to look at */
    bool end;
    struct held *held;
    size_t n;
    struct buffer bytes;
    struct lane_view *lanes;
    struct membership members;
};

/* One a lane and one an express lane. */
static size_t lane_views(const struct destination *d)
{
    return d == NULL ? 1 : 2 * (size_t)d->lanes;
}

static bool wanted(const struct page *p, enum tile_state state)
{
    return p->range->states == 0 || (p->range->states & (1U << state)) != 0;
}

static enum spool_status read_tile_at(struct db *db, struct page *p, int lane,
                                      enum statement which, int64_t id,
                                      bool *found, struct spool_error *err)
{
    struct lane_view *v = &p->lanes[lane];
    sqlite3_stmt *s = db_query(db, which, "iii", p->d->id, (int64_t)lane, id);
    enum spool_status status = db_row(db, s, found, err);
    if (status == SPOOL_OK && *found) {
        tile_read(s, &v->t);
        db_copy_text(s, 13, v->code, sizeof v->code);
        db_copy_text(s, 14, v->reason, sizeof v->reason);
        (void)sqlite3_reset(s);
    }
    return status;
}

/* Brings the lane to its first wanted tile that ends at id or later. What lies
 * behind the cursor is one more tile, pending and without an end. */
static enum spool_status advance(struct db *db, struct page *p, int lane,
                                 int64_t id, struct spool_error *err)
{
    struct lane_view *v = &p->lanes[lane];
    bool found = false;
    enum spool_status status = SPOOL_OK;
    if (v->t.hi == 0) { /* first look in this snapshot */
        status = read_tile_at(db, p, lane, STATEMENT_TILE_AT, id, &found, err);
    }
    while (status == SPOOL_OK && v->t.hi != INT64_MAX &&
           (v->t.hi < id || !wanted(p, v->t.state))) {
        int64_t from = found || v->t.hi > 0 ? v->t.hi + 1 : 0;
        status =
            read_tile_at(db, p, lane, STATEMENT_TILE_FROM, from, &found, err);
        if (status == SPOOL_OK && !found && lane >= p->d->lanes) {
            *v = (struct lane_view){.t = {.lo = INT64_MAX, .hi = INT64_MAX}};
            break; /* an express lane ends with its last tile */
        }
        if (status == SPOOL_OK && !found) {
            int64_t cursor;
            status = db_number(db, err, 0, &cursor, STATEMENT_LANE_CURSOR, "ii",
                               p->d->id, (int64_t)lane);
            *v = (struct lane_view){.t = {.state = TILE_PENDING,
                                          .lo = cursor + 1,
                                          .hi = INT64_MAX}};
            bool dead = false;
            if (status == SPOOL_OK && wanted(p, TILE_DEAD)) {
                status = hold_any_quarantined(db, cursor, &dead, err);
            }
            if (!wanted(p, TILE_PENDING) && !wanted(p, TILE_HELD) && !dead) {
                v->t.lo = INT64_MAX;
            }
            break;
        }
    }
    return status;
}

/* The first id at or behind p->at that lies in a wanted tile. */
static enum spool_status skip(struct db *db, struct page *p,
                              struct spool_error *err)
{
    int64_t next = INT64_MAX;
    enum spool_status status = SPOOL_OK;
    int lanes = p->d->lanes * (p->members.express_to > 0 ? 2 : 1);
    for (int lane = 0; status == SPOOL_OK && lane < lanes; lane++) {
        status = advance(db, p, lane, p->at, err);
        int64_t lo = p->lanes[lane].t.lo;
        next = lo < next ? lo : next;
    }
    if (next > p->at) {
        p->at = next;
    }
    return status;
}

static enum spool_status keep_row(struct page *p, const struct row *row,
                                  const struct lane_view *v,
                                  enum tile_state state,
                                  struct spool_error *err)
{
    struct held *h = &p->held[p->n];
    *h = (struct held){.event = {.id = row->id,
                                 .at = row->at,
                                 .part = row->part,
                                 .len = row->len,
                                 .state = (enum event_state)state,
                                 .whole = row_is_whole(row)},
                       .body_at = p->bytes.len};
    if (v != NULL) {
        h->event.batch = v->t.id;
        h->event.attempts = v->t.attempts;
        h->event.uncertain = v->t.uncertain;
        h->event.next_at = v->t.next_at;
        memcpy(h->key, v->t.key, sizeof h->key);
        memcpy(h->code, v->code, sizeof h->code);
        memcpy(h->reason, v->reason, sizeof h->reason);
    }
    if (!buffer_add(&p->bytes, row->body, row->len)) {
        return failed(err, SPOOL_NO_MEMORY, "out of memory for a listing");
    }
    p->n++;
    return SPOOL_OK;
}

/* An event that has not been cut yet is pending, held or quarantined. */
static enum spool_status keep_uncut(struct db *db, struct page *p,
                                    const struct row *row,
                                    struct spool_error *err)
{
    struct lane_view v = {.code = ""};
    int64_t held;
    bool quarantined = false;
    enum spool_status status = hold_next_event(db, row->id, &held, err);
    if (status == SPOOL_OK && held == row->id) {
        status = hold_look_up(db, row->id, &quarantined, v.reason,
                              sizeof v.reason, err);
    }
    enum tile_state state = held != row->id ? TILE_PENDING
                            : quarantined   ? TILE_DEAD
                                            : TILE_HELD;
    if (quarantined) {
        memcpy(v.code, "INVALID", sizeof "INVALID");
    }
    if (status != SPOOL_OK || !wanted(p, state)) {
        return status;
    }
    return keep_row(p, row, &v, state, err);
}

static enum spool_status look_at_event(struct db *db, struct page *p,
                                       const struct row *row,
                                       struct spool_error *err)
{
    const struct event_range *r = p->range;
    if ((r->since > 0 && row->at < r->since) ||
        (r->until > 0 && row->at > r->until)) {
        return SPOOL_OK;
    }
    if (p->d == NULL) {
        return keep_uncut(db, p, row, err);
    }
    int lane;
    enum spool_status status =
        membership_find_lane(db, &p->members, row->id, row->part, &lane, err);
    if (status == SPOOL_OK) {
        status = advance(db, p, lane, row->id, err);
    }
    const struct lane_view *v = &p->lanes[lane];
    if (status != SPOOL_OK || v->t.lo > row->id ||
        !membership_takes(&p->members, row->body, row->len)) {
        return status;
    }
    return v->t.id == 0 ? keep_uncut(db, p, row, err)
                        : keep_row(p, row, v, v->t.state, err);
}

static enum spool_status read_page(struct db *db, void *arg,
                                   struct spool_error *err)
{
    struct page *p = arg;
    enum spool_status status = SPOOL_OK;
    if (p->d != NULL) {
        memset(p->lanes, 0, lane_views(p->d) * sizeof *p->lanes);
        status = membership_renew(db, &p->members, err);
        if (status == SPOOL_OK) {
            status = skip(db, p, err);
        }
    }
    if (status != SPOOL_OK) {
        return status;
    }
    int64_t hi = p->range->hi > 0 ? p->range->hi : INT64_MAX;
    bool more;
    sqlite3_stmt *s = db_query(db, STATEMENT_EVENTS_RANGE, "ii", p->at, hi);
    status = db_row(db, s, &more, err);
    for (int i = 0; status == SPOOL_OK && more && i < PAGE; i++) {
        struct row row;
        row_read(s, &row);
        p->at = row.id + 1;
        status = look_at_event(db, p, &row, err);
        if (status == SPOOL_OK) {
            status = db_row(db, s, &more, err);
        }
    }
    p->end = !more;
    (void)sqlite3_reset(s);
    return status;
}

static bool hand_out(struct page *p, inspect_event *each, void *arg)
{
    bool go_on = true;
    for (size_t i = 0; go_on && i < p->n; i++) {
        struct held *h = &p->held[i];
        h->event.body = h->event.len > 0 ? p->bytes.data + h->body_at : "";
        h->event.key = h->key;
        h->event.code = h->code;
        h->event.reason = h->reason;
        go_on = each(arg, &h->event);
    }
    p->n = 0;
    p->bytes.len = 0;
    return go_on;
}

enum spool_status inspect_events(struct outbox *box,
                                 const struct destination *d,
                                 const struct event_range *range,
                                 inspect_event *each, void *arg,
                                 struct spool_error *err)
{
    struct page p = {.box = box, .d = d, .range = range, .at = range->lo};
    p.held = malloc(PAGE * sizeof *p.held);
    p.lanes = calloc(lane_views(d), sizeof *p.lanes);
    enum spool_status status =
        p.held == NULL || p.lanes == NULL
            ? failed(err, SPOOL_NO_MEMORY, "out of memory for a listing")
            : SPOOL_OK;
    if (status == SPOOL_OK && d != NULL) {
        status = membership_open(&p.members, box, d, 0, err);
        p.at = range->lo > d->base ? range->lo : d->base + 1;
    }
    while (status == SPOOL_OK && !p.end) {
        status = outbox_read(box, read_page, &p, err);
        if (status == SPOOL_OK && !hand_out(&p, each, arg)) {
            p.end = true;
        }
    }
    if (d != NULL) {
        membership_close(&p.members);
    }
    buffer_finish(&p.bytes);
    free(p.held);
    free(p.lanes);
    return status;
}

/* ---- attempts ---- */

struct attempts_job {
    const struct destination *d;
    const struct event_record *event;
    void (*each)(void *arg, const struct attempt_record *a);
    void *arg;
};

static const char *text_of(sqlite3_stmt *s, int column)
{
    return (const char *)sqlite3_column_text(s, column);
}

static enum spool_status read_attempts(struct db *db, void *arg,
                                       struct spool_error *err)
{
    const struct attempts_job *j = arg;
    struct membership m = {.lanes = j->d->lanes, .destination = j->d->id};
    int lane;
    bool row;
    enum spool_status status = membership_renew(db, &m, err);
    if (status == SPOOL_OK) {
        status = membership_find_lane(db, &m, j->event->id, j->event->part,
                                      &lane, err);
    }
    if (status != SPOOL_OK) {
        return status;
    }
    sqlite3_stmt *s = db_query(db, STATEMENT_ATTEMPTS_OF_EVENT, "iii", j->d->id,
                               (int64_t)lane, j->event->id);
    status = db_row(db, s, &row, err);
    while (status == SPOOL_OK && row) {
        struct attempt_record a = {
            .at = sqlite3_column_int64(s, 0),
            .verdict = text_of(s, 1),
            .http = sqlite3_column_int(s, 2),
            .curl = sqlite3_column_int(s, 3),
            .code = text_of(s, 4),
            .duration_ms = sqlite3_column_int64(s, 5),
            .events = sqlite3_column_int64(s, 6),
            .key = text_of(s, 7),
            .answer = text_of(s, 8),
        };
        j->each(j->arg, &a);
        status = db_row(db, s, &row, err);
    }
    return status;
}

enum spool_status
inspect_attempts(struct outbox *box, const struct destination *d,
                 const struct event_record *event,
                 void (*each)(void *arg, const struct attempt_record *a),
                 void *arg, struct spool_error *err)
{
    struct attempts_job j = {d, event, each, arg};
    return outbox_read(box, read_attempts, &j, err);
}
