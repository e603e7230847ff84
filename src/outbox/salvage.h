/* Reading from a damaged outbox that nobody writes to any more: its rows by
 * their checksums (cells.h), its other tables by SQLite as far as it gets. */
#ifndef OUTBOX_SALVAGE_H
#define OUTBOX_SALVAGE_H

#include "outbox/cells.h"
#include "outbox/db.h"
#include "outbox/tile.h"

/* Every whole row in the file and its -wal, the same one maybe several times;
 * false ends it. */
enum spool_status salvage_rows(const char *path, cell_found *each, void *arg,
                               struct spool_error *err);

/* The last id given out, by the mark beside the outbox at path, or else by the
 * rows of file, which is the outbox or what was set aside of it. */
int64_t salvage_last_id(const char *path, const char *file);

/* The store's id; out stays as it is where it cannot be read. */
void salvage_store_id(const char *path, char out[UUID_SIZE]);

/* A number from the file; missing where it cannot be read. */
int64_t salvage_number(const char *path, const char *sql, int64_t missing);

/* Copies the rows of a table that both have and that db lacks into db, inside
 * its transaction. False: some could not be read. A flip in a row that has no
 * checksum of its own is not noticed here. */
bool salvage_table(struct db *db, const char *path, const char *table);

/* The runs of a destination's express lanes up to an id, likewise. True as well
 * where the file is older than express lanes. */
bool salvage_express(struct db *db, const char *path, int64_t destination,
                     int64_t to);

/* Dedupe keys and order numbers that db knows already, as those of other events
 * than the damaged file does; as far as both can be read. */
int64_t salvage_again(struct db *db, const char *path);

/* Copies what a query over such a table gives into the table of that name, as
 * long as rows can be read. False: some could not be. */
bool salvage_rows_of(sqlite3 *to, const char *table, sqlite3_stmt *from);

/* The tiles of a lane that can be read, in any order; yours to free. False:
 * some could not be read. */
bool salvage_tiles(const char *path, int64_t destination, int lane,
                   struct tile **out, size_t *n);

#endif
