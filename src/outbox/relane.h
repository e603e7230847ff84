/* Other lanes for a destination that has read a part of the log: its tiles are
 * cut anew, so that every event keeps the state it had. */
#ifndef OUTBOX_RELANE_H
#define OUTBOX_RELANE_H

#include "outbox/store.h"

/* d is the destination as it is; afterwards it has `lanes` lanes, all of which
 * stand where the furthest one stood. Nothing of it may be in flight or waiting
 * to be sent again. Reads every event that is kept up to there. Inside the
 * caller's write transaction. */
enum spool_status relane(struct db *db, struct outbox *box,
                         const struct destination *d, int lanes,
                         struct spool_error *err);

#endif
