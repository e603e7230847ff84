#include "outbox/visit.h"

#include "outbox/store.h"

struct visit {
    row_visitor *visitor;
    void *arg;
};

/* spool_visit(id, at, part, crc, body): whether it was enough. */
static void spool_visit(sqlite3_context *context, int argc,
                        sqlite3_value **argv)
{
    (void)argc; /* SQLite sees to it that there are five */
    const struct db *db = sqlite3_user_data(context);
    const struct visit *v = db->visit;
    if (v == NULL) {
        sqlite3_result_error(context, "spool_visit is the outbox's own", -1);
        return;
    }
    const struct row row = {
        .id = sqlite3_value_int64(argv[0]),
        .at = sqlite3_value_int64(argv[1]),
        .part = sqlite3_value_int64(argv[2]),
        .crc = (uint32_t)sqlite3_value_int64(argv[3]),
        .body = sqlite3_value_blob(argv[4]),
        .len = (size_t)sqlite3_value_bytes(argv[4]),
    };
    sqlite3_result_int(context, v->visitor(v->arg, &row) ? 1 : 0);
}

int visit_install(struct db *db)
{
    return sqlite3_create_function_v2(db->handle, "spool_visit", 5,
                                      SQLITE_UTF8 | SQLITE_DIRECTONLY, db,
                                      spool_visit, NULL, NULL, NULL);
}

enum spool_status visit_events(struct db *db, int64_t lo, int64_t hi,
                               row_visitor *visitor, void *arg,
                               struct spool_error *err)
{
    const struct visit v = {visitor, arg};
    bool enough;
    sqlite3_stmt *s = db_query(db, STATEMENT_EVENTS_VISIT, "ii", lo, hi);
    db->visit = &v;
    enum spool_status status = db_row(db, s, &enough, err);
    db->visit = NULL;
    (void)sqlite3_reset(s);
    return status;
}
