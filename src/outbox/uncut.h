/* The log behind a lane's cursor, cut for an operator: pending tiles, never
 * sent, which the flusher cuts into batches when it comes to them. What is held
 * or quarantined becomes a tile of its own. */
#ifndef OUTBOX_UNCUT_H
#define OUTBOX_UNCUT_H

#include "outbox/tile.h"

struct uncut {
    struct rng *rng;            /* for keys */
    struct membership *members; /* of the lane */
    int64_t now;
};

/* Inside a write transaction: cuts up to hi, the last tile from id or before;
 * that one is *t. */
enum spool_status uncut_take(struct db *db, struct uncut u, int64_t id,
                             int64_t hi, struct tile *t,
                             struct spool_error *err);

/* Likewise, a part of the way to id, if that is long and the lane's events have
 * to be counted one by one: uncut_take has not the whole log to read then,
 * while nobody else writes. *more: it did, and there may be more to do. */
enum spool_status uncut_approach(struct db *db, struct uncut u, int64_t id,
                                 bool *more, struct spool_error *err);

#endif
