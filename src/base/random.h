/* Random numbers for jitter and keys. A seed makes a run repeatable. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

/* SplitMix64: one word of state, good enough to spread retries and to make
 * ids unique; never used as a secret. Not thread-safe: one owner. */
struct rng {
    uint64_t state;
};

/* Seeds from the kernel. */
void rng_init(struct rng *r);

uint64_t rng_next(struct rng *r);

/* Uniform in 0..max, both included. */
int64_t rng_upto(struct rng *r, int64_t max);

#define UUID_SIZE 37

/* A UUID version 7 (RFC 9562): time-ordered by wall_ms, random behind it. */
void uuid_v7(struct rng *r, int64_t wall_ms, char out[UUID_SIZE]);

#endif
