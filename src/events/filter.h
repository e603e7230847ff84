/* Which events a destination takes: MEMBER = VALUE, joined by `and`.
 *
 *     name = CHECKOUT and step = purchase and "my member" = "a \"b\""
 *
 * MEMBER is a member of the event itself, not one inside another. A bare VALUE
 * equals a string, number or boolean written so; a quoted one only a string.
 * Numbers are compared as written: 1.5 is not 1.50. Words are letters, digits
 * and any of _ - . : ~ / + or bytes beyond ASCII; quoted ones are JSON
 * strings. */
#ifndef EVENTS_FILTER_H
#define EVENTS_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "spool/error.h"

struct filter;

/* Most terms of one filter. */
#define FILTER_TERMS_MAX 16

/* Yours to destroy on SPOOL_OK. An expression of white space alone gives a
 * filter that takes everything. SPOOL_MISUSE names the position at fault. */
SPOOL_MUST_CHECK enum spool_status filter_create(const char *expression,
                                                 struct filter **filter,
                                                 struct spool_error *err);
void filter_destroy(struct filter *filter);

/* Does the filter take this accepted event? A NULL filter takes all. Any
 * thread. */
bool filter_takes(const struct filter *filter, const char *json, size_t len);

#endif
