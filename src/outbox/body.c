#include "outbox/body.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "outbox/hold.h"
#include "outbox/visit.h"

/* A lane that meets this many events of other lanes and none of its own notes
 * them as cut, so that it need not read them again. */
#define FOREIGN_MAX 5000

/* How a request's body is put together from events. */
static const struct framing {
    const char *open, *between, *close;
    bool flat; /* no line ends inside an event */
} framings[] = {
    [BODY_ARRAY] = {"[", ",", "]", false},
    [BODY_OBJECT] = {"", "", "", false},
    [BODY_NDJSON] = {"", "\n", "\n", true},
};

static const struct framing *framing_of(const struct turn_job *j)
{
    return &framings[j->turn->destination.body];
}

/* JSON has line ends between its tokens only, where a space does as well. */
static void flatten(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n' || text[i] == '\r') {
            text[i] = ' ';
        }
    }
}

void batch_finish(struct batch *b)
{
    free(b->events);
    buffer_finish(&b->bytes);
    *b = (struct batch){0};
}

bool body_add(struct turn_job *j, struct batch *b, const struct row *row)
{
    const struct framing *f = framing_of(j);
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
    size_t before_len = strlen(before);
    if (!buffer_reserve(&b->bytes, before_len + row->len)) {
        return false;
    }
    (void)buffer_add(&b->bytes, before, before_len);
    b->events[b->n] = (struct batch_event){row->id, b->bytes.len, row->len};
    (void)buffer_add(&b->bytes, row->body, row->len);
    if (f->flat) {
        flatten(b->bytes.data + b->bytes.len - row->len, row->len);
    }
    b->n++;
    return true;
}

enum spool_status body_close(struct turn_job *j, struct batch *b,
                             struct spool_error *err)
{
    const char *text = framing_of(j)->close;
    return buffer_add(&b->bytes, text, strlen(text))
               ? SPOOL_OK
               : failed(err, SPOOL_NO_MEMORY, "out of memory for a batch");
}

size_t body_limit(const struct turn_job *j)
{
    size_t limit = (size_t)j->turn->destination.batch_events;
    size_t now = (size_t)j->take->most_events;
    if (j->turn->destination.body == BODY_OBJECT) {
        return 1;
    }
    return now > 0 && now < limit ? now : limit;
}

/* A read of the log under way. */
struct reading {
    struct turn_job *j;
    struct batch *b;
    struct found *f;
    bool limited;
    bool stale; /* ended before a row, of which more is to be known first:
                   f->next_held, or a run of the express lane, ends there */
    bool no_memory;
};

/* Takes a row of the lane that is to be sent. True: enough. */
static bool take_row(struct reading *r, const struct row *row)
{
    const struct turn_job *j = r->j;
    size_t most = (size_t)j->turn->destination.batch_bytes;
    if (r->limited && r->b->n > 0 && r->b->bytes.len + row->len > most) {
        r->f->full = true; /* the next batch begins with it */
        return true;
    }
    if (r->b->n == 0) {
        r->f->oldest = row->at;
    }
    r->no_memory = !body_add(r->j, r->b, row);
    r->f->hi = r->no_memory ? r->f->hi : row->id;
    r->f->full = r->limited && r->b->n >= body_limit(j);
    return r->no_memory || r->f->full;
}

static bool look_at_row(void *arg, const struct row *row)
{
    struct reading *r = arg;
    struct found *f = r->f;
    if (row->id > f->next_held) {
        /* That one was another lane's, or retention has dropped it: either
         * way nothing up to it is left to read. */
        f->hi = f->hi < f->next_held ? f->next_held : f->hi;
        r->stale = true;
        return true;
    }
    if (!membership_knows(&r->j->members, row->id)) {
        f->hi = r->j->members.run_hi;
        r->stale = true;
        return true;
    }
    if (!membership_has(&r->j->members, row->id, row->part)) {
        f->foreign++;
        f->full = r->limited && f->foreign >= FOREIGN_MAX;
    } else if (!row_is_whole(row)) {
        f->damaged = row->id;
        return true;
    } else if (!membership_takes(&r->j->members, row->body, row->len)) {
        f->passed++;
        f->full = r->limited && f->passed >= FOREIGN_MAX;
    } else if (r->limited && row->id == f->next_held) {
        /* Alone in its tile, by whose first id it is released: rows before it
         * may be gone. */
        f->held = row->id;
        f->hi = row->id - 1;
        return true;
    } else {
        return take_row(r, row);
    }
    f->hi = row->id;
    return f->full;
}

enum spool_status body_read(struct db *db, struct turn_job *j, int64_t behind,
                            int64_t hi, bool limited, struct batch *b,
                            struct found *f, struct spool_error *err)
{
    struct reading r = {.j = j, .b = b, .f = f, .limited = limited};
    enum spool_status status;
    *f = (struct found){.hi = behind};
    do {
        r.stale = false;
        status = hold_next_event(db, f->hi + 1, &f->next_held, err);
        if (status == SPOOL_OK) {
            status = membership_look(db, &j->members, f->hi + 1, err);
        }
        if (status == SPOOL_OK) {
            status = visit_events(db, f->hi + 1, hi, look_at_row, &r, err);
        }
    } while (status == SPOOL_OK && r.stale);
    return r.no_memory
               ? failed(err, SPOOL_NO_MEMORY, "out of memory for a batch")
               : status;
}
