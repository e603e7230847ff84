/* Orders: was order 4711 delivered?
 *
 * The spool remembers each purchase (CHECKOUT with step purchase) by its
 * orderNo, and still answers when the event has been delivered and has left the
 * log. Asking is cheap and needs no flusher. */
#ifndef SPOOL_ORDER_H
#define SPOOL_ORDER_H

#include <stdint.h>

#include "spool/error.h"
#include "spool/spool.h"

#ifdef __cplusplus
extern "C" {
#endif

enum spool_order_state {
    SPOOL_ORDER_DELIVERED,
    SPOOL_ORDER_PENDING,   /* not sent yet */
    SPOOL_ORDER_HELD,      /* waits for the next page of its session */
    SPOOL_ORDER_SENDING,   /* in a request right now */
    SPOOL_ORDER_RETRYING,  /* sent, not processed, to be sent again */
    SPOOL_ORDER_UNCERTAIN, /* sent, perhaps processed, to be sent again */
    SPOOL_ORDER_DEAD,      /* refused, set aside */
    SPOOL_ORDER_PURGED,    /* taken out by an operator */
    SPOOL_ORDER_GONE,      /* left the log and is not known as delivered */
    SPOOL_ORDER_PASSED     /* goes to none of the destinations asked about: a
                              filter, or they began to read behind it */
};

/* All of it stays valid after the spool is closed. Texts are never NULL. */
struct spool_order {
    int64_t id; /* of its event */
    enum spool_order_state state;
    int64_t accepted_at_ms;  /* since the epoch */
    int64_t delivered_at_ms; /* 0 unless state is DELIVERED */
    char destination[65];    /* whose state it is; "" without destinations */
    char total[64];          /* totalPrice as written in the event, or "" */
    char currency[16];       /* likewise */
    char digest[65];         /* SHA-256 of the event's bytes, lower-case hex */
};

/* Finds a purchase by its order number, which is compared as text, exactly: as
 * it stood in the event, or in digits as written if it was a number there. One
 * with NUL in it is found as "sha256:" and the digest of its bytes, in
 * lower-case hex.
 *
 * destination NULL asks about all of them: DELIVERED says that every
 * destination that takes the order has it, the last one since delivered_at_ms;
 * otherwise state is that of the destination which is furthest from it, the
 * worst first: DEAD, GONE, PURGED, UNCERTAIN, RETRYING, HELD, PENDING, SENDING.
 * Without any destination an order is PENDING, as long as it is in the log.
 *
 * SPOOL_NOT_FOUND: no purchase of that number was ever put, or it was so long
 * ago that it is no longer kept, or it lies in a damaged file that spoolctl
 * recover has not put back (spool_notices tells). SPOOL_MISUSE: there is no
 * destination of that name. On failure *out is untouched. Any thread; reads one
 * short snapshot and keeps no producer waiting. */
SPOOL_EXPORT SPOOL_MUST_CHECK enum spool_status
spool_order(struct spool *spool, const char *number, const char *destination,
            struct spool_order *out, struct spool_error *err);

#ifdef __cplusplus
}
#endif

#endif
