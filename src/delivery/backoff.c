#include "delivery/backoff.h"

#include <assert.h>

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* base doubled `times` times, up to cap; never overflows. */
static int64_t doubled(int64_t base_ms, unsigned times, int64_t cap_ms)
{
    assert(base_ms > 0 && cap_ms > 0);
    if (times >= 63 || base_ms > cap_ms >> times) {
        return cap_ms;
    }
    return base_ms << times;
}

int64_t backoff_ms(struct rng *rng, unsigned attempts, int64_t base_ms,
                   int64_t cap_ms, int64_t retry_after_ms)
{
    assert(attempts > 0);
    int64_t most = doubled(base_ms, attempts - 1, cap_ms);
    int64_t floor = least(base_ms / 10 + 1, most);
    int64_t wait = floor + rng_upto(rng, most - floor);
    if (retry_after_ms < 0) {
        return wait;
    }
    int64_t asked = least(retry_after_ms, DAY_MS);
    asked += rng_upto(rng, asked / 10);
    return wait > asked ? wait : asked;
}

int64_t probe_ms(struct rng *rng, unsigned probes, int64_t base_ms,
                 int64_t cap_ms)
{
    int64_t most = doubled(base_ms, probes, cap_ms);
    return most - rng_upto(rng, most / 2);
}
