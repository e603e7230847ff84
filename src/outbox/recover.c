#include "outbox/recover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "outbox/keep.h"
#include "outbox/retile.h"
#include "outbox/salvage.h"
#include "outbox/store.h"

/* Rows of one transaction. */
#define CHUNK_EVENTS 1000
#define CHUNK_BYTES  (1U << 20)

/* More ids than any spool has: a number that damage made. */
#define IDS_MAX ((int64_t)1 << 36)

struct job {
    struct outbox *box;
    const char *damaged;
    bool dry;
    struct recover_report *report;
    unsigned char *whole; /* a bit an id behind report->behind */
    struct cell *cells;   /* waiting to be written; body: offset in bytes */
    size_t *offsets;
    size_t n;
    struct buffer bytes;
    enum spool_status status;
    struct spool_error *err;
    struct retile retile;
    int64_t dropped; /* by the damaged file's retention, up to here */
    int64_t older;   /* it was a fresh file itself, begun behind this id, and
                        what lies before waits in an older one still */
};

static bool get_bit(const struct job *j, int64_t id)
{
    uint64_t i = (uint64_t)(id - j->report->behind - 1);
    return (j->whole[i / 8] & 1U << (i % 8)) != 0;
}

static void set_bit(struct job *j, int64_t id)
{
    uint64_t i = (uint64_t)(id - j->report->behind - 1);
    j->whole[i / 8] = (unsigned char)(j->whole[i / 8] | 1U << (i % 8));
}

static enum spool_status write_cells(struct db *db, void *arg,
                                     struct spool_error *err)
{
    struct job *j = arg;
    enum spool_status status = SPOOL_OK;
    int64_t back = 0;
    for (size_t i = 0; status == SPOOL_OK && i < j->n; i++) {
        const struct cell *c = &j->cells[i];
        status = db_run(db, err, STATEMENT_EVENT_PUT_BACK, "iiiib", c->id,
                        c->at, c->part, (int64_t)c->crc,
                        (const void *)(j->bytes.data + j->offsets[i]), c->len);
        back += status == SPOOL_OK ? sqlite3_changes(db->handle) : 0;
    }
    return status == SPOOL_OK ? db_run(db, err, STATEMENT_GONE, "i", -back)
                              : status;
}

static bool write_out(struct job *j)
{
    if (j->n > 0) {
        j->status = outbox_write(j->box, write_cells, j, j->err);
    }
    j->n = 0;
    j->bytes.len = 0;
    return j->status == SPOOL_OK;
}

static bool take_cell(void *arg, const struct cell *cell)
{
    struct job *j = arg;
    if (cell->id <= j->report->behind || cell->id > j->report->to ||
        get_bit(j, cell->id)) {
        return true;
    }
    set_bit(j, cell->id);
    j->report->readable++;
    if (j->dry) {
        return true;
    }
    j->cells[j->n] = *cell;
    j->offsets[j->n] = j->bytes.len;
    if (!buffer_add(&j->bytes, cell->body, cell->len)) {
        j->status = failed(j->err, SPOOL_NO_MEMORY, "out of memory");
        return false;
    }
    j->n++;
    return (j->n < CHUNK_EVENTS && j->bytes.len < CHUNK_BYTES) || write_out(j);
}

/* What the log has already, by an earlier run or by another file. */
static enum spool_status look_for_present(struct db *db, struct job *j,
                                          struct spool_error *err)
{
    bool row;
    sqlite3_stmt *s = db_query(db, STATEMENT_EVENT_IDS, "ii",
                               j->report->behind + 1, j->report->to);
    enum spool_status status = db_row(db, s, &row, err);
    while (status == SPOOL_OK && row) {
        set_bit(j, sqlite3_column_int64(s, 0));
        status = db_row(db, s, &row, err);
    }
    return status;
}

/* Rows of them may have been found in pages that are no longer in use. */
static enum spool_status leave_out(struct db *db, struct job *j, int64_t lo,
                                   int64_t hi, struct spool_error *err)
{
    struct recover_report *r = j->report;
    lo = lo > r->behind ? lo : r->behind + 1;
    hi = hi < r->to ? hi : r->to;
    for (int64_t id = lo; id <= hi; id++) {
        set_bit(j, id);
    }
    enum spool_status status =
        db_run(db, err, STATEMENT_EVENTS_DELETE, "ii", lo, hi);
    int64_t rows = sqlite3_changes(db->handle);
    r->readable -= rows;
    return status == SPOOL_OK ? db_run(db, err, STATEMENT_GONE, "i", rows)
                              : status;
}

/* What gave way at a limit is not lost. Unless all of it can be read none is
 * believed: for the log and for each destination it must be the same events. */
static enum spool_status look_for_shed(struct db *db, struct job *j,
                                       struct spool_error *err)
{
    bool row;
    if (!salvage_table(db, j->damaged, "spool_shed")) {
        return db_run(db, err, STATEMENT_SHED_DISBELIEVE, "i", j->report->to);
    }
    sqlite3_stmt *s = db_query(db, STATEMENT_SHED_OF_LOG, "ii",
                               j->report->behind, j->report->to);
    enum spool_status status = db_row(db, s, &row, err);
    while (status == SPOOL_OK && row) {
        status = leave_out(db, j, sqlite3_column_int64(s, 0),
                           sqlite3_column_int64(s, 1), err);
        if (status == SPOOL_OK) {
            status = db_row(db, s, &row, err);
        }
    }
    (void)sqlite3_reset(s);
    return status;
}

static enum spool_status write_lost(struct db *db, struct job *j,
                                    struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    int64_t to = j->report->to;
    for (int64_t id = j->report->behind + 1; status == SPOOL_OK && id <= to;) {
        int64_t lo = id;
        while (id <= to && !get_bit(j, id)) {
            id++;
        }
        if (id > lo) {
            status = db_run(db, err, STATEMENT_LOST_PUT, "iiit", lo, id - 1,
                            outbox_now(j->box),
                            "not readable in the file that was set aside");
            j->report->lost += id - lo;
            recover_tell(db, j->report, RECOVER_LOST, NULL, lo, id - 1);
        }
        id += id <= to;
    }
    return status;
}

static enum spool_status write_down(struct db *db, struct job *j,
                                    struct spool_error *err)
{
    char detail[SPOOL_ERROR_SIZE];
    const struct recover_report *r = j->report;
    (void)snprintf(detail, sizeof detail,
                   "%s: of events %lld to %lld %lld were put back, %lld are "
                   "lost, %lld may arrive twice",
                   j->damaged, (long long)r->behind + 1, (long long)r->to,
                   (long long)r->readable, (long long)r->lost,
                   (long long)r->twice);
    return audit(db, outbox_now(j->box), "recover", NULL, r->readable, detail,
                 err);
}

/* The last transaction; a dry run rolls it back. */
static enum spool_status put_back(struct db *db, void *arg,
                                  struct spool_error *err)
{
    static const char *const tables[] = {"spool_hold", "spool_key",
                                         "spool_order"};
    struct job *j = arg;
    j->report->again = salvage_again(db, j->damaged);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        bool all = salvage_table(db, j->damaged, tables[i]);
        j->report->state_whole = j->report->state_whole && all;
    }
    enum spool_status status = db_run(db, err, STATEMENT_RECOVER_RANGE, "ii",
                                      j->dropped, j->report->to);
    if (status == SPOOL_OK) {
        status = look_for_present(db, j, err);
    }
    if (status == SPOOL_OK) {
        status = look_for_shed(db, j, err);
    }
    if (status == SPOOL_OK) {
        status = write_lost(db, j, err);
    }
    if (status == SPOOL_OK) {
        status = retile(db, &j->retile, err);
    }
    if (status == SPOOL_OK) {
        status = write_down(db, j, err);
    }
    if (status == SPOOL_OK && j->older > 0) {
        status = audit(db, outbox_now(j->box), "set-aside", NULL, j->older,
                       "what an older file holds has not been put back", err);
    }
    if (status == SPOOL_OK && !j->dry) {
        status = keep_write(db, err);
    }
    if (status == SPOOL_OK && j->dry) {
        status = failed(err, SPOOL_TIMEOUT, "only counted");
    }
    return status;
}

/* Up to where the log is still without its rows: the oldest reader that was
 * not moved back, or the whole of what was given out before. */
static enum spool_status read_range(struct db *db, void *arg,
                                    struct spool_error *err)
{
    struct job *j = arg;
    struct recover_report *r = j->report;
    enum spool_status status =
        db_number(db, err, 0, &r->to, STATEMENT_RECOVER_TO, "");
    j->dropped =
        salvage_number(j->damaged, "SELECT dropped_to FROM spool_store", -1);
    r->state_whole = j->dropped >= 0;
    j->dropped = j->dropped < 0 ? 0 : j->dropped;
    j->older =
        salvage_number(j->damaged, statement_sql[STATEMENT_NOT_RECOVERED], 0);
    r->behind = j->dropped > j->older ? j->dropped : j->older;
    int64_t done = 0;
    if (status == SPOOL_OK) {
        status = db_number(db, err, 0, &done, STATEMENT_RECOVER_DONE, "t",
                           j->damaged);
    }
    r->done_before = done != 0 || r->behind >= r->to;
    return status;
}

/* By its name, what damage did to its content whatever. */
static bool is_set_aside(const struct job *j)
{
    size_t n = strlen(j->box->path);
    return strncmp(j->damaged, j->box->path, n) == 0 &&
           strncmp(j->damaged + n, ".damaged-", 9) == 0;
}

/* Ids are numbers: the events of another spool would be taken for ours. */
static enum spool_status check_ours(const struct job *j)
{
    char id[UUID_SIZE] = "";
    unsigned long long inode = aside_inode(j->damaged);
    if (inode == 0) {
        return failed(j->err, SPOOL_NOT_FOUND, "there is no file %s",
                      j->damaged);
    }
    if (inode == aside_inode(j->box->path)) {
        return failed(j->err, SPOOL_MISUSE,
                      "%s is the spool itself; name a file that was set aside, "
                      "%s.damaged-TIME",
                      j->damaged, j->box->path);
    }
    salvage_store_id(j->damaged, id);
    if (id[0] != '\0' && strcmp(id, j->box->store_id) != 0 &&
        !is_set_aside(j)) {
        return failed(j->err, SPOOL_MISUSE,
                      "%s is another spool's, as its store id says; nothing "
                      "was put back",
                      j->damaged);
    }
    return SPOOL_OK;
}

static enum spool_status run(struct job *j)
{
    struct recover_report *r = j->report;
    if (r->to - r->behind > IDS_MAX) {
        return failed(j->err, SPOOL_DAMAGED, "%s says it holds %lld events",
                      j->damaged, (long long)(r->to - r->behind));
    }
    j->whole = calloc((size_t)((r->to - r->behind) / 8 + 1), 1);
    j->cells = calloc(CHUNK_EVENTS, sizeof *j->cells);
    j->offsets = calloc(CHUNK_EVENTS, sizeof *j->offsets);
    if (j->whole == NULL || j->cells == NULL || j->offsets == NULL) {
        return failed(j->err, SPOOL_NO_MEMORY, "out of memory");
    }
    enum spool_status status = salvage_rows(j->damaged, take_cell, j, j->err);
    if (status == SPOOL_OK && r->readable == 0 && !is_set_aside(j)) {
        return failed(j->err, SPOOL_MISUSE,
                      "%s holds no event that can be read and is missing; "
                      "nothing was put back and nothing written off",
                      j->damaged);
    }
    if (status == SPOOL_OK) {
        (void)write_out(j);
        status = j->status;
    }
    if (status == SPOOL_OK) {
        status = outbox_write(j->box, put_back, j, j->err);
    }
    return j->dry && status == SPOOL_TIMEOUT ? SPOOL_OK : status;
}

struct lost {
    int64_t id, ranges;
};

static enum spool_status read_lost(struct db *db, void *arg,
                                   struct spool_error *err)
{
    struct lost *l = arg;
    return db_number(db, err, 0, &l->ranges, STATEMENT_LOST_AT, "i", l->id);
}

enum spool_status recover_was_lost(struct outbox *box, int64_t id, bool *lost,
                                   struct spool_error *err)
{
    struct lost l = {.id = id};
    enum spool_status status = outbox_read(box, read_lost, &l, err);
    if (status == SPOOL_OK) {
        *lost = l.ranges > 0;
    }
    return status;
}

struct waiting {
    struct outbox *box;
    char *file;
};

static enum spool_status read_waiting(struct db *db, void *arg,
                                      struct spool_error *err)
{
    const struct waiting *w = arg;
    int64_t last;
    return aside_waiting(db, w->box->path, &last, w->file, err);
}

enum spool_status recover_waiting(struct outbox *box,
                                  char file[ASIDE_PATH_SIZE],
                                  struct spool_error *err)
{
    struct waiting w = {box, file};
    return outbox_read(box, read_waiting, &w, err);
}

enum spool_status recover(struct outbox *box, const char *damaged, bool dry,
                          struct recover_report *report,
                          struct spool_error *err)
{
    struct spool_error why;
    struct job j = {.box = box,
                    .damaged = damaged,
                    .dry = dry,
                    .report = report,
                    .err = err != NULL ? err : &why};
    j.retile = (struct retile){box, damaged, report, {0}};
    rng_init(&j.retile.rng);
    report->readable = report->lost = report->twice = 0;
    enum spool_status status = check_ours(&j);
    if (status == SPOOL_OK) {
        status = outbox_read(box, read_range, &j, j.err);
    }
    if (status == SPOOL_OK && !report->done_before) {
        status = run(&j);
    }
    free(j.whole);
    free(j.cells);
    free(j.offsets);
    buffer_finish(&j.bytes);
    return status;
}
