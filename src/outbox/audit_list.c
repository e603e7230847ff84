/* The audit log, read. */
#include "outbox/store.h"

/* Lines read in one snapshot. */
#define PAGE 100

struct listing {
    const struct audit_range *range;
    audit_each *each;
    void *arg;
    int64_t behind; /* the id read last */
    bool end;
};

static enum spool_status read_page(struct db *db, void *arg,
                                   struct spool_error *err)
{
    struct listing *l = arg;
    int n = 0;
    bool row;
    sqlite3_stmt *s =
        db_query(db, STATEMENT_AUDIT_RANGE, "iii", l->behind, l->range->since,
                 l->range->until > 0 ? l->range->until : INT64_MAX);
    enum spool_status status = db_row(db, s, &row, err);
    while (status == SPOOL_OK && row && !l->end && n < PAGE) {
        struct audit_record r;
        audit_read(s, &r);
        l->behind = r.id;
        l->end = !l->each(l->arg, &r);
        n++;
        status = db_row(db, s, &row, err);
    }
    (void)sqlite3_reset(s);
    l->end = l->end || n < PAGE;
    return status;
}

/* Behind which id the newest ones begin. */
static enum spool_status find_newest(struct db *db, void *arg,
                                     struct spool_error *err)
{
    struct listing *l = arg;
    return db_number(
        db, err, 0, &l->behind, STATEMENT_AUDIT_NEWEST, "iii", l->range->since,
        l->range->until > 0 ? l->range->until : INT64_MAX, l->range->newest);
}

enum spool_status audit_list(struct outbox *box,
                             const struct audit_range *range, audit_each *each,
                             void *arg, struct spool_error *err)
{
    struct listing l = {.range = range, .each = each, .arg = arg};
    enum spool_status status =
        range->newest > 0 ? outbox_read(box, find_newest, &l, err) : SPOOL_OK;
    while (status == SPOOL_OK && !l.end) {
        status = outbox_read(box, read_page, &l, err);
    }
    return status;
}
