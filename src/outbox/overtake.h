/* Overtaking: batches of new events that a turn sends beside a backlog. */
#ifndef OUTBOX_OVERTAKE_H
#define OUTBOX_OVERTAKE_H

#include "outbox/body.h"

enum survey_phase {
    SURVEY_BEGINS,
    SURVEY_TILES,
    SURVEY_EXPRESS_TILES,
    SURVEY_LOG,
    SURVEY_READY
};

struct backlog {
    struct outbox *box;
    int64_t destination;
    int lane;
    enum survey_phase phase;
    struct membership members;
    int64_t rewound; /* the destination's, when the survey began */
    int64_t cursor;  /* the lane's, likewise */
    int64_t at, to;  /* being looked at */
    uint64_t *bits;  /* sessions of which something waits, up to position */
    uint64_t mask;
    int64_t position;  /* new events are looked for behind this id */
    bool express_next; /* it is their turn */
};

void backlog_add(struct backlog *b, int64_t part);
bool backlog_has(const struct backlog *b, int64_t part);

/* A batch of the lane was taken whose first event was accepted at `oldest`, and
 * `behind` ids follow it: whether that is a backlog nothing is known of. */
void overtake_note_backlog(struct turn_job *j, int64_t oldest, int64_t behind);

/* Likewise, of one that was cut of the log. */
enum spool_status overtake_look_for_backlog(struct db *db, struct turn_job *j,
                                            const struct found *f,
                                            struct spool_error *err);

/* What waits next in a lane, where its log is cut to `cursor` and its first
 * waiting tile begins with head, 0 when there is none: whether new events may
 * go before it. */
bool overtake_may(const struct turn_job *j, int64_t cursor, int64_t head);

/* Cuts a batch of the events behind the position whose sessions have nothing in
 * the backlog, unless there are none or too few yet. What it leaves behind is
 * the backlog's. */
enum spool_status overtake_cut(struct db *db, struct turn_job *j, bool *taken,
                               struct spool_error *err);

#endif
