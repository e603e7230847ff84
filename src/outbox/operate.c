#include "outbox/operate.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "outbox/hold.h"
#include "outbox/store.h"
#include "outbox/uncut.h"

enum action { ACTION_REPLAY, ACTION_PURGE };

struct operate_job {
    struct outbox *box;
    const struct destination *d;
    const int64_t *ids;
    size_t n;
    const char *detail;
    enum action action;
    struct operation *out;
    int64_t now;
    int64_t part; /* of the event that is looked at */
    int64_t last_id;
    struct {
        int lane;
        int64_t lo, hi; /* has been counted: its tiles are whole */
    } whole;
    struct membership members;
    size_t cut_to; /* the lanes are cut close to the ids before this one */
    bool more;     /* and there is more of that to do */
};

static bool applies(enum action action, enum tile_state state)
{
    switch (state) {
    case TILE_PENDING:
    case TILE_RETRYING:
    case TILE_UNCERTAIN:
        return action == ACTION_PURGE;
    case TILE_DELIVERED:
        return action == ACTION_REPLAY;
    case TILE_DEAD:
    case TILE_HELD: /* to be sent now, or not at all */
        return true;
    case TILE_SENDING: /* in flight: nobody but its flusher touches it */
    case TILE_PURGED:
        return false;
    }
    return false;
}

static enum spool_status tile_at(struct db *db, const struct operate_job *j,
                                 int64_t id, bool *found, struct tile *t,
                                 struct spool_error *err)
{
    sqlite3_stmt *s = db_query(db, STATEMENT_TILE_AT, "iii", j->d->id,
                               (int64_t)j->members.lane, id);
    enum spool_status status = db_row(db, s, found, err);
    if (status == SPOOL_OK && *found) {
        tile_read(s, t);
        (void)sqlite3_reset(s);
        *found = t->hi >= id;
        t->whole = t->whole || (j->members.lane == j->whole.lane &&
                                t->lo >= j->whole.lo && t->hi <= j->whole.hi);
    }
    return status;
}

static struct uncut uncut_of(struct operate_job *j)
{
    return (struct uncut){&j->box->rng, &j->members, j->now};
}

/* A replayed tile joins the one before it when that one waits unsent too, so
 * that a thousand dead events go out in a few batches. Not in an express lane:
 * what its tiles have between them in the lane is to go between them. */
static enum spool_status join_left(struct db *db, struct operate_job *j,
                                   const struct tile *t,
                                   struct spool_error *err)
{
    struct tile left;
    bool found;
    if (j->members.lane >= j->members.lanes) {
        return SPOOL_OK;
    }
    enum spool_status status = tile_at(db, j, t->lo - 1, &found, &left, err);
    if (status != SPOOL_OK || !found || left.state != TILE_PENDING ||
        left.attempts > 0) {
        return status;
    }
    status = db_run(db, err, STATEMENT_TILE_DELETE, "i", t->id);
    if (status == SPOOL_OK) {
        status =
            db_run(db, err, STATEMENT_TILE_RANGE, "iiiit", left.id, t->hi,
                   left.events + t->events, left.passed + t->passed, left.key);
    }
    return status;
}

static enum spool_status change_tile(struct db *db, struct operate_job *j,
                                     struct tile *t, int64_t lo, int64_t hi,
                                     struct spool_error *err)
{
    const struct tile was = *t;
    enum spool_status status =
        tile_carve(db, &j->box->rng, j->now, &j->members, t, lo, hi, err);
    if (status != SPOOL_OK) {
        return status;
    }
    if (was.whole || lo > was.lo) {
        j->whole.lane = was.lane;
        j->whole.lo = lo;
        j->whole.hi = was.hi;
    }
    j->out->changed += t->events;
    t->next_at = 0;
    if ((t->state == TILE_HELD || t->state == TILE_DEAD) && t->lo == t->hi &&
        j->action == ACTION_REPLAY) { /* it may be quarantined */
        status = hold_release_event(db, t->lo, j->part, j->now, err);
    }
    if (status != SPOOL_OK) {
        return status;
    }
    if (j->action == ACTION_PURGE) {
        t->state = TILE_PURGED;
        return tile_set(db, t, j->now, "PURGED", j->detail, err);
    }
    t->state = TILE_PENDING;
    t->attempts = 0;
    t->unknown = 0;
    uuid_v7(&j->box->rng, j->now, t->key);
    status = tile_set(db, t, j->now, "REPLAYED", j->detail, err);
    return status == SPOOL_OK ? join_left(db, j, t, err) : status;
}

/* Whether the log has no row of lo..hi because damage took them or they gave
 * way: those count nowhere. */
static enum spool_status are_missing(struct db *db, const struct operate_job *j,
                                     int64_t lo, int64_t hi, bool *are,
                                     struct spool_error *err)
{
    int64_t n = 0;
    enum spool_status status = SPOOL_OK;
    if (lo <= hi) {
        status = db_number(db, err, 0, &n, STATEMENT_MISSING_BETWEEN, "iii", lo,
                           hi, j->d->id);
    }
    *are = n >= hi - lo + 1;
    return status;
}

static enum spool_status is_others(struct db *db, struct operate_job *j,
                                   const struct row *row, bool *is,
                                   struct spool_error *err)
{
    struct membership *m = &j->members;
    enum spool_status status = SPOOL_OK;
    if (!membership_knows(m, row->id)) {
        status = membership_look(db, m, row->id, err);
    }
    *is = !membership_has(m, row->id, row->part) ||
          !membership_takes(m, row->body, row->len);
    return status;
}

/* Whether an id can be changed together with the one before it: between them
 * lies no event of the lane, and nothing that retention dropped. Of that nobody
 * knows whose it was, so it would be made to wait and never be sent. */
static enum spool_status goes_along(struct db *db, struct operate_job *j,
                                    int64_t before, int64_t id, bool *along,
                                    struct spool_error *err)
{
    bool more = false;
    int64_t next = before + 1;
    enum spool_status status = membership_look(db, &j->members, next, err);
    sqlite3_stmt *s = db_query(db, STATEMENT_EVENTS_RANGE, "ii", next, id);
    if (status == SPOOL_OK) {
        status = db_row(db, s, &more, err);
    }
    *along = true;
    while (status == SPOOL_OK && *along && more) {
        struct row row;
        row_read(s, &row);
        status = are_missing(db, j, next, row.id - 1, along, err);
        next = row.id + 1;
        if (status == SPOOL_OK && *along && row.id < id) {
            status = is_others(db, j, &row, along, err);
        }
        if (status == SPOOL_OK && *along) {
            status = db_row(db, s, &more, err);
        }
    }
    (void)sqlite3_reset(s);
    return status == SPOOL_OK && *along
               ? are_missing(db, j, next, id, along, err)
               : status;
}

/* How many of the ids from i on lie in the tile and go along with the first. */
static enum spool_status run_length(struct db *db, struct operate_job *j,
                                    size_t i, const struct tile *t, size_t *n,
                                    struct spool_error *err)
{
    bool along = true;
    enum spool_status status = SPOOL_OK;
    for (*n = 1; i + *n < j->n && j->ids[i + *n] <= t->hi; ++*n) {
        status =
            goes_along(db, j, j->ids[i + *n - 1], j->ids[i + *n], &along, err);
        if (status != SPOOL_OK || !along) {
            break;
        }
    }
    return status;
}

/* The lane of an event, and whether the destination has it at all. */
static enum spool_status find_lane(struct db *db, struct operate_job *j,
                                   int64_t id, bool *has,
                                   struct spool_error *err)
{
    sqlite3_stmt *s = db_query(db, STATEMENT_EVENT_GET, "i", id);
    enum spool_status status = db_row(db, s, has, err);
    if (status == SPOOL_OK && *has) {
        struct row row;
        row_read(s, &row);
        j->part = row.part;
        *has =
            id > j->d->base && membership_takes(&j->members, row.body, row.len);
        (void)sqlite3_reset(s);
        status = membership_find_lane(db, &j->members, id, j->part,
                                      &j->members.lane, err);
    }
    return status;
}

/* The last of the ids from i on that follow each other without a gap: cut all
 * at once they are one tile, not one each. With lanes they are not all ours. */
static int64_t end_of_row(const struct operate_job *j, size_t i)
{
    while (membership_has_all(&j->members, j->ids[i]) && i + 1 < j->n &&
           j->ids[i + 1] == j->ids[i] + 1 && j->ids[i + 1] <= j->last_id) {
        i++;
    }
    return j->ids[i];
}

/* Behind the cursor it waits anyway, unless it is held. */
static enum spool_status replay_uncut(struct db *db, struct operate_job *j,
                                      int64_t id, struct spool_error *err)
{
    int64_t held;
    enum spool_status status = hold_next_event(db, id, &held, err);
    if (status == SPOOL_OK && held == id) {
        j->out->changed++;
        return hold_release_event(db, id, j->part, j->now, err);
    }
    j->out->skipped_state++;
    return status;
}

static enum spool_status operate_on(struct db *db, struct operate_job *j,
                                    size_t i, size_t *n,
                                    struct spool_error *err)
{
    struct tile t;
    bool has, found;
    *n = 1;
    enum spool_status status = find_lane(db, j, j->ids[i], &has, err);
    if (status != SPOOL_OK || !has) {
        j->out->skipped_gone += status == SPOOL_OK ? 1 : 0;
        return status;
    }
    status = tile_at(db, j, j->ids[i], &found, &t, err);
    if (status == SPOOL_OK && !found && j->action == ACTION_PURGE) {
        status =
            uncut_take(db, uncut_of(j), j->ids[i], end_of_row(j, i), &t, err);
    } else if (status == SPOOL_OK && !found) {
        return replay_uncut(db, j, j->ids[i], err);
    }
    if (status != SPOOL_OK) {
        return status;
    }
    if (!applies(j->action, t.state)) {
        int64_t *count = t.state == TILE_SENDING ? &j->out->skipped_sending
                                                 : &j->out->skipped_state;
        ++*count;
        return SPOOL_OK;
    }
    status = run_length(db, j, i, &t, n, err);
    return status == SPOOL_OK
               ? change_tile(db, j, &t, j->ids[i], j->ids[i + *n - 1], err)
               : status;
}

/* Those of one lane, or of the only one. */
static enum spool_status operate_in_order(struct db *db, struct operate_job *j,
                                          struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    for (size_t i = 0, n; status == SPOOL_OK && i < j->n; i += n) {
        status = operate_on(db, j, i, &n, err);
    }
    return status;
}

static enum spool_status find_lanes(struct db *db, struct operate_job *j,
                                    int *lanes, struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    for (size_t i = 0; status == SPOOL_OK && i < j->n; i++) {
        bool has;
        status = find_lane(db, j, j->ids[i], &has, err);
        lanes[i] = status == SPOOL_OK && has ? j->members.lane : -1;
        j->out->skipped_gone += lanes[i] < 0 ? 1 : 0;
    }
    return status;
}

/* A lane after the other, express lanes among them: neighbours in a lane are
 * changed together and make one batch, whatever lies between them in the log.
 */
static enum spool_status operate_by_lane(struct db *db, struct operate_job *j,
                                         struct spool_error *err)
{
    struct operate_job part = *j;
    int64_t *ids = calloc(j->n + 1, sizeof *ids);
    int *lanes = calloc(j->n + 1, sizeof *lanes);
    enum spool_status status =
        ids == NULL || lanes == NULL
            ? failed(err, SPOOL_NO_MEMORY, "out of memory")
            : find_lanes(db, &part, lanes, err);
    for (int lane = 0; status == SPOOL_OK && lane < 2 * j->d->lanes; lane++) {
        part.ids = ids;
        part.n = 0;
        for (size_t i = 0; i < j->n; i++) {
            if (lanes[i] == lane) {
                ids[part.n++] = j->ids[i];
            }
        }
        status = operate_in_order(db, &part, err);
    }
    free(lanes);
    free(ids);
    return status;
}

static enum spool_status open_members(struct db *db, struct operate_job *j,
                                      struct spool_error *err)
{
    j->now = outbox_now(j->box);
    enum spool_status status =
        membership_open(&j->members, j->box, j->d, 0, err);
    return status == SPOOL_OK ? membership_renew(db, &j->members, err) : status;
}

/* So that the purge itself has not the whole log to read: nobody else writes
 * meanwhile. */
static enum spool_status cut_some(struct db *db, void *arg,
                                  struct spool_error *err)
{
    struct operate_job *j = arg;
    j->more = false;
    enum spool_status status = open_members(db, j, err);
    while (status == SPOOL_OK && !j->more && j->cut_to < j->n) {
        int64_t id = j->ids[j->cut_to];
        bool has;
        status = find_lane(db, j, id, &has, err);
        if (status == SPOOL_OK && has) {
            status = uncut_approach(db, uncut_of(j), id, &j->more, err);
        }
        j->cut_to += j->more ? 0 : 1;
    }
    membership_close(&j->members);
    return status;
}

static enum spool_status run_unaudited(struct db *db, struct operate_job *j,
                                       struct spool_error *err)
{
    *j->out = (struct operation){0};
    enum spool_status status = open_members(db, j, err);
    if (status == SPOOL_OK) {
        status = db_number(db, err, 0, &j->last_id, STATEMENT_LAST_ID, "");
    }
    if (status == SPOOL_OK) {
        status = membership_has_all(&j->members, 1)
                     ? operate_in_order(db, j, err)
                     : operate_by_lane(db, j, err);
    }
    if (status == SPOOL_OK && j->out->changed > 0) {
        status = db_run(db, err, STATEMENT_DESTINATION_REWIND, "i", j->d->id);
    }
    membership_close(&j->members);
    return status;
}

static enum spool_status run_operation(struct db *db, void *arg,
                                       struct spool_error *err)
{
    struct operate_job *j = arg;
    enum spool_status status = run_unaudited(db, j, err);
    if (status == SPOOL_OK && j->out->changed > 0) {
        status =
            audit(db, j->now, j->action == ACTION_PURGE ? "purge" : "replay",
                  j->d->name, j->out->changed, j->detail, err);
    }
    return status;
}

static enum spool_status operate(struct outbox *box,
                                 const struct destination *d,
                                 const int64_t *ids, size_t n,
                                 const char *detail, enum action action,
                                 struct operation *out, struct spool_error *err)
{
    struct operate_job j = {.box = box,
                            .d = d,
                            .ids = ids,
                            .n = n,
                            .detail = detail,
                            .action = action,
                            .out = out,
                            .more = action == ACTION_PURGE &&
                                    (d->lanes > 1 || d->filter[0] != '\0')};
    enum spool_status status = SPOOL_OK;
    while (status == SPOOL_OK && j.more) {
        status = outbox_record(box, cut_some, &j, err);
    }
    return status == SPOOL_OK ? outbox_record(box, run_operation, &j, err)
                              : status;
}

enum spool_status operate_replay(struct outbox *box,
                                 const struct destination *d,
                                 const int64_t *ids, size_t n,
                                 const char *who_and_why, struct operation *out,
                                 struct spool_error *err)
{
    return operate(box, d, ids, n, who_and_why, ACTION_REPLAY, out, err);
}

enum spool_status operate_replay_within(struct db *db, struct outbox *box,
                                        const struct destination *d,
                                        const int64_t *ids, size_t n,
                                        const char *who_and_why,
                                        struct operation *out,
                                        struct spool_error *err)
{
    struct operate_job j = {.box = box,
                            .d = d,
                            .ids = ids,
                            .n = n,
                            .detail = who_and_why,
                            .action = ACTION_REPLAY,
                            .out = out};
    return run_unaudited(db, &j, err);
}

enum spool_status operate_purge(struct outbox *box, const struct destination *d,
                                const int64_t *ids, size_t n,
                                const char *who_and_why, struct operation *out,
                                struct spool_error *err)
{
    return operate(box, d, ids, n, who_and_why, ACTION_PURGE, out, err);
}
