#define _DEFAULT_SOURCE /* htole64 */
#include "outbox/row.h"

#include <endian.h>

#include "base/crc32c.h"

/* The checksum covers what an event is and where it stands, so that a row that
 * was moved or dated anew is as wrong as one with a flipped bit. */
uint32_t row_crc(uint32_t body_crc, int64_t id, int64_t at, int64_t part)
{
    const uint64_t frame[3] = {htole64((uint64_t)id), htole64((uint64_t)at),
                               htole64((uint64_t)part)};
    return crc32c(body_crc, frame, sizeof frame);
}

void row_read(sqlite3_stmt *s, struct row *row)
{
    row->id = sqlite3_column_int64(s, 0);
    row->at = sqlite3_column_int64(s, 1);
    row->part = sqlite3_column_int64(s, 2);
    row->crc = (uint32_t)sqlite3_column_int64(s, 3);
    row->body = sqlite3_column_blob(s, 4);
    row->len = (size_t)sqlite3_column_bytes(s, 4);
}

bool row_is_whole(const struct row *row)
{
    return row_crc(crc32c(0, row->body, row->len), row->id, row->at,
                   row->part) == row->crc;
}
