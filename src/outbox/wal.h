/* The WAL beside an outbox as it lies there. A WAL does not say whose it is:
 * SQLite believes any whole one that has the database's name. But each goes by
 * a number, drawn when it is made and counted up by one each time it begins
 * anew. */
#ifndef OUTBOX_WAL_H
#define OUTBOX_WAL_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes in front of the first frame. */
#define WAL_HEAD 32

/* The number of the WAL of the outbox at path. False: there is none that SQLite
 * would believe. */
bool wal_number(const char *path, uint32_t *number);

/* Where the bytes behind so many frames begin; 0 when it cannot be told. */
int64_t wal_offset(const char *path, int64_t frames);

/* Whether two numbers can be the same WAL's, at an earlier time or a later. */
bool wal_is_near(uint32_t one, uint32_t other);

#endif
