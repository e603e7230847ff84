/* Cutting the log: the rows behind a lane's cursor become its next batch. */
#include "outbox/cut.h"

#include <stdio.h>

#include "base/error.h"
#include "outbox/hold.h"
#include "outbox/overtake.h"

/* Nobody else probes while one lane does; should its process end, another may
 * after this. */
#define PROBE_LEASE_MS 60000

bool cut_is_spread(struct turn_job *j, int64_t oldest)
{
    if (j->take->spread_ms <= 0 || oldest <= 0 ||
        oldest >= j->now - TURN_OUTAGE_MS) {
        return false;
    }
    j->turn->taken = TAKEN_WAIT;
    j->turn->wait_until = j->now + j->take->spread_ms;
    return true;
}

static enum spool_status append_tile(struct db *db, struct turn_job *j,
                                     struct tile *t, const char *code,
                                     const char *reason,
                                     struct spool_error *err)
{
    enum spool_status status = tile_insert(db, t, j->now, code, reason, err);
    if (status == SPOOL_OK) {
        status = db_run(db, err, STATEMENT_LANE_MOVE, "iii", j->destination,
                        (int64_t)j->lane, t->hi);
    }
    return status;
}

static const char damaged_reason[] =
    "its bytes are not the ones that were accepted (checksum); it was never "
    "sent, compare with the till's own record";

enum spool_status cut_lease_probe(struct db *db, struct turn_job *j,
                                  struct spool_error *err)
{
    struct destination *d = &j->turn->destination;
    if (d->state != DESTINATION_HELD) {
        return SPOOL_OK;
    }
    d->next_probe_at = j->now + PROBE_LEASE_MS;
    return db_run(db, err, STATEMENT_DESTINATION_LEASE_PROBE, "ii", d->id,
                  d->next_probe_at);
}

/* The rows that were read become a batch in flight. */
static enum spool_status cut_batch(struct db *db, struct turn_job *j,
                                   int64_t cursor, const struct found *f,
                                   struct batch *b, struct spool_error *err)
{
    struct tile t = turn_new_tile(j, cursor + 1, f->hi, (int64_t)b->n,
                                  f->passed, TILE_SENDING);
    t.attempts = 1;
    enum spool_status status = append_tile(db, j, &t, NULL, NULL, err);
    if (status == SPOOL_OK) {
        status = body_close(j, b, err);
    }
    if (status == SPOOL_OK) {
        status = cut_lease_probe(db, j, err);
    }
    if (status == SPOOL_OK) {
        j->turn->behind = f->full ? t.hi : -1;
        turn_give(j, &t, b, f->full);
    }
    return status;
}

enum spool_status cut_look_aside(struct db *db, const struct found *f,
                                 struct aside *a, struct spool_error *err)
{
    bool quarantined = false;
    enum spool_status status = SPOOL_OK;
    *a = (struct aside){.state = TILE_DEAD, .code = "DAMAGED"};
    (void)snprintf(a->reason, sizeof a->reason, "%s", damaged_reason);
    if (f->held > 0) {
        status = hold_look_up(db, f->held, &quarantined, a->reason,
                              sizeof a->reason, err);
        a->state = quarantined ? TILE_DEAD : TILE_HELD;
        a->code = quarantined ? "INVALID" : "";
    }
    return status;
}

/* Rows with nothing to send in them: one that is set aside, or others' events
 * and passed ones. */
static enum spool_status cut_rest(struct db *db, struct turn_job *j,
                                  int64_t cursor, const struct found *f,
                                  struct spool_error *err)
{
    struct aside a = {.state = TILE_DELIVERED, .code = ""};
    struct tile t;
    enum spool_status status = SPOOL_OK;
    if (f->hi > cursor) {
        t = turn_new_tile(j, cursor + 1, f->hi, 0, f->passed, TILE_DELIVERED);
    } else {
        status = cut_look_aside(db, f, &a, err);
        t = turn_new_tile(j, cursor + 1, f->held > 0 ? f->held : f->damaged, 1,
                          0, a.state);
        j->turn->damaged += f->held > 0 ? 0 : 1;
    }
    turn_count_vain(j, f->foreign + f->passed);
    return status == SPOOL_OK ? append_tile(db, j, &t, a.code, a.reason, err)
                              : status;
}

enum spool_status cut_read_up_to(struct db *db, struct turn_job *j,
                                 int64_t behind, int64_t limit, struct batch *b,
                                 struct found *f, struct spool_error *err)
{
    enum spool_status status = body_read(db, j, behind, limit, true, b, f, err);
    if (limit < INT64_MAX && !f->full && f->damaged == 0 && f->held == 0) {
        f->hi = limit;
        f->full = true;
    }
    return status;
}

/* Whether what was read ahead is still what the log has for the lane. Later
 * runs of the express lane lie behind those it knew. */
static enum spool_status check_prefetch(struct db *db, const struct turn_job *j,
                                        const struct prefetch *p,
                                        int64_t cursor, int64_t limit,
                                        bool *fits, struct spool_error *err)
{
    const struct destination *d = &j->turn->destination;
    int64_t express_to = 0;
    enum spool_status status = SPOOL_OK;
    *fits = p->behind == cursor && p->batch.n > 0 && p->hi <= limit &&
            p->lanes == d->lanes && p->body == d->body && p->shed == d->shed;
    if (*fits && p->hi > p->express_to && d->express_to > 0) {
        status = db_number(db, err, 0, &express_to, STATEMENT_EXPRESS_LAST,
                           "ii", j->destination, (int64_t)j->lane);
        *fits = express_to == p->express_to;
    }
    return status;
}

/* The rows behind the cursor, unless they have been read already. */
static enum spool_status read_log(struct db *db, struct turn_job *j,
                                  int64_t cursor, int64_t limit,
                                  struct batch *b, struct found *f,
                                  struct spool_error *err)
{
    struct prefetch *p = j->prefetched < j->take->prefetched_n
                             ? &j->take->prefetched[j->prefetched]
                             : NULL;
    bool fits = false;
    enum spool_status status =
        p == NULL ? SPOOL_OK
                  : check_prefetch(db, j, p, cursor, limit, &fits, err);
    if (status != SPOOL_OK || !fits) {
        return status == SPOOL_OK
                   ? cut_read_up_to(db, j, cursor, limit, b, f, err)
                   : status;
    }
    j->prefetched++;
    *b = p->batch;
    *f = (struct found){.hi = p->hi,
                        .passed = p->passed,
                        .damaged = p->damaged,
                        .oldest = p->oldest,
                        .full = p->full};
    *p = (struct prefetch){0};
    return SPOOL_OK;
}

enum spool_status cut_find_limit(struct db *db, const struct turn_job *j,
                                 int64_t behind, int64_t *limit,
                                 struct spool_error *err)
{
    bool row = false;
    enum spool_status status = SPOOL_OK;
    *limit = INT64_MAX;
    if (j->turn->destination.express_to > behind) {
        sqlite3_stmt *s =
            db_query(db, STATEMENT_TILE_OPEN_BEHIND, "iii", j->destination,
                     (int64_t)(j->members.lanes + j->lane), behind);
        status = db_row(db, s, &row, err);
        if (status == SPOOL_OK && row) {
            struct tile t;
            tile_read(s, &t);
            (void)sqlite3_reset(s);
            *limit = t.lo - 1;
        }
    }
    return status;
}

/* Whether there is nothing to send in what was read, and it need not be read
 * again. The end of what an express lane took is worth noting: the backlog is
 * over there. */
static bool is_rest(const struct turn_job *j, int64_t cursor,
                    const struct found *f)
{
    return f->full || f->damaged > 0 || f->held > 0 || f->passed > 0 ||
           (f->hi > cursor && j->turn->destination.express_to > cursor);
}

enum spool_status cut_log(struct db *db, struct turn_job *j, int64_t cursor,
                          bool *again, struct spool_error *err)
{
    int64_t limit;
    struct batch b = {0};
    struct found f;
    *again = false;
    enum spool_status status = cut_find_limit(db, j, cursor + 1, &limit, err);
    if (status == SPOOL_OK) {
        status = read_log(db, j, cursor, limit, &b, &f, err);
    }
    if (status != SPOOL_OK || (b.n > 0 && cut_is_spread(j, f.oldest))) {
        /* not yet */
    } else if (b.n > 0 && turn_is_due(j, f.full || f.damaged > 0, f.oldest)) {
        status = cut_batch(db, j, cursor, &f, &b, err);
        if (status == SPOOL_OK) {
            status = overtake_look_for_backlog(db, j, &f, err);
        }
    } else if (b.n > 0) {
        j->turn->taken = TAKEN_FILLING;
        j->turn->wait_until = f.oldest + j->turn->destination.batch_age_ms;
    } else if (is_rest(j, cursor, &f)) {
        *again = true;
        status = cut_rest(db, j, cursor, &f, err);
    }
    batch_finish(&b);
    return status;
}
