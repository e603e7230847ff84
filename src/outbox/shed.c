#include "outbox/shed.h"

#include <stdlib.h>

#include "base/error.h"
#include "outbox/store.h"
#include "outbox/tile.h"

/* Rows looked at in one go. */
#define LOOK_MOST 1000

/* What was passed over is looked at again after this: it may be out of flight.
 */
#define ROUND_MS 60000

/* The log itself, or a destination. */
struct reader {
    int64_t id, base;
    struct membership members;
    int64_t lo, hi; /* shed ids in a row that are not written yet; hi 0: none */
    int64_t shed, passed;
};

struct run {
    int64_t lo, hi;
};

struct shed_job {
    struct outbox *box;
    int class;
    struct reader *readers; /* the first is the log */
    size_t readers_n;
    struct run runs[SHED_MOST]; /* of ids taken out */
    size_t runs_n;
    int64_t most, n, by_class[OUTBOX_CLASSES];
    int64_t settled_to; /* the last one that some destination had behind it */
};

static enum spool_status add_reader(struct shed_job *j,
                                    const struct destination *d,
                                    struct spool_error *err)
{
    struct reader *more =
        realloc(j->readers, (j->readers_n + 1) * sizeof *more);
    if (more == NULL) {
        return failed(err, SPOOL_NO_MEMORY, "out of memory");
    }
    j->readers = more;
    struct reader *r = &more[j->readers_n];
    *r = (struct reader){.id = d->id, .base = d->base};
    enum spool_status status = membership_open(&r->members, j->box, d, 0, err);
    j->readers_n += status == SPOOL_OK ? 1 : 0;
    return status;
}

static enum spool_status open_readers(struct db *db, struct shed_job *j,
                                      struct spool_error *err)
{
    bool row;
    struct destination d = {.lanes = 1};
    enum spool_status status = add_reader(j, &d, err);
    sqlite3_stmt *s = db_query(db, STATEMENT_DESTINATIONS, "");
    if (status == SPOOL_OK) {
        status = db_row(db, s, &row, err);
    }
    while (status == SPOOL_OK && row) {
        destination_read(s, &d);
        status = add_reader(j, &d, err);
        if (status == SPOOL_OK) {
            status = db_row(db, s, &row, err);
        }
    }
    (void)sqlite3_reset(s);
    return status;
}

static void close_readers(struct shed_job *j)
{
    for (size_t i = 0; i < j->readers_n; i++) {
        membership_close(&j->readers[i].members);
    }
    free(j->readers);
}

/* ---- which ---- */

/* Whether a destination has come to an event, and if so whether it is done with
 * it. The log itself never comes to any. */
enum met { MET_NOT_YET, MET_SETTLED, MET_OPEN };

static enum spool_status meet(struct db *db, const struct reader *r,
                              const struct row *row, enum met *met,
                              struct spool_error *err)
{
    int64_t cursor = 0;
    int lane;
    bool found;
    *met = r->id == 0 ? MET_NOT_YET : MET_SETTLED;
    if (r->id == 0 || row->id <= r->base) {
        return SPOOL_OK;
    }
    enum spool_status status =
        membership_find_lane(db, &r->members, row->id, row->part, &lane, err);
    if (status == SPOOL_OK && lane < r->members.lanes) {
        status = db_number(db, err, 0, &cursor, STATEMENT_LANE_CURSOR, "ii",
                           r->id, (int64_t)lane);
        if (row->id > cursor) {
            *met = MET_NOT_YET;
        }
    }
    if (status != SPOOL_OK || *met == MET_NOT_YET) {
        return status;
    }
    sqlite3_stmt *s =
        db_query(db, STATEMENT_TILE_AT, "iii", r->id, (int64_t)lane, row->id);
    status = db_row(db, s, &found, err);
    *met = MET_OPEN;
    if (status == SPOOL_OK && found) {
        struct tile t;
        tile_read(s, &t);
        (void)sqlite3_reset(s);
        *met = t.hi >= row->id &&
                       (t.state == TILE_DELIVERED || t.state == TILE_PURGED)
                   ? MET_SETTLED
                   : MET_OPEN;
    }
    return status;
}

static enum spool_status is_there(struct db *db, enum statement which,
                                  int64_t id, bool *there,
                                  struct spool_error *err)
{
    sqlite3_stmt *s = db_query(db, which, "i", id);
    enum spool_status status = db_row(db, s, there, err);
    (void)sqlite3_reset(s);
    return status;
}

static bool class_may_go(const struct shed_job *j, int class)
{
    return class >= 0 && class <= j->class &&
           j->box->limits.classes[class].shed;
}

static enum spool_status may_go(struct db *db, const struct shed_job *j,
                                const struct row *row, bool *may,
                                struct spool_error *err)
{
    bool kept = false;
    enum met met = MET_NOT_YET;
    enum spool_status status =
        is_there(db, STATEMENT_HOLD_GET, row->id, &kept, err);
    if (status == SPOOL_OK && !kept) {
        status = is_there(db, STATEMENT_ORDER_OF, row->id, &kept, err);
    }
    for (size_t i = 0;
         status == SPOOL_OK && !kept && met != MET_OPEN && i < j->readers_n;
         i++) {
        status = meet(db, &j->readers[i], row, &met, err);
    }
    *may = !kept && met != MET_OPEN;
    return status;
}

/* ---- taking out ---- */

static enum spool_status write_run(struct db *db, struct reader *r,
                                   struct spool_error *err)
{
    enum spool_status status = r->hi == 0
                                   ? SPOOL_OK
                                   : db_run(db, err, STATEMENT_SHED_INSERT,
                                            "iii", r->id, r->lo, r->hi);
    r->hi = 0;
    return status;
}

static enum spool_status note(struct db *db, struct shed_job *j,
                              struct reader *r, const struct row *row,
                              struct spool_error *err)
{
    enum met met;
    enum spool_status status = meet(db, r, row, &met, err);
    if (status != SPOOL_OK || met != MET_NOT_YET) {
        j->settled_to = row->id > r->base ? row->id : j->settled_to;
        return status;
    }
    if (r->hi == 0 || r->hi != row->id - 1) {
        status = write_run(db, r, err);
        r->lo = row->id;
    }
    r->hi = row->id;
    *(membership_takes(&r->members, row->body, row->len) ? &r->shed
                                                         : &r->passed) += 1;
    return status;
}

static enum spool_status take_out(struct db *db, struct shed_job *j,
                                  const struct row *row, int class,
                                  struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    for (size_t i = 0; status == SPOOL_OK && i < j->readers_n; i++) {
        status = note(db, j, &j->readers[i], row, err);
    }
    if (j->runs_n > 0 && j->runs[j->runs_n - 1].hi == row->id - 1) {
        j->runs[j->runs_n - 1].hi = row->id;
    } else {
        j->runs[j->runs_n++] = (struct run){row->id, row->id};
    }
    j->by_class[class]++;
    j->n++;
    return status;
}

/* From the row behind id on; *to is the last one that was looked at. */
static enum spool_status look(struct db *db, struct shed_job *j, int64_t from,
                              int64_t last, int64_t *to,
                              struct spool_error *err)
{
    bool more;
    sqlite3_stmt *s = db_query(db, STATEMENT_EVENTS_RANGE, "ii", from, last);
    enum spool_status status = db_row(db, s, &more, err);
    for (int i = 0;
         status == SPOOL_OK && more && i < LOOK_MOST && j->n < j->most; i++) {
        struct row row;
        bool may = false;
        row_read(s, &row);
        int class = j->box->class_of(row.body, row.len);
        if (class_may_go(j, class)) {
            status = may_go(db, j, &row, &may, err);
        }
        if (status == SPOOL_OK && may) {
            status = take_out(db, j, &row, class, err);
        }
        *to = row.id;
        if (status == SPOOL_OK) {
            status = db_row(db, s, &more, err);
        }
    }
    (void)sqlite3_reset(s);
    return status;
}

/* ---- writing it down ---- */

static enum spool_status delete_rows(struct db *db, const struct shed_job *j,
                                     struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    for (size_t i = 0; status == SPOOL_OK && i < j->runs_n; i++) {
        status = db_run(db, err, STATEMENT_EVENTS_DELETE, "ii", j->runs[i].lo,
                        j->runs[i].hi);
    }
    if (status == SPOOL_OK && j->settled_to > 0) {
        return db_run(db, err, STATEMENT_RETAIN_NOTE, "ii", j->settled_to,
                      j->n);
    }
    return status == SPOOL_OK ? db_run(db, err, STATEMENT_GONE, "i", j->n)
                              : status;
}

static enum spool_status count_readers(struct db *db, struct shed_job *j,
                                       struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    for (size_t i = 0; status == SPOOL_OK && i < j->readers_n; i++) {
        struct reader *r = &j->readers[i];
        status = write_run(db, r, err);
        if (status == SPOOL_OK && r->id > 0 && r->shed + r->passed > 0) {
            status = db_run(db, err, STATEMENT_DESTINATION_SHED, "iii", r->id,
                            r->shed, r->passed);
        }
    }
    return status;
}

static enum spool_status write_down(struct db *db, struct shed_job *j,
                                    enum limit_cause cause,
                                    struct spool_error *err)
{
    enum spool_status status = count_readers(db, j, err);
    if (status == SPOOL_OK) {
        status = delete_rows(db, j, err);
    }
    return status == SPOOL_OK ? toll_shed(db, cause, j->by_class, err) : status;
}

/* ---- where it stands ---- */

static bool any_may_go(const struct shed_job *j)
{
    bool any = false;
    for (int c = 0; c <= j->class; c++) {
        any = any || j->box->limits.classes[c].shed;
    }
    return any && j->box->class_of != NULL;
}

/* What lies behind every cursor is settled or open, for all. */
static enum spool_status find_start(struct db *db, struct shed_job *j,
                                    int64_t *from, struct spool_error *err)
{
    struct shed_round *round = &j->box->shed[j->class];
    int64_t mono = clock_mono_ms(j->box->clock), cut = 0;
    if (round->version != j->box->limits_version ||
        mono - round->begun_at >= ROUND_MS) {
        *round = (struct shed_round){.version = j->box->limits_version,
                                     .begun_at = mono};
    }
    enum spool_status status =
        db_number(db, err, 0, &cut, STATEMENT_LANE_NEAREST, "");
    *from = (round->to > cut ? round->to : cut) + 1;
    return status;
}

/* They were met in their order. */
static void note_gone(const struct shed_job *j, struct shed_note *gone)
{
    if (j->n > 0) {
        *gone =
            (struct shed_note){j->n, j->runs[0].lo, j->runs[j->runs_n - 1].hi};
    }
}

enum spool_status shed_some(struct db *db, struct outbox *box, int class,
                            enum limit_cause cause, int64_t last, int64_t most,
                            struct shed_note *gone, struct spool_error *err)
{
    struct shed_job *j = calloc(1, sizeof *j);
    int64_t from = 0, to;
    *gone = (struct shed_note){0};
    if (j == NULL) {
        return failed(err, SPOOL_NO_MEMORY, "out of memory");
    }
    j->box = box;
    j->class = class;
    j->most = most < SHED_MOST ? most : SHED_MOST;
    if (!any_may_go(j)) {
        free(j);
        return SPOOL_OK;
    }
    enum spool_status status = find_start(db, j, &from, err);
    to = from - 1;
    if (status == SPOOL_OK) {
        status = open_readers(db, j, err);
    }
    if (status == SPOOL_OK) {
        /* Not the last one: its id would be given out again. */
        status = look(db, j, from, last - 1, &to, err);
    }
    if (status == SPOOL_OK && j->n > 0) {
        status = write_down(db, j, cause, err);
    }
    if (status == SPOOL_OK) {
        box->shed[class].to = to;
        note_gone(j, gone);
    }
    close_readers(j);
    free(j);
    return status;
}
