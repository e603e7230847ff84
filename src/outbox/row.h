/* A row of the log. */
#ifndef OUTBOX_ROW_H
#define OUTBOX_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

/* body is borrowed until the statement moves on. */
struct row {
    int64_t id, at, part;
    uint32_t crc;
    const char *body;
    size_t len;
};

void row_read(sqlite3_stmt *s, struct row *row);

/* The checksum of a row whose body sums to body_crc. */
uint32_t row_crc(uint32_t body_crc, int64_t id, int64_t at, int64_t part);

/* Whether the row is as it was written. */
bool row_is_whole(const struct row *row);

#endif
