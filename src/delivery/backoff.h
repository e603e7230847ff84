/* How long to wait before the next try: pure but for the random numbers, so
 * that many spools that lost an endpoint together do not come back together.
 * All times in ms; base and cap are positive. */
#ifndef DELIVERY_BACKOFF_H
#define DELIVERY_BACKOFF_H

#include <stdint.h>

#include "base/random.h"

/* After `attempts` failures in a row (at least 1): anywhere between a tenth of
 * base, so that a loop cannot spin, and base doubled with each failure up to
 * cap. retry_after_ms is what the endpoint asked for, -1 if nothing: never
 * sooner than that, clamped to 24 h, and up to a tenth later. */
int64_t backoff_ms(struct rng *rng, unsigned attempts, int64_t base_ms,
                   int64_t cap_ms, int64_t retry_after_ms);

/* Before the next probe of a held destination that was probed `probes` times
 * already: between half and the whole of base doubled with each probe up to
 * cap. */
int64_t probe_ms(struct rng *rng, unsigned probes, int64_t base_ms,
                 int64_t cap_ms);

#endif
