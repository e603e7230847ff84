/* A pace: so many events a second, as a bucket of tokens. What is spent beyond
 * it is owed, so that the rate holds whatever the size of a batch. Pure; by the
 * monotonic clock. */
#ifndef DELIVERY_PACE_H
#define DELIVERY_PACE_H

#include <stdint.h>

struct pace {
    int64_t rate;   /* events a second; 0: no limit */
    int64_t tokens; /* thousandths of an event; < 0: owed */
    int64_t at;     /* mono ms they were reckoned for */
};

/* Begins, or goes on with another rate: what was owed stays owed. */
void pace_set(struct pace *p, int64_t rate, int64_t mono_ms);

/* How long until something may be sent, 0: now. After a rest at most a second's
 * worth goes out at once. */
int64_t pace_wait_ms(struct pace *p, int64_t mono_ms);

void pace_spend(struct pace *p, int64_t events);

#endif
