/* "Did you mean": the nearest of some names to what was typed. Pure. */
#ifndef SPOOLCTL_HINT_H
#define SPOOLCTL_HINT_H

#include <stddef.h>

/* The name that the fewest slips (a letter wrong, missing, too much or changed
 * places) make out of word, or that begins with word; NULL when none is near.
 */
const char *hint_nearest(const char *word, const char *const *names, size_t n);

#endif
