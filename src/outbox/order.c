#include "outbox/order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sha256.h"
#include "outbox/hold.h"
#include "outbox/store.h"
#include "outbox/tile.h"

struct order_book {
    struct outbox *box;
    struct destination *d;      /* n of them */
    struct membership *members; /* one each */
    size_t n;
};

const char *order_place_state(const struct order_place *p)
{
    switch (p->kind) {
    case ORDER_IN_LOG:
        return event_state_name(p->state);
    case ORDER_DROPPED:
        return event_state_name(EVENT_DELIVERED);
    case ORDER_GONE:
        return "gone";
    case ORDER_PASSED:
        return "passed";
    case ORDER_BEFORE:
        return "before";
    }
    return "";
}

bool order_is_delivered(const struct order_place *p)
{
    return p->kind == ORDER_DROPPED ||
           (p->kind == ORDER_IN_LOG && p->state == EVENT_DELIVERED);
}

static void write_hex(const unsigned char digest[SHA256_SIZE],
                      char out[ORDER_DIGEST_SIZE])
{
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
    }
}

static bool has_control(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < ' ') {
            return true;
        }
    }
    return false;
}

void order_key(const char *number, size_t len, char out[ORDER_NUMBER_SIZE])
{
    static const char prefix[] = "sha256:";
    if (len < ORDER_NUMBER_SIZE && !has_control(number, len)) {
        memcpy(out, number, len);
        out[len] = '\0';
        return;
    }
    unsigned char digest[SHA256_SIZE];
    sha256(number, len, digest);
    memcpy(out, prefix, sizeof prefix);
    write_hex(digest, out + sizeof prefix - 1);
}

/* ---- the book ---- */

static enum spool_status open_book(struct order_book *book, const char *name,
                                   struct spool_error *err)
{
    enum spool_status status =
        destination_list(book->box, name, &book->d, &book->n, err);
    if (status != SPOOL_OK) {
        return status;
    }
    book->members = calloc(book->n + 1, sizeof *book->members);
    if (book->members == NULL) {
        return failed(err, SPOOL_NO_MEMORY, "out of memory");
    }
    for (size_t i = 0; status == SPOOL_OK && i < book->n; i++) {
        status =
            membership_open(&book->members[i], book->box, &book->d[i], 0, err);
    }
    return status;
}

enum spool_status order_book_open(struct outbox *box, const char *name,
                                  struct order_book **out,
                                  struct spool_error *err)
{
    struct order_book *book = calloc(1, sizeof *book);
    if (book == NULL) {
        return failed(err, SPOOL_NO_MEMORY, "out of memory");
    }
    book->box = box;
    enum spool_status status = open_book(book, name, err);
    if (status != SPOOL_OK) {
        order_book_close(book);
        return status;
    }
    *out = book;
    return SPOOL_OK;
}

void order_book_close(struct order_book *book)
{
    if (book == NULL) {
        return;
    }
    for (size_t i = 0; book->members != NULL && i < book->n; i++) {
        membership_close(&book->members[i]);
    }
    free(book->members);
    free(book->d);
    free(book);
}

size_t order_book_width(const struct order_book *book)
{
    return book->n > 0 ? book->n : 1;
}

const char *order_book_name(const struct order_book *book, size_t i)
{
    return book->n > 0 ? book->d[i].name : "";
}

/* ---- looking up ---- */

struct find_job {
    struct order_book *book;
    const char *const *numbers;
    size_t n;
    struct order_record *records;
    struct order_place *places;
};

/* A row of spool_order. */
static void read_record(sqlite3_stmt *s, struct order_record *r,
                        int64_t *delivered_at)
{
    const unsigned char *digest = sqlite3_column_blob(s, 1);
    r->known = true;
    r->id = sqlite3_column_int64(s, 0);
    if (sqlite3_column_bytes(s, 1) == SHA256_SIZE) {
        write_hex(digest, r->digest);
    }
    r->at = sqlite3_column_int64(s, 2);
    db_copy_text(s, 3, r->total, sizeof r->total);
    db_copy_text(s, 4, r->currency, sizeof r->currency);
    *delivered_at = sqlite3_column_int64(s, 5); /* 0 for NULL */
}

/* Behind the cursor: pending, or held. */
static enum spool_status read_uncut(struct db *db, int64_t id,
                                    struct order_place *p,
                                    struct spool_error *err)
{
    int64_t held;
    enum spool_status status = hold_next_event(db, id, &held, err);
    p->state = held == id ? EVENT_HELD : EVENT_PENDING;
    return status;
}

static enum spool_status read_tile(struct db *db, const struct membership *m,
                                   const struct row *row, struct order_place *p,
                                   struct spool_error *err)
{
    if (!membership_takes(m, row->body, row->len)) {
        p->kind = ORDER_PASSED;
        return SPOOL_OK;
    }
    struct tile t;
    bool found = false;
    int lane;
    enum spool_status status =
        membership_find_lane(db, m, row->id, row->part, &lane, err);
    if (status != SPOOL_OK) {
        return status;
    }
    sqlite3_stmt *s = db_query(db, STATEMENT_TILE_AT, "iii", m->destination,
                               (int64_t)lane, row->id);
    status = db_row(db, s, &found, err);
    if (status != SPOOL_OK || !found) {
        return status == SPOOL_OK ? read_uncut(db, row->id, p, err) : status;
    }
    tile_read(s, &t);
    bool covers = t.hi >= row->id;
    if (covers) {
        p->state = (enum event_state)t.state;
        p->attempts = t.attempts;
        p->delivered_at =
            t.state == TILE_DELIVERED ? sqlite3_column_int64(s, 15) : 0;
        db_copy_text(s, 13, p->code, sizeof p->code);
        db_copy_text(s, 14, p->reason, sizeof p->reason);
    }
    (void)sqlite3_reset(s);
    return covers ? SPOOL_OK : read_uncut(db, row->id, p, err);
}

/* Which lane it was in left the log with the event, and the tiles of all lanes
 * are still there: unless none of them was purged, nothing is promised. */
static enum spool_status read_dropped(struct db *db,
                                      const struct destination *d, int64_t id,
                                      int64_t delivered_at,
                                      struct order_place *p,
                                      struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    p->kind = delivered_at > 0 ? ORDER_DROPPED : ORDER_GONE;
    int lanes = d == NULL ? 0 : 2 * d->lanes; /* express lanes as well */
    for (int lane = 0; status == SPOOL_OK && lane < lanes; lane++) {
        struct tile t;
        bool found;
        sqlite3_stmt *s =
            db_query(db, STATEMENT_TILE_AT, "iii", d->id, (int64_t)lane, id);
        status = db_row(db, s, &found, err);
        if (status == SPOOL_OK && found) {
            tile_read(s, &t);
            (void)sqlite3_reset(s);
            if (t.hi >= id && t.state == TILE_PURGED) {
                p->kind = ORDER_GONE;
            }
        }
    }
    p->delivered_at = p->kind == ORDER_DROPPED ? delivered_at : 0;
    return status;
}

/* i is past the destinations when there are none. */
static enum spool_status
read_place(struct db *db, const struct order_book *book, size_t i,
           const struct order_record *r, const struct row *row,
           int64_t delivered_at, struct order_place *p, struct spool_error *err)
{
    const struct destination *d = i < book->n ? &book->d[i] : NULL;
    *p = (struct order_place){.kind = ORDER_IN_LOG};
    if (d != NULL && r->id <= d->base) {
        p->kind = ORDER_BEFORE;
        return SPOOL_OK;
    }
    if (row == NULL) {
        return read_dropped(db, d, r->id, delivered_at, p, err);
    }
    return d == NULL ? read_uncut(db, r->id, p, err)
                     : read_tile(db, &book->members[i], row, p, err);
}

static enum spool_status
read_places(struct db *db, const struct order_book *book,
            const struct order_record *r, int64_t delivered_at,
            struct order_place *places, struct spool_error *err)
{
    bool in_log;
    struct row row;
    sqlite3_stmt *s = db_query(db, STATEMENT_EVENT_GET, "i", r->id);
    enum spool_status status = db_row(db, s, &in_log, err);
    if (status == SPOOL_OK && in_log) {
        row_read(s, &row);
    }
    for (size_t i = 0; status == SPOOL_OK && i < order_book_width(book); i++) {
        status = read_place(db, book, i, r, in_log ? &row : NULL, delivered_at,
                            &places[i], err);
    }
    (void)sqlite3_reset(s);
    return status;
}

static enum spool_status find_one(struct db *db, const struct find_job *j,
                                  size_t i, struct spool_error *err)
{
    struct order_record *r = &j->records[i];
    int64_t delivered_at = 0;
    char key[ORDER_NUMBER_SIZE];
    *r = (struct order_record){0};
    order_key(j->numbers[i], strlen(j->numbers[i]), key);
    sqlite3_stmt *s = db_query(db, STATEMENT_ORDER_GET, "t", key);
    bool known;
    enum spool_status status = db_row(db, s, &known, err);
    if (status != SPOOL_OK || !known) {
        return status;
    }
    read_record(s, r, &delivered_at);
    (void)sqlite3_reset(s);
    return read_places(db, j->book, r, delivered_at,
                       j->places + i * order_book_width(j->book), err);
}

/* A destination that is gone has no tiles, and all would look pending. */
static enum spool_status check_destinations(struct db *db,
                                            const struct order_book *book,
                                            struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    for (size_t i = 0; status == SPOOL_OK && i < book->n; i++) {
        struct destination d;
        bool found;
        status = destination_get(db, book->d[i].id, &found, &d, err);
        if (status == SPOOL_OK && found) { /* all that changes of it */
            book->members[i].express_to = d.express_to;
        }
        if (status == SPOOL_OK && !found) {
            status = failed(err, SPOOL_NOT_FOUND,
                            "destination %s was removed while orders were "
                            "looked up",
                            book->d[i].name);
        }
    }
    return status;
}

static enum spool_status find_all(struct db *db, void *arg,
                                  struct spool_error *err)
{
    const struct find_job *j = arg;
    enum spool_status status = check_destinations(db, j->book, err);
    for (size_t i = 0; status == SPOOL_OK && i < j->n; i++) {
        status = find_one(db, j, i, err);
    }
    return status;
}

enum spool_status order_find(struct order_book *book,
                             const char *const *numbers, size_t n,
                             struct order_record *records,
                             struct order_place *places,
                             struct spool_error *err)
{
    struct find_job j = {book, numbers, n, records, places};
    return outbox_read(book->box, find_all, &j, err);
}

/* The higher, the further from being delivered for good. */
static int distance(const struct order_place *p)
{
    static const int by_state[EVENT_STATES] = {
        [EVENT_DELIVERED] = 1, [EVENT_SENDING] = 2,  [EVENT_PENDING] = 3,
        [EVENT_HELD] = 4,      [EVENT_RETRYING] = 5, [EVENT_UNCERTAIN] = 6,
        [EVENT_PURGED] = 7,    [EVENT_DEAD] = 9,
    };
    switch (p->kind) {
    case ORDER_IN_LOG:
        return by_state[p->state];
    case ORDER_DROPPED:
        return by_state[EVENT_DELIVERED];
    case ORDER_GONE:
        return 8;
    case ORDER_PASSED:
    case ORDER_BEFORE:
        return 0;
    }
    return 0;
}

size_t order_worst(const struct order_place *places, size_t n)
{
    size_t worst = 0;
    for (size_t i = 1; i < n; i++) {
        int a = distance(&places[i]), b = distance(&places[worst]);
        if (a > b ||
            (a == b && places[i].delivered_at > places[worst].delivered_at)) {
            worst = i;
        }
    }
    return worst;
}

/* ---- all of them ---- */

struct numbers_job {
    const char *behind;
    char (*numbers)[ORDER_NUMBER_SIZE];
    size_t max, n;
};

static enum spool_status read_numbers(struct db *db, void *arg,
                                      struct spool_error *err)
{
    struct numbers_job *j = arg;
    sqlite3_stmt *s =
        db_query(db, STATEMENT_ORDERS_FROM, "ti", j->behind, (int64_t)j->max);
    bool row;
    enum spool_status status = db_row(db, s, &row, err);
    while (status == SPOOL_OK && row) {
        db_copy_text(s, 0, j->numbers[j->n++], ORDER_NUMBER_SIZE);
        status = db_row(db, s, &row, err);
    }
    return status;
}

enum spool_status order_numbers(struct outbox *box, const char *behind,
                                char (*numbers)[ORDER_NUMBER_SIZE], size_t max,
                                size_t *n, struct spool_error *err)
{
    struct numbers_job j = {.behind = behind, .numbers = numbers, .max = max};
    enum spool_status status = outbox_read(box, read_numbers, &j, err);
    *n = status == SPOOL_OK ? j.n : 0;
    return status;
}
