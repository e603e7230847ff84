/* Rows of the log, found in the bytes of a file that SQLite cannot read.
 *
 * A row sums up itself, so that whatever decodes as a cell of spool_event and
 * has the right checksum is an event, wherever it lies: the tree around it is
 * not needed. Every place of every page is tried, in the database and in every
 * frame of its WAL, whether SQLite would still take that frame or not. Rows are
 * never updated, so an old page tells no lies; it may tell of rows that
 * retention has dropped since, which the caller knows by their ids.
 *
 * Nothing here opens SQLite, and any bytes will do. */
#ifndef OUTBOX_CELLS_H
#define OUTBOX_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A row that is whole. body is borrowed during the call. */
struct cell {
    int64_t id, at, part;
    uint32_t crc;
    const char *body;
    size_t len;
};

/* Bytes to be searched. */
struct cells_source {
    /* Reads up to n bytes of the WAL or the database from an offset; how many
     * there were, 0 at the end or where they cannot be read. */
    size_t (*read)(void *arg, bool wal, uint64_t offset, void *out, size_t n);
    void *arg;
    uint64_t db_bytes, wal_bytes;
};

/* False ends the search. */
typedef bool cell_found(void *arg, const struct cell *cell);

/* Calls each for every row found, in the order of the files, the database
 * first; the same row may come several times. False when memory ran out. */
bool cells_scan(const struct cells_source *source, cell_found *each, void *arg);

#endif
