/* Taking: the oldest waiting tile of the lane or of its express lane again, or
 * the next rows of the log; behind a backlog in turn with new events that may
 * overtake it.
 *
 * What waits goes by its ids, whichever of the two lanes it is in. Only what
 * the survey of the backlog found free goes before it (overtake.h). The lane's
 * own cuts end before a tile of its express lane that is not settled, so that
 * what a crash leaves of both goes out in order again. */
#include "base/error.h"
#include "outbox/cut.h"
#include "outbox/hold.h"
#include "outbox/overtake.h"

/* Cuts one event out of a tile, so that the rest of it can be sent. */
static enum spool_status set_aside(struct db *db, struct turn_job *j,
                                   struct tile *t, const struct found *f,
                                   struct spool_error *err)
{
    struct aside a;
    int64_t id = f->held > 0 ? f->held : f->damaged;
    enum spool_status status = cut_look_aside(db, f, &a, err);
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

/* What sending a waiting tile led to. */
enum step {
    STEP_DONE, /* a batch, or a time to wait for */
    STEP_AGAIN /* that tile is settled now: look again */
};

/* A tile that was never sent may be of any size; of one that was, the same
 * bytes go out again. */
static enum spool_status read_tile(struct db *db, struct turn_job *j,
                                   struct tile *t, struct batch *b,
                                   struct found *f, struct spool_error *err)
{
    struct tile right;
    int64_t limit = INT64_MAX;
    enum spool_status status = SPOOL_OK;
    if (t->attempts > 0) {
        return body_read(db, j, t->lo - 1, t->hi, false, b, f, err);
    }
    if (t->lane == j->lane) {
        status = cut_find_limit(db, j, t->lo, &limit, err);
    }
    if (status == SPOOL_OK) {
        status = limit < t->hi
                     ? cut_read_up_to(db, j, t->lo - 1, limit, b, f, err)
                     : body_read(db, j, t->lo - 1, t->hi, true, b, f, err);
    }
    if (status == SPOOL_OK && f->damaged == 0 && f->full && f->hi < t->hi) {
        status = tile_split(db, &j->box->rng, j->now, &j->members, t, f->hi,
                            &right, err);
        if (status == SPOOL_OK) {
            overtake_note_backlog(j, f->oldest, right.events);
        }
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
        status = cut_lease_probe(db, j, err);
    }
    if (status == SPOOL_OK) {
        turn_give(j, t, b, false);
    }
    return status;
}

static enum spool_status send_tile(struct db *db, struct turn_job *j,
                                   struct tile *t, enum step *step,
                                   struct spool_error *err)
{
    struct batch b = {0};
    struct found f;
    *step = STEP_DONE;
    j->members.lane = t->lane;
    enum spool_status status = read_tile(db, j, t, &b, &f, err);
    if (status == SPOOL_OK && (f.damaged > 0 || f.held > 0)) {
        *step = STEP_AGAIN;
        status = set_aside(db, j, t, &f, err);
    } else if (status == SPOOL_OK && b.n == 0) {
        *step = STEP_AGAIN;
        t->state = TILE_DELIVERED; /* nothing of this lane is in it */
        status = tile_set(db, t, j->now, NULL, NULL, err);
    } else if (status == SPOOL_OK) {
        b.express = t->lane != j->lane;
        status = mark_sending(db, j, t, &b, err);
    }
    if (*step == STEP_AGAIN) {
        turn_count_vain(j, f.foreign + f.passed);
    }
    j->members.lane = j->lane;
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
    *due = turn_time_is_over(j, t->next_at) ||
           j->turn->destination.state == DESTINATION_HELD;
    if (!*due && t->next_at != j->take->not_yet) {
        status = db_number(db, err, 0, &tried_at, STATEMENT_TILE_CHANGED_AT,
                           "i", t->id);
        *due = tried_at > j->now;
    }
    return status;
}

/* What waits: the first tile of the lane, that of its express lane, and the
 * log. */
struct waits {
    bool has, has_express;
    struct tile head, express;
    int64_t cursor;
};

static enum spool_status find_head(struct db *db, const struct turn_job *j,
                                   int lane, bool *has, struct tile *t,
                                   struct spool_error *err)
{
    sqlite3_stmt *s =
        db_query(db, j->ahead ? STATEMENT_TILE_HEAD_AHEAD : STATEMENT_TILE_HEAD,
                 "ii", j->destination, (int64_t)lane);
    enum spool_status status = db_row(db, s, has, err);
    if (status != SPOOL_OK || !*has) {
        return status;
    }
    tile_read(s, t);
    (void)sqlite3_reset(s);
    if (t->state == TILE_SENDING) {
        return failed(err, SPOOL_MISUSE,
                      "lane %d of destination %s is being sent already", lane,
                      j->turn->destination.name);
    }
    return SPOOL_OK;
}

static enum spool_status look(struct db *db, const struct turn_job *j,
                              struct waits *w, struct spool_error *err)
{
    *w = (struct waits){.has = false};
    enum spool_status status =
        find_head(db, j, j->lane, &w->has, &w->head, err);
    if (status == SPOOL_OK && j->turn->destination.express_to > 0) {
        status = find_head(db, j, j->members.lanes + j->lane, &w->has_express,
                           &w->express, err);
    }
    if (status == SPOOL_OK && (!w->has || j->take->backlog != NULL)) {
        status = db_number(db, err, 0, &w->cursor, STATEMENT_LANE_CURSOR, "ii",
                           j->destination, (int64_t)j->lane);
    }
    return status;
}

/* The tile that goes before the log, by its ids. One whose bytes must be the
 * same again waits for what it spans: nothing of theirs is older in it. */
static struct tile *first_tile(struct waits *w)
{
    int64_t next = !w->has                ? w->cursor + 1
                   : w->head.attempts > 0 ? w->head.hi
                                          : w->head.lo;
    if (w->has_express && w->express.lo <= next) {
        return &w->express;
    }
    return w->has ? &w->head : NULL;
}

/* What waits to be sent again holds up both lanes: it is the endpoint that is
 * not to be asked yet. */
static enum spool_status must_wait(struct db *db, struct turn_job *j,
                                   const struct waits *w, bool *must,
                                   struct spool_error *err)
{
    const struct tile *heads[] = {w->has ? &w->head : NULL,
                                  w->has_express ? &w->express : NULL};
    enum spool_status status = SPOOL_OK;
    *must = false;
    for (int i = 0; status == SPOOL_OK && !*must && i < 2; i++) {
        const struct tile *t = heads[i];
        if (t == NULL) {
            continue;
        }
        bool due;
        status = tile_is_due(db, j, t, &due, err);
        if (status == SPOOL_OK && !due) {
            j->turn->taken = TAKEN_WAIT;
            j->turn->wait_until = t->next_at;
            *must = true;
        } else if (status == SPOOL_OK && j->take->spread_ms > 0) {
            int64_t at = 0;
            status = db_number(db, err, 0, &at, STATEMENT_EVENT_AT, "i", t->lo);
            *must = status == SPOOL_OK && cut_is_spread(j, at);
        }
    }
    return status;
}

/* In new events' turn: what of them waits to be sent again, or a cut. */
static enum spool_status take_express(struct db *db, struct turn_job *j,
                                      struct waits *w, bool *done,
                                      struct spool_error *err)
{
    enum step step = STEP_DONE;
    enum spool_status status;
    if (w->has_express) {
        status = send_tile(db, j, &w->express, &step, err);
        *done = step == STEP_DONE;
    } else {
        status = overtake_cut(db, j, done, err);
        /* The backlog's next batch has not been read yet. */
        *done = *done || (j->turn->n > 0 && j->take->prefetched_n > 0 &&
                          j->prefetched == j->take->prefetched_n);
    }
    j->express_next = j->express_next && !*done;
    return status;
}

/* In the backlog's turn, or without one. */
static enum spool_status take_first(struct db *db, struct turn_job *j,
                                    struct waits *w, bool *done,
                                    struct spool_error *err)
{
    enum step step = STEP_DONE;
    bool again = false;
    struct tile *first = first_tile(w);
    enum spool_status status = first != NULL
                                   ? send_tile(db, j, first, &step, err)
                                   : cut_log(db, j, w->cursor, &again, err);
    *done = step == STEP_DONE && !again;
    j->express_next = j->express_next || *done;
    return status;
}

static enum spool_status take_one(struct db *db, struct turn_job *j,
                                  struct spool_error *err)
{
    bool done = false;
    enum spool_status status = SPOOL_OK;
    j->turn->taken = TAKEN_NOTHING;
    while (status == SPOOL_OK && !done) {
        struct waits w;
        status = look(db, j, &w, err);
        if (status == SPOOL_OK) {
            status = must_wait(db, j, &w, &done, err);
        }
        bool may = status == SPOOL_OK &&
                   overtake_may(j, w.cursor, w.has ? w.head.lo : 0);
        j->turn->over = j->take->backlog != NULL && !may;
        bool express = !done && may && j->express_next;
        if (express) {
            status = take_express(db, j, &w, &done, err);
        }
        if (status == SPOOL_OK && !done && !(express && w.has_express)) {
            status = take_first(db, j, &w, &done, err);
        }
        if (status == SPOOL_OK && !done && turn_is_long(j)) {
            j->turn->taken = TAKEN_MORE;
            done = true;
        }
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
        !turn_time_is_over(j, turn->destination.next_probe_at)) {
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
