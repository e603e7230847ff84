#include "limits.h"

static int64_t percent(int64_t part, int64_t whole)
{
    return whole > 0 ? (int64_t)((double)part * 100 / (double)whole) : 0;
}

int64_t limits_full(const struct spool_limits *l, const struct spool_usage *u)
{
    int64_t events = percent(u->events, l->max_events);
    int64_t bytes = percent(u->bytes, l->max_bytes);
    int64_t full = events > bytes ? events : bytes;
    return u->disk_free_bytes <= u->disk_kept_bytes && full < 100 ? 100 : full;
}

int64_t toll_sum(const struct spool_toll *t)
{
    return t->events + t->bytes + t->disk;
}

int64_t toll_total(const struct spool_toll t[SPOOL_CLASSES])
{
    int64_t sum = 0;
    for (int c = 0; c < SPOOL_CLASSES; c++) {
        sum += toll_sum(&t[c]);
    }
    return sum;
}
