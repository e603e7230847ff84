/* One turn of a lane: settle the batch that was sent, take the next. All of it
 * is one job of the writer, so one commit, which it may share with producers
 * and with other lanes. */
#include "outbox/batch.h"

#include "base/error.h"
#include "outbox/overtake.h"

static enum spool_status settle_all(struct db *db, struct turn_job *j,
                                    struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    for (size_t i = 0; status == SPOOL_OK && i < j->order->done_n; i++) {
        struct done *done = &j->order->done[i];
        done->settled = (struct settled){0};
        j->done = done->batch;
        j->s = done->s;
        j->settled = &done->settled;
        status = turn_settle(db, j, err);
    }
    for (size_t i = 0; status == SPOOL_OK && i < j->order->back_n; i++) {
        status = turn_give_back(db, j, &j->order->back[i], err);
    }
    return status;
}

static void turn_clear(struct turn *turn)
{
    for (size_t i = 0; i < turn->n; i++) {
        batch_finish(&turn->batches[i]);
    }
    turn->n = 0;
}

static enum spool_status run_turn(struct db *db, void *arg,
                                  struct spool_error *err)
{
    struct turn_job *j = arg;
    struct turn *turn = j->turn;
    bool found;
    turn_clear(turn); /* of a first run that failed */
    turn->behind = 0;
    turn->aged = turn->over = turn->another = false;
    if (j->take != NULL && j->take->backlog != NULL) {
        j->position = j->take->backlog->position;
        j->express_next = j->take->backlog->express_next;
    }
    j->now = outbox_now(j->box);
    enum spool_status status =
        destination_get(db, j->destination, &found, &turn->destination, err);
    if (status != SPOOL_OK) {
        return status;
    }
    if (!found || j->lane >= turn->destination.lanes) {
        turn->taken = TAKEN_GONE;
        return SPOOL_OK;
    }
    status =
        membership_open(&j->members, j->box, &turn->destination, j->lane, err);
    if (status == SPOOL_OK) {
        status = settle_all(db, j, err);
    }
    if (status == SPOOL_OK && j->take != NULL) {
        status = turn_take(db, j, err);
    }
    membership_close(&j->members);
    return status;
}

enum spool_status batch_turn(struct outbox *box, int64_t destination, int lane,
                             const struct order *order, struct turn *turn,
                             struct spool_error *err)
{
    struct turn_job j = {.box = box,
                         .destination = destination,
                         .lane = lane,
                         .order = order,
                         .take = order->take,
                         .turn = turn};
    *turn = (struct turn){.taken = TAKEN_NOTHING};
    enum spool_status status = outbox_record(box, run_turn, &j, err);
    if (status != SPOOL_OK) {
        turn_clear(turn);
    } else if (j.take != NULL && j.take->backlog != NULL) {
        j.take->backlog->position = j.position;
        j.take->backlog->express_next = j.express_next;
    }
    return status;
}

/* ---- reading ahead ---- */

struct prefetch_job {
    struct turn_job turn;
    int64_t behind;
    size_t bytes;
    struct prefetch *out;
    size_t most, n;
};

static enum spool_status read_one(struct db *db, struct prefetch_job *p,
                                  struct spool_error *err)
{
    const struct destination *d = &p->turn.turn->destination;
    struct prefetch *out = &p->out[p->n];
    struct found f;
    *out = (struct prefetch){.behind = p->behind,
                             .lanes = d->lanes,
                             .body = d->body,
                             .shed = d->shed,
                             .express_to = p->turn.members.express_to,
                             .batch = out->batch};
    enum spool_status status = body_read(db, &p->turn, p->behind, INT64_MAX,
                                         true, &out->batch, &f, err);
    out->hi = f.hi;
    out->passed = f.passed;
    out->damaged = f.damaged;
    out->oldest = f.oldest;
    out->full = f.full;
    return status;
}

static enum spool_status run_prefetch(struct db *db, void *arg,
                                      struct spool_error *err)
{
    struct prefetch_job *p = arg;
    size_t bytes = 0;
    bool more = true;
    enum spool_status status = db_number(
        db, err, 0, &p->turn.members.express_to, STATEMENT_EXPRESS_LAST, "ii",
        p->turn.destination, (int64_t)p->turn.lane);
    while (status == SPOOL_OK && more && p->n < p->most && bytes < p->bytes) {
        status = read_one(db, p, err);
        if (status == SPOOL_OK) {
            const struct prefetch *one = &p->out[p->n++];
            bytes += one->batch.bytes.len;
            p->behind = one->hi;
            more = one->full;
        }
    }
    return status;
}

void prefetch_finish(struct prefetch *p)
{
    batch_finish(&p->batch);
}

enum spool_status batch_prefetch(struct outbox *box,
                                 const struct destination *d, int lane,
                                 int64_t behind, size_t bytes,
                                 struct prefetch *out, size_t most, size_t *n,
                                 struct spool_error *err)
{
    const struct take_options all = {0};
    struct turn turn = {.destination = *d};
    struct prefetch_job p = {.turn = {.box = box,
                                      .destination = d->id,
                                      .lane = lane,
                                      .take = &all,
                                      .turn = &turn},
                             .behind = behind,
                             .bytes = bytes,
                             .out = out,
                             .most = most};
    enum spool_status status =
        membership_open(&p.turn.members, box, d, lane, err);
    if (status == SPOOL_OK) {
        status = outbox_read(box, run_prefetch, &p, err);
    }
    membership_close(&p.turn.members);
    *n = p.n;
    return status;
}

/* ---- after a crash ---- */

struct recovery {
    struct outbox *box;
    int64_t n;
};

static enum spool_status recover(struct db *db, void *arg,
                                 struct spool_error *err)
{
    struct recovery *r = arg;
    bool row = true;
    r->n = 0;
    enum spool_status status = guard_raise_epoch(db, err);
    /* A probe that was under way has no answer: the next one is due. */
    if (status == SPOOL_OK) {
        status = db_run(db, err, STATEMENT_DESTINATION_END_LEASES, "");
    }
    while (status == SPOOL_OK && row) {
        struct tile t;
        sqlite3_stmt *s = db_query(db, STATEMENT_TILES_SENDING, "");
        status = db_row(db, s, &row, err);
        if (status == SPOOL_OK && row) {
            tile_read(s, &t);
            (void)sqlite3_reset(s);
            t.state = TILE_UNCERTAIN;
            t.uncertain++;
            t.next_at = 0;
            status = tile_set(db, &t, outbox_now(r->box), "INTERRUPTED",
                              "the flusher ended before the answer came", err);
            r->n++;
        }
    }
    return status;
}

enum spool_status batch_recover(struct outbox *box, int64_t *n,
                                struct spool_error *err)
{
    struct recovery r = {box, 0};
    enum spool_status status = outbox_record(box, recover, &r, err);
    *n = r.n;
    return status;
}
