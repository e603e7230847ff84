#include "outbox/limits.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "outbox/keep.h"
#include "outbox/store.h"

int64_t limit_share(int64_t limit, int share)
{
    return limit / 100 * share + limit % 100 * share / 100;
}

static enum spool_status read_classes(struct db *db, struct limits *out,
                                      struct spool_error *err)
{
    bool row;
    for (int c = 0; c < OUTBOX_CLASSES; c++) {
        out->classes[c] = (struct class_limit){.share = 100};
    }
    sqlite3_stmt *s = db_query(db, STATEMENT_CLASSES, "");
    enum spool_status status = db_row(db, s, &row, err);
    while (status == SPOOL_OK && row) {
        int class = sqlite3_column_int(s, 0), share = sqlite3_column_int(s, 1);
        if (class >= 0 && class < OUTBOX_CLASSES && share > 0 && share <= 100) {
            out->classes[class].share = share;
            out->classes[class].shed = sqlite3_column_int(s, 2) != 0;
        }
        status = db_row(db, s, &row, err);
    }
    return status;
}

enum spool_status limits_read(struct db *db, struct limits *out,
                              int64_t *version, struct spool_error *err)
{
    bool row;
    struct limits l = {0};
    int64_t v = 0;
    sqlite3_stmt *s = db_query(db, STATEMENT_LIMIT_GET, "");
    enum spool_status status = db_row(db, s, &row, err);
    if (status == SPOOL_OK && row) {
        l.max_events = sqlite3_column_int64(s, 0);
        l.max_bytes = sqlite3_column_int64(s, 1);
        l.free_disk = sqlite3_column_int64(s, 2);
        v = sqlite3_column_int64(s, 3);
        (void)sqlite3_reset(s);
    }
    if (status == SPOOL_OK) {
        status = read_classes(db, &l, err);
    }
    if (status == SPOOL_OK) {
        *out = l;
        *version = v;
    }
    return status;
}

static enum spool_status check(const struct limits *l, struct spool_error *err)
{
    if (l->max_events < 0 || l->max_bytes < 0 || l->free_disk < 0) {
        return failed(err, SPOOL_MISUSE,
                      "a limit is 0, for none, or greater than that");
    }
    if (l->max_bytes > 0 && l->max_bytes < LIMITS_BYTES_MIN) {
        return failed(err, SPOOL_MISUSE,
                      "a limit of %lld bytes is too small: the spool's own "
                      "tables need some, give it at least 1 MiB",
                      (long long)l->max_bytes);
    }
    for (int c = 0; c < OUTBOX_CLASSES; c++) {
        if (l->classes[c].share < 1 || l->classes[c].share > 100) {
            return failed(err, SPOOL_MISUSE,
                          "a class's share is 1 to 100 percent of the limits, "
                          "not %d",
                          l->classes[c].share);
        }
    }
    return SPOOL_OK;
}

struct limits_job {
    struct outbox *box;
    const struct limits *in;
    struct limits *out;
    struct limits_usage *usage;
};

static enum spool_status write_all(struct db *db, void *arg,
                                   struct spool_error *err)
{
    const struct limits_job *j = arg;
    const struct limits *l = j->in;
    char detail[256];
    size_t n = (size_t)snprintf(
        detail, sizeof detail,
        "max_events %lld, max_bytes %lld, free_disk %lld; share of each class, "
        "s: shed:",
        (long long)l->max_events, (long long)l->max_bytes,
        (long long)l->free_disk);
    enum spool_status status =
        db_run(db, err, STATEMENT_LIMIT_SET, "iii", l->max_events, l->max_bytes,
               l->free_disk);
    for (int c = 0; status == SPOOL_OK && c < OUTBOX_CLASSES; c++) {
        const struct class_limit *k = &l->classes[c];
        n += (size_t)snprintf(detail + n, sizeof detail - n, " %d%%%s",
                              k->share, k->shed ? "s" : "");
        status = db_run(db, err, STATEMENT_CLASS_SET, "iii", (int64_t)c,
                        (int64_t)k->share, (int64_t)k->shed);
    }
    if (status == SPOOL_OK) {
        status = audit(db, outbox_now(j->box), "limits", NULL, 0, detail, err);
    }
    if (status == SPOOL_OK) {
        (void)keep_write(db, NULL); /* limits can be set on a full disk too */
    }
    return status;
}

enum spool_status limits_set(struct outbox *box, const struct limits *limits,
                             struct spool_error *err)
{
    struct limits_job j = {.box = box, .in = limits};
    enum spool_status status = check(limits, err);
    return status == SPOOL_OK ? outbox_record(box, write_all, &j, err) : status;
}

static enum spool_status read_all(struct db *db, void *arg,
                                  struct spool_error *err)
{
    int64_t version;
    const struct limits_job *j = arg;
    return limits_read(db, j->out, &version, err);
}

enum spool_status limits_get(struct outbox *box, struct limits *out,
                             struct spool_error *err)
{
    struct limits_job j = {.out = out};
    return outbox_read(box, read_all, &j, err);
}

enum spool_status limits_bytes(struct db *db, int64_t *out,
                               struct spool_error *err)
{
    int64_t pages = 0, unused = 0, size = 0;
    enum spool_status status =
        db_number(db, err, 0, &pages, STATEMENT_PAGE_COUNT, "");
    if (status == SPOOL_OK) {
        status = db_number(db, err, 0, &unused, STATEMENT_RETAIN_FREE, "");
    }
    if (status == SPOOL_OK) {
        status = db_number(db, err, 0, &size, STATEMENT_PAGE_SIZE, "");
    }
    *out = (pages - unused) * size;
    return status;
}

static enum spool_status read_tolls(struct db *db, struct limits_usage *u,
                                    struct spool_error *err)
{
    bool row;
    sqlite3_stmt *s = db_query(db, STATEMENT_TOLLS, "");
    enum spool_status status = db_row(db, s, &row, err);
    while (status == SPOOL_OK && row) {
        char what[16], cause[16];
        int class = sqlite3_column_int(s, 2);
        db_copy_text(s, 0, what, sizeof what);
        db_copy_text(s, 1, cause, sizeof cause);
        for (int i = 0; i < LIMIT_CAUSES; i++) {
            if (class >= 0 && class < OUTBOX_CLASSES &&
                strcmp(cause, toll_cause_name((enum limit_cause)i)) == 0) {
                (strcmp(what, "shed") == 0 ? u->shed : u->refused)[i][class] =
                    sqlite3_column_int64(s, 3);
            }
        }
        status = db_row(db, s, &row, err);
    }
    return status;
}

static enum spool_status read_usage(struct db *db, void *arg,
                                    struct spool_error *err)
{
    const struct limits_job *j = arg;
    struct limits_usage *u = j->usage;
    const struct writer *w = &j->box->writer;
    int64_t version, last = 0, gone = 0;
    struct limits l;
    *u = (struct limits_usage){0};
    enum spool_status status = limits_read(db, &l, &version, err);
    if (status == SPOOL_OK) {
        status = db_number(db, err, 0, &last, STATEMENT_LAST_ID, "");
    }
    if (status == SPOOL_OK) {
        status = db_number(db, err, 0, &gone, STATEMENT_GONE_GET, "");
    }
    if (status == SPOOL_OK) {
        status = limits_bytes(db, &u->bytes, err);
    }
    u->events = last - gone;
    u->disk_free = ballast_free_bytes(&w->ballast);
    u->disk_kept =
        l.free_disk > w->ballast.bytes ? l.free_disk : w->ballast.bytes;
    return status == SPOOL_OK ? read_tolls(db, u, err) : status;
}

enum spool_status limits_usage(struct outbox *box, struct limits_usage *out,
                               struct spool_error *err)
{
    struct limits_job j = {.box = box, .usage = out};
    enum spool_status status = outbox_read(box, read_usage, &j, err);
    if (status == SPOOL_OK) {
        toll_peek(&box->toll, out->refused);
    }
    return status;
}

struct shed_question {
    int64_t id;
    bool *shed;
};

static enum spool_status look_for_shed(struct db *db, void *arg,
                                       struct spool_error *err)
{
    const struct shed_question *q = arg;
    int64_t hi = 0;
    enum spool_status status =
        db_number(db, err, 0, &hi, STATEMENT_SHED_AT, "i", q->id);
    *q->shed = hi >= q->id;
    return status;
}

enum spool_status limits_was_shed(struct outbox *box, int64_t id, bool *shed,
                                  struct spool_error *err)
{
    struct shed_question q = {id, shed};
    return outbox_read(box, look_for_shed, &q, err);
}
