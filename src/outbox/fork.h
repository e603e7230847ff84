/* Which processes may use SQLite. One that was forked while its parent had an
 * outbox open may not: SQLite's memory says of it that it holds the parent's
 * locks on files, which it does not, and one of its mutexes may have been held
 * by a thread that is not here. */
#ifndef OUTBOX_FORK_H
#define OUTBOX_FORK_H

#include "spool/error.h"

/* Before anything of SQLite's is called for an outbox, and behind it. Misuse:
 * the former is refused, and the latter is not called. Any thread. */
enum spool_status fork_enter(struct spool_error *err);
void fork_leave(void);

#endif
