/* Taking: the lane's oldest waiting tile again, or the next rows of the log. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "outbox/body.h"
#include "outbox/hold.h"

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)

/* Nobody else probes while one lane does; should its process end, another may
 * after this. */
#define PROBE_LEASE_MS 60000

/* A time on disk may come from a clock that was set since: nothing waits for
 * longer than the longest wait there is. */
static bool is_due(const struct turn_job *j, int64_t at)
{
    if (j->take->now || (at != 0 && at == j->take->not_yet)) {
        return j->take->now;
    }
    return at <= j->now || at > j->now + DAY_MS + DAY_MS / 8;
}

/* Older events have been waiting through an outage, which others may have had
 * at the same time. */
#define OUTAGE_MS 60000

static bool is_spread(struct turn_job *j, int64_t oldest)
{
    if (j->take->spread_ms <= 0 || oldest <= 0 ||
        oldest >= j->now - OUTAGE_MS) {
        return false;
    }
    j->turn->taken = TAKEN_WAIT;
    j->turn->wait_until = j->now + j->take->spread_ms;
    return true;
}

static struct tile new_tile(struct turn_job *j, int64_t lo, int64_t hi,
                            int64_t events, int64_t passed,
                            enum tile_state state)
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

/* Moves the batch into the turn. */
static void give(struct turn_job *j, const struct tile *t, struct batch *b,
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

static enum spool_status lease_probe(struct db *db, struct turn_job *j,
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
    struct tile t =
        new_tile(j, cursor + 1, f->hi, (int64_t)b->n, f->passed, TILE_SENDING);
    t.attempts = 1;
    enum spool_status status = append_tile(db, j, &t, NULL, NULL, err);
    if (status == SPOOL_OK) {
        status = body_close(j, b, err);
    }
    if (status == SPOOL_OK) {
        status = lease_probe(db, j, err);
    }
    if (status == SPOOL_OK) {
        give(j, &t, b, f->full);
    }
    return status;
}

/* Why a row is not sent, and what state that makes it. */
struct aside {
    enum tile_state state;
    const char *code;
    char reason[DESTINATION_REASON_SIZE];
};

static enum spool_status look_aside(struct db *db, const struct found *f,
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
                                  int64_t *cursor, const struct found *f,
                                  struct spool_error *err)
{
    struct aside a = {.state = TILE_DELIVERED, .code = ""};
    struct tile t;
    enum spool_status status = SPOOL_OK;
    if (f->hi > *cursor) {
        t = new_tile(j, *cursor + 1, f->hi, 0, f->passed, TILE_DELIVERED);
    } else {
        status = look_aside(db, f, &a, err);
        t = new_tile(j, *cursor + 1, f->held > 0 ? f->held : f->damaged, 1, 0,
                     a.state);
        j->turn->damaged += f->held > 0 ? 0 : 1;
    }
    *cursor = t.hi;
    return status == SPOOL_OK ? append_tile(db, j, &t, a.code, a.reason, err)
                              : status;
}

/* What seems to come from the future was put before the clock was set back: how
 * old it is nobody knows, and it does not wait until the clock is there again.
 */
static bool batch_is_due(const struct turn_job *j, const struct found *f)
{
    return f->full || f->damaged > 0 || j->take->hurry || f->oldest > j->now ||
           j->turn->destination.state == DESTINATION_HELD ||
           is_due(j, f->oldest + j->turn->destination.batch_age_ms);
}

/* The rows behind the cursor, unless they have been read already. */
static enum spool_status read_log(struct db *db, struct turn_job *j,
                                  int64_t cursor, struct batch *b,
                                  struct found *f, struct spool_error *err)
{
    struct prefetch *p = j->prefetched < j->take->prefetched_n
                             ? &j->take->prefetched[j->prefetched]
                             : NULL;
    const struct destination *d = &j->turn->destination;
    if (p == NULL || p->behind != cursor || p->batch.n == 0 ||
        p->lanes != d->lanes || p->body != d->body || p->shed != d->shed) {
        return body_read(db, j, cursor, INT64_MAX, true, b, f, err);
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

/* Cuts the next batch of the log behind the cursor. */
static enum spool_status cut(struct db *db, struct turn_job *j,
                             struct spool_error *err)
{
    int64_t cursor;
    enum spool_status status =
        db_number(db, err, 0, &cursor, STATEMENT_LANE_CURSOR, "ii",
                  j->destination, (int64_t)j->lane);
    bool again = true;
    while (status == SPOOL_OK && again) {
        struct batch b = {0};
        struct found f;
        again = false;
        status = read_log(db, j, cursor, &b, &f, err);
        if (status == SPOOL_OK && b.n > 0 && is_spread(j, f.oldest)) {
            /* not yet */
        } else if (status == SPOOL_OK && b.n > 0 && batch_is_due(j, &f)) {
            status = cut_batch(db, j, cursor, &f, &b, err);
        } else if (status == SPOOL_OK && b.n > 0) {
            j->turn->taken = TAKEN_FILLING;
            j->turn->wait_until = f.oldest + j->turn->destination.batch_age_ms;
        } else if (status == SPOOL_OK &&
                   (f.full || f.damaged > 0 || f.held > 0 || f.passed > 0)) {
            status = cut_rest(db, j, &cursor, &f, err);
            again = true;
        }
        batch_finish(&b);
    }
    return status;
}

/* Cuts one event out of a tile, so that the rest of it can be sent. */
static enum spool_status set_aside(struct db *db, struct turn_job *j,
                                   struct tile *t, const struct found *f,
                                   struct spool_error *err)
{
    struct aside a;
    int64_t id = f->held > 0 ? f->held : f->damaged;
    enum spool_status status = look_aside(db, f, &a, err);
    if (status == SPOOL_OK) {
        status =
            tile_carve(db, &j->box->rng, j->now, &j->members, t, id, id, err);
    }
    if (status == SPOOL_OK) {
        t->state = a.state;
        t->next_at = 0;
        j->turn->damaged += f->held > 0 ? 0 : 1;
        status = tile_set(db, t, j->now, a.code, a.reason, err);
    }
    return status;
}

/* What looking at the oldest waiting tile led to. */
enum step {
    STEP_DONE,  /* a batch, or a time to wait for */
    STEP_AGAIN, /* that tile is settled now: look again */
    STEP_CUT    /* nothing waits: cut the log */
};

/* A tile that was never sent may be of any size; of one that was, the same
 * bytes go out again. */
static enum spool_status read_tile(struct db *db, struct turn_job *j,
                                   struct tile *t, struct batch *b,
                                   struct found *f, struct spool_error *err)
{
    struct tile right;
    bool limited = t->attempts == 0;
    enum spool_status status =
        body_read(db, j, t->lo - 1, t->hi, limited, b, f, err);
    if (status == SPOOL_OK && f->damaged == 0 && f->full && f->hi < t->hi) {
        status = tile_split(db, &j->box->rng, j->now, &j->members, t, f->hi,
                            &right, err);
    }
    return status;
}

static enum spool_status mark_sending(struct db *db, struct turn_job *j,
                                      struct tile *t, struct batch *b,
                                      struct spool_error *err)
{
    t->state = TILE_SENDING;
    t->attempts++;
    enum spool_status status = tile_set(db, t, j->now, NULL, NULL, err);
    if (status == SPOOL_OK) {
        status = body_close(j, b, err);
    }
    if (status == SPOOL_OK) {
        status = lease_probe(db, j, err);
    }
    if (status == SPOOL_OK) {
        give(j, t, b, false);
    }
    return status;
}

static enum spool_status send_tile(struct db *db, struct turn_job *j,
                                   struct tile *t, enum step *step,
                                   struct spool_error *err)
{
    struct batch b = {0};
    struct found f;
    enum spool_status status = read_tile(db, j, t, &b, &f, err);
    if (status == SPOOL_OK && (f.damaged > 0 || f.held > 0)) {
        *step = STEP_AGAIN;
        status = set_aside(db, j, t, &f, err);
    } else if (status == SPOOL_OK && b.n == 0) {
        *step = STEP_AGAIN;
        t->state = TILE_DELIVERED; /* nothing of this lane is in it */
        status = tile_set(db, t, j->now, NULL, NULL, err);
    } else if (status == SPOOL_OK) {
        status = mark_sending(db, j, t, &b, err);
    }
    batch_finish(&b);
    return status;
}

/* What was tried at a time that is yet to come waits because the clock was set
 * back meanwhile. It does not wait until the clock is there again: the tiles
 * behind it may each have such a time, and would add up. */
static enum spool_status tile_is_due(struct db *db, const struct turn_job *j,
                                     const struct tile *t, bool *due,
                                     struct spool_error *err)
{
    int64_t tried_at = 0;
    enum spool_status status = SPOOL_OK;
    *due =
        is_due(j, t->next_at) || j->turn->destination.state == DESTINATION_HELD;
    if (!*due && t->next_at != j->take->not_yet) {
        status = db_number(db, err, 0, &tried_at, STATEMENT_TILE_CHANGED_AT,
                           "i", t->id);
        *due = tried_at > j->now;
    }
    return status;
}

static enum spool_status take_waiting(struct db *db, struct turn_job *j,
                                      enum step *step, struct spool_error *err)
{
    struct tile t;
    bool row;
    *step = STEP_DONE;
    sqlite3_stmt *s =
        db_query(db, j->ahead ? STATEMENT_TILE_HEAD_AHEAD : STATEMENT_TILE_HEAD,
                 "ii", j->destination, (int64_t)j->lane);
    enum spool_status status = db_row(db, s, &row, err);
    if (status != SPOOL_OK || !row) {
        *step = STEP_CUT;
        return status;
    }
    tile_read(s, &t);
    (void)sqlite3_reset(s);
    if (t.state == TILE_SENDING) {
        return failed(err, SPOOL_MISUSE,
                      "lane %d of destination %s is being sent already",
                      j->lane, j->turn->destination.name);
    }
    bool due;
    status = tile_is_due(db, j, &t, &due, err);
    if (status != SPOOL_OK || !due) {
        j->turn->taken = TAKEN_WAIT;
        j->turn->wait_until = t.next_at;
        return status;
    }
    if (j->take->spread_ms > 0) {
        int64_t at = 0;
        status = db_number(db, err, 0, &at, STATEMENT_EVENT_AT, "i", t.lo);
        if (status != SPOOL_OK || is_spread(j, at)) {
            return status;
        }
    }
    return send_tile(db, j, &t, step, err);
}

static enum spool_status take_one(struct db *db, struct turn_job *j,
                                  struct spool_error *err)
{
    enum step step = STEP_AGAIN;
    enum spool_status status = SPOOL_OK;
    j->turn->taken = TAKEN_NOTHING;
    while (status == SPOOL_OK && step == STEP_AGAIN) {
        status = take_waiting(db, j, &step, err);
    }
    if (status == SPOOL_OK && step == STEP_CUT) {
        status = cut(db, j, err);
    }
    return status;
}

/* Whether a further batch is worth taking: the last one was ended by a limit,
 * not by the end of the log, and the destination is well. */
static bool takes_more(const struct turn_job *j)
{
    const struct turn *turn = j->turn;
    size_t most = j->take->most > 0 ? j->take->most : 1;
    return turn->taken == TAKEN_BATCH && turn->n < most &&
           turn->batches[turn->n - 1].more &&
           turn->destination.state == DESTINATION_RUNNING;
}

enum spool_status turn_take(struct db *db, struct turn_job *j,
                            struct spool_error *err)
{
    struct turn *turn = j->turn;
    if (turn->destination.state == DESTINATION_PAUSED) {
        turn->taken = TAKEN_PAUSED;
        return SPOOL_OK;
    }
    if (turn->destination.state == DESTINATION_HELD &&
        !is_due(j, turn->destination.next_probe_at)) {
        turn->taken = TAKEN_HELD;
        turn->wait_until = turn->destination.next_probe_at;
        return SPOOL_OK;
    }
    j->ahead = j->take->ahead;
    enum spool_status status = hold_release_due(db, j->now, err);
    do {
        if (status == SPOOL_OK) {
            status = take_one(db, j, err);
        }
        j->ahead = true;
    } while (status == SPOOL_OK && takes_more(j));
    if (status == SPOOL_OK && turn->taken == TAKEN_NOTHING) {
        status = hold_next_at(db, &turn->wait_until, err);
    }
    return status;
}
