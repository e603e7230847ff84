/* Tables for people: fitted to a terminal, whole elsewhere, coloured only on a
 * terminal and never with NO_COLOR. Control bytes in a cell are escaped. */
#ifndef SPOOLCTL_TABLE_H
#define SPOOLCTL_TABLE_H

#include <stddef.h>

#include "outbox/inspect.h"

struct table_column {
    const char *heading;
    enum { LEFT, RIGHT, CUT } kind; /* CUT: left, shortened if room is scarce */
    int least;                      /* characters it has at least; 0: any */
};

/* What a line's colour says again; it never says it alone. */
enum tone { PLAIN, GOOD, WARNING, BAD };

enum tone tone_of_event(enum event_state state);
enum tone tone_of_destination(enum destination_state state);

/* Whether stdout takes colours. */
int table_has_colour(void);

struct table;

/* Ends the program when memory is short. */
struct table *table_create(const struct table_column *columns, size_t n);

/* A cell a column, copied; an empty one is shown as -. Every few hundred rows
 * those so far are printed, so that a long list needs no memory. */
void table_add(struct table *t, const char *const *cells, enum tone tone);

/* Prints what is left and frees; prints nothing when nothing was added. */
void table_finish(struct table *t);

#endif
