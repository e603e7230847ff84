/* Appending to the log: the one way in. */
#include <string.h>

#include "base/crc32c.h"
#include "base/sha256.h"
#include "outbox/hold.h"
#include "outbox/room.h"

struct append {
    struct outbox *box;
    struct outbox_event *events;
    size_t n;
    int64_t now;
    struct room room;
    struct toll_counts refused; /* of these events */
    struct toll_counts written; /* of earlier ones, with this transaction */
    struct shed_notes told;     /* likewise */
};

/* Looks a key up; *known says whether it was there, and then e is answered. */
static enum spool_status look_up(struct db *db, struct outbox_event *e,
                                 const unsigned char digest[SHA256_SIZE],
                                 bool *known, struct spool_error *err)
{
    bool by_order = e->key == NULL;
    sqlite3_stmt *s =
        db_query(db, by_order ? STATEMENT_ORDER_GET : STATEMENT_KEY_GET, "t",
                 by_order ? e->order.number : e->key);
    enum spool_status status = db_row(db, s, known, err);
    if (status == SPOOL_OK && *known) {
        bool same = sqlite3_column_bytes(s, 1) == SHA256_SIZE &&
                    memcmp(sqlite3_column_blob(s, 1), digest, SHA256_SIZE) == 0;
        e->id = sqlite3_column_int64(s, 0);
        e->appended = same ? APPENDED_BEFORE : APPENDED_DIFFERENT;
        (void)sqlite3_reset(s);
    }
    return status;
}

/* A filter that nobody here can read may take it. */
static bool may_take(const struct outbox_filters *filters, const char *words,
                     const char *body, size_t len)
{
    void *filter;
    if (words == NULL || filters->compile == NULL ||
        filters->compile(words, &filter, NULL) != SPOOL_OK) {
        return true;
    }
    bool takes = filters->takes(filter, body, len);
    filters->release(filter);
    return takes;
}

/* A purchase that was purged wherever it was to go gives its number up to other
 * bytes, since what is purged is never replayed. A dead one does not: both
 * might be sent. */
static enum spool_status give_up(struct db *db, const struct outbox *box,
                                 int64_t event, bool *freed,
                                 struct spool_error *err)
{
    bool more, waits = false;
    sqlite3_stmt *s = db_query(db, STATEMENT_ORDER_PLACES, "i", event);
    enum spool_status status = db_row(db, s, &more, err);
    while (status == SPOOL_OK && more && !waits) {
        bool purged = sqlite3_column_int(s, 0) != 0;
        const char *words = (const char *)sqlite3_column_text(s, 1);
        const char *body = sqlite3_column_blob(s, 2);
        size_t len = (size_t)sqlite3_column_bytes(s, 2);
        *freed = *freed || purged;
        waits = !purged && may_take(&box->filters, words, body, len);
        status = db_row(db, s, &more, err);
    }
    *freed = *freed && !waits;
    (void)sqlite3_reset(s);
    return status;
}

static enum spool_status write_key(struct db *db, const struct append *a,
                                   const struct outbox_event *e,
                                   const unsigned char digest[SHA256_SIZE],
                                   struct spool_error *err)
{
    bool known = false;
    enum spool_status status = SPOOL_OK;
    if (e->key != NULL) {
        status = db_run(db, err, STATEMENT_KEY_INSERT, "tibi", e->key, e->id,
                        digest, (size_t)SHA256_SIZE, a->now);
    }
    if (status == SPOOL_OK && e->key != NULL && e->order.number != NULL) {
        /* A number that came before under another key stays the first's. */
        sqlite3_stmt *s =
            db_query(db, STATEMENT_ORDER_GET, "t", e->order.number);
        status = db_row(db, s, &known, err);
        (void)sqlite3_reset(s);
    }
    if (status == SPOOL_OK && e->order.number != NULL && !known) {
        status = db_run(db, err, STATEMENT_ORDER_INSERT, "tibitt",
                        e->order.number, e->id, digest, (size_t)SHA256_SIZE,
                        a->now, e->order.total, e->order.currency);
    }
    return status;
}

static enum spool_status write_event(struct db *db, struct append *a,
                                     struct outbox_event *e,
                                     struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    if (e->opens_page) {
        status = hold_release_part(db, e->part, a->now, err);
    }
    if (status == SPOOL_OK) {
        uint32_t crc = row_crc(crc32c(0, e->body, e->len), ++a->room.last,
                               a->now, e->part);
        room_use(&a->room, e->len);
        e->id = a->room.last;
        e->appended = APPENDED;
        status = db_run(db, err, STATEMENT_EVENT_INSERT, "iiiib", e->id, a->now,
                        (int64_t)e->part, (int64_t)crc, e->body, e->len);
    }
    if (status == SPOOL_OK && (e->hold_until > 0 || e->quarantine != NULL)) {
        status = db_run(
            db, err, STATEMENT_HOLD_INSERT, "iiit", e->id, (int64_t)e->part,
            e->quarantine != NULL ? 0 : e->hold_until, e->quarantine);
    }
    return status;
}

/* Rows that give way by the page make room in a few steps. */
#define ROOM_STEPS 4

static enum spool_status find_room(struct db *db, struct append *a,
                                   struct outbox_event *e, bool *room,
                                   struct spool_error *err)
{
    bool made = true;
    enum spool_status status = SPOOL_OK;
    a->room.swaps = false;
    e->cause = room_missing(&a->room, e->class, e->len, &e->ceiling);
    for (int i = 0; status == SPOOL_OK && e->cause != LIMIT_CAUSES && made &&
                    i < ROOM_STEPS;
         i++) {
        status = room_make(db, &a->room, e->class, e->cause, &made, err);
        e->cause = room_missing(&a->room, e->class, e->len, &e->ceiling);
    }
    *room = e->cause == LIMIT_CAUSES;
    if (status == SPOOL_OK && !*room) {
        e->appended = APPENDED_NO_ROOM;
        a->refused.n[e->cause][e->class]++;
    }
    return status;
}

static enum spool_status append_event(struct db *db, struct append *a,
                                      struct outbox_event *e,
                                      struct spool_error *err)
{
    unsigned char digest[SHA256_SIZE];
    bool known = false, freed = false;
    bool keyed = e->key != NULL || e->order.number != NULL;
    enum spool_status status = SPOOL_OK;
    if (keyed) {
        sha256(e->body, e->len, digest);
        status = look_up(db, e, digest, &known, err);
    }
    if (status == SPOOL_OK && known && e->key == NULL &&
        e->appended == APPENDED_DIFFERENT) {
        status = give_up(db, a->box, e->id, &freed, err);
        known = !freed;
    }
    bool room = false;
    if (status == SPOOL_OK && !known) {
        status = find_room(db, a, e, &room, err);
    }
    if (status == SPOOL_OK && room) {
        status = write_event(db, a, e, err);
    }
    if (status == SPOOL_OK && room && freed) {
        status = db_run(db, err, STATEMENT_ORDER_DELETE, "t", e->order.number);
    }
    if (status == SPOOL_OK && room && keyed) {
        status = write_key(db, a, e, digest, err);
    }
    return status;
}

static enum spool_status append_events(struct db *db, void *arg,
                                       struct spool_error *err)
{
    struct append *a = arg;
    struct outbox *box = a->box;
    int64_t mono = clock_mono_ms(box->clock);
    a->now = outbox_now(box);
    a->refused = (struct toll_counts){0};
    enum spool_status status = room_open(db, box, &a->room, err);
    for (size_t i = 0; status == SPOOL_OK && i < a->n; i++) {
        status = append_event(db, a, &a->events[i], err);
    }
    /* The other jobs of the transaction commit without one that failed. */
    if (status == SPOOL_OK) {
        db->told.last = a->room.last;
        status = toll_write(db, &box->toll, mono, &a->written, err);
    }
    if (status == SPOOL_OK) {
        status = shed_book_write(db, &box->shed_book, a->now, mono,
                                 &a->room.shed, &a->told, err);
    }
    return status;
}

static enum spool_status write_events(struct append *a, struct spool_error *err)
{
    a->written = (struct toll_counts){0};
    a->told = (struct shed_notes){0};
    enum spool_status status = outbox_write(a->box, append_events, a, err);
    if (status != SPOOL_OK) {
        toll_add(&a->box->toll, &a->written);
    }
    shed_book_add(&a->box->shed_book,
                  status == SPOOL_OK ? &a->room.shed : &a->told);
    return status;
}

enum spool_status outbox_append(struct outbox *box, struct outbox_event *events,
                                size_t n, struct spool_error *err)
{
    struct append a = {.box = box, .events = events, .n = n};
    if (n == 0) {
        return SPOOL_OK;
    }
    enum spool_status status = write_events(&a, err);
    if (status == SPOOL_FULL) { /* the WAL was checkpointed: perhaps not now */
        status = write_events(&a, err);
    }
    if (status == SPOOL_FULL) {
        a.refused = (struct toll_counts){0};
        for (size_t i = 0; i < n; i++) {
            a.refused.n[LIMIT_DISK][events[i].class]++;
        }
    }
    if (status == SPOOL_OK || status == SPOOL_FULL) {
        toll_add(&box->toll, &a.refused);
    }
    return status;
}
