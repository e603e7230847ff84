/* The idempotency keys that have come in, with what was sent under each. */
#ifndef SANDBOX_KEYRING_H
#define SANDBOX_KEYRING_H

#include <stdint.h>

#include "text.h"

struct key {
    char *name; /* owned by the ring; NULL in an unused place */
    size_t name_len;
    uint64_t hash;
    uint64_t body_hash; /* of the first request under this key */
    bool taken;         /* its events have been kept */
    size_t events;      /* what the answer to them said */
    int64_t at_ms;
};

/* Zeroed is empty. */
struct keyring {
    struct key *places; /* open addressing, a power of two */
    size_t room;
    size_t count;
};

/* The key of that name, made if it is new (then *is_new). Valid until the next
 * call. Running out of memory ends the program. */
struct key *keyring_get(struct keyring *ring, struct text name, bool *is_new);

/* For telling bodies apart: fast, not for secrets. */
uint64_t keyring_hash(struct text bytes);

void keyring_finish(struct keyring *ring);

#endif
