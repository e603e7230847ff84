/* Cutting the log: the rows behind a lane's cursor become its next batch. What
 * take.c needs of that for tiles that wait is here as well. */
#ifndef OUTBOX_CUT_H
#define OUTBOX_CUT_H

#include "outbox/body.h"

/* Whether what was accepted at `oldest` waits yet, since others may have had
 * the outage too; the turn says until when. */
bool cut_is_spread(struct turn_job *j, int64_t oldest);

enum spool_status cut_lease_probe(struct db *db, struct turn_job *j,
                                  struct spool_error *err);

/* Why a row is not sent, and what state that makes it. */
struct aside {
    enum tile_state state;
    const char *code;
    char reason[DESTINATION_REASON_SIZE];
};

enum spool_status cut_look_aside(struct db *db, const struct found *f,
                                 struct aside *a, struct spool_error *err);

/* Where the lane's next cut, or tile that may be of any size, has to end:
 * before the first tile of the express lane behind `behind` that is open. */
enum spool_status cut_find_limit(struct db *db, const struct turn_job *j,
                                 int64_t behind, int64_t *limit,
                                 struct spool_error *err);

/* body_read of rows up to an id that is not their end: there is more behind
 * it, unless it is INT64_MAX. */
enum spool_status cut_read_up_to(struct db *db, struct turn_job *j,
                                 int64_t behind, int64_t limit, struct batch *b,
                                 struct found *f, struct spool_error *err);

/* Takes the next batch of the log behind the cursor, or says what it waits
 * for. *again: there was nothing to send in what is cut now. */
enum spool_status cut_log(struct db *db, struct turn_job *j, int64_t cursor,
                          bool *again, struct spool_error *err);

#endif
