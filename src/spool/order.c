/* Orders, for programs that link the library. */
#include "spool/order.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "outbox/order.h"
#include "spool/handle.h"

static enum spool_order_state state_of(const struct order_place *p)
{
    static const enum spool_order_state by_state[EVENT_STATES] = {
        [EVENT_PENDING] = SPOOL_ORDER_PENDING,
        [EVENT_SENDING] = SPOOL_ORDER_SENDING,
        [EVENT_RETRYING] = SPOOL_ORDER_RETRYING,
        [EVENT_UNCERTAIN] = SPOOL_ORDER_UNCERTAIN,
        [EVENT_DELIVERED] = SPOOL_ORDER_DELIVERED,
        [EVENT_DEAD] = SPOOL_ORDER_DEAD,
        [EVENT_PURGED] = SPOOL_ORDER_PURGED,
        [EVENT_HELD] = SPOOL_ORDER_HELD,
    };
    switch (p->kind) {
    case ORDER_IN_LOG:
        return by_state[p->state];
    case ORDER_DROPPED:
        return SPOOL_ORDER_DELIVERED;
    case ORDER_GONE:
        return SPOOL_ORDER_GONE;
    case ORDER_PASSED:
    case ORDER_BEFORE:
        return SPOOL_ORDER_PASSED;
    }
    return SPOOL_ORDER_GONE;
}

static void fill(struct spool_order *out, const struct order_record *r,
                 const struct order_place *p, const char *destination)
{
    *out = (struct spool_order){
        .id = r->id,
        .state = state_of(p),
        .accepted_at_ms = r->at,
        .delivered_at_ms = p->delivered_at,
    };
    (void)snprintf(out->destination, sizeof out->destination, "%s",
                   destination);
    (void)snprintf(out->total, sizeof out->total, "%s", r->total);
    (void)snprintf(out->currency, sizeof out->currency, "%s", r->currency);
    (void)snprintf(out->digest, sizeof out->digest, "%s", r->digest);
}

static enum spool_status find(struct order_book *book, const char *number,
                              struct spool_order *out, struct spool_error *err)
{
    struct order_record r;
    size_t width = order_book_width(book);
    struct order_place *places = calloc(width, sizeof *places);
    if (places == NULL) {
        return failed(err, SPOOL_NO_MEMORY, "out of memory");
    }
    enum spool_status status = order_find(book, &number, 1, &r, places, err);
    if (status == SPOOL_OK && !r.known) {
        status = failed(err, SPOOL_NOT_FOUND,
                        "no purchase with this order number was ever put, or "
                        "it is no longer kept");
    }
    if (status == SPOOL_OK) {
        size_t worst = order_worst(places, width);
        fill(out, &r, &places[worst], order_book_name(book, worst));
    }
    free(places);
    return status;
}

/* What NOT_FOUND says is said of the order alone. */
static enum spool_status misuse(enum spool_status status,
                                struct spool_error *err)
{
    if (status != SPOOL_NOT_FOUND) {
        return status;
    }
    if (err != NULL) {
        err->status = SPOOL_MISUSE;
    }
    return SPOOL_MISUSE;
}

enum spool_status spool_order(struct spool *spool, const char *number,
                              const char *destination, struct spool_order *out,
                              struct spool_error *err)
{
    struct order_book *book;
    enum spool_status status =
        order_book_open(spool_outbox(spool), destination, &book, err);
    if (status != SPOOL_OK) {
        return misuse(status, err);
    }
    status = find(book, number, out, err);
    order_book_close(book);
    return status;
}
