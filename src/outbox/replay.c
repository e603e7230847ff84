#include "outbox/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "outbox/operate.h"
#include "outbox/store.h"
#include "outbox/tile.h"

/* A slice is what the rate gives for the time since the last one, but for no
 * more than this, and never more events than that, whatever the share. */
#define SLICE_MS     2000
#define SLICE_EVENTS 5000

/* A replay as it stands in the spool. */
struct job {
    struct replay shown;
    int64_t destination, cursor, stepped_at, attempt;
    char detail[200];
};

struct replay_job {
    struct outbox *box;
    const struct destination *d;
    const int64_t *ids;
    size_t n;
    const struct replay_terms *terms;
    const char *detail;
    int64_t id;
    struct replay *out;
    size_t max, found;
    const char *only;
    bool active;
};

/* ---- begin ---- */

static enum spool_status write_ranges(struct db *db, const struct replay_job *j,
                                      struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    for (size_t i = 0; status == SPOOL_OK && i < j->n;) {
        size_t last = i;
        while (last + 1 < j->n && j->ids[last + 1] == j->ids[last] + 1) {
            last++;
        }
        status = db_run(db, err, STATEMENT_REPLAY_RANGE_INSERT, "iii", j->id,
                        j->ids[i], j->ids[last]);
        i = last + 1;
    }
    return status;
}

static enum spool_status begin(struct db *db, void *arg,
                               struct spool_error *err)
{
    struct replay_job *j = arg;
    int64_t now = outbox_now(j->box);
    enum spool_status status = db_run(
        db, err, STATEMENT_REPLAY_INSERT, "iitiii", j->d->id, now, j->detail,
        j->terms->rate, (int64_t)j->n, (int64_t)j->terms->share);
    j->id = sqlite3_last_insert_rowid(db->handle);
    if (status == SPOOL_OK) {
        status = write_ranges(db, j, err);
    }
    if (status == SPOOL_OK) {
        status = audit(db, now, "replay begins", j->d->name, (int64_t)j->n,
                       j->detail, err);
    }
    return status;
}

enum spool_status replay_begin(struct outbox *box, const struct destination *d,
                               const int64_t *ids, size_t n,
                               const struct replay_terms *terms,
                               const char *who_and_why, int64_t *id,
                               struct spool_error *err)
{
    struct replay_job j = {.box = box,
                           .d = d,
                           .ids = ids,
                           .n = n,
                           .terms = terms,
                           .detail = who_and_why};
    enum spool_status status = outbox_write(box, begin, &j, err);
    if (status == SPOOL_OK) {
        *id = j.id;
    }
    return status;
}

/* ---- looking ---- */

/* The first one behind an id. */
static enum spool_status find_next(struct db *db, int64_t behind,
                                   struct job *job, bool *found,
                                   struct spool_error *err)
{
    sqlite3_stmt *s = db_query(db, STATEMENT_REPLAY_NEXT, "i", behind);
    enum spool_status status = db_row(db, s, found, err);
    if (status == SPOOL_OK && *found) {
        *job = (struct job){
            .shown = {.id = sqlite3_column_int64(s, 0),
                      .at = sqlite3_column_int64(s, 2),
                      .terms = {.rate = sqlite3_column_int64(s, 4),
                                .share = sqlite3_column_int(s, 11)},
                      .events = sqlite3_column_int64(s, 5),
                      .done = sqlite3_column_int64(s, 6),
                      .changed = sqlite3_column_int64(s, 7)},
            .destination = sqlite3_column_int64(s, 1),
            .cursor = sqlite3_column_int64(s, 8),
            .stepped_at = sqlite3_column_int64(s, 9),
            .attempt = sqlite3_column_int64(s, 12),
        };
        db_copy_text(s, 3, job->detail, sizeof job->detail);
        db_copy_text(s, 10, job->shown.destination,
                     sizeof job->shown.destination);
        (void)sqlite3_reset(s);
    }
    return status;
}

static enum spool_status list(struct db *db, void *arg, struct spool_error *err)
{
    struct replay_job *j = arg;
    struct job job = {0};
    bool found;
    enum spool_status status = find_next(db, 0, &job, &found, err);
    while (status == SPOOL_OK && found) {
        if (j->found < j->max) {
            j->out[j->found] = job.shown;
        }
        j->found++;
        status = find_next(db, job.shown.id, &job, &found, err);
    }
    return status;
}

enum spool_status replay_list(struct outbox *box, struct replay *out,
                              size_t max, size_t *n, struct spool_error *err)
{
    struct replay_job j = {.box = box, .out = out, .max = max};
    enum spool_status status = outbox_read(box, list, &j, err);
    *n = j.found;
    return status;
}

/* ---- the end ---- */

static enum spool_status end(struct db *db, struct outbox *box,
                             const struct job *job, const char *action,
                             struct spool_error *err)
{
    int64_t id = job->shown.id;
    enum spool_status status =
        db_run(db, err, STATEMENT_REPLAY_DELETE_RANGES, "i", id);
    if (status == SPOOL_OK) {
        status = db_run(db, err, STATEMENT_REPLAY_DELETE, "i", id);
    }
    if (status == SPOOL_OK) {
        status = audit(db, outbox_now(box), action, job->shown.destination,
                       job->shown.changed, job->detail, err);
    }
    return status;
}

static enum spool_status stop(struct db *db, void *arg, struct spool_error *err)
{
    struct replay_job *j = arg;
    struct job job = {0};
    bool found;
    enum spool_status status = find_next(db, j->id - 1, &job, &found, err);
    if (status == SPOOL_OK && (!found || job.shown.id != j->id)) {
        return failed(err, SPOOL_NOT_FOUND,
                      "no replay %lld is under way; spoolctl replay --list "
                      "names those that are",
                      (long long)j->id);
    }
    *j->out = job.shown;
    return status == SPOOL_OK ? end(db, j->box, &job, "replay stopped", err)
                              : status;
}

enum spool_status replay_stop(struct outbox *box, int64_t id,
                              struct replay *out, struct spool_error *err)
{
    struct replay_job j = {.box = box, .id = id, .out = out};
    return outbox_write(box, stop, &j, err);
}

/* ---- a slice ---- */

/* Whether the end of the last slice still waits: then live events are to go
 * first. */
static enum spool_status still_waits(struct db *db, const struct destination *d,
                                     const struct job *job, bool *waits,
                                     struct spool_error *err)
{
    *waits = false;
    bool found;
    sqlite3_stmt *s = db_query(db, STATEMENT_EVENT_GET, "i", job->cursor);
    enum spool_status status = db_row(db, s, &found, err);
    if (status != SPOOL_OK || !found) {
        return status;
    }
    int64_t part = sqlite3_column_int64(s, 2);
    (void)sqlite3_reset(s);
    const struct membership m = {
        .lanes = d->lanes, .destination = d->id, .express_to = d->express_to};
    int lane;
    status = membership_find_lane(db, &m, job->cursor, part, &lane, err);
    if (status != SPOOL_OK) {
        return status;
    }
    s = db_query(db, STATEMENT_TILE_AT, "iii", d->id, (int64_t)lane,
                 job->cursor);
    status = db_row(db, s, &found, err);
    if (status == SPOOL_OK && found) {
        struct tile t;
        tile_read(s, &t);
        (void)sqlite3_reset(s);
        *waits = t.hi >= job->cursor && tile_is_waiting(t.state);
    }
    return status;
}

/* The next ids, up to most; the ranges they end are gone then. */
static enum spool_status next_ids(struct db *db, const struct job *job,
                                  int64_t *ids, size_t most, size_t *n,
                                  struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    int64_t behind = job->cursor;
    *n = 0;
    while (status == SPOOL_OK && *n < most) {
        bool found;
        sqlite3_stmt *s =
            db_query(db, STATEMENT_REPLAY_RANGE_FIRST, "i", job->shown.id);
        status = db_row(db, s, &found, err);
        if (status != SPOOL_OK || !found) {
            break;
        }
        int64_t lo = sqlite3_column_int64(s, 0);
        int64_t hi = sqlite3_column_int64(s, 1);
        (void)sqlite3_reset(s);
        for (int64_t id = lo > behind ? lo : behind + 1; id <= hi && *n < most;
             id++) {
            ids[(*n)++] = behind = id;
        }
        if (behind >= hi) {
            status = db_run(db, err, STATEMENT_REPLAY_RANGE_DELETE, "ii",
                            job->shown.id, lo);
        }
    }
    return status;
}

static enum spool_status take_slice(struct db *db, struct replay_job *j,
                                    const struct destination *d,
                                    struct job *job, size_t most, int64_t now,
                                    struct spool_error *err)
{
    size_t n = 0;
    struct operation out = {0};
    int64_t *ids = calloc(most, sizeof *ids);
    enum spool_status status =
        ids == NULL ? failed(err, SPOOL_NO_MEMORY, "out of memory")
                    : next_ids(db, job, ids, most, &n, err);
    if (status == SPOOL_OK && n > 0) {
        status = operate_replay_within(db, j->box, d, ids, n, job->detail, &out,
                                       err);
        job->cursor = ids[n - 1];
    }
    free(ids);
    job->shown.done += (int64_t)n;
    job->shown.changed += out.changed;
    if (status == SPOOL_OK && n < most) {
        return end(db, j->box, job, "replay", err);
    }
    j->active = true;
    return status == SPOOL_OK
               ? db_run(db, err, STATEMENT_REPLAY_STEP, "iiiii", job->shown.id,
                        job->shown.done, job->shown.changed, job->cursor, now)
               : status;
}

/* Whether a batch or more of live events waits. A lane without events does not
 * follow the log at each step, so it is its own that count. */
static enum spool_status live_wait(struct db *db, const struct destination *d,
                                   bool *wait, struct spool_error *err)
{
    int64_t n = 0, some = 0;
    enum spool_status status = SPOOL_OK;
    for (int lane = 0;
         status == SPOOL_OK && n < d->batch_events && lane < d->lanes; lane++) {
        status = db_number(db, err, 0, &some, STATEMENT_LANE_LIVE, "iii", d->id,
                           (int64_t)lane, (int64_t)d->batch_events - n);
        n += some;
    }
    *wait = n >= d->batch_events;
    return status;
}

/* A share of what has been delivered since the last slice, unless the
 * destination has time to spare. */
static enum spool_status limit_to_share(struct db *db,
                                        const struct destination *d,
                                        const struct job *job, int64_t *most,
                                        struct spool_error *err)
{
    int64_t delivered = 0;
    bool wait = false;
    enum spool_status status = live_wait(db, d, &wait, err);
    if (status == SPOOL_OK && wait) {
        status = db_number(db, err, 0, &delivered, STATEMENT_REPLAY_DELIVERED,
                           "ii", job->attempt, d->id);
        int64_t share = delivered * job->shown.terms.share / 100;
        *most = share < *most ? share : *most;
    }
    return status;
}

static enum spool_status slice_size(struct db *db, const struct destination *d,
                                    const struct job *job, int64_t now,
                                    int64_t *most, struct spool_error *err)
{
    int64_t passed = now - job->stepped_at;
    passed = passed < 0 || passed > SLICE_MS ? SLICE_MS : passed;
    *most = SLICE_EVENTS;
    if (job->shown.terms.rate > 0) {
        int64_t due = job->shown.terms.rate * passed / 1000;
        *most = due < *most ? due : *most;
    }
    return job->shown.terms.share == 0 ? SPOOL_OK
                                       : limit_to_share(db, d, job, most, err);
}

static enum spool_status step_one(struct db *db, struct replay_job *j,
                                  struct job *job, struct spool_error *err)
{
    struct destination *d = calloc(1, sizeof *d);
    bool found = false, waits = false;
    int64_t now = outbox_now(j->box), most = 0;
    enum spool_status status =
        d == NULL ? failed(err, SPOOL_NO_MEMORY, "out of memory")
                  : destination_get(db, job->destination, &found, d, err);
    if (status == SPOOL_OK && found && d->state == DESTINATION_RUNNING) {
        status = still_waits(db, d, job, &waits, err);
        if (status == SPOOL_OK && !waits) {
            status = slice_size(db, d, job, now, &most, err);
        }
        if (status == SPOOL_OK && (waits || most == 0)) {
            j->active = true;
        } else if (status == SPOOL_OK) {
            status = take_slice(db, j, d, job, (size_t)most, now, err);
        }
    }
    free(d);
    return status;
}

static enum spool_status step(struct db *db, void *arg, struct spool_error *err)
{
    struct replay_job *j = arg;
    struct job job = {0};
    bool found;
    enum spool_status status = find_next(db, 0, &job, &found, err);
    while (status == SPOOL_OK && found) {
        if (j->only == NULL || strcmp(j->only, job.shown.destination) == 0) {
            status = step_one(db, j, &job, err);
        }
        if (status == SPOOL_OK) {
            status = find_next(db, job.shown.id, &job, &found, err);
        }
    }
    return status;
}

enum spool_status replay_step(struct outbox *box, const char *only,
                              bool *active, struct spool_error *err)
{
    struct replay_job j = {.box = box, .only = only};
    enum spool_status status = outbox_read(box, list, &j, err);
    *active = false;
    if (status == SPOOL_OK && j.found > 0) {
        status = outbox_write(box, step, &j, err);
        *active = j.active;
    }
    return status;
}
