#include "delivery/lane.h"

#include <assert.h>
#include <stdlib.h>

#include "delivery/profile.h"

/* The first batch after a failure; doubled with each one that arrives. */
#define WINDOW_MIN 5

/* Before the outbox is tried again when it could not be used. */
#define TROUBLE_MS 1000

/* Nothing is ever scheduled further ahead than a Retry-After of a day. */
#define WAIT_MAX_MS ((int64_t)27 * 60 * 60 * 1000)

static void lane_step(struct lane *lane);

/* ---- flying ---- */

static bool is_flying(const struct lane *lane)
{
    return lane->flying != NULL && !lane->flying->landed;
}

static bool has_landed(const struct lane *lane)
{
    return lane->flying != NULL && lane->flying->landed;
}

static bool has_arrived(const struct flight *flight)
{
    return flight->s.outcome == OUTCOME_DELIVERED;
}

static void grow_window(struct lane *lane, const struct flight *flight)
{
    if (has_arrived(flight) && lane->window > 0) {
        lane->window *= 2;
        if (lane->window >= lane->destination.batch_events) {
            lane->window = 0;
        }
    } else if (!has_arrived(flight) && flight->s.outcome != OUTCOME_REFUSED) {
        lane->window = WINDOW_MIN;
    }
}

static void flight_landed(void *arg)
{
    struct lane *lane = arg;
    grow_window(lane, lane->flying);
    lane_step(lane);
}

static void send_ready(struct lane *lane)
{
    struct flusher *f = lane->f;
    lane->flying = lane->settling == &lane->flights[0] ? &lane->flights[1]
                                                       : &lane->flights[0];
    if (!flight_start(lane->flying, &f->options, f->http, &f->rng,
                      &lane->destination, &lane->ready, flight_landed, lane)) {
        grow_window(lane, lane->flying);
    }
}

/* ---- reading ahead ---- */

static void run_read(uv_work_t *work)
{
    struct lane *lane = work->data;
    /* What cannot be read now is read, or fails, in the turn. */
    (void)batch_prefetch(lane->f->options.box, &lane->read_as, lane->number,
                         lane->read_behind, &lane->read_take, &lane->prefetch,
                         NULL);
}

static void read_done(uv_work_t *work, int cancelled)
{
    struct lane *lane = work->data;
    (void)cancelled; /* never: nobody cancels it */
    lane->reading = false;
    lane_step(lane);
}

static void start_reading(struct lane *lane, int64_t behind)
{
    prefetch_finish(&lane->prefetch);
    lane->reading = true;
    lane->reads_on = false;
    lane->read_as = lane->destination;
    lane->read_take = (struct take_options){.framing = profile_framing};
    lane->read_behind = behind;
    lane->read_work.data = lane;
    (void)uv_queue_work(lane->f->options.loop, &lane->read_work, run_read,
                        read_done);
}

/* ---- turning ---- */

static void run_turn(uv_work_t *work)
{
    struct lane *lane = work->data;
    lane->status = batch_turn(lane->f->options.box, lane->id, lane->number,
                              &lane->order, &lane->turn, &lane->error);
}

static void report_settled(struct lane *lane);
static void report_damaged(struct lane *lane);
static void rest(struct lane *lane);
static void rest_for(struct lane *lane, int64_t wait_ms);

static void turn_succeeded(struct lane *lane)
{
    struct turn *turn = &lane->turn;
    if (turn->taken != TAKEN_GONE) {
        lane->destination = turn->destination;
    }
    if (lane->order.done != NULL) {
        report_settled(lane);
        flight_finish(lane->settling);
        lane->settling = NULL;
    }
    batch_finish(&lane->back);
    report_damaged(lane);
    if (turn->taken == TAKEN_BATCH) {
        lane->ready = turn->batch;
        turn->batch = (struct batch){0};
        lane->reads_on = lane->ready.more;
    } else if (lane->order.take != NULL || turn->taken == TAKEN_GONE) {
        rest(lane);
    }
}

static void turn_failed(struct lane *lane)
{
    switch (lane->status) {
    case SPOOL_BUSY:
    case SPOOL_FULL:
    case SPOOL_IO:
    case SPOOL_NO_MEMORY: {
        struct spool_report r = {.kind = SPOOL_REPORT_TROUBLE,
                                 .destination = lane->destination.name,
                                 .code = spool_status_name(lane->status),
                                 .reason = lane->error.message,
                                 .wait_ms = TROUBLE_MS};
        flusher_report(lane->f, &r);
        lane->rests_because = TAKEN_WAIT;
        rest_for(lane, TROUBLE_MS);
        if (lane->f->stopping) { /* uncertain at the next start */
            lane->settling = NULL;
            batch_finish(&lane->back);
        }
        break;
    }
    case SPOOL_OK:
    case SPOOL_INVALID:
    case SPOOL_MISUSE:
    case SPOOL_NOT_FOUND:
    case SPOOL_EXISTS:
    case SPOOL_HELD:
    case SPOOL_UNKNOWN:
    case SPOOL_DAMAGED:
    case SPOOL_NEWER:
    case SPOOL_MOVED:
    case SPOOL_TIMEOUT:
    case SPOOL_UNFINISHED:
    case SPOOL_DUPLICATE:
    case SPOOL_CONFLICT:
        flusher_fails(lane->f, &lane->error);
        break;
    }
}

static void turn_done(uv_work_t *work, int cancelled)
{
    struct lane *lane = work->data;
    (void)cancelled; /* never: nobody cancels it */
    lane->turning = false;
    prefetch_finish(&lane->used);
    lane->failed_turn = lane->status != SPOOL_OK;
    if (lane->status == SPOOL_OK) {
        turn_succeeded(lane);
    } else {
        turn_failed(lane);
    }
    lane_step(lane);
}

/* What landed is settled by the next turn that starts. */
static void settle_landed(struct lane *lane)
{
    if (lane->settling == NULL && has_landed(lane)) {
        lane->settling = lane->flying;
        lane->flying = NULL;
    }
}

/* What was taken ahead is given back if it cannot be sent next: the batch
 * before it did not arrive, or the flusher stops. */
static void give_back(struct lane *lane)
{
    bool next = lane->settling == NULL || has_arrived(lane->settling);
    if (lane->ready.n > 0 && (!next || lane->f->stopping)) {
        lane->back = lane->ready;
        lane->ready = (struct batch){0};
    }
}

static void give_orders(struct lane *lane)
{
    struct flight *settling = lane->settling;
    bool takes = !lane->f->stopping && lane->ready.n == 0;
    lane->used = lane->prefetch;
    lane->prefetch = (struct prefetch){0};
    lane->take = (struct take_options){
        .framing = profile_framing,
        .most_events = lane->window,
        .hurry = lane->f->options.foreground,
        .now = lane->overdue,
        .ahead = lane->flying != NULL,
        .prefetch = lane->window == 0 ? &lane->used : NULL,
    };
    lane->order = (struct order){
        .done = settling != NULL ? &settling->batch : NULL,
        .s = settling != NULL ? &settling->s : NULL,
        .back = lane->back.n > 0 ? &lane->back : NULL,
        .take = takes ? &lane->take : NULL,
    };
}

static void start_turn(struct lane *lane)
{
    give_orders(lane);
    lane->turning = true;
    lane->resting = false;
    lane->woken = false;
    lane->overdue = false;
    (void)uv_timer_stop(&lane->timer);
    /* While the turn cuts what was read, what lies behind that is read. */
    if (lane->order.take != NULL && lane->used.batch.n > 0 && lane->used.full) {
        start_reading(lane, lane->used.hi);
    }
    lane->turn_work.data = lane;
    (void)uv_queue_work(lane->f->options.loop, &lane->turn_work, run_turn,
                        turn_done);
}

/* ---- resting ---- */

static void time_is_over(uv_timer_t *timer)
{
    struct lane *lane = timer->data;
    lane->resting = false;
    lane->overdue = true;
    lane_step(lane);
}

/* wait_ms < 0: until woken. */
static void rest_for(struct lane *lane, int64_t wait_ms)
{
    lane->resting = true;
    if (wait_ms >= 0) {
        (void)uv_timer_start(&lane->timer, time_is_over, (uint64_t)wait_ms, 0);
    }
}

/* From now to a wall clock's time. What is waited for anew, after a wake, goes
 * on by the monotonic clock: somebody may have set the other one. */
static int64_t wait_for(struct lane *lane, int64_t wall)
{
    const struct clock *clock = outbox_clock(lane->f->options.box);
    int64_t mono = clock_mono_ms(clock);
    if (lane->waits_until != wall) {
        int64_t wait = wall - clock_wall_ms(clock);
        wait = wait < 0 ? 0 : wait > WAIT_MAX_MS ? WAIT_MAX_MS : wait;
        lane->waits_until = wall;
        lane->due_mono = mono + wait;
    }
    return lane->due_mono > mono ? lane->due_mono - mono : 0;
}

/* The turn took nothing. */
static void rest(struct lane *lane)
{
    lane->rests_because = lane->turn.taken;
    switch (lane->turn.taken) {
    case TAKEN_FILLING:
        if (!lane->woken) {
            rest_for(lane, wait_for(lane, lane->turn.wait_until));
        }
        break;
    case TAKEN_NOTHING:
        if (!lane->woken) {
            int64_t until = lane->turn.wait_until;
            rest_for(lane, until > 0 ? wait_for(lane, until) : -1);
        }
        break;
    case TAKEN_WAIT:
    case TAKEN_HELD:
        rest_for(lane, wait_for(lane, lane->turn.wait_until));
        break;
    case TAKEN_BATCH:
    case TAKEN_PAUSED:
    case TAKEN_GONE:
        rest_for(lane, -1);
        break;
    }
}

/* ---- telling ---- */

static enum spool_report_kind kind_of(const struct lane *lane)
{
    switch (lane->settling->s.outcome) {
    case OUTCOME_DELIVERED:
        return SPOOL_REPORT_DELIVERED;
    case OUTCOME_RETRY:
        return SPOOL_REPORT_RETRY;
    case OUTCOME_UNCERTAIN:
        return SPOOL_REPORT_UNCERTAIN;
    case OUTCOME_REFUSED:
        return lane->turn.died    ? SPOOL_REPORT_DEAD
               : lane->turn.split ? SPOOL_REPORT_SPLIT
                                  : SPOOL_REPORT_HELD;
    case OUTCOME_HOLD:
        return SPOOL_REPORT_HELD;
    }
    return SPOOL_REPORT_HELD;
}

static void report_settled(struct lane *lane)
{
    const struct flight *flight = lane->settling;
    bool again = flight->s.outcome != OUTCOME_DELIVERED &&
                 flight->s.outcome != OUTCOME_REFUSED;
    struct spool_report r = {
        .kind = kind_of(lane),
        .destination = lane->destination.name,
        .first_id = flight->batch.lo,
        .last_id = flight->batch.hi,
        .events = (int64_t)flight->batch.n,
        .http = flight->s.http,
        .code = flight->judgement.code,
        .reason = flight->judgement.reason,
        .wait_ms = again ? flight->wait_ms : -1,
    };
    if (r.kind == SPOOL_REPORT_HELD && flight->s.outcome == OUTCOME_REFUSED) {
        r.reason = lane->destination.reason;
    }
    if (lane->turn.resumed) {
        struct spool_report resumed = r;
        resumed.kind = SPOOL_REPORT_RESUMED;
        flusher_report(lane->f, &resumed);
    }
    flusher_report(lane->f, &r);
}

static void report_damaged(struct lane *lane)
{
    if (lane->turn.damaged > 0) {
        struct spool_report r = {
            .kind = SPOOL_REPORT_DAMAGED,
            .destination = lane->destination.name,
            .events = lane->turn.damaged,
            .code = "DAMAGED",
            .reason = "rows whose checksum is wrong were set aside",
            .wait_ms = -1,
        };
        flusher_report(lane->f, &r);
    }
}

/* ---- deciding ---- */

static bool may_send(const struct lane *lane)
{
    return lane->ready.n > 0 && lane->flying == NULL && !lane->f->failed &&
           (lane->settling == NULL || has_arrived(lane->settling));
}

/* Whether the batch behind the one in flight is worth taking before that has
 * arrived: while all goes well and a limit, not the end of the log, ended it.
 */
static bool takes_ahead(const struct lane *lane)
{
    return is_flying(lane) && lane->flying->batch.more && lane->ready.n == 0 &&
           lane->window == 0 &&
           lane->destination.state == DESTINATION_RUNNING && !lane->f->stopping;
}

static bool wants_turn(const struct lane *lane)
{
    if (lane->turning || lane->reading || lane->f->failed) {
        return false;
    }
    if (lane->settling != NULL || lane->back.n > 0) {
        return !lane->failed_turn || !lane->resting || lane->f->stopping;
    }
    if (lane->f->stopping || lane->resting || lane->ready.n > 0) {
        return false;
    }
    return lane->flying == NULL || takes_ahead(lane);
}

static bool wants_to_read(const struct lane *lane)
{
    return !lane->reading && !lane->turning && lane->reads_on &&
           lane->prefetch.batch.n == 0 && takes_ahead(lane);
}

/* Nothing goes on any more, and nothing will. */
static bool is_over(const struct lane *lane)
{
    bool busy = lane->turning || lane->reading || is_flying(lane);
    bool gone = lane->resting && lane->rests_because == TAKEN_GONE;
    return !busy && (lane->f->stopping || lane->f->failed || gone);
}

static void lane_end(struct lane *lane)
{
    lane->ended = true;
    (void)uv_timer_stop(&lane->timer);
    batch_finish(&lane->ready);
    batch_finish(&lane->back);
    flight_finish(&lane->flights[0]);
    flight_finish(&lane->flights[1]);
    prefetch_finish(&lane->prefetch);
    flusher_lane_rests(lane->f);
}

static void lane_step(struct lane *lane)
{
    if (lane->ended) {
        return;
    }
    settle_landed(lane);
    if (!lane->turning) {
        give_back(lane);
    }
    if (may_send(lane)) {
        send_ready(lane);
        settle_landed(lane); /* it may not even have taken off */
    }
    if (wants_to_read(lane)) {
        start_reading(lane, lane->flying->batch.hi);
    }
    if (wants_turn(lane)) {
        start_turn(lane);
    } else if (is_over(lane)) {
        lane_end(lane);
    } else if (lane->resting && !lane->turning) {
        flusher_lane_rests(lane->f);
    }
}

/* ---- from outside ---- */

struct lane *lane_create(struct flusher *f, const struct destination *d,
                         int number)
{
    struct lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL) {
        return NULL;
    }
    lane->f = f;
    lane->id = d->id;
    lane->number = number;
    lane->destination = *d;
    /* In the foreground the first try is made whatever was waited for. */
    lane->overdue = f->options.foreground;
    (void)uv_timer_init(f->options.loop, &lane->timer);
    lane->timer.data = lane;
    lane_step(lane);
    return lane;
}

void lane_wake(struct lane *lane, bool all)
{
    bool waits_for_events = lane->rests_because == TAKEN_NOTHING ||
                            lane->rests_because == TAKEN_FILLING;
    lane->woken = true;
    if (lane->resting && (all || waits_for_events) && lane->settling == NULL &&
        lane->back.n == 0) {
        lane->resting = false;
        lane_step(lane);
    }
}

void lane_stop(struct lane *lane)
{
    lane_step(lane);
}

void lane_abort(struct lane *lane)
{
    if (is_flying(lane)) {
        flight_abort(lane->flying, lane->f->http);
    }
    lane_step(lane);
}

bool lane_is_idle(const struct lane *lane)
{
    return lane->ended ||
           (lane->resting && !lane->turning && lane->flying == NULL &&
            lane->settling == NULL && lane->ready.n == 0 &&
            (lane->rests_because == TAKEN_NOTHING ||
             lane->rests_because == TAKEN_PAUSED));
}

void lane_close(struct lane *lane, uv_close_cb closed)
{
    assert(lane->ended);
    uv_close((uv_handle_t *)&lane->timer, closed);
}
