/* How many orders are where, and what they come to in each currency. */
#ifndef SPOOLCTL_TALLY_H
#define SPOOLCTL_TALLY_H

#include "json_line.h"
#include "money.h"
#include "outbox/order.h"

enum tally_kind {
    TALLY_DELIVERED,
    TALLY_WAITING, /* pending, held, sending, retrying, uncertain */
    TALLY_DEAD,
    TALLY_PURGED,
    TALLY_GONE,
    TALLY_PASSED,  /* goes to none of the destinations */
    TALLY_UNKNOWN, /* maybe in a damaged file that was not put back */
    TALLY_MISSING  /* never put */
};
#define TALLY_KINDS (TALLY_MISSING + 1)

/* Further ones are counted with the totals that cannot be summed. */
#define TALLY_CURRENCIES 32

struct tally_sum {
    char currency[16];
    struct money money;
    int64_t orders;
};

struct tally_line {
    int64_t orders;
    struct tally_sum sums[TALLY_CURRENCIES];
    size_t currencies;
};

/* A zeroed one is empty. */
struct tally {
    struct tally_line lines[TALLY_KINDS];
    int64_t unreadable; /* totals that are absent or no amount */
};

/* The place is ignored for an order that is not known, which was never put
 * unless a file was set aside. */
void tally_add(struct tally *t, const struct order_record *r,
               const struct order_place *p, bool set_aside);

/* Whether all were delivered. */
bool tally_is_delivered(const struct tally *t);

/* 3 numbers: 2 delivered (39.80 EUR), 1 never put */
void tally_print(const struct tally *t);

/* Members numbers, a count for each kind, totals and unreadable. */
void tally_json(const struct tally *t, struct json_object *o);

#endif
