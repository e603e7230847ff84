#define _DEFAULT_SOURCE /* getentropy */
#include "base/random.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

void rng_init(struct rng *r)
{
    if (getentropy(&r->state, sizeof r->state) != 0) {
        /* No entropy source: still different from process to process. */
        struct timespec t;
        (void)clock_gettime(CLOCK_REALTIME, &t);
        r->state = (uint64_t)t.tv_nsec ^ (uint64_t)t.tv_sec << 20 ^
                   (uint64_t)getpid() << 44;
    }
}

uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->state += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

int64_t rng_upto(struct rng *r, int64_t max)
{
    if (max <= 0) {
        return 0;
    }
    return (int64_t)(rng_next(r) % ((uint64_t)max + 1));
}

void uuid_v7(struct rng *r, int64_t wall_ms, char out[UUID_SIZE])
{
    uint64_t ms = (uint64_t)wall_ms & 0xFFFFFFFFFFFFU;
    uint64_t a = rng_next(r);
    uint64_t b = rng_next(r);
    (void)snprintf(out, UUID_SIZE, "%08x-%04x-7%03x-%04x-%04x%08x",
                   (unsigned)(ms >> 16), (unsigned)(ms & 0xFFFF),
                   (unsigned)(a & 0xFFF),
                   (unsigned)(0x8000 | (a >> 12 & 0x3FFF)),
                   (unsigned)(b & 0xFFFF), (unsigned)(b >> 32));
}
