/* Telling: what became of a lane's batches and of the flusher, as reports to
 * its owner. */
#ifndef DELIVERY_TELL_H
#define DELIVERY_TELL_H

#include "delivery/lane.h"

/* A batch landed and was settled. */
void tell_settled(const struct lane *lane, const struct flight *flight,
                  const struct settled *settled);

/* The last turn set damaged rows aside, if it did. */
void tell_damaged(const struct lane *lane);

/* The last turn failed and is tried again in wait_ms. */
void tell_trouble(const struct lane *lane, int64_t wait_ms);

/* The destinations cannot be looked at; it is tried again in wait_ms. */
void tell_no_destinations(const struct flusher_options *options,
                          const struct spool_error *why, int64_t wait_ms);

/* The outbox cannot be used any more. */
void tell_stopped(const struct flusher_options *options,
                  const struct spool_error *why);

#endif
