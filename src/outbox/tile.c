#include "outbox/tile.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "outbox/store.h"

static const char *const state_names[] = {
    [TILE_PENDING] = "pending",     [TILE_SENDING] = "sending",
    [TILE_RETRYING] = "retrying",   [TILE_UNCERTAIN] = "uncertain",
    [TILE_DELIVERED] = "delivered", [TILE_DEAD] = "dead",
    [TILE_PURGED] = "purged",       [TILE_HELD] = "held",
};

const char *tile_state_name(enum tile_state state)
{
    return state_names[state];
}

bool tile_is_waiting(enum tile_state state)
{
    return state <= TILE_UNCERTAIN;
}

static enum tile_state state_of(const unsigned char *name)
{
    for (int i = 0; name != NULL && i < TILE_STATES; i++) {
        if (strcmp(state_names[i], (const char *)name) == 0) {
            return (enum tile_state)i;
        }
    }
    return TILE_PENDING; /* verify names a state that does not exist */
}

void tile_read(sqlite3_stmt *s, struct tile *t)
{
    t->id = sqlite3_column_int64(s, 0);
    t->destination = sqlite3_column_int64(s, 1);
    t->lane = sqlite3_column_int(s, 2);
    t->lo = sqlite3_column_int64(s, 3);
    t->hi = sqlite3_column_int64(s, 4);
    t->events = sqlite3_column_int64(s, 5);
    t->passed = sqlite3_column_int64(s, 6);
    t->state = state_of(sqlite3_column_text(s, 7));
    db_copy_text(s, 8, t->key, sizeof t->key);
    t->attempts = sqlite3_column_int(s, 9);
    t->uncertain = sqlite3_column_int(s, 10);
    t->unknown = sqlite3_column_int(s, 11);
    t->next_at = sqlite3_column_int64(s, 12);
    t->whole = t->state != TILE_DELIVERED && t->state != TILE_PURGED;
}

enum spool_status membership_open(struct membership *m, struct outbox *box,
                                  const struct destination *d, int lane,
                                  struct spool_error *err)
{
    *m = (struct membership){.lanes = d->lanes,
                             .lane = lane,
                             .filters = &box->filters,
                             .destination = d->id,
                             .express_to = d->express_to};
    if (d->filter[0] == '\0') {
        return SPOOL_OK;
    }
    if (box->filters.compile == NULL) {
        return failed(err, SPOOL_MISUSE,
                      "destination %s has a filter and this program cannot "
                      "read filters",
                      d->name);
    }
    return box->filters.compile(d->filter, &m->filter, err);
}

void membership_close(struct membership *m)
{
    if (m->filter != NULL) {
        m->filters->release(m->filter);
        m->filter = NULL;
    }
}

enum spool_status membership_renew(struct db *db, struct membership *m,
                                   struct spool_error *err)
{
    return db_number(db, err, 0, &m->express_to, STATEMENT_EXPRESS_TO, "i",
                     m->destination);
}

/* The run of a lane that an id lies in, or the next one. */
static enum spool_status find_run(struct db *db, const struct membership *m,
                                  int64_t lane, int64_t id, int64_t *lo,
                                  int64_t *hi, struct spool_error *err)
{
    bool row = false;
    enum spool_status status = SPOOL_OK;
    *lo = *hi = INT64_MAX;
    if (id <= m->express_to) {
        sqlite3_stmt *s = db_query(db, STATEMENT_EXPRESS_RUN, "iii",
                                   m->destination, lane, id);
        status = db_row(db, s, &row, err);
        if (status == SPOOL_OK && row) {
            *lo = sqlite3_column_int64(s, 0);
            *hi = sqlite3_column_int64(s, 1);
            (void)sqlite3_reset(s);
        }
    }
    return status;
}

enum spool_status membership_look(struct db *db, struct membership *m,
                                  int64_t id, struct spool_error *err)
{
    return find_run(db, m, m->lane % m->lanes, id, &m->run_lo, &m->run_hi, err);
}

enum spool_status membership_find_lane(struct db *db,
                                       const struct membership *m, int64_t id,
                                       int64_t part, int *lane,
                                       struct spool_error *err)
{
    int64_t lo, hi;
    enum spool_status status =
        find_run(db, m, part % m->lanes, id, &lo, &hi, err);
    *lane = (int)(part % m->lanes) + (id >= lo ? m->lanes : 0);
    return status;
}

bool membership_takes(const struct membership *m, const char *body, size_t len)
{
    return m->filter == NULL || m->filters->takes(m->filter, body, len);
}

static enum spool_status count_rows(struct db *db, struct membership *m,
                                    int64_t lo, int64_t hi, int64_t *events,
                                    int64_t *passed, struct spool_error *err)
{
    bool more = false;
    *events = 0;
    enum spool_status status = membership_look(db, m, lo, err);
    sqlite3_stmt *s = db_query(db, STATEMENT_EVENTS_RANGE, "ii", lo, hi);
    if (status == SPOOL_OK) {
        status = db_row(db, s, &more, err);
    }
    while (status == SPOOL_OK && more) {
        struct row row;
        row_read(s, &row);
        if (!membership_knows(m, row.id)) {
            status = membership_look(db, m, row.id, err);
        }
        if (status == SPOOL_OK && membership_has(m, row.id, row.part)) {
            bool taken = membership_takes(m, row.body, row.len);
            *(taken ? events : passed) += 1;
        }
        if (status == SPOOL_OK) {
            status = db_row(db, s, &more, err);
        }
    }
    (void)sqlite3_reset(s);
    return status;
}

enum spool_status tile_count(struct db *db, struct membership *m, int64_t lo,
                             int64_t hi, int64_t *events, int64_t *passed,
                             struct spool_error *err)
{
    *passed = 0;
    if (m->filter == NULL && membership_has_all(m, lo)) {
        /* Ids are dense, but for those that damage took or that gave way. */
        int64_t lost;
        enum spool_status status =
            db_number(db, err, 0, &lost, STATEMENT_MISSING_BETWEEN, "iii", lo,
                      hi, m->destination);
        *events = hi - lo + 1 - (status == SPOOL_OK ? lost : 0);
        return status;
    }
    if (m->filter == NULL) {
        return db_number(db, err, 0, events, STATEMENT_EVENTS_COUNT, "iiii", lo,
                         hi, m->destination, (int64_t)m->lane);
    }
    return count_rows(db, m, lo, hi, events, passed, err);
}

enum spool_status tile_insert(struct db *db, struct tile *t, int64_t now,
                              const char *code, const char *reason,
                              struct spool_error *err)
{
    enum spool_status status =
        db_run(db, err, STATEMENT_TILE_INSERT, "iiiiiittiiiiitt",
               t->destination, (int64_t)t->lane, t->lo, t->hi, t->events,
               t->passed, tile_state_name(t->state), t->key,
               (int64_t)t->attempts, (int64_t)t->uncertain, (int64_t)t->unknown,
               t->next_at, now, code, reason);
    t->id = sqlite3_last_insert_rowid(db->handle);
    return status;
}

enum spool_status tile_set(struct db *db, const struct tile *t, int64_t now,
                           const char *code, const char *reason,
                           struct spool_error *err)
{
    return db_run(db, err, STATEMENT_TILE_SET, "ittiiiiitt", t->id,
                  tile_state_name(t->state), t->key, (int64_t)t->attempts,
                  (int64_t)t->uncertain, (int64_t)t->unknown, t->next_at, now,
                  code, reason);
}

/* What the last answer said stays with both halves. */
struct last_words {
    char code[64];
    char reason[DESTINATION_REASON_SIZE];
    int64_t at;
};

static enum spool_status read_last_words(struct db *db, int64_t tile,
                                         struct last_words *words,
                                         struct spool_error *err)
{
    sqlite3_stmt *s = db_query(db, STATEMENT_TILE_BY_ID, "i", tile);
    bool row;
    enum spool_status status = db_row(db, s, &row, err);
    if (status == SPOOL_OK && row) {
        db_copy_text(s, 13, words->code, sizeof words->code);
        db_copy_text(s, 14, words->reason, sizeof words->reason);
        words->at = sqlite3_column_int64(s, 15);
        (void)sqlite3_reset(s);
    }
    return status;
}

/* The side whose events are counted has those that the log holds. What
 * retention dropped cannot be counted: it stays with the other side. */
enum side { LEFT, RIGHT };

/* Of a whole tile the shorter side is counted: else each event that is cut out
 * of a long one would have all behind it read again. */
static enum side side_to_count(const struct tile *t, int64_t id,
                               enum side otherwise)
{
    if (!t->whole) {
        return otherwise;
    }
    return id - t->lo < t->hi - id ? LEFT : RIGHT;
}

static enum spool_status count_left(struct db *db, struct membership *m,
                                    const struct tile *t, int64_t id,
                                    enum side counted, int64_t *events,
                                    int64_t *passed, struct spool_error *err)
{
    if (counted == LEFT) {
        return tile_count(db, m, t->lo, id, events, passed, err);
    }
    enum spool_status status =
        tile_count(db, m, id + 1, t->hi, events, passed, err);
    *events = t->events - *events;
    *passed = t->passed - *passed;
    return status;
}

static enum spool_status split(struct db *db, struct rng *rng, int64_t now,
                               struct membership *m, struct tile *t, int64_t id,
                               enum side otherwise, struct tile *right,
                               struct spool_error *err)
{
    assert(t->lo <= id && id < t->hi);
    struct last_words words = {.at = now};
    enum side counted = side_to_count(t, id, otherwise);
    int64_t events = 0, passed = 0;
    enum spool_status status = read_last_words(db, t->id, &words, err);
    if (status == SPOOL_OK) {
        status = count_left(db, m, t, id, counted, &events, &passed, err);
    }
    if (status != SPOOL_OK) {
        return status;
    }
    *right = *t;
    right->lo = id + 1;
    right->events = t->events - events;
    right->passed = t->passed - passed;
    right->whole = t->whole || counted == RIGHT;
    t->hi = id;
    t->events = events;
    t->passed = passed;
    t->whole = t->whole || counted == LEFT;
    if (tile_is_waiting(t->state)) {
        uuid_v7(rng, now, t->key);
    }
    uuid_v7(rng, now, right->key);
    status = db_run(db, err, STATEMENT_TILE_RANGE, "iiiit", t->id, t->hi,
                    t->events, t->passed, t->key);
    if (status == SPOOL_OK) {
        status =
            tile_insert(db, right, words.at, words.code, words.reason, err);
    }
    return status;
}

enum spool_status tile_split(struct db *db, struct rng *rng, int64_t now,
                             struct membership *m, struct tile *t, int64_t id,
                             struct tile *right, struct spool_error *err)
{
    return split(db, rng, now, m, t, id, LEFT, right, err);
}

enum spool_status tile_carve(struct db *db, struct rng *rng, int64_t now,
                             struct membership *m, struct tile *t, int64_t lo,
                             int64_t hi, struct spool_error *err)
{
    assert(t->lo <= lo && lo <= hi && hi <= t->hi);
    struct tile rest;
    enum spool_status status = SPOOL_OK;
    if (lo > t->lo) {
        status = split(db, rng, now, m, t, lo - 1, RIGHT, &rest, err);
        *t = rest;
    }
    if (status == SPOOL_OK && hi < t->hi) {
        status = tile_split(db, rng, now, m, t, hi, &rest, err);
    }
    return status;
}
