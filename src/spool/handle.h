/* What is behind a struct spool, for the programs of this project, which also
 * look into the outbox. */
#ifndef SPOOL_HANDLE_H
#define SPOOL_HANDLE_H

#include "outbox/outbox.h"
#include "spool/spool.h"

struct answers;

/* Borrowed; live as long as the spool. */
struct outbox *spool_outbox(struct spool *spool);
struct answers *spool_answers(struct spool *spool);

#endif
