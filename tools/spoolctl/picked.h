/* The ids an operation is about. */
#ifndef SPOOLCTL_PICKED_H
#define SPOOLCTL_PICKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "spool/error.h"

/* A zeroed one is empty. */
struct picked {
    int64_t *ids; /* owned */
    size_t n, room;
};

/* False without memory. */
bool picked_add(struct picked *p, int64_t id);
void picked_finish(struct picked *p); /* safe twice */

/* Makes them ascend and differ. */
void picked_sort(struct picked *p);

/* An event's id; false when text is none. */
bool picked_parse(const char *text, int64_t *id);

/* Adds the ids of in: one a line, or JSON lines with a member id. SPOOL_MISUSE
 * names the line that has none. */
enum spool_status picked_read(struct picked *p, FILE *in,
                              struct spool_error *err);

#endif
