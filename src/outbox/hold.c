#include "outbox/hold.h"

#include "outbox/outbox.h"

enum spool_status hold_release_event(struct db *db, int64_t event, int64_t part,
                                     int64_t now, struct spool_error *err)
{
    enum spool_status status =
        db_run(db, err, STATEMENT_HOLD_DELETE, "i", event);
    if (status == SPOOL_OK) {
        status =
            db_run(db, err, STATEMENT_TILES_RELEASE, "iii", event, part, now);
    }
    return status;
}

/* Releases the event that a query finds, if it finds one. */
static enum spool_status release_one(struct db *db, sqlite3_stmt *s,
                                     int64_t now, bool *found,
                                     struct spool_error *err)
{
    enum spool_status status = db_row(db, s, found, err);
    if (status != SPOOL_OK || !*found) {
        return status;
    }
    int64_t event = sqlite3_column_int64(s, 0);
    int64_t part = sqlite3_column_int64(s, 1);
    (void)sqlite3_reset(s);
    return hold_release_event(db, event, part, now, err);
}

enum spool_status hold_release_part(struct db *db, int64_t part, int64_t now,
                                    struct spool_error *err)
{
    bool found = true;
    enum spool_status status = SPOOL_OK;
    while (status == SPOOL_OK && found) {
        sqlite3_stmt *s = db_query(db, STATEMENT_HOLD_OF_PART, "i", part);
        status = release_one(db, s, now, &found, err);
    }
    return status;
}

enum spool_status hold_release_due(struct db *db, int64_t now,
                                   struct spool_error *err)
{
    bool found = true;
    enum spool_status status = SPOOL_OK;
    while (status == SPOOL_OK && found) {
        sqlite3_stmt *s = db_query(db, STATEMENT_HOLD_DUE, "ii", now,
                                   now + OUTBOX_HOLD_MAX_MS);
        status = release_one(db, s, now, &found, err);
    }
    return status;
}

enum spool_status hold_next_at(struct db *db, int64_t *out,
                               struct spool_error *err)
{
    return db_number(db, err, 0, out, STATEMENT_HOLD_FIRST_UNTIL, "");
}

enum spool_status hold_next_event(struct db *db, int64_t id, int64_t *out,
                                  struct spool_error *err)
{
    return db_number(db, err, INT64_MAX, out, STATEMENT_HOLD_NEXT, "i", id);
}

enum spool_status hold_look_up(struct db *db, int64_t event, bool *quarantined,
                               char *reason, size_t size,
                               struct spool_error *err)
{
    bool row;
    sqlite3_stmt *s = db_query(db, STATEMENT_HOLD_GET, "i", event);
    enum spool_status status = db_row(db, s, &row, err);
    *quarantined = false;
    reason[0] = '\0';
    if (status == SPOOL_OK && row) {
        *quarantined = sqlite3_column_int(s, 0) != 0;
        db_copy_text(s, 1, reason, size);
        (void)sqlite3_reset(s);
    }
    return status;
}

enum spool_status hold_any_quarantined(struct db *db, int64_t behind, bool *any,
                                       struct spool_error *err)
{
    int64_t found = 0;
    enum spool_status status =
        db_number(db, err, 0, &found, STATEMENT_HOLD_QUARANTINED, "i", behind);
    *any = found != 0;
    return status;
}
