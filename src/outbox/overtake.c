#include "outbox/overtake.h"

#include <stdlib.h>

#include "base/error.h"
#include "outbox/hold.h"
#include "outbox/visit.h"

/* Rows looked at in one turn. */
#define LOOK_MOST 5000

/* A backlog of more batches than this is worth a survey. */
#define BACKLOG_BATCHES 20

static bool is_long(const struct turn_job *j, int64_t oldest, int64_t behind)
{
    const struct destination *d = &j->turn->destination;
    int64_t batch = d->body == BODY_OBJECT ? 1 : d->batch_events;
    return oldest < j->now - TURN_OUTAGE_MS && behind > BACKLOG_BATCHES * batch;
}

void overtake_note_backlog(struct turn_job *j, int64_t oldest, int64_t behind)
{
    j->turn->aged = j->turn->aged ||
                    (j->take->backlog == NULL && is_long(j, oldest, behind));
}

enum spool_status overtake_look_for_backlog(struct db *db, struct turn_job *j,
                                            const struct found *f,
                                            struct spool_error *err)
{
    int64_t last = 0;
    if (!f->full || f->oldest >= j->now - TURN_OUTAGE_MS ||
        j->take->backlog != NULL) {
        return SPOOL_OK; /* without a further look */
    }
    enum spool_status status =
        db_number(db, err, 0, &last, STATEMENT_LAST_ID, "");
    overtake_note_backlog(j, f->oldest, last - f->hi);
    return status;
}

bool overtake_may(const struct turn_job *j, int64_t cursor, int64_t head)
{
    const struct backlog *b = j->take->backlog;
    const struct destination *d = &j->turn->destination;
    return b != NULL && b->phase == SURVEY_READY &&
           b->members.lanes == d->lanes && b->rewound == d->rewound &&
           d->state == DESTINATION_RUNNING && j->take->spread_ms <= 0 &&
           (cursor < j->position ||
            (cursor == j->position && head > 0 && head <= cursor));
}

struct run {
    int64_t lo, hi;
};

/* A read of the log under way, past events that stay behind. */
struct reading {
    struct turn_job *j;
    struct batch b;
    struct run *runs; /* of events taken one after another */
    size_t n, room;
    int64_t hi; /* looked at up to here */
    int64_t oldest;
    int64_t passed;  /* in the runs */
    int64_t between; /* passed over since the last one was taken */
    int64_t next_held;
    int looked;
    bool broken; /* one stayed behind since the last one was taken */
    bool full;
    bool stale; /* ended before a row behind next_held */
    bool no_memory;
};

/* The event belongs to the run of the one before it, or to a new one. */
static bool note_run(struct reading *r, int64_t id)
{
    if (r->n > 0 && !r->broken) {
        r->runs[r->n - 1].hi = id;
        r->passed += r->between;
    } else {
        if (r->n == r->room) {
            size_t more = r->room == 0 ? 16 : r->room * 2;
            struct run *runs = realloc(r->runs, more * sizeof *runs);
            if (runs == NULL) {
                return false;
            }
            r->runs = runs;
            r->room = more;
        }
        r->runs[r->n++] = (struct run){id, id};
    }
    r->between = 0;
    r->broken = false;
    return true;
}

/* True: the batch is full without it. */
static bool take(struct reading *r, const struct row *row)
{
    const struct turn_job *j = r->j;
    size_t most = (size_t)j->turn->destination.batch_bytes;
    if (r->b.n > 0 && r->b.bytes.len + row->len > most) {
        r->full = true;
        return true;
    }
    r->oldest = r->b.n == 0 ? row->at : r->oldest;
    r->no_memory = !note_run(r, row->id) || !body_add(r->j, &r->b, row);
    r->full = r->b.n >= body_limit(j);
    return r->no_memory;
}

static bool look_at_row(void *arg, const struct row *row)
{
    struct reading *r = arg;
    struct backlog *backlog = r->j->take->backlog;
    const struct membership *m = &r->j->members;
    if (row->id > r->next_held) {
        r->stale = true;
        return true;
    }
    if (m->lanes > 1 && row->part % m->lanes != r->j->lane) {
        /* another lane's */
    } else if (backlog_has(backlog, row->part)) {
        r->broken = true;
    } else if (row->id == r->next_held || !row_is_whole(row)) {
        /* The lane itself sets it aside when it comes to it; what follows it
         * in its session goes behind it. */
        backlog_add(backlog, row->part);
        r->broken = true;
    } else if (!membership_takes(m, row->body, row->len)) {
        r->between++;
    } else if (take(r, row)) {
        return true;
    }
    r->hi = row->id;
    return r->full || ++r->looked >= LOOK_MOST;
}

static enum spool_status read_on(struct db *db, struct reading *r,
                                 struct spool_error *err)
{
    enum spool_status status;
    do {
        r->stale = false;
        status = hold_next_event(db, r->hi + 1, &r->next_held, err);
        if (status == SPOOL_OK) {
            status =
                visit_events(db, r->hi + 1, INT64_MAX, look_at_row, r, err);
        }
        if (r->stale && r->hi < r->next_held) {
            r->hi = r->next_held; /* it is gone */
        }
    } while (status == SPOOL_OK && r->stale);
    return r->no_memory
               ? failed(err, SPOOL_NO_MEMORY, "out of memory for a batch")
               : status;
}

static enum spool_status write_runs(struct db *db, struct reading *r,
                                    struct spool_error *err)
{
    struct turn_job *j = r->j;
    enum spool_status status = SPOOL_OK;
    for (size_t i = 0; status == SPOOL_OK && i < r->n; i++) {
        status =
            db_run(db, err, STATEMENT_EXPRESS_INSERT, "iiii", j->destination,
                   (int64_t)j->lane, r->runs[i].lo, r->runs[i].hi);
    }
    int64_t hi = r->runs[r->n - 1].hi;
    if (status == SPOOL_OK && hi > j->turn->destination.express_to) {
        j->turn->destination.express_to = hi;
        j->members.express_to = hi;
        status = db_run(db, err, STATEMENT_DESTINATION_EXPRESS, "ii",
                        j->destination, hi);
    }
    return status;
}

static enum spool_status cut(struct db *db, struct reading *r,
                             struct spool_error *err)
{
    struct turn_job *j = r->j;
    enum spool_status status = write_runs(db, r, err);
    if (status == SPOOL_OK) {
        status = body_close(j, &r->b, err);
    }
    if (status != SPOOL_OK) {
        return status;
    }
    struct tile t = turn_new_tile(j, r->runs[0].lo, r->runs[r->n - 1].hi,
                                  (int64_t)r->b.n, r->passed, TILE_SENDING);
    t.lane = j->members.lanes + j->lane;
    t.attempts = 1;
    status = tile_insert(db, &t, j->now, NULL, NULL, err);
    if (status == SPOOL_OK) {
        r->b.express = true;
        turn_give(j, &t, &r->b, true);
    }
    return status;
}

/* Whether new events have a backlog of their own by now, from another outage:
 * then all of it is one, and those behind it are the new ones. */
static enum spool_status look_for_another(struct db *db,
                                          const struct turn_job *j,
                                          const struct reading *r,
                                          struct spool_error *err)
{
    int64_t last = 0;
    if (r->oldest >= j->now - TURN_OUTAGE_MS) {
        return SPOOL_OK;
    }
    enum spool_status status =
        db_number(db, err, 0, &last, STATEMENT_LAST_ID, "");
    j->turn->another = is_long(j, r->oldest, last - r->hi);
    return status;
}

enum spool_status overtake_cut(struct db *db, struct turn_job *j, bool *taken,
                               struct spool_error *err)
{
    struct reading r = {.j = j};
    *taken = false;
    /* Not what is there already, whatever the last turn came to. */
    enum spool_status status =
        db_number(db, err, 0, &r.hi, STATEMENT_EXPRESS_LAST, "ii",
                  j->destination, (int64_t)j->lane);
    r.hi = r.hi > j->position ? r.hi : j->position;
    if (status == SPOOL_OK) {
        status = read_on(db, &r, err);
    }
    if (status == SPOOL_OK && r.b.n == 0) {
        turn_count_vain(j, r.looked);
        j->position = r.hi;
    } else if (status == SPOOL_OK && turn_is_due(j, r.full, r.oldest)) {
        j->position = r.hi;
        *taken = true;
        status = cut(db, &r, err);
        if (status == SPOOL_OK) {
            status = look_for_another(db, j, &r, err);
        }
    } else if (status == SPOOL_OK) {
        j->position = r.runs[0].lo - 1; /* a batch may come together yet */
    }
    batch_finish(&r.b);
    free(r.runs);
    return status;
}
