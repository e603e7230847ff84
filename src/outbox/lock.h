/* The flusher's lock: one flusher a spool, by a kernel lock that ends with the
 * process however it ends. The file beside the outbox names the holder. */
#ifndef OUTBOX_LOCK_H
#define OUTBOX_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "spool/error.h"

struct flusher_lock {
    int fd; /* of the lock file; -1 while not held */
    struct flusher_lock *next;
};

/* SPOOL_HELD names the pid that holds it. lock stays where it is until it is
 * dropped. A child that is forked does not hold it. */
enum spool_status flusher_lock_take(struct flusher_lock *lock,
                                    const char *outbox_path,
                                    struct spool_error *err);
void flusher_lock_drop(struct flusher_lock *lock); /* safe twice */

/* The pid that holds it now, 0 when nobody does. */
pid_t flusher_lock_holder(const char *outbox_path);

#endif
