/* Puts back what can be read of an outbox that was set aside (aside.h), under
 * the same ids and with the same bytes, and says what cannot.
 *
 * Rows come first, in small transactions, and are seen by no reader: each
 * stands behind them still. One last transaction puts the batches back, moves
 * the readers to where they were and writes down what is lost. A kill at any
 * moment leaves the first part, which is done again; a run behind the last one
 * finds nothing to do. The damaged files are only read. */
#ifndef OUTBOX_RECOVER_H
#define OUTBOX_RECOVER_H

#include "outbox/aside.h"
#include "outbox/outbox.h"

enum recover_kind {
    RECOVER_LOST,  /* neither the event's row nor where it was sent to is known
                    */
    RECOVER_TWICE, /* put back, but whether it was sent is not known */
};

struct recover_report {
    int64_t behind, to; /* the ids in question: behind < id <= to */
    int64_t readable;   /* of them, whole */
    int64_t lost;
    int64_t twice;    /* over all destinations */
    int64_t again;    /* put once more under their dedupe key or order number
                         while that was not known: both events stay */
    bool state_whole; /* destinations, batches, holds, keys, orders read */
    bool done_before; /* there was nothing to do */
    /* Called for each range, and for each order in one that is known; an order
     * comes behind its range. NULL: not told. */
    void (*range)(void *arg, enum recover_kind kind, const char *destination,
                  int64_t lo, int64_t hi);
    void (*order)(void *arg, enum recover_kind kind, const char *number,
                  int64_t event);
    void *arg;
};

/* The file whose events wait to be put back; "" when none do (aside.h). */
enum spool_status recover_waiting(struct outbox *box,
                                  char file[ASIDE_PATH_SIZE],
                                  struct spool_error *err);

/* Whether an event is one of those that damage has cost. */
enum spool_status recover_was_lost(struct outbox *box, int64_t id, bool *lost,
                                   struct spool_error *err);

/* Reads damaged and, unless dry, puts it back. Nobody else may flush meanwhile
 * (lock.h); events may be put. SPOOL_NOT_FOUND when there is no such file,
 * SPOOL_MISUSE when it is the outbox itself, another spool's, or one that was
 * not set aside beside it and holds no event of it. Of several damaged files
 * the newest is first. */
enum spool_status recover(struct outbox *box, const char *damaged, bool dry,
                          struct recover_report *report,
                          struct spool_error *err);

#endif
