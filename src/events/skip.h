/* Finds where a broken event ends, as well as can be told: behind the bracket
 * that closes it, or before a line that begins with a bracket where JSON allows
 * none, for that begins the next event. Strings end with their line at the
 * latest. What is no object and no array ends with its line, or before the
 * next bracket. */
#ifndef EVENTS_SKIP_H
#define EVENTS_SKIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct skip {
    bool done;
    bool in_array; /* the event is an element: , and ] end it too */
    bool begun;
    bool in_string;
    bool escaped;
    bool line_start;   /* only white space since the line began */
    char last;         /* the last byte that is no white space */
    unsigned depth;    /* brackets open */
    uint64_t brackets; /* bit d: the one at depth d is square */
};

void skip_init(struct skip *s, bool in_array);

/* Goes on over the next n bytes, the first ones being those of the event; the
 * number that belongs to it. With s->done set the rest is not part of it. */
size_t skip_bytes(struct skip *s, const char *text, size_t n);

#endif
