/* One turn of a lane, as a job of the writer: what batch.c, settle.c and take.c
 * hand to each other. All of it runs inside one write transaction. */
#ifndef OUTBOX_TURN_H
#define OUTBOX_TURN_H

#include "outbox/batch.h"
#include "outbox/store.h"
#include "outbox/tile.h"

struct turn_job {
    struct outbox *box;
    int64_t destination;
    int lane;
    const struct order *order;
    const struct batch *done; /* the one that is being settled */
    const struct settlement *s;
    struct settled *settled;
    const struct take_options *take;
    bool ahead;        /* batches of the lane are `sending` */
    size_t prefetched; /* used up */
    struct turn *turn;
    int64_t now;
    struct membership members;
};

/* Records what became of j->done, in its tile and its destination. */
enum spool_status turn_settle(struct db *db, struct turn_job *j,
                              struct spool_error *err);

/* Lets b wait again as if it had never been taken. */
enum spool_status turn_give_back(struct db *db, struct turn_job *j,
                                 const struct batch *b,
                                 struct spool_error *err);

/* Takes the lane's next batches, or says what it waits for. */
enum spool_status turn_take(struct db *db, struct turn_job *j,
                            struct spool_error *err);

#endif
