/* Settling: what the reply to a batch does to its tile and its destination. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "outbox/turn.h"

#define ATTEMPTS_KEPT 100000
#define ANSWER_KEPT   2048

static const char *const outcome_names[] = {
    [OUTCOME_DELIVERED] = "delivered", [OUTCOME_RETRY] = "retry",
    [OUTCOME_UNCERTAIN] = "uncertain", [OUTCOME_REFUSED] = "refused",
    [OUTCOME_HOLD] = "hold",
};

static enum spool_status record_attempt(struct db *db, const struct turn_job *j,
                                        struct spool_error *err)
{
    const struct batch *b = j->done;
    const struct settlement *s = j->s;
    char answer[ANSWER_KEPT + 1];
    size_t len = s->answer_len < ANSWER_KEPT ? s->answer_len : ANSWER_KEPT;
    memcpy(answer, s->answer == NULL ? "" : s->answer,
           s->answer == NULL ? 0 : len);
    answer[s->answer == NULL ? 0 : len] = '\0';
    enum spool_status status = db_run(
        db, err, STATEMENT_ATTEMPT_INSERT, "iiiiititiitit", b->destination,
        (int64_t)b->lane, b->lo, b->hi, (int64_t)b->n, b->key, s->sent_at,
        outcome_names[s->outcome], (int64_t)s->http, (int64_t)s->curl, s->code,
        s->duration_ms, len > 0 ? answer : NULL);
    int64_t id = sqlite3_last_insert_rowid(db->handle);
    if (status == SPOOL_OK && id % 1000 == 0 && id > ATTEMPTS_KEPT) {
        status =
            db_run(db, err, STATEMENT_ATTEMPTS_TRIM, "i", id - ATTEMPTS_KEPT);
    }
    return status;
}

static enum spool_status find_tile(struct db *db, int64_t id, struct tile *t,
                                   struct spool_error *err)
{
    sqlite3_stmt *s = db_query(db, STATEMENT_TILE_BY_ID, "i", id);
    bool row;
    enum spool_status status = db_row(db, s, &row, err);
    if (status == SPOOL_OK && !row) {
        return failed(err, SPOOL_NOT_FOUND,
                      "batch %lld is gone from the outbox", (long long)id);
    }
    if (status == SPOOL_OK) {
        tile_read(s, t);
        (void)sqlite3_reset(s);
    }
    return status;
}

static enum spool_status settle_tile(struct db *db, const struct turn_job *j,
                                     struct tile *t, enum tile_state state,
                                     int64_t next_at, struct spool_error *err)
{
    t->state = state;
    t->next_at = next_at;
    return tile_set(db, t, j->now, j->s->code,
                    state == TILE_DELIVERED ? NULL : j->s->reason, err);
}

/* reason NULL: as it was. */
static void hold(struct turn_job *j, enum hold_kind kind, const char *reason)
{
    struct destination *d = &j->turn->destination;
    if (d->state == DESTINATION_PAUSED) {
        return; /* the operator's word stands */
    }
    if (d->state == DESTINATION_RUNNING) {
        d->since = j->now;
        d->probes = 0;
        j->settled->held = true;
    } else {
        d->probes++;
    }
    d->state = DESTINATION_HELD;
    d->hold_kind = kind;
    d->next_probe_at = j->s->probe_at;
    if (reason != NULL) {
        (void)snprintf(d->reason, sizeof d->reason, "%s", reason);
    }
}

/* The probe met something else than what it is held for: both are told. */
static void hold_on(struct turn_job *j)
{
    static const char probe[] = "; its last probe: ";
    char reason[DESTINATION_REASON_SIZE];
    const struct destination *d = &j->turn->destination;
    const char *end = strstr(d->reason, probe);
    size_t len = end != NULL ? (size_t)(end - d->reason) : strlen(d->reason);
    (void)snprintf(reason, sizeof reason, "%.*s%s%s",
                   (int)(len < sizeof reason / 2 ? len : sizeof reason / 2),
                   d->reason, probe, j->s->reason);
    hold(j, d->hold_kind, reason);
}

static void resume(struct turn_job *j)
{
    struct destination *d = &j->turn->destination;
    if (d->state == DESTINATION_HELD) {
        d->state = DESTINATION_RUNNING;
        d->hold_kind = HOLD_NONE;
        d->since = j->now;
        d->probes = 0;
        d->next_probe_at = 0;
        d->reason[0] = '\0';
        j->settled->resumed = true;
    }
}

/* The events of the first half, as far as the batch knows them. */
static enum spool_status split_refused(struct db *db, struct turn_job *j,
                                       struct tile *t, struct spool_error *err)
{
    const struct batch *b = j->done;
    struct tile right;
    t->state = TILE_PENDING;
    t->next_at = 0;
    enum spool_status status =
        tile_set(db, t, j->now, j->s->code, j->s->reason, err);
    if (status == SPOOL_OK) {
        j->settled->split = true;
        j->members.lane = t->lane;
        status = tile_split(db, &j->box->rng, j->now, &j->members, t,
                            b->events[b->n / 2 - 1].id, &right, err);
        j->members.lane = j->lane;
    }
    return status;
}

static enum spool_status settle_refused(struct db *db, struct turn_job *j,
                                        struct tile *t, struct spool_error *err)
{
    struct destination *d = &j->turn->destination;
    if (d->state == DESTINATION_HELD && d->hold_kind == HOLD_FAULT) {
        resume(j); /* it judges events again */
    }
    if (j->done->n > 1) {
        if (d->state == DESTINATION_HELD) {
            hold(j, d->hold_kind, NULL); /* ends the probe's lease */
        }
        return split_refused(db, j, t, err);
    }
    if (d->state != DESTINATION_HELD &&
        (d->hold_after == 0 || d->dead_in_row < d->hold_after)) {
        d->dead_in_row++;
        j->settled->died = true;
        return settle_tile(db, j, t, TILE_DEAD, 0, err);
    }
    char reason[DESTINATION_REASON_SIZE];
    (void)snprintf(
        reason, sizeof reason,
        "%d events in a row were refused and none passed, so it is "
        "the endpoint that is at fault, not the events; last: %.200s",
        d->dead_in_row, j->s->reason);
    hold(j, HOLD_REFUSING, reason);
    return settle_tile(db, j, t, TILE_PENDING, 0, err);
}

static enum spool_status settle_outcome(struct db *db, struct turn_job *j,
                                        struct tile *t, struct spool_error *err)
{
    struct destination *d = &j->turn->destination;
    bool probed = j->done->probe && d->state == DESTINATION_HELD;
    switch (j->s->outcome) {
    case OUTCOME_DELIVERED:
        d->dead_in_row = 0;
        resume(j);
        return settle_tile(db, j, t, TILE_DELIVERED, 0, err);
    case OUTCOME_REFUSED:
        return settle_refused(db, j, t, err);
    case OUTCOME_HOLD:
        hold(j, HOLD_FAULT, j->s->reason);
        return settle_tile(db, j, t, TILE_PENDING, 0, err);
    case OUTCOME_RETRY:
        if (probed) {
            hold_on(j);
        }
        t->unknown += j->s->unknown_code ? 1 : 0;
        return settle_tile(db, j, t, TILE_RETRYING, j->s->retry_at, err);
    case OUTCOME_UNCERTAIN:
        if (probed) {
            hold_on(j);
        }
        t->uncertain++;
        return settle_tile(db, j, t, TILE_UNCERTAIN, j->s->retry_at, err);
    }
    return SPOOL_OK;
}

enum spool_status turn_settle(struct db *db, struct turn_job *j,
                              struct spool_error *err)
{
    struct tile t;
    struct destination *d = &j->turn->destination;
    const struct destination before = *d;
    enum spool_status status = find_tile(db, j->done->id, &t, err);
    if (status != SPOOL_OK) {
        return status;
    }
    if (t.state != TILE_SENDING) {
        return failed(err, SPOOL_DAMAGED,
                      "batch %lld is %s where it should be sending; run "
                      "spoolctl verify",
                      (long long)t.id, tile_state_name(t.state));
    }
    status = record_attempt(db, j, err);
    if (status == SPOOL_OK) {
        status = settle_outcome(db, j, &t, err);
    }
    if (status == SPOOL_OK &&
        (before.state != d->state || before.probes != d->probes ||
         before.next_probe_at != d->next_probe_at ||
         before.dead_in_row != d->dead_in_row)) {
        status = destination_write_state(db, d, err);
    }
    return status;
}

enum spool_status turn_give_back(struct db *db, struct turn_job *j,
                                 const struct batch *b, struct spool_error *err)
{
    struct tile t;
    enum spool_status status = find_tile(db, b->id, &t, err);
    if (status == SPOOL_OK) {
        t.state = TILE_PENDING;
        t.attempts--;
        t.next_at = 0;
        status = tile_set(db, &t, j->now, NULL, NULL, err);
    }
    return status;
}
