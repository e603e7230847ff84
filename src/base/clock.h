/* The two clocks, behind pointers so that a test can turn them.
 *
 * wall_ms dates things for people and survives a reboot, but it jumps when
 * somebody sets the clock. mono_ms only runs forward and means nothing outside
 * this process: waiting is measured with it alone. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*wall_ms)(void *arg); /* since 1970-01-01 00:00 UTC */
    int64_t (*mono_ms)(void *arg); /* since some moment in the past */
    void *arg;
};

extern const struct clock clock_system;

static inline int64_t clock_wall_ms(const struct clock *c)
{
    return c->wall_ms(c->arg);
}

static inline int64_t clock_mono_ms(const struct clock *c)
{
    return c->mono_ms(c->arg);
}

#endif
