/* The batches of a log whose rows have been put back (recover.h): those that
 * can be read in the damaged file are where they were, and what lies between
 * them is pending again, so that the tiles of each lane follow one another. */
#ifndef OUTBOX_RETILE_H
#define OUTBOX_RETILE_H

#include "base/random.h"
#include "outbox/recover.h"

struct db;

struct retile {
    struct outbox *box;
    const char *damaged;
    struct recover_report *report; /* behind and to are known; twice and
                                      state_whole are counted on */
    struct rng rng;
};

/* For every destination that the damaged file had, inside the last transaction
 * of recover. Those that were added since read from their own base on. */
enum spool_status retile(struct db *db, struct retile *r,
                         struct spool_error *err);

/* Tells a range, and the orders in it. */
void recover_tell(struct db *db, const struct recover_report *r,
                  enum recover_kind kind, const char *destination, int64_t lo,
                  int64_t hi);

#endif
