/* A damaged outbox is set aside and a fresh one takes its place, so that new
 * events are never refused for the sake of old ones. What can be read of the
 * old ones is put back later (recover.h).
 *
 *   OUTBOX.damaged-TIME  and its -wal: the damaged file, kept as it was; and
 *                        its -destinations (keep.h)
 *   OUTBOX-fresh         a new outbox whose ids go on behind every id that was
 *                        given out, with the destinations of the damaged one
 *                        or those of its copy; made whole before anything is
 *                        renamed
 *   OUTBOX-aside         locked by whoever does it
 *
 * OUTBOX-fresh is the point of no return: whoever opens the outbox and finds
 * it finishes what was begun, so that a kill at any moment is made up for. */
#ifndef OUTBOX_ASIDE_H
#define OUTBOX_ASIDE_H

#include <stdbool.h>

#include "base/clock.h"
#include "spool/error.h"

#define ASIDE_PATH_SIZE 4200

struct db;

/* Finishes what a killed process began; SPOOL_OK when there is nothing. To be
 * called before the outbox is opened. */
enum spool_status aside_finish(const char *path, struct spool_error *err);

/* Sets the outbox aside that SQLite called damaged. SPOOL_DAMAGED, and nothing
 * is touched, when it cannot be told for sure that the file is a spool of this
 * release or an older one. Whoever has the file open meets SPOOL_MOVED from
 * then on. inode: of the file that was damaged; when another one lies there
 * by now, somebody has done it and this is SPOOL_OK. */
enum spool_status aside_make(const char *path, unsigned long long inode,
                             const struct clock *clock,
                             struct spool_error *err);

/* The inode of the file at path, 0 when there is none. */
unsigned long long aside_inode(const char *path);

/* The file that was set aside last, as long as what it holds has not been put
 * back; "" when there is none. No destination counts those events until then.
 * *last: up to which id it may hold some, 0 when all was put back, and more
 * than that with "" when it lies there no more. Inside a transaction. */
enum spool_status aside_waiting(struct db *db, const char *path, int64_t *last,
                                char file[ASIDE_PATH_SIZE],
                                struct spool_error *err);

/* The newest file that was set aside and that lies behind a name (NULL: any).
 * False: there is none. */
bool aside_newest(const char *path, const char *before,
                  char out[ASIDE_PATH_SIZE]);

#endif
