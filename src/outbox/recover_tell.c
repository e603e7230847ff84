#include "outbox/db.h"
#include "outbox/retile.h"

static void tell_orders(struct db *db, const struct recover_report *r,
                        enum recover_kind kind, int64_t lo, int64_t hi)
{
    bool row;
    sqlite3_stmt *s = db_query(db, STATEMENT_ORDERS_OPEN_BETWEEN, "ii", lo, hi);
    while (db_row(db, s, &row, NULL) == SPOOL_OK && row) {
        r->order(r->arg, kind, (const char *)sqlite3_column_text(s, 0),
                 sqlite3_column_int64(s, 1));
    }
}

void recover_tell(struct db *db, const struct recover_report *r,
                  enum recover_kind kind, const char *destination, int64_t lo,
                  int64_t hi)
{
    if (r->range != NULL) {
        r->range(r->arg, kind, destination, lo, hi);
        tell_orders(db, r, kind, lo, hi);
    }
}
