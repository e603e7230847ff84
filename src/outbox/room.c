#include "outbox/room.h"

/* Of the pages that a commit may need beside the rows themselves: none is
 * counted. A limit may be passed by a page or two, never by an event. */

static bool is_limited(const struct outbox *box)
{
    const struct limits *l = &box->limits;
    bool limited = l->max_events > 0 || l->max_bytes > 0;
    for (int c = 0; c < OUTBOX_CLASSES; c++) {
        limited = limited || l->classes[c].share < 100;
    }
    return limited;
}

/* With no row in spool_limit the version is 0, that of the defaults. */
static enum spool_status read_changed(struct db *db, struct outbox *box,
                                      int64_t version, struct spool_error *err)
{
    return version == box->limits_version
               ? SPOOL_OK
               : limits_read(db, &box->limits, &box->limits_version, err);
}

static enum spool_status read_log(struct db *db, struct room *r,
                                  int64_t *version, struct spool_error *err)
{
    bool row;
    sqlite3_stmt *s = db_query(db, STATEMENT_APPEND_FROM, "");
    enum spool_status status = db_row(db, s, &row, err);
    if (status == SPOOL_OK && row) {
        r->last = sqlite3_column_int64(s, 0);
        r->events = r->last - sqlite3_column_int64(s, 1);
        *version = sqlite3_column_int64(s, 2);
        (void)sqlite3_reset(s);
    }
    return status;
}

enum spool_status room_open(struct db *db, struct outbox *box, struct room *r,
                            struct spool_error *err)
{
    int64_t version = 0;
    *r = (struct room){.box = box};
    enum spool_status status = read_log(db, r, &version, err);
    if (status == SPOOL_OK) {
        status = read_changed(db, box, version, err);
    }
    if (status == SPOOL_OK) {
        status = writer_has_room(&box->writer, box->limits.free_disk, err);
    }
    r->limited = is_limited(box);
    if (status == SPOOL_OK && box->limits.max_bytes > 0) {
        status = limits_bytes(db, &r->bytes, err);
    }
    return status;
}

enum limit_cause room_missing(const struct room *r, int class, size_t len,
                              int64_t *ceiling)
{
    const struct limits *l = &r->box->limits;
    int share = r->swaps ? 100 : l->classes[class].share;
    if (!r->limited) {
        return LIMIT_CAUSES;
    }
    *ceiling = limit_share(l->max_events, share);
    if (l->max_events > 0 && r->events >= *ceiling) {
        return LIMIT_EVENTS;
    }
    *ceiling = limit_share(l->max_bytes, share);
    if (l->max_bytes > 0 &&
        r->bytes + (int64_t)len + ROOM_ROW_BYTES > *ceiling) {
        return LIMIT_BYTES;
    }
    *ceiling = writer_keeps_free(&r->box->writer, l->free_disk) / share * 100;
    return share < 100 && r->box->writer.free_bytes < *ceiling ? LIMIT_DISK
                                                               : LIMIT_CAUSES;
}

enum spool_status room_is_half_used(struct db *db, struct outbox *box,
                                    bool *half, struct spool_error *err)
{
    struct room r = {.box = box};
    const struct limits *l = &box->limits;
    int64_t version = 0;
    *half = false;
    enum spool_status status = read_log(db, &r, &version, err);
    if (status == SPOOL_OK) {
        status = read_changed(db, box, version, err);
    }
    if (status == SPOOL_OK && l->max_bytes > 0) {
        status = limits_bytes(db, &r.bytes, err);
    }
    *half = (l->max_events > 0 && r.events > l->max_events / 2) ||
            (l->max_bytes > 0 && r.bytes > l->max_bytes / 2);
    return status;
}
