/* The sums of a destination, and what of it is the oldest that waits. */
#include "outbox/inspect.h"
#include "outbox/store.h"
#include "outbox/tile.h"

struct sums_job {
    struct outbox *box;
    const struct destination *d;
    struct sums *out;
};

static void note_oldest(struct sums *out, sqlite3_stmt *s)
{
    int64_t id = sqlite3_column_int64(s, 0);
    if (out->oldest_id == 0 || id < out->oldest_id) {
        out->oldest_id = id;
        out->oldest_at = sqlite3_column_int64(s, 1);
    }
}

/* The oldest event of a lane's first waiting tile that waits for no page; *has:
 * there is such a tile. */
static enum spool_status look_at_lane(struct db *db, struct sums_job *j,
                                      int lane, bool *has,
                                      struct spool_error *err)
{
    struct tile t;
    bool row;
    sqlite3_stmt *s =
        db_query(db, STATEMENT_TILE_HEAD, "ii", j->d->id, (int64_t)lane);
    enum spool_status status = db_row(db, s, has, err);
    if (status != SPOOL_OK || !*has) {
        return status;
    }
    tile_read(s, &t);
    (void)sqlite3_reset(s);
    if (t.next_at > 0 &&
        (j->out->next_at == 0 || t.next_at < j->out->next_at)) {
        j->out->next_at = t.next_at;
    }
    s = db_query(db, STATEMENT_OLDEST, "iii", t.lo - 1, j->d->id,
                 (int64_t)lane);
    status = db_row(db, s, &row, err);
    if (status == SPOOL_OK && row) {
        note_oldest(j->out, s);
        (void)sqlite3_reset(s);
    }
    return status;
}

/* Behind the cursors of the lanes without such a tile: together, since one that
 * has no event in the log would be looked for in all of it. */
static enum spool_status look_at_log(struct db *db, struct sums_job *j,
                                     int64_t behind, struct spool_error *err)
{
    bool row;
    sqlite3_stmt *s =
        db_query(db, STATEMENT_OLDEST_UNCUT, "ii", behind, j->d->id);
    enum spool_status status = db_row(db, s, &row, err);
    if (status == SPOOL_OK && row) {
        note_oldest(j->out, s);
        (void)sqlite3_reset(s);
    }
    return status;
}

static enum spool_status look_at_lanes(struct db *db, struct sums_job *j,
                                       struct spool_error *err)
{
    bool row, has = false;
    int lanes[DESTINATION_LANES_MAX];
    int64_t cursors[DESTINATION_LANES_MAX], behind = INT64_MAX;
    int n = 0;
    sqlite3_stmt *s = db_query(db, STATEMENT_LANES, "i", j->d->id);
    enum spool_status status = db_row(db, s, &row, err);
    while (status == SPOOL_OK && row && n < DESTINATION_LANES_MAX) {
        lanes[n] = sqlite3_column_int(s, 0);
        cursors[n++] = sqlite3_column_int64(s, 2);
        status = db_row(db, s, &row, err);
    }
    for (int i = 0; status == SPOOL_OK && i < n; i++) {
        status = look_at_lane(db, j, j->d->lanes + lanes[i], &has, err);
        if (status == SPOOL_OK) {
            status = look_at_lane(db, j, lanes[i], &has, err);
        }
        behind = !has && cursors[i] < behind ? cursors[i] : behind;
    }
    return status == SPOOL_OK && behind < INT64_MAX
               ? look_at_log(db, j, behind, err)
               : status;
}

/* The oldest of the events that wait, and of those that no page is to let go:
 * what is held is not among the waiting tiles. */
static enum spool_status look_at_waiting(struct db *db, struct sums_job *j,
                                         struct spool_error *err)
{
    struct sums *out = j->out;
    enum spool_status status = SPOOL_OK;
    bool row;
    if (out->waiting > out->by_state[EVENT_HELD]) {
        status = look_at_lanes(db, j, err);
        out->unheld_at = out->oldest_at;
    }
    if (status == SPOOL_OK && out->by_state[EVENT_HELD] > 0) {
        sqlite3_stmt *s = db_query(db, STATEMENT_OLDEST_HELD, "i", j->d->id);
        status = db_row(db, s, &row, err);
        if (status == SPOOL_OK && row) {
            note_oldest(out, s);
            (void)sqlite3_reset(s);
        }
    }
    return status;
}

static enum spool_status read_sums(struct db *db, void *arg,
                                   struct spool_error *err)
{
    struct sums_job *j = arg;
    struct sums *out = j->out;
    bool row;
    sqlite3_stmt *s = db_query(db, STATEMENT_SUMS, "i", j->d->id);
    enum spool_status status = db_row(db, s, &row, err);
    *out = (struct sums){0};
    if (status == SPOOL_OK && row) {
        out->accepted = sqlite3_column_int64(s, 0);
        for (int i = 0; i < EVENT_STATES; i++) {
            out->by_state[i] = sqlite3_column_int64(s, 1 + i);
        }
        out->passed = sqlite3_column_int64(s, 1 + EVENT_STATES);
        out->lost = sqlite3_column_int64(s, 2 + EVENT_STATES);
        (void)sqlite3_reset(s);
    }
    for (int i = EVENT_PENDING; i <= EVENT_UNCERTAIN; i++) {
        out->waiting += out->by_state[i];
    }
    out->waiting += out->by_state[EVENT_HELD];
    if (status == SPOOL_OK) {
        status = look_at_waiting(db, j, err);
    }
    if (status == SPOOL_OK) {
        status = db_number(db, err, 0, &out->delivered_last_minute,
                           STATEMENT_ATTEMPTS_RATE, "ii", j->d->id,
                           outbox_now(j->box) - 60000);
    }
    return status;
}

enum spool_status inspect_sums(struct outbox *box, const struct destination *d,
                               struct sums *out, struct spool_error *err)
{
    struct sums_job j = {box, d, out};
    return outbox_read(box, read_sums, &j, err);
}

static enum spool_status read_last_id(struct db *db, void *arg,
                                      struct spool_error *err)
{
    return db_number(db, err, 0, arg, STATEMENT_LAST_ID, "");
}

enum spool_status inspect_last_id(struct outbox *box, int64_t *out,
                                  struct spool_error *err)
{
    return outbox_read(box, read_last_id, out, err);
}
