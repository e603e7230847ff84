/* One turn of a lane: settle the batch that was sent, take the next. All of it
 * is one job of the writer, so one commit, which it may share with producers
 * and with other lanes. */
#include "outbox/batch.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "outbox/turn.h"

void batch_finish(struct batch *b)
{
    free(b->events);
    b->events = NULL;
    b->n = 0;
    buffer_finish(&b->bytes);
}

static enum spool_status run_turn(struct db *db, void *arg,
                                  struct spool_error *err)
{
    struct turn_job *j = arg;
    struct turn *turn = j->turn;
    bool found;
    *turn = (struct turn){.taken = TAKEN_NOTHING};
    j->now = outbox_now(j->box);
    enum spool_status status =
        destination_get(db, j->destination, &found, &turn->destination, err);
    if (status != SPOOL_OK) {
        return status;
    }
    if (!found) {
        turn->taken = TAKEN_GONE;
        return SPOOL_OK;
    }
    status =
        membership_open(&j->members, j->box, &turn->destination, j->lane, err);
    if (status == SPOOL_OK && j->done != NULL) {
        status = turn_settle(db, j, err);
    }
    if (status == SPOOL_OK && j->take != NULL) {
        status = turn_take(db, j, err);
    }
    membership_close(&j->members);
    return status;
}

enum spool_status batch_turn(struct outbox *box, int64_t destination, int lane,
                             const struct batch *done,
                             const struct settlement *s,
                             const struct take_options *take, struct turn *turn,
                             struct spool_error *err)
{
    assert((done == NULL) == (s == NULL));
    struct turn_job j = {.box = box,
                         .destination = destination,
                         .lane = lane,
                         .done = done,
                         .s = s,
                         .take = take,
                         .turn = turn};
    enum spool_status status = outbox_write(box, run_turn, &j, err);
    if (status != SPOOL_OK) {
        batch_finish(&turn->batch);
    }
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
    enum spool_status status = SPOOL_OK;
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
    enum spool_status status = outbox_write(box, recover, &r, err);
    *n = r.n;
    return status;
}
