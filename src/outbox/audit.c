#include "outbox/audit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/sha256.h"
#include "outbox/store.h"

static bool add_number(struct buffer *b, int64_t n)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%lld\n", (long long)n);
    return buffer_add(b, text, (size_t)len);
}

/* Its length stands before it, so that no text can pass for two. */
static bool add_text(struct buffer *b, const char *text)
{
    size_t len = strlen(text);
    return add_number(b, (int64_t)len) && buffer_add(b, text, len);
}

/* Over the hash before it and the columns in their order, numbers in decimal
 * with a line end behind, texts with their length as such a number before.
 * before of before_len bytes; none for the first line. */
static enum spool_status hash(const struct audit_record *r, const void *before,
                              size_t before_len, unsigned char out[SHA256_SIZE],
                              struct spool_error *err)
{
    struct buffer b = {0};
    bool fits = buffer_add(&b, before, before_len) && add_number(&b, r->id) &&
                add_number(&b, r->at) && add_number(&b, r->uid) &&
                add_text(&b, r->action) && add_text(&b, r->destination) &&
                add_number(&b, r->events) && add_text(&b, r->detail);
    if (fits) {
        sha256(b.data, b.len, out);
    }
    buffer_finish(&b);
    return fits ? SPOOL_OK
                : failed(err, SPOOL_NO_MEMORY, "out of memory for a line");
}

static const char *column(sqlite3_stmt *s, int i)
{
    const unsigned char *text = sqlite3_column_text(s, i);
    return text != NULL ? (const char *)text : "";
}

void audit_read(sqlite3_stmt *s, struct audit_record *r)
{
    const unsigned char *chain = sqlite3_column_blob(s, 7);
    *r = (struct audit_record){.id = sqlite3_column_int64(s, 0),
                               .at = sqlite3_column_int64(s, 1),
                               .uid = sqlite3_column_int64(s, 2),
                               .action = column(s, 3),
                               .destination = column(s, 4),
                               .events = sqlite3_column_int64(s, 5),
                               .detail = column(s, 6)};
    for (int i = 0; i < SHA256_SIZE && i < sqlite3_column_bytes(s, 7); i++) {
        (void)snprintf(r->hash + 2 * i, 3, "%02x", chain[i]);
    }
}

enum spool_status audit(struct db *db, int64_t now, const char *action,
                        const char *destination, int64_t events,
                        const char *detail, struct spool_error *err)
{
    unsigned char before[SHA256_SIZE], own[SHA256_SIZE];
    size_t before_len = 0;
    bool row;
    struct audit_record r = {.id = 1,
                             .at = now,
                             .uid = (int64_t)getuid(),
                             .action = action,
                             .destination =
                                 destination != NULL ? destination : "",
                             .events = events,
                             .detail = detail};
    sqlite3_stmt *s = db_query(db, STATEMENT_AUDIT_LAST, "");
    enum spool_status status = db_row(db, s, &row, err);
    if (status == SPOOL_OK && row) {
        r.id = sqlite3_column_int64(s, 0) + 1;
        before_len = (size_t)sqlite3_column_bytes(s, 1);
        before_len = before_len < sizeof before ? before_len : sizeof before;
        if (before_len > 0) {
            memcpy(before, sqlite3_column_blob(s, 1), before_len);
        }
        (void)sqlite3_reset(s);
    }
    if (status == SPOOL_OK) {
        status = hash(&r, before, before_len, own, err);
    }
    return status == SPOOL_OK
               ? db_run(db, err, STATEMENT_AUDIT_INSERT, "iiittitb", r.id, now,
                        r.uid, action, destination, events, detail,
                        (const void *)own, sizeof own)
               : status;
}

/* Whether the line is the one that was written behind the one before. A line
 * without a hash is from before the chain: none stands behind one that has. */
static enum spool_status fits(sqlite3_stmt *s,
                              unsigned char before[SHA256_SIZE],
                              size_t *before_len, bool *out,
                              struct spool_error *err)
{
    struct audit_record r;
    unsigned char own[SHA256_SIZE];
    size_t len = (size_t)sqlite3_column_bytes(s, 7);
    audit_read(s, &r);
    if (len == 0) {
        *out = *before_len == 0;
        return SPOOL_OK;
    }
    enum spool_status status = hash(&r, before, *before_len, own, err);
    *out = status == SPOOL_OK && len == sizeof own &&
           memcmp(sqlite3_column_blob(s, 7), own, len) == 0;
    memcpy(before, own, sizeof own);
    *before_len = sizeof own;
    return status;
}

enum spool_status audit_check(struct db *db, int64_t *broken,
                              struct spool_error *err)
{
    unsigned char before[SHA256_SIZE];
    size_t before_len = 0;
    bool row, good = true;
    *broken = 0;
    sqlite3_stmt *s = db_query(db, STATEMENT_AUDIT_RANGE, "iii", (int64_t)0,
                               (int64_t)0, INT64_MAX);
    enum spool_status status = db_row(db, s, &row, err);
    while (status == SPOOL_OK && row && *broken == 0) {
        status = fits(s, before, &before_len, &good, err);
        if (status == SPOOL_OK && !good) {
            *broken = sqlite3_column_int64(s, 0);
        } else if (status == SPOOL_OK) {
            status = db_row(db, s, &row, err);
        }
    }
    (void)sqlite3_reset(s);
    return status;
}
