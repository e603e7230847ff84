/* Purchases by their order number: where one is, also after its event has left
 * the log. An order book looks numbers up for a set of destinations. A book is
 * used by one thread at a time; other processes may write meanwhile. */
#ifndef OUTBOX_ORDER_H
#define OUTBOX_ORDER_H

#include "outbox/inspect.h"

#define ORDER_NUMBER_SIZE 256 /* longest key and NUL */
#define ORDER_DIGEST_SIZE 65

enum order_kind {
    ORDER_IN_LOG,  /* its state counts */
    ORDER_DROPPED, /* delivered, and dropped from the log since */
    ORDER_GONE,    /* dropped, and not known to have been delivered */
    ORDER_PASSED,  /* the destination's filter does not take it */
    ORDER_BEFORE   /* accepted before the destination began to read */
};

/* What became of an order at one destination. */
struct order_place {
    enum order_kind kind;
    enum event_state state; /* with ORDER_IN_LOG */
    int attempts;
    int64_t delivered_at; /* wall ms; 0 unless it is delivered */
    char code[64];        /* of the last answer, "" when none */
    char reason[DESTINATION_REASON_SIZE];
};

/* held, pending ... of an order in the log; delivered, gone, passed or
 * before otherwise. Static. */
const char *order_place_state(const struct order_place *p);

bool order_is_delivered(const struct order_place *p);

struct order_record {
    bool known; /* false: never put, and nothing else is set */
    int64_t id; /* of its event */
    int64_t at; /* accepted at, wall ms */
    char total[64], currency[16]; /* as written in the event, "" when absent */
    char digest[ORDER_DIGEST_SIZE]; /* SHA-256 of the event's bytes, in hex */
};

/* The text that a purchase is known by: its number, or "sha256:" and the digest
 * of one that does not fit or has control characters, of which NUL is one. */
void order_key(const char *number, size_t len, char out[ORDER_NUMBER_SIZE]);

struct order_book;

/* For the destination of that name, or for all there are (name NULL).
 * SPOOL_NOT_FOUND names the destinations. The outbox stays open as long. */
enum spool_status order_book_open(struct outbox *box, const char *name,
                                  struct order_book **out,
                                  struct spool_error *err);
void order_book_close(struct order_book *book); /* NULL is a no-op */

/* How many places an order has: one for each destination. Without any it is one
 * as well, whose state is that of the log alone: pending or held. */
size_t order_book_width(const struct order_book *book);

/* The destination of place i < width; "" without destinations. Borrowed. */
const char *order_book_name(const struct order_book *book, size_t i);

/* Looks n numbers up, exactly as written, or by their keys, in one snapshot: a
 * few hundred at most. records has n entries; places has width of them for each
 * number in turn. SPOOL_NOT_FOUND when one of these was removed meanwhile. */
enum spool_status order_find(struct order_book *book,
                             const char *const *numbers, size_t n,
                             struct order_record *records,
                             struct order_place *places,
                             struct spool_error *err);

/* The one of n > 0 places that answers "was it delivered?" for all of them: the
 * worst, and when all that are meant to have it do, the one that had it last.
 */
size_t order_worst(const struct order_place *places, size_t n);

/* The keys of up to max purchases behind one ("" is the beginning), ascending,
 * in a snapshot of its own; *n is 0 at the end. */
enum spool_status order_numbers(struct outbox *box, const char *behind,
                                char (*numbers)[ORDER_NUMBER_SIZE], size_t max,
                                size_t *n, struct spool_error *err);

#endif
