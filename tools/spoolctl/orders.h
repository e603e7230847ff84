/* Orders looked up a page at a time, and the line that JSON has of each. */
#ifndef SPOOLCTL_ORDERS_H
#define SPOOLCTL_ORDERS_H

#include "ctl.h"
#include "json_line.h"
#include "outbox/order.h"

#define ORDERS_PAGE 256

struct orders {
    struct order_book *book;
    size_t width; /* places of an order, at least 1 */
    struct order_record *records;
    struct order_place *places;
    bool set_aside; /* a damaged file waits to be put back */
};

/* Why nobody knows now whether an order was put. */
extern const char orders_unknown[];

/* For the destination that --destination says, or for all. orders_finish is due
 * in any case. */
enum ending orders_open(struct ctl *ctl, struct orders *out);
void orders_finish(struct orders *o);

/* Takes the spaces around a text away, in place; false when there are none. */
bool orders_trim(char *text);

/* Fills records and places of n <= ORDERS_PAGE numbers. One that is not known
 * as it is given is trimmed, and looked up so. */
enum ending orders_find(struct orders *o, char *const *numbers, size_t n);

/* The places of the i-th number. */
const struct order_place *orders_places(const struct orders *o, size_t i);

/* The i-th number at its place at; at is ignored for one that is not known,
 * whose state is `missing`, or `unknown` while a damaged file may hold it. The
 * caller prints it. */
struct json_object *orders_json(const struct orders *o, const char *number,
                                size_t i, size_t at);

#endif
