/* Visits: rows of the log handed to a function inside one step of SQLite. On
 * the way out every row is read once; leaving SQLite's machine and asking it
 * for five columns costs as much there as reading the row. */
#ifndef OUTBOX_VISIT_H
#define OUTBOX_VISIT_H

#include "outbox/db.h"

struct row;

/* Looks at one row, which is borrowed during the call; must not use the
 * connection. True: enough, the visit ends behind it. */
typedef bool row_visitor(void *arg, const struct row *row);

/* Visits the events lo..hi that there are, in order. */
enum spool_status visit_events(struct db *db, int64_t lo, int64_t hi,
                               row_visitor *visitor, void *arg,
                               struct spool_error *err);

/* Makes visits possible on a connection that has just been opened; db stays
 * where it is. An SQLite code. */
int visit_install(struct db *db);

#endif
