/* Sums of amounts as they are written, exact: no floats. Pure. */
#ifndef SPOOLCTL_MONEY_H
#define SPOOLCTL_MONEY_H

#include <stdbool.h>
#include <stdint.h>

#define MONEY_SIZE 48

/* Zeroed is 0. */
struct money {
    int64_t whole;
    int64_t parts; /* of 10^18, with the sign of whole */
    int decimals;  /* most that were written */
};

/* -?digits, or with . and digits: up to 15 before it and 18 behind. False for
 * anything else, an exponent included. */
bool money_parse(const char *text, struct money *out);

/* False, with *sum unchanged, when that would no longer be exact. */
bool money_add(struct money *sum, const struct money *m);

/* With as many decimals as the amount in it that had most. */
const char *money_text(const struct money *m, char out[MONEY_SIZE]);

#endif
