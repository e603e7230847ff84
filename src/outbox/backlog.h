/* A lane's backlog: which sessions have something waiting in it.
 *
 * Behind a backlog that takes hours, events of a session that has nothing in it
 * need not wait: batch_turn sends them by the lane's express lane, a batch of
 * the backlog and one of theirs in turn. It must know for sure that nothing
 * older of a session waits. What is kept here is a superset of the sessions
 * that have something waiting (a Bloom filter: one taken for waiting by mistake
 * goes behind the backlog, as all did before), in memory alone: whoever starts
 * anew surveys anew.
 *
 * It stays true while the lane's turns are the only ones that make events wait;
 * the destination's `rewound` tells when others did. */
#ifndef OUTBOX_BACKLOG_H
#define OUTBOX_BACKLOG_H

#include "outbox/outbox.h"

struct backlog;

/* A backlog to be surveyed. NULL without memory. box is borrowed. */
struct backlog *backlog_create(struct outbox *box, int64_t destination,
                               int lane);
void backlog_destroy(struct backlog *b); /* NULL is fine */

/* Surveys on, for a moment, beside whoever writes; *ready when all is
 * known. Turns of the lane may go on between the steps. Blocks on the disk: not
 * for a loop's thread. On failure it can only be destroyed. */
enum spool_status backlog_step(struct backlog *b, bool *ready,
                               struct spool_error *err);

#endif
