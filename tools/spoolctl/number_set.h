/* Which texts have been seen: by a digest of 128 bits each, so that a million
 * of them need 32 MB however long they are. */
#ifndef SPOOLCTL_NUMBER_SET_H
#define SPOOLCTL_NUMBER_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct number_digest {
    uint64_t a, b; /* both 0: the slot is free */
};

/* A zeroed one is empty. */
struct number_set {
    struct number_digest *slots; /* owned */
    size_t room, n;              /* room is 0 or a power of two */
};

/* *is_new says whether it was not there before. False without memory. */
bool number_set_add(struct number_set *set, const char *text, bool *is_new);
bool number_set_has(const struct number_set *set, const char *text);
void number_set_finish(struct number_set *set); /* safe twice */

#endif
