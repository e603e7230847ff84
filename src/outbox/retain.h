/* Retention: what every destination has behind it leaves the log after a while,
 * in small steps, so that the file shrinks and nobody waits for long.
 *
 * An event leaves when it is delivered or purged (or passed over by a filter)
 * at every destination, and has been for keep_ms, or at once when the spool is
 * more than half as full as its limits (limits.h) allow. What was accepted or
 * settled later than now was so under a clock that was ahead: it has been there
 * long enough, since nobody can tell how long it was. Dead events stay until
 * an operator replays or purges them, and so does everything while there is no
 * destination at all. The tiles stay, joined with their neighbours: the sums go
 * on telling the truth. */
#ifndef OUTBOX_RETAIN_H
#define OUTBOX_RETAIN_H

#include "outbox/outbox.h"

struct retention {
    int64_t keep_ms;      /* payloads, once they are settled everywhere */
    int64_t keep_keys_ms; /* dedupe keys and orders, from their put on */
};

/* 24 hours and 400 days. */
extern const struct retention retention_default;

/* One step, one transaction of a few milliseconds in which the disk is not
 * waited for: a power cut may take it back, all of it, and the steps behind it,
 * and then it is done again. What was committed behind it is never there
 * without it. *more: another one is worth its while now. Blocks on the disk,
 * when a checkpoint comes behind it. */
enum spool_status retain_step(struct outbox *box, const struct retention *r,
                              bool *more, struct spool_error *err);

/* For a job that needs room: drops what every destination has behind it,
 * however young, of the next few hundred events; *freed of them. */
struct db;
enum spool_status retain_give_way(struct db *db, struct outbox *box,
                                  int64_t *freed, struct spool_error *err);

#endif
