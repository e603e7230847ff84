/* How full a spool is, for the commands that say so. Pure. */
#ifndef SPOOLCTL_LIMITS_H
#define SPOOLCTL_LIMITS_H

#include "spool/limits.h"

/* From so many percent on somebody should look. */
#define LIMITS_NEARLY_FULL 80

/* Percent of the limit that is closest to being reached, 0 without one. A disk
 * with no more room than is kept free is full. */
int64_t limits_full(const struct spool_limits *l, const struct spool_usage *u);

int64_t toll_sum(const struct spool_toll *t);

/* Over all classes. */
int64_t toll_total(const struct spool_toll t[SPOOL_CLASSES]);

#endif
