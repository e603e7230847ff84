#include "delivery/flights.h"

#include <assert.h>

struct flight *flights_at(struct flights *f, size_t i)
{
    return &f->ring[(f->first + i) % FLIGHTS_MAX];
}

struct flight *flights_last(struct flights *f)
{
    return f->n > 0 ? flights_at(f, f->n - 1) : NULL;
}

bool flights_fly(struct flights *f)
{
    const struct flight *last = flights_last(f);
    return last != NULL && !last->landed;
}

size_t flights_landed(struct flights *f)
{
    return f->n - (flights_fly(f) ? 1 : 0);
}

bool flights_arrived(struct flights *f)
{
    const struct flight *last = flights_last(f);
    return last == NULL || !last->landed || flight_arrived(last);
}

struct flight *flights_add(struct flights *f)
{
    assert(f->n < FLIGHTS_MAX);
    return flights_at(f, f->n++);
}

void flights_drop_first(struct flights *f)
{
    assert(f->n > 0);
    flight_finish(flights_at(f, 0));
    f->first = (f->first + 1) % FLIGHTS_MAX;
    f->n--;
}

void flights_finish(struct flights *f)
{
    for (size_t i = 0; i < FLIGHTS_MAX; i++) {
        flight_finish(&f->ring[i]);
    }
    f->n = 0;
}
