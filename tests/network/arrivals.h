/* What came to the hostile endpoint, request by request, for the checker. */
#ifndef NETWORK_ARRIVALS_H
#define NETWORK_ARRIVALS_H

#include <stdbool.h>
#include <stddef.h>

#include "support/checker.h"

struct arrival;

/* Zeroed is empty. */
struct arrivals {
    struct arrival *list;
    size_t n, room;
};

/* A request with this header; body NULL: it never became whole. */
void arrivals_note(struct arrivals *a, const char *header, const char *body,
                   bool taken);

/* Whether one of the last few that were taken had the same idempotency key. */
bool arrivals_have(const struct arrivals *a, const char *header);

void arrivals_tell(const struct arrivals *a, struct checker *c);
void arrivals_finish(struct arrivals *a);

#endif
