/* One turn of a lane, as a job of the writer: what batch.c, settle.c and take.c
 * hand to each other. All of it runs inside one write transaction. */
#ifndef OUTBOX_TURN_H
#define OUTBOX_TURN_H

#include "outbox/batch.h"
#include "outbox/store.h"
#include "outbox/tile.h"

/* Older events have been waiting through an outage, which others may have had
 * at the same time. */
#define TURN_OUTAGE_MS 60000

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
    int64_t position;  /* where express cuts go on: the backlog's, when the turn
                          is on disk */
    bool express_next; /* likewise: it is new events' turn */
    int64_t vain;      /* work so far that came to nothing to send */
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

/* Whether a time on disk is over. */
bool turn_time_is_over(const struct turn_job *j, int64_t at);

/* A tile of the lane, with a key of its own. */
struct tile turn_new_tile(struct turn_job *j, int64_t lo, int64_t hi,
                          int64_t events, int64_t passed,
                          enum tile_state state);

/* Whether a batch that was read need not wait to fill or age: a limit ended it,
 * or its first event, accepted at oldest, is old enough. */
bool turn_is_due(const struct turn_job *j, bool full, int64_t oldest);

/* Counts rows that were looked at and are nothing to send, and the tile that
 * they became. */
void turn_count_vain(struct turn_job *j, int64_t rows);

/* Whether that is enough for one turn: nobody else writes meanwhile. */
bool turn_is_long(const struct turn_job *j);

/* Moves the batch into the turn. */
void turn_give(struct turn_job *j, const struct tile *t, struct batch *b,
               bool more);

/* Takes the lane's next batches, or says what it waits for. */
enum spool_status turn_take(struct db *db, struct turn_job *j,
                            struct spool_error *err);

#endif
