#include "outbox/body.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "outbox/hold.h"

/* A lane that meets this many events of other lanes and none of its own notes
 * them as cut, so that it need not read them again. */
#define FOREIGN_MAX 5000

static bool add_row(struct turn_job *j, struct batch *b, const struct row *row)
{
    const struct framing *f = &j->take->framing;
    if (b->n == b->room) {
        size_t more = b->room == 0 ? 64 : b->room * 2;
        struct batch_event *events = realloc(b->events, more * sizeof *events);
        if (events == NULL) {
            return false;
        }
        b->events = events;
        b->room = more;
    }
    const char *before = b->n == 0 ? f->open : f->between;
    if (!buffer_add(&b->bytes, before, strlen(before))) {
        return false;
    }
    b->events[b->n] = (struct batch_event){row->id, b->bytes.len, row->len};
    if (!buffer_add(&b->bytes, row->body, row->len)) {
        return false;
    }
    b->n++;
    return true;
}

enum spool_status body_close(struct turn_job *j, struct batch *b,
                             struct spool_error *err)
{
    const char *text = j->take->framing.close;
    return buffer_add(&b->bytes, text, strlen(text))
               ? SPOOL_OK
               : failed(err, SPOOL_NO_MEMORY, "out of memory for a batch");
}

static size_t event_limit(const struct turn_job *j)
{
    size_t limit = (size_t)j->turn->destination.batch_events;
    size_t now = (size_t)j->take->most_events;
    return now > 0 && now < limit ? now : limit;
}

static enum spool_status look_at_row(struct turn_job *j, bool limited,
                                     struct batch *b, struct found *f,
                                     const struct row *row,
                                     struct spool_error *err)
{
    if (!membership_has_part(&j->members, row->part)) {
        f->foreign++;
        f->full = limited && f->foreign >= FOREIGN_MAX;
    } else if (!row_is_whole(row)) {
        f->damaged = row->id;
        return SPOOL_OK;
    } else if (!membership_takes(&j->members, row->body, row->len)) {
        f->passed++;
        f->full = limited && f->passed >= FOREIGN_MAX;
    } else if (limited && row->id == f->next_held) {
        f->held = row->id;
        return SPOOL_OK;
    } else {
        size_t most = (size_t)j->turn->destination.batch_bytes;
        if (limited && b->n > 0 && b->bytes.len + row->len > most) {
            f->full = true;
            return SPOOL_OK; /* the next batch begins with it */
        }
        if (b->n == 0) {
            f->oldest = row->at;
        }
        if (!add_row(j, b, row)) {
            return failed(err, SPOOL_NO_MEMORY, "out of memory for a batch");
        }
        f->full = limited && b->n >= event_limit(j);
    }
    f->hi = row->id;
    return SPOOL_OK;
}

enum spool_status body_read(struct db *db, struct turn_job *j, int64_t behind,
                            int64_t hi, bool limited, struct batch *b,
                            struct found *f, struct spool_error *err)
{
    *f = (struct found){.hi = behind};
    enum spool_status status =
        hold_next_event(db, behind + 1, &f->next_held, err);
    if (status != SPOOL_OK) {
        return status;
    }
    sqlite3_stmt *s =
        db_query(db, STATEMENT_EVENTS_RANGE, "ii", behind + 1, hi);
    bool more;
    status = db_row(db, s, &more, err);
    while (status == SPOOL_OK && more) {
        struct row row;
        row_read(s, &row);
        if (row.id > f->next_held) { /* that one was another lane's */
            status = hold_next_event(db, row.id, &f->next_held, err);
        }
        if (status == SPOOL_OK) {
            status = look_at_row(j, limited, b, f, &row, err);
        }
        if (status != SPOOL_OK || f->full || f->damaged > 0 || f->held > 0) {
            break;
        }
        status = db_row(db, s, &more, err);
    }
    (void)sqlite3_reset(s);
    return status;
}
