/* Whether the file is whole and the sums add up. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "outbox/aside.h"
#include "outbox/inspect.h"
#include "outbox/store.h"
#include "outbox/tile.h"

/* Rows checked in one snapshot. */
#define PAGE 5000

/* Past this many findings of one kind the rest is not named. */
#define NAMED_MAX 100

struct verify_job {
    struct outbox *box;
    verify_finding *each;
    void *arg;
    int64_t findings;
    const struct destination *d;
    int64_t next; /* the next event id */
    int64_t last_id;
    int64_t dropped_to;
    bool end;
    struct membership members;
};

static void find(struct verify_job *j, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void find(struct verify_job *j, const char *format, ...)
{
    char text[SPOOL_ERROR_SIZE];
    if (j->findings++ < NAMED_MAX) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(text, sizeof text, format, args);
        va_end(args);
        j->each(j->arg, text);
    }
}

/* SQLite's check also tells as a finding that it could not read a page. */
static bool ran_out_of_memory(const char *text)
{
    static const char words[] = "error code=7"; /* SQLITE_NOMEM */
    const char *at = strstr(text, words);
    return at != NULL && at[sizeof words - 1] == '\0';
}

static enum spool_status check_file(struct db *db, void *arg,
                                    struct spool_error *err)
{
    struct verify_job *j = arg;
    sqlite3_stmt *s = NULL;
    bool no_memory = false;
    int rc = sqlite3_prepare_v2(db->handle, "PRAGMA integrity_check(20)", -1,
                                &s, NULL);
    while (rc == SQLITE_OK && !no_memory && sqlite3_step(s) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(s, 0);
        no_memory = text == NULL || ran_out_of_memory(text);
        if (!no_memory && strcmp(text, "ok") != 0) {
            find(j, "the file's structure is damaged: %s", text);
        }
    }
    rc = sqlite3_finalize(s);
    if (no_memory) {
        return failed(err, SPOOL_NO_MEMORY, "out of memory while checking %s",
                      db->path);
    }
    return rc == SQLITE_OK ? SPOOL_OK : db_failed(db, err, "cannot check");
}

/* Events from j->next up to the one before id are not there. What retention
 * dropped may be missing up to its mark, what was shed is known, and what was
 * lost is told apart. */
static void check_gap(struct db *db, struct verify_job *j, int64_t id)
{
    int64_t hi = 0;
    if (j->next <= j->dropped_to) {
        j->next = id - 1 > j->dropped_to ? j->dropped_to + 1 : id;
    }
    while (j->next < id &&
           db_number(db, NULL, 0, &hi, STATEMENT_MISSING_AT, "i", j->next) ==
               SPOOL_OK &&
           hi >= j->next) {
        j->next = hi + 1;
    }
    if (j->next < id) {
        find(j, "events %lld to %lld are missing from the log",
             (long long)j->next, (long long)id - 1);
    }
}

static enum spool_status check_lost(struct db *db, void *arg,
                                    struct spool_error *err)
{
    struct verify_job *j = arg;
    bool row;
    sqlite3_stmt *s = db_query(db, STATEMENT_LOST_LIST, "");
    enum spool_status status = db_row(db, s, &row, err);
    while (status == SPOOL_OK && row) {
        find(j,
             "events %lld to %lld were accepted and are lost: %s; spoolctl "
             "init --adopt when you know of it",
             (long long)sqlite3_column_int64(s, 0),
             (long long)sqlite3_column_int64(s, 1),
             (const char *)sqlite3_column_text(s, 2));
        status = db_row(db, s, &row, err);
    }
    return status;
}

static enum spool_status check_aside(struct db *db, void *arg,
                                     struct spool_error *err)
{
    struct verify_job *j = arg;
    char file[ASIDE_PATH_SIZE];
    int64_t last;
    enum spool_status status =
        aside_waiting(db, j->box->path, &last, file, err);
    if (status == SPOOL_OK && file[0] != '\0') {
        find(j,
             "the outbox was damaged, and what it held up to event %lld has "
             "not been put back; spoolctl recover does, from %s",
             (long long)last, file);
    }
    return status;
}

/* What limits take for the number of rows, in one snapshot with them. */
static enum spool_status check_count(struct db *db, void *arg,
                                     struct spool_error *err)
{
    struct verify_job *j = arg;
    int64_t rows = 0, last = 0, gone = 0;
    enum spool_status status =
        db_number(db, err, 0, &rows, STATEMENT_EVENT_ROWS, "");
    if (status == SPOOL_OK) {
        status = db_number(db, err, 0, &last, STATEMENT_LAST_ID, "");
    }
    if (status == SPOOL_OK) {
        status = db_number(db, err, 0, &gone, STATEMENT_GONE_GET, "");
    }
    if (status == SPOOL_OK && rows != last - gone) {
        find(j, "the log has %lld events and its limits count %lld",
             (long long)rows, (long long)(last - gone));
    }
    return status;
}

static enum spool_status check_rows(struct db *db, void *arg,
                                    struct spool_error *err)
{
    struct verify_job *j = arg;
    bool more;
    sqlite3_stmt *s =
        db_query(db, STATEMENT_EVENTS_RANGE, "ii", j->next, INT64_MAX);
    enum spool_status status = db_row(db, s, &more, err);
    for (int i = 0; status == SPOOL_OK && more && i < PAGE; i++) {
        struct row row;
        row_read(s, &row);
        check_gap(db, j, row.id);
        if (!row_is_whole(&row)) {
            find(j,
                 "event %lld is damaged: its checksum does not fit its %zu "
                 "bytes",
                 (long long)row.id, row.len);
        }
        j->next = row.id + 1;
        status = db_row(db, s, &more, err);
    }
    j->end = !more;
    (void)sqlite3_reset(s);
    return status;
}

static enum spool_status check_tile(struct db *db, struct verify_job *j,
                                    const struct tile *t, int64_t expect,
                                    int64_t dropped_to, struct spool_error *err)
{
    if (t->lo > expect) {
        find(j, "%s, lane %d: events %lld to %lld belong to no batch",
             j->d->name, t->lane, (long long)expect, (long long)t->lo - 1);
    }
    if (t->lo < expect || t->hi < t->lo) {
        find(j,
             "%s, lane %d: batch %lld (%lld to %lld) overlaps the one "
             "before it",
             j->d->name, t->lane, (long long)t->id, (long long)t->lo,
             (long long)t->hi);
        return SPOOL_OK;
    }
    bool dropped = t->state == TILE_DELIVERED || t->state == TILE_PURGED;
    if (dropped && t->lo <= dropped_to) {
        return SPOOL_OK; /* its events may be gone and cannot be counted */
    }
    int64_t events = 0, passed = 0;
    enum spool_status status =
        tile_count(db, &j->members, t->lo, t->hi, &events, &passed, err);
    if (status == SPOOL_OK && (events != t->events || passed != t->passed)) {
        find(j,
             "%s, lane %d: batch %lld says %lld events (%lld passed over) "
             "and the log has %lld (%lld)",
             j->d->name, t->lane, (long long)t->id, (long long)t->events,
             (long long)t->passed, (long long)events, (long long)passed);
    }
    return status;
}

/* What lies between the tiles of an express lane went by the lane itself; those
 * of any other lane leave no gap. *expect is where the next tile begins. */
static enum spool_status check_tiles(struct db *db, struct verify_job *j,
                                     int lane, bool gaps, int64_t *expect,
                                     int64_t dropped_to,
                                     struct spool_error *err)
{
    bool more;
    j->members.lane = lane;
    sqlite3_stmt *s =
        db_query(db, STATEMENT_TILES_OF_LANE, "ii", j->d->id, (int64_t)lane);
    enum spool_status status = db_row(db, s, &more, err);
    while (status == SPOOL_OK && more) {
        struct tile t;
        tile_read(s, &t);
        if (gaps && t.lo > *expect) {
            *expect = t.lo;
        }
        status = check_tile(db, j, &t, *expect, dropped_to, err);
        *expect = t.hi >= *expect ? t.hi + 1 : *expect;
        if (status == SPOOL_OK) {
            status = db_row(db, s, &more, err);
        }
    }
    (void)sqlite3_reset(s);
    return status;
}

static enum spool_status check_lane(struct db *db, struct verify_job *j,
                                    int lane, int64_t base, int64_t cursor,
                                    int64_t dropped_to, struct spool_error *err)
{
    int64_t expect = base + 1;
    enum spool_status status =
        check_tiles(db, j, lane, false, &expect, dropped_to, err);
    if (status == SPOOL_OK && expect != cursor + 1) {
        find(j,
             "%s, lane %d: batches end at event %lld and the cursor stands "
             "at %lld",
             j->d->name, lane, (long long)expect - 1, (long long)cursor);
    }
    if (status == SPOOL_OK && cursor > j->last_id) {
        find(j,
             "%s, lane %d: the cursor stands at %lld and the last event "
             "accepted is %lld: events were lost from the end of the log",
             j->d->name, lane, (long long)cursor, (long long)j->last_id);
    }
    return status;
}

static enum spool_status check_express_tiles(struct db *db,
                                             struct verify_job *j, int lane,
                                             int64_t dropped_to,
                                             struct spool_error *err)
{
    int64_t expect = 1;
    return check_tiles(db, j, lane, true, &expect, dropped_to, err);
}

/* Every event of a run lies in a tile. */
static enum spool_status check_run(struct db *db, struct verify_job *j,
                                   int64_t lane, int64_t lo, int64_t hi,
                                   struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    while (status == SPOOL_OK && lo <= hi) {
        bool found;
        struct tile t = {.hi = 0};
        sqlite3_stmt *s = db_query(db, STATEMENT_TILE_AT, "iii", j->d->id,
                                   j->d->lanes + lane, lo);
        status = db_row(db, s, &found, err);
        if (status == SPOOL_OK && found) {
            tile_read(s, &t);
            (void)sqlite3_reset(s);
        }
        if (status == SPOOL_OK && t.hi < lo) {
            find(j,
                 "%s, lane %lld: events %lld to %lld went by its express "
                 "lane and are in no batch of it",
                 j->d->name, (long long)lane, (long long)lo, (long long)hi);
            return SPOOL_OK;
        }
        lo = t.hi + 1;
    }
    return status;
}

static enum spool_status check_runs(struct db *db, struct verify_job *j,
                                    struct spool_error *err)
{
    bool more;
    sqlite3_stmt *s = db_query(db, STATEMENT_EXPRESS_RUNS, "i", j->d->id);
    enum spool_status status = db_row(db, s, &more, err);
    while (status == SPOOL_OK && more) {
        int64_t lane = sqlite3_column_int64(s, 0);
        int64_t lo = sqlite3_column_int64(s, 1);
        int64_t hi = sqlite3_column_int64(s, 2);
        if (lane < 0 || lane >= j->d->lanes || hi < lo ||
            hi > j->members.express_to) {
            find(j, "%s: %lld to %lld cannot have left lane %lld by express",
                 j->d->name, (long long)lo, (long long)hi, (long long)lane);
        } else {
            status = check_run(db, j, lane, lo, hi, err);
        }
        if (status == SPOOL_OK) {
            status = db_row(db, s, &more, err);
        }
    }
    (void)sqlite3_reset(s);
    return status;
}

struct lane_row {
    int lane;
    int64_t base, cursor;
};

static enum spool_status check_lanes(struct db *db, void *arg,
                                     struct spool_error *err)
{
    struct verify_job *j = arg;
    struct lane_row lanes[DESTINATION_LANES_MAX];
    int n = 0;
    int64_t dropped_to = 0;
    bool row;
    enum spool_status status =
        db_number(db, err, 0, &j->last_id, STATEMENT_LAST_ID, "");
    if (status == SPOOL_OK) {
        status = db_number(db, err, 0, &dropped_to, STATEMENT_DROPPED_TO, "");
    }
    if (status == SPOOL_OK) {
        status = membership_renew(db, &j->members, err);
    }
    if (status != SPOOL_OK) {
        return status;
    }
    sqlite3_stmt *s = db_query(db, STATEMENT_LANES, "i", j->d->id);
    status = db_row(db, s, &row, err);
    while (status == SPOOL_OK && row && n < DESTINATION_LANES_MAX) {
        lanes[n++] = (struct lane_row){sqlite3_column_int(s, 0),
                                       sqlite3_column_int64(s, 1),
                                       sqlite3_column_int64(s, 2)};
        status = db_row(db, s, &row, err);
    }
    if (status == SPOOL_OK && n != j->d->lanes) {
        find(j, "%s has %d lanes and says %d", j->d->name, n, j->d->lanes);
    }
    for (int i = 0; status == SPOOL_OK && i < n; i++) {
        status = check_lane(db, j, lanes[i].lane, lanes[i].base,
                            lanes[i].cursor, dropped_to, err);
        if (status == SPOOL_OK) {
            status = check_express_tiles(db, j, j->d->lanes + lanes[i].lane,
                                         dropped_to, err);
        }
    }
    return status == SPOOL_OK ? check_runs(db, j, err) : status;
}

static enum spool_status check_sums(struct verify_job *j,
                                    struct spool_error *err)
{
    struct sums s;
    enum spool_status status = inspect_sums(j->box, j->d, &s, err);
    if (status != SPOOL_OK) {
        return status;
    }
    int64_t settled = s.by_state[EVENT_DELIVERED] + s.by_state[EVENT_DEAD] +
                      s.by_state[EVENT_PURGED] + s.passed + s.lost;
    if (s.accepted != settled + s.waiting || s.by_state[EVENT_PENDING] < 0) {
        find(j, "%s: %lld accepted, but %lld settled and %lld waiting",
             j->d->name, (long long)s.accepted, (long long)settled,
             (long long)s.waiting);
    }
    return SPOOL_OK;
}

static enum spool_status check_destinations(struct verify_job *j,
                                            struct spool_error *err)
{
    struct destination *all;
    size_t n;
    enum spool_status status = destination_list(j->box, NULL, &all, &n, err);
    for (size_t i = 0; status == SPOOL_OK && i < n; i++) {
        j->d = &all[i];
        status = membership_open(&j->members, j->box, j->d, 0, err);
        if (status == SPOOL_OK) {
            status = outbox_read(j->box, check_lanes, j, err);
        }
        if (status == SPOOL_OK) {
            status = check_sums(j, err);
        }
        membership_close(&j->members);
    }
    free(all);
    return status;
}

static enum spool_status check_audit(struct db *db, void *arg,
                                     struct spool_error *err)
{
    struct verify_job *j = arg;
    int64_t broken;
    enum spool_status status = audit_check(db, &broken, err);
    if (status == SPOOL_OK && broken > 0) {
        find(j,
             "line %lld of the audit log does not follow from the one before "
             "it: one of them was changed, or one between them taken out",
             (long long)broken);
    }
    return status;
}

static enum spool_status read_dropped_to(struct db *db, void *arg,
                                         struct spool_error *err)
{
    return db_number(db, err, 0, arg, STATEMENT_DROPPED_TO, "");
}

enum spool_status verify(struct outbox *box, verify_finding *each, void *arg,
                         int64_t *findings, struct spool_error *err)
{
    struct verify_job j = {.box = box, .each = each, .arg = arg};
    enum spool_status status = outbox_read(box, check_file, &j, err);
    if (status == SPOOL_OK) {
        status = outbox_read(box, read_dropped_to, &j.dropped_to, err);
        j.next = 1;
    }
    if (status == SPOOL_OK) {
        status = outbox_read(box, check_lost, &j, err);
    }
    if (status == SPOOL_OK) {
        status = outbox_read(box, check_aside, &j, err);
    }
    if (status == SPOOL_OK) {
        status = outbox_read(box, check_count, &j, err);
    }
    if (status == SPOOL_OK) {
        status = outbox_read(box, check_audit, &j, err);
    }
    while (status == SPOOL_OK && !j.end) {
        status = outbox_read(box, check_rows, &j, err);
    }
    if (status == SPOOL_OK) {
        status = check_destinations(&j, err);
    }
    *findings = j.findings;
    return status;
}
