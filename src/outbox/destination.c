#include "outbox/destination.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "outbox/aside.h"
#include "outbox/keep.h"
#include "outbox/relane.h"
#include "outbox/store.h"

static enum spool_status check_number(const char *what, int64_t value,
                                      int64_t least, int64_t most,
                                      struct spool_error *err)
{
    if (value >= least && value <= most) {
        return SPOOL_OK;
    }
    return failed(err, SPOOL_MISUSE, "%s is %lld and must be %lld to %lld",
                  what, (long long)value, (long long)least, (long long)most);
}

static enum spool_status check_name(const char *name, struct spool_error *err)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789"
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.");
    if (n > 0 && name[n] == '\0') {
        return SPOOL_OK;
    }
    return failed(err, SPOOL_MISUSE,
                  "\"%s\" is no name for a destination: use letters, digits, "
                  "- _ and .",
                  name);
}

/* It becomes a line of a request's header. */
static enum spool_status check_origin(const struct destination *d,
                                      struct spool_error *err)
{
    for (const char *p = d->origin; *p != '\0'; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7F) {
            return failed(err, SPOOL_MISUSE,
                          "the origin of %s must have no line breaks or other "
                          "control characters",
                          d->name);
        }
    }
    return SPOOL_OK;
}

static enum spool_status check(const struct destination *d,
                               struct spool_error *err)
{
    const struct {
        const char *what;
        int64_t value, least, most;
    } numbers[] = {
        {"lanes", d->lanes, 1, DESTINATION_LANES_MAX},
        {"batch-events", d->batch_events, 1, 100000},
        {"batch-bytes", d->batch_bytes, 1, (int64_t)64 * 1024 * 1024},
        {"batch-age-ms", d->batch_age_ms, 0, (int64_t)24 * 3600 * 1000},
        {"the first backoff in ms", d->backoff_base_ms, 1,
         (int64_t)3600 * 1000},
        {"the longest backoff in ms", d->backoff_cap_ms, d->backoff_base_ms,
         (int64_t)24 * 3600 * 1000},
        {"hold-after", d->hold_after, 0, 1000000},
        {"rate", d->rate, 0, 1000000},
        {"spread in ms", d->spread_ms, 0, (int64_t)24 * 3600 * 1000},
    };
    enum spool_status status = check_name(d->name, err);
    for (size_t i = 0;
         status == SPOOL_OK && i < sizeof numbers / sizeof *numbers; i++) {
        status = check_number(numbers[i].what, numbers[i].value,
                              numbers[i].least, numbers[i].most, err);
    }
    if (status == SPOOL_OK && d->url[0] == '\0') {
        return failed(err, SPOOL_MISUSE, "destination %s needs a URL", d->name);
    }
    return status == SPOOL_OK ? check_origin(d, err) : status;
}

struct change {
    struct outbox *box;
    struct destination *d;
    const struct destination *new_values;
    const char *name;
    int64_t undelivered;
    enum destination_state state;
};

/* Rows that are put back behind a reader's cursor would never be read, and what
 * a damaged file says of a lane is put back into the same one. *last: up to
 * where that file may hold some. Where it lies no more there is nothing to wait
 * for. */
static enum spool_status check_recovered(struct db *db, const char *path,
                                         int64_t behind, const char *change,
                                         const char *name, int64_t *last,
                                         struct spool_error *err)
{
    char damaged[ASIDE_PATH_SIZE];
    enum spool_status status = aside_waiting(db, path, last, damaged, err);
    if (status != SPOOL_OK || *last <= behind || damaged[0] == '\0') {
        return status;
    }
    return failed(err, SPOOL_BUSY,
                  "the outbox was damaged, and its events have not been "
                  "put back; run spoolctl recover, then %s %s",
                  change, name);
}

/* Where its events go now; not what stands behind a ?, which may be a secret.
 */
static enum spool_status audit_setting(struct db *db, struct outbox *box,
                                       const char *action,
                                       const struct destination *d,
                                       struct spool_error *err)
{
    char url[DESTINATION_URL_SIZE];
    (void)snprintf(url, sizeof url, "%.*s", (int)strcspn(d->url, "?#"), d->url);
    return audit(db, outbox_now(box), action, d->name, 0, url, err);
}

/* Asked of new ones alone: where there is one already, it keeps its name. */
static enum spool_status check_new_name(const char *name,
                                        struct spool_error *err)
{
    if (name[strspn(name, "0123456789")] != '\0') {
        return SPOOL_OK;
    }
    return failed(err, SPOOL_MISUSE,
                  "\"%s\" is no name for a destination: digits alone are the "
                  "id of an event; add a letter",
                  name);
}

static enum spool_status add(struct db *db, void *arg, struct spool_error *err)
{
    const struct change *c = arg;
    struct destination *d = c->d;
    bool found;
    struct destination other;
    enum spool_status status = destination_row(
        db, db_query(db, STATEMENT_DESTINATION_BY_NAME, "t", d->name), &found,
        &other, err);
    if (status == SPOOL_OK && found) {
        return failed(err, SPOOL_EXISTS,
                      "destination %s exists already; change it with "
                      "destination set %s",
                      d->name, d->name);
    }
    if (status == SPOOL_OK) {
        status = check_new_name(d->name, err);
    }
    int64_t last = 0, dropped = 0, aside = 0;
    if (status == SPOOL_OK) {
        status = db_number(db, err, 0, &last, STATEMENT_LAST_ID, "");
    }
    if (status == SPOOL_OK) {
        status = db_number(db, err, 0, &dropped, STATEMENT_DROPPED_TO, "");
    }
    if (d->base < 0) {
        d->base = last;
    } else if (d->base < dropped) {
        d->base = dropped; /* before that the log is not whole any more */
    }
    d->since = outbox_now(c->box);
    if (status == SPOOL_OK) {
        status = check_recovered(db, c->box->path, d->base, "add", d->name,
                                 &aside, err);
    }
    if (status == SPOOL_OK && aside > d->base) {
        d->base = aside;
    }
    if (status == SPOOL_OK) {
        status = db_run(
            db, err, STATEMENT_DESTINATION_INSERT, "ttttttiiiiiiiii", d->name,
            d->url, d->profile, d->origin, d->api_key_file, d->filter,
            (int64_t)d->lanes, (int64_t)d->batch_events, d->batch_bytes,
            d->batch_age_ms, d->backoff_base_ms, d->backoff_cap_ms,
            (int64_t)d->hold_after, d->base, d->since);
    }
    d->id = sqlite3_last_insert_rowid(db->handle);
    if (status == SPOOL_OK) {
        status = destination_write_options(db, d->id, d, err);
    }
    if (status == SPOOL_OK) {
        status = db_run(db, err, STATEMENT_SHED_COPY, "ii", d->id, d->base);
    }
    if (status == SPOOL_OK) {
        status = db_run(db, err, STATEMENT_SHED_COUNT, "i", d->id);
    }
    for (int lane = 0; status == SPOOL_OK && lane < d->lanes; lane++) {
        status = db_run(db, err, STATEMENT_LANE_INSERT, "iii", d->id,
                        (int64_t)lane, d->base);
    }
    if (status == SPOOL_OK) {
        status = audit_setting(db, c->box, "destination add", d, err);
    }
    return status == SPOOL_OK ? keep_write(db, err) : status;
}

enum spool_status destination_add(struct outbox *box, struct destination *d,
                                  struct spool_error *err)
{
    struct change c = {.box = box, .d = d};
    enum spool_status status = check(d, err);
    if (status == SPOOL_OK && d->filter[0] != '\0') {
        void *filter = NULL;
        if (box->filters.compile == NULL) {
            return failed(err, SPOOL_MISUSE, "this program has no filters");
        }
        status = box->filters.compile(d->filter, &filter, err);
        if (status == SPOOL_OK) {
            box->filters.release(filter);
        }
    }
    return status == SPOOL_OK ? outbox_write(box, add, &c, err) : status;
}

/* What was sent and has no final answer goes out again as the same bytes under
 * the same key: what shapes them must not change meanwhile. */
static enum spool_status check_settled(struct db *db,
                                       const struct destination *d,
                                       const char *what,
                                       struct spool_error *err)
{
    int64_t open = 0;
    enum spool_status status =
        db_number(db, err, 0, &open, STATEMENT_TILES_OPEN, "i", d->id);
    if (status == SPOOL_OK && open > 0) {
        return failed(err, SPOOL_BUSY,
                      "%s of %s cannot be changed now: %lld requests are under "
                      "way or wait to be sent again as they are; let them "
                      "arrive or purge them, then spoolctl pause %s and try "
                      "again",
                      what, d->name, (long long)open, d->name);
    }
    return status;
}

static enum spool_status set(struct db *db, void *arg, struct spool_error *err)
{
    const struct change *c = arg;
    const struct destination *d = c->new_values;
    struct destination old;
    int64_t aside = 0;
    enum spool_status status = destination_by_name(db, d->name, &old, err);
    if (status == SPOOL_OK && strcmp(old.filter, d->filter) != 0) {
        return failed(err, SPOOL_MISUSE,
                      "the filter of %s cannot be changed, since the log has "
                      "been cut by it; add a second destination",
                      d->name);
    }
    if (status == SPOOL_OK && old.lanes != d->lanes) {
        status = check_settled(db, &old, "the lanes", err);
        if (status == SPOOL_OK) {
            status = check_recovered(db, c->box->path, 0, "change the lanes of",
                                     d->name, &aside, err);
        }
        if (status == SPOOL_OK) {
            status = relane(db, c->box, &old, d->lanes, err);
        }
    }
    if (status == SPOOL_OK && old.body != d->body) {
        status = check_settled(db, &old, "the body", err);
    }
    if (status == SPOOL_OK) {
        status = destination_write_options(db, old.id, d, err);
    }
    if (status != SPOOL_OK) {
        return status;
    }
    status =
        db_run(db, err, STATEMENT_DESTINATION_UPDATE, "ittttiiiiii", old.id,
               d->url, d->profile, d->origin, d->api_key_file,
               (int64_t)d->batch_events, d->batch_bytes, d->batch_age_ms,
               d->backoff_base_ms, d->backoff_cap_ms, (int64_t)d->hold_after);
    if (status == SPOOL_OK) {
        status = audit_setting(db, c->box, "destination set", d, err);
    }
    return status == SPOOL_OK ? keep_write(db, err) : status;
}

enum spool_status destination_set(struct outbox *box,
                                  const struct destination *d,
                                  struct spool_error *err)
{
    struct change c = {.box = box, .new_values = d};
    enum spool_status status = check(d, err);
    return status == SPOOL_OK ? outbox_write(box, set, &c, err) : status;
}

static enum spool_status count_undelivered(struct db *db, int64_t destination,
                                           int64_t *n, struct spool_error *err)
{
    sqlite3_stmt *s = db_query(db, STATEMENT_SUMS, "i", destination);
    bool row;
    enum spool_status status = db_row(db, s, &row, err);
    *n = 0;
    if (status == SPOOL_OK && row) {
        /* pending, sending, retrying, uncertain, dead, held */
        static const int columns[] = {1, 2, 3, 4, 6, 8};
        for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
            *n += sqlite3_column_int64(s, columns[i]);
        }
        (void)sqlite3_reset(s);
    }
    return status;
}

static enum spool_status remove_it(struct db *db, void *arg,
                                   struct spool_error *err)
{
    struct change *c = arg;
    struct destination d;
    enum spool_status status = destination_by_name(db, c->name, &d, err);
    if (status == SPOOL_OK) {
        status = count_undelivered(db, d.id, &c->undelivered, err);
    }
    static const enum statement deletes[] = {
        STATEMENT_DESTINATION_DELETE_REPLAY_RANGES,
        STATEMENT_DESTINATION_DELETE_REPLAYS,
        STATEMENT_DESTINATION_DELETE_ATTEMPTS,
        STATEMENT_DESTINATION_DELETE_SHED,
        STATEMENT_DESTINATION_DELETE_EXPRESS,
        STATEMENT_DESTINATION_DELETE_BATCHES,
        STATEMENT_DESTINATION_DELETE_LANES,
        STATEMENT_DESTINATION_DELETE,
    };
    for (size_t i = 0;
         status == SPOOL_OK && i < sizeof deletes / sizeof *deletes; i++) {
        status = db_run(db, err, deletes[i], "i", d.id);
    }
    if (status == SPOOL_OK) {
        status = audit(db, outbox_now(c->box), "destination rm", c->name,
                       c->undelivered, "undelivered events left behind", err);
    }
    return status == SPOOL_OK ? keep_write(db, err) : status;
}

enum spool_status destination_remove(struct outbox *box, const char *name,
                                     int64_t *undelivered,
                                     struct spool_error *err)
{
    struct change c = {.box = box, .name = name};
    enum spool_status status = outbox_write(box, remove_it, &c, err);
    *undelivered = c.undelivered;
    return status;
}

static enum spool_status set_state(struct db *db, void *arg,
                                   struct spool_error *err)
{
    const struct change *c = arg;
    struct destination d;
    enum spool_status status = destination_by_name(db, c->name, &d, err);
    if (status != SPOOL_OK) {
        return status;
    }
    bool paused = c->state == DESTINATION_PAUSED;
    d.state = c->state;
    d.hold_kind = HOLD_NONE;
    d.since = outbox_now(c->box);
    d.probes = 0;
    d.next_probe_at = 0;
    d.dead_in_row = 0;
    (void)snprintf(d.reason, sizeof d.reason, "%s",
                   paused ? "paused by an operator" : "");
    status = destination_write_state(db, &d, err);
    if (status == SPOOL_OK) {
        status =
            audit(db, d.since, paused ? "pause" : "resume", d.name, 0, "", err);
    }
    if (status == SPOOL_OK) {
        /* A full disk is no reason to stay paused. */
        (void)keep_write(db, NULL);
    }
    return status;
}

enum spool_status destination_pause(struct outbox *box, const char *name,
                                    struct spool_error *err)
{
    struct change c = {.box = box, .name = name, .state = DESTINATION_PAUSED};
    return outbox_record(box, set_state, &c, err);
}

enum spool_status destination_resume(struct outbox *box, const char *name,
                                     struct spool_error *err)
{
    struct change c = {.box = box, .name = name, .state = DESTINATION_RUNNING};
    return outbox_record(box, set_state, &c, err);
}
