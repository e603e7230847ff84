/* A second opinion on JSON: RFC 8259 read aloud, slow and recursive, and
 * written without a look at json.c. It lets two members of one name pass. */
#ifndef FUZZ_REFERENCE_H
#define FUZZ_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

/* Does text begin with a JSON value? *end: the offset behind it. */
bool reference_value(const char *text, size_t len, size_t *end);

#endif
