/* Shedding: accepted events of classes that were set so give way to new ones,
 * the oldest first. Only what no destination has come to yet, or has behind it:
 * nothing that is in flight, was sent without a final answer, is dead, held or
 * quarantined, and no purchase with an order number.
 *
 * A shed event's row is deleted at once, since that is what makes room, and no
 * tile is cut for it: a tile would take as much as the row. Its id goes into
 * spool_shed for each destination that had not come to it, as lost ids go into
 * spool_lost, and the destination counts it as purged. */
#ifndef OUTBOX_SHED_H
#define OUTBOX_SHED_H

#include "outbox/outbox.h"
#include "outbox/shed_book.h"

struct db;

/* So many in one go: a few milliseconds, which the next puts are spared. */
#define SHED_MOST 250

/* Makes room for an event of a class in front of which a limit stands, inside
 * the caller's write transaction: takes out up to most events (SHED_MOST at
 * most) of the same or a lower class, looking at a bounded number of rows
 * behind those it looked at before. *gone are these. last is the last id of the
 * log. */
enum spool_status shed_some(struct db *db, struct outbox *box, int class,
                            enum limit_cause cause, int64_t last, int64_t most,
                            struct shed_note *gone, struct spool_error *err);

#endif
