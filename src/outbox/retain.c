#include "outbox/retain.h"

#include "outbox/room.h"
#include "outbox/tile.h"

/* Events and tiles looked at, and keys forgotten, in one step. Two hundred and
 * fifty deletes take a millisecond or two of the processor. */
#define STEP_EVENTS 250
#define STEP_TILES  250
#define STEP_KEYS   100

const struct retention retention_default = {
    .keep_ms = (int64_t)24 * 60 * 60 * 1000,
    .keep_keys_ms = (int64_t)400 * 24 * 60 * 60 * 1000,
};

/* Of those when room is needed at once. */
#define WAY_STEPS 4
#define VAIN_MS   1000

struct retain_job {
    struct outbox *box;
    const struct retention *r;
    int64_t now;
    int64_t before; /* events that were settled later than this stay */
    int64_t gone;   /* events dropped */
    bool more;
};

/* Which lane an event went by is forgotten with it. */
static enum spool_status forget_express(struct db *db, struct spool_error *err)
{
    enum spool_status status;
    do {
        status = db_run(db, err, STATEMENT_RETAIN_EXPRESS, "");
    } while (status == SPOOL_OK && sqlite3_changes(db->handle) > 0);
    return status;
}

/* What recover puts back lies behind every cursor until it is through, and
 * looks as if all were done with it. */
static enum spool_status find_front(struct db *db, const struct retain_job *j,
                                    int64_t *front, struct spool_error *err)
{
    struct outbox *box = j->box;
    enum spool_status status = SPOOL_OK;
    if (box->not_recovered > 0) {
        status = db_number(db, err, 0, &box->not_recovered,
                           STATEMENT_NOT_RECOVERED, "");
    }
    *front = 1 + (box->retained_to > box->not_recovered ? box->retained_to
                                                        : box->not_recovered);
    return status;
}

/* Drops what may go of a range whose last event is one of those. */
static enum spool_status drop_range(struct db *db, struct retain_job *j,
                                    int64_t lo, int64_t hi,
                                    struct spool_error *err)
{
    enum spool_status status = db_run(db, err, STATEMENT_RETAIN_STAMP_ORDERS,
                                      "iiii", lo, hi, j->before, j->now);
    if (status == SPOOL_OK) {
        status = db_run(db, err, STATEMENT_RETAIN_DROP, "iiii", lo, hi,
                        j->before, j->now);
    }
    int64_t gone = sqlite3_changes(db->handle);
    if (status == SPOOL_OK) {
        j->gone += gone;
        j->box->retained_any = true;
        status = db_run(db, err, STATEMENT_RETAIN_NOTE, "ii", hi, gone);
    }
    if (status == SPOOL_OK) {
        status = db_run(db, err, STATEMENT_RETAIN_HOLDS, "ii", lo, hi);
    }
    return status == SPOOL_OK ? forget_express(db, err) : status;
}

/* Drops what may go of the next events, and remembers where it stands: the ones
 * that stay are passed over until the next round. */
static enum spool_status drop_events(struct db *db, struct retain_job *j,
                                     struct spool_error *err)
{
    struct outbox *box = j->box;
    int64_t front = 0, lo = 0, hi, last = 0, to = 0;
    enum spool_status status = find_front(db, j, &front, err);
    if (status == SPOOL_OK) {
        status = db_number(db, err, 0, &lo, STATEMENT_RETAIN_FIRST, "iii",
                           front, j->before, j->now);
    }
    if (status != SPOOL_OK || lo == 0) {
        box->retained_to = 0; /* the next round begins at the front */
        return status;
    }
    status = db_number(db, err, 0, &last, STATEMENT_LAST_ID, "");
    hi = lo + STEP_EVENTS - 1 < last ? lo + STEP_EVENTS - 1 : last;
    if (status == SPOOL_OK) {
        status = db_number(db, err, 0, &to, STATEMENT_RETAIN_LAST, "iiii", lo,
                           hi, j->before, j->now);
    }
    if (status == SPOOL_OK && to > 0) {
        status = drop_range(db, j, lo, to, err);
    }
    if (status == SPOOL_OK) {
        box->retained_to = hi;
        j->more = true;
    }
    return status;
}

/* The tile where the round stands. */
static enum spool_status read_tile(struct db *db, const struct retain_round *r,
                                   bool *found, struct tile *t,
                                   struct spool_error *err)
{
    sqlite3_stmt *s = db_query(db, STATEMENT_RETAIN_TILE, "iii", r->destination,
                               r->lane, r->lo);
    enum spool_status status = db_row(db, s, found, err);
    if (status == SPOOL_OK && *found) {
        tile_read(s, t);
        (void)sqlite3_reset(s);
    }
    return status;
}

/* Whether they are neighbours of a kind whose events are all gone. */
static enum spool_status can_join(struct db *db, const struct tile *a,
                                  const struct tile *b, bool *can,
                                  struct spool_error *err)
{
    int64_t any = 1;
    enum spool_status status = SPOOL_OK;
    bool alike = a->destination == b->destination && a->lane == b->lane &&
                 a->hi < b->lo && b->lo <= b->hi && a->state == b->state &&
                 (a->state == TILE_DELIVERED || a->state == TILE_PURGED);
    if (alike) {
        status = db_number(db, err, 1, &any, STATEMENT_RETAIN_ANY, "ii", a->lo,
                           b->hi);
    }
    *can = any == 0;
    return status;
}

static enum spool_status join_two(struct db *db, struct tile *a,
                                  const struct tile *b, struct spool_error *err)
{
    a->hi = b->hi;
    a->events += b->events;
    a->passed += b->passed;
    enum spool_status status =
        db_run(db, err, STATEMENT_TILE_DELETE, "i", b->id);
    return status == SPOOL_OK
               ? db_run(db, err, STATEMENT_TILE_RANGE, "iiiit", a->id, a->hi,
                        a->events, a->passed, a->key)
               : status;
}

/* The next tile, which is joined to a if it can be. Where nothing has been
 * dropped yet a lane has nothing more to join. */
static enum spool_status join_next(struct db *db, struct retain_round *r,
                                   int64_t dropped_to, struct tile *a,
                                   bool *found, struct spool_error *err)
{
    struct tile b;
    bool can = false;
    enum spool_status status = read_tile(db, r, found, &b, err);
    if (status == SPOOL_OK && *found) {
        status = can_join(db, a, &b, &can, err);
    }
    if (status != SPOOL_OK || !*found) {
        return status;
    }
    if (can) {
        status = join_two(db, a, &b, err);
    } else {
        *a = b;
    }
    *r = (struct retain_round){r->phase, a->destination, a->lane,
                               a->lo <= dropped_to ? a->lo + 1 : INT64_MAX};
    return status;
}

/* Goes on where the last step stood, at the tile that it looked at last: how
 * many there are that cannot be joined is of no matter to one step. */
static enum spool_status join_tiles(struct db *db, struct retain_job *j,
                                    struct spool_error *err)
{
    struct retain_round *r = &j->box->round;
    struct tile a = {0};
    int64_t dropped_to = 0;
    bool found = true;
    enum spool_status status =
        db_number(db, err, 0, &dropped_to, STATEMENT_DROPPED_TO, "");
    for (int i = 0; status == SPOOL_OK && found && i < STEP_TILES; i++) {
        status = join_next(db, r, dropped_to, &a, &found, err);
    }
    if (status == SPOOL_OK && found) {
        r->lo = a.lo <= dropped_to ? a.lo : INT64_MAX;
        j->more = true;
    }
    return status;
}

/* As many as there are, since a spool that takes some keys a second would grow.
 * But where all are old enough it may be the clock that is ahead: then some a
 * round will do. */
static enum spool_status forget_keys(struct db *db, struct retain_job *j,
                                     struct spool_error *err)
{
    static const enum statement both[] = {STATEMENT_RETAIN_KEYS,
                                          STATEMENT_RETAIN_ORDERS};
    int64_t before = j->now - j->r->keep_keys_ms, newest = 0;
    bool most = false;
    enum spool_status status =
        db_number(db, err, 0, &newest, STATEMENT_RETAIN_NEWEST_KEY, "");
    for (size_t i = 0; status == SPOOL_OK && i < 2; i++) {
        status = db_run(db, err, both[i], "ii", before, (int64_t)STEP_KEYS);
        most = most ||
               (status == SPOOL_OK && sqlite3_changes(db->handle) == STEP_KEYS);
    }
    j->more = most && newest >= before;
    return status;
}

/* Ids that gave way at a limit, once nothing is counted by them any more. */
static enum spool_status forget_shed(struct db *db, struct spool_error *err)
{
    int64_t destination = -1;
    for (;;) {
        int64_t bound = 0;
        enum spool_status status = db_number(
            db, err, -1, &destination, STATEMENT_SHED_NEXT, "i", destination);
        if (status != SPOOL_OK || destination < 0) {
            return status;
        }
        status = db_number(db, err, 0, &bound, STATEMENT_SHED_BOUND, "i",
                           destination);
        if (status == SPOOL_OK) {
            status = db_run(db, err, STATEMENT_SHED_FORGET, "iii", destination,
                            bound, (int64_t)STEP_KEYS);
        }
        if (status != SPOOL_OK) {
            return status;
        }
    }
}

/* Gives free pages at the file's end back. */
static enum spool_status shrink(struct db *db, struct retain_job *j,
                                struct spool_error *err)
{
    int64_t free_pages;
    enum spool_status status =
        db_number(db, err, 0, &free_pages, STATEMENT_RETAIN_FREE, "");
    if (status == SPOOL_OK && free_pages > 0) {
        status = db_run(db, err, STATEMENT_RETAIN_SHRINK, "");
        j->more = true;
    }
    return status;
}

/* What is kept to be looked at is not worth a refused event. */
static enum spool_status find_before(struct db *db, struct retain_job *j,
                                     struct spool_error *err)
{
    bool half;
    enum spool_status status = room_is_half_used(db, j->box, &half, err);
    j->before = half ? j->now : j->now - j->r->keep_ms;
    return status;
}

static enum spool_status forget(struct db *db, struct retain_job *j,
                                struct spool_error *err)
{
    enum spool_status status = forget_keys(db, j, err);
    return status == SPOOL_OK ? forget_shed(db, err) : status;
}

static enum spool_status run_phase(struct db *db, struct retain_job *j,
                                   enum retain_phase phase,
                                   struct spool_error *err)
{
    switch (phase) {
    case RETAIN_EVENTS:
        return drop_events(db, j, err);
    case RETAIN_TILES:
        return join_tiles(db, j, err);
    case RETAIN_KEYS:
        return forget(db, j, err);
    case RETAIN_PAGES:
        return shrink(db, j, err);
    }
    return SPOOL_OK;
}

/* As far as one step goes; the next one goes on there. What fails must not keep
 * events in the log: the round begins anew then. */
static enum spool_status run_phases(struct db *db, struct retain_job *j,
                                    struct spool_error *err)
{
    struct retain_round *r = &j->box->round;
    enum spool_status status = run_phase(db, j, r->phase, err);
    while (status == SPOOL_OK && !j->more && r->phase != RETAIN_PAGES) {
        r->phase++;
        status = run_phase(db, j, r->phase, err);
    }
    if (status != SPOOL_OK || !j->more) {
        *r = (struct retain_round){.phase = RETAIN_EVENTS};
    }
    return status;
}

static enum spool_status run_step(struct db *db, void *arg,
                                  struct spool_error *err)
{
    struct retain_job *j = arg;
    j->now = outbox_now(j->box);
    j->more = false;
    enum spool_status status = find_before(db, j, err);
    if (status == SPOOL_OK) {
        status = run_phases(db, j, err);
    }
    /* Each step gives back what it can: the last ones have less to do. */
    if (status == SPOOL_OK && j->more && j->box->round.phase != RETAIN_PAGES) {
        status = shrink(db, j, err);
    }
    /* Only a checkpoint makes the file itself smaller: one behind the last. */
    if (status == SPOOL_OK && !j->more) {
        db->wants_checkpoint = db->wants_checkpoint || j->box->retained_any;
        j->box->retained_any = false;
    }
    return status;
}

enum spool_status retain_step(struct outbox *box, const struct retention *r,
                              bool *more, struct spool_error *err)
{
    struct retain_job j = {.box = box, .r = r};
    enum spool_status status = outbox_tidy(box, run_step, &j, err);
    *more = status == SPOOL_OK && j.more;
    return status;
}

/* A round through the log that dropped nothing is vain until something was
 * taken since, or for a second. */
static enum spool_status is_vain(struct db *db, struct outbox *box, bool *vain,
                                 struct spool_error *err)
{
    struct vain_round *v = &box->vain;
    int64_t cursors = 0, mono = clock_mono_ms(box->clock);
    enum spool_status status =
        db_number(db, err, 0, &cursors, STATEMENT_LANE_SUM, "");
    *vain = v->ended && v->cursors == cursors && mono - v->at < VAIN_MS;
    if (!*vain) {
        *v = (struct vain_round){.cursors = cursors, .at = mono};
    }
    return status;
}

enum spool_status retain_give_way(struct db *db, struct outbox *box,
                                  int64_t *freed, struct spool_error *err)
{
    struct retain_job j = {.box = box, .now = outbox_now(box)};
    bool vain;
    enum spool_status status = is_vain(db, box, &vain, err);
    *freed = 0;
    if (status != SPOOL_OK || vain) {
        return status;
    }
    j.before = j.now;
    j.more = true;
    for (int i = 0; status == SPOOL_OK && j.more && i < WAY_STEPS; i++) {
        j.more = false;
        status = drop_events(db, &j, err);
    }
    box->vain.ended = !j.more && j.gone == 0;
    *freed = j.gone;
    return status;
}
