#include "delivery/lane.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "delivery/tell.h"

/* The first batch after a failure; doubled with each one that arrives. */
#define WINDOW_MIN 5

/* Before the outbox is tried again when it could not be used. */
#define TROUBLE_MS 1000

/* How long a batch that landed may wait to be settled with others. */
#define GATHER_MS 20

static void lane_step(struct lane *lane);

/* ---- flying ---- */

static void grow_window(struct lane *lane, const struct flight *flight)
{
    if (flight_arrived(flight) && lane->window > 0) {
        lane->window *= 2;
        if (lane->window >= lane->destination.batch_events) {
            lane->window = 0;
        }
    } else if (!flight_arrived(flight) &&
               flight->s.outcome != OUTCOME_REFUSED) {
        lane->window = WINDOW_MIN;
    }
}

static void flight_landed(void *arg)
{
    struct lane *lane = arg;
    struct flight *flight = flights_last(&lane->flights);
    grow_window(lane, flight);
    if (flight_arrived(flight) && !lane->rest.on) {
        ahead_keep_memory(&lane->ahead, &flight->batch.bytes);
    }
    lane_step(lane);
}

static int64_t mono_ms(const struct lane *lane)
{
    return clock_mono_ms(outbox_clock(lane->lanes->options.box));
}

static void send_first_ready(struct lane *lane)
{
    struct lanes *lanes = lane->lanes;
    struct batch batch = lane->ready[0];
    pace_spend(lane->pace, (int64_t)batch.n);
    lane->ready_n--;
    memmove(lane->ready, lane->ready + 1, lane->ready_n * sizeof batch);
    struct flight *flight = flights_add(&lane->flights);
    if (!flight_start(flight, &lanes->options, lanes->http, &lanes->rng,
                      &lane->destination, &batch, flight_landed, lane)) {
        grow_window(lane, flight);
    }
}

/* ---- turning ---- */

static void run_turn(uv_work_t *work)
{
    struct lane *lane = work->data;
    lane->status = batch_turn(lane->lanes->options.box, lane->id, lane->number,
                              &lane->order, &lane->turn, &lane->error);
}

/* The turn took nothing. */
static void begin_rest(struct lane *lane)
{
    struct rest *rest = &lane->rest;
    enum taken taken = lane->turn.taken;
    int64_t until = lane->turn.wait_until;
    ahead_drop_memory(&lane->ahead);
    rest->because = taken;
    switch (taken) {
    case TAKEN_NOTHING:
    case TAKEN_FILLING:
        if (lane->woken) {
            break; /* what was put meanwhile is looked for at once */
        }
        if (taken == TAKEN_NOTHING && until == 0) {
            rest_begin(rest, taken);
        } else {
            rest_begin_until(rest, taken, until, lane->take.now);
        }
        break;
    case TAKEN_WAIT:
    case TAKEN_HELD:
        rest_begin_until(rest, taken, until, lane->take.now);
        break;
    case TAKEN_MORE: /* none: the next turn is this one's rest */
        rest->over = lane->take.now;
        break;
    case TAKEN_BATCH:
    case TAKEN_PAUSED:
    case TAKEN_GONE:
        rest_begin(rest, taken);
        break;
    }
}

static void drop_back(struct lane *lane)
{
    for (size_t i = 0; i < lane->back_n; i++) {
        batch_finish(&lane->back[i]);
    }
    lane->back_n = 0;
}

/* What was taken ahead of a destination that is gone is not sent any more. */
static void drop_ready(struct lane *lane)
{
    for (size_t i = 0; i < lane->ready_n; i++) {
        batch_finish(&lane->ready[i]);
    }
    lane->ready_n = 0;
}

static void drop_settled(struct lane *lane)
{
    for (size_t i = 0; i < lane->order.done_n; i++) {
        struct flight *flight = flights_at(&lane->flights, 0);
        tell_settled(lane, flight, &lane->done[i].settled);
        flights_drop_first(&lane->flights);
    }
}

static void keep_taken(struct lane *lane)
{
    struct turn *turn = &lane->turn;
    for (size_t i = 0; i < turn->n; i++) {
        lane->ready[lane->ready_n++] = turn->batches[i];
    }
    if (turn->behind != 0) {
        ahead_follow(&lane->ahead, turn->behind);
    }
    turn->n = 0;
}

static void turn_succeeded(struct lane *lane)
{
    if (lane->turn.taken == TAKEN_GONE) {
        drop_ready(lane);
    } else {
        lane->destination = lane->turn.destination;
        pace_set(lane->pace, lane->destination.rate, mono_ms(lane));
    }
    drop_settled(lane);
    drop_back(lane);
    tell_damaged(lane);
    survey_follow(&lane->survey, &lane->turn, mono_ms(lane));
    if (lane->turn.n > 0) {
        keep_taken(lane);
    } else if (lane->order.take != NULL || lane->turn.taken == TAKEN_GONE) {
        begin_rest(lane);
    }
}

static void fail(struct lanes *s, const struct spool_error *why)
{
    if (!s->failed) {
        s->failed = true;
        tell_stopped(&s->options, why);
    }
}

static void turn_failed(struct lane *lane)
{
    switch (lane->status) {
    case SPOOL_BUSY:
    case SPOOL_FULL:
    case SPOOL_IO:
    case SPOOL_NO_MEMORY:
        tell_trouble(lane, TROUBLE_MS);
        rest_begin_for(&lane->rest, TAKEN_WAIT, TROUBLE_MS);
        lane->gives_up =
            lane->lanes->stopping; /* uncertain at the next start */
        break;
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
    case SPOOL_QUARANTINED:
        fail(lane->lanes, &lane->error);
        break;
    }
}

static void turn_done(uv_work_t *work, int cancelled)
{
    struct lane *lane = work->data;
    bool fitted = true;
    (void)cancelled; /* never: nobody cancels it */
    lane->turning = false;
    for (size_t i = 0; i < lane->take.prefetched_n; i++) {
        fitted = fitted && lane->used[i].batch.n == 0;
        prefetch_finish(&lane->used[i]);
    }
    if (!fitted) {
        ahead_forget(&lane->ahead);
    }
    lane->failed_turn = lane->status != SPOOL_OK;
    if (lane->status == SPOOL_OK) {
        turn_succeeded(lane);
    } else {
        turn_failed(lane);
    }
    lane_step(lane);
}

/* What was taken ahead is given back if it cannot be sent next: a batch before
 * it did not arrive, or the flusher stops. */
static void give_back(struct lane *lane)
{
    if (lane->ready_n > 0 &&
        (!flights_arrived(&lane->flights) || lane->lanes->stopping)) {
        memcpy(lane->back, lane->ready, sizeof lane->ready);
        lane->back_n = lane->ready_n;
        lane->ready_n = 0;
    }
    if (!flights_arrived(&lane->flights)) {
        ahead_forget(&lane->ahead);
    }
}

/* It has sent all that its rate allows for now. */
static bool is_paced(const struct lane *lane)
{
    return pace_wait_ms(lane->pace, mono_ms(lane)) > 0;
}

/* Slow start, and no more at once than a second's worth of its rate. */
static int most_events(const struct lane *lane)
{
    int64_t rate = lane->destination.rate;
    bool window = lane->window > 0 && (rate == 0 || lane->window < rate);
    return window || rate > INT_MAX ? lane->window : (int)rate;
}

/* What is left of the wait before the start. */
static int64_t spread_left(const struct lane *lane)
{
    int64_t left = lane->starts_at - mono_ms(lane);
    return left > 0 ? left : 0;
}

/* Takes as many as there is room for, but no more of the log than have been
 * read, once reading ahead has begun; as many again may overtake them. */
static size_t batches_to_take(const struct lane *lane)
{
    size_t room = BATCH_AHEAD - lane->ready_n;
    size_t read = lane->ahead.n * (survey_known(&lane->survey) ? 2 : 1);
    if (lane->lanes->stopping || room == 0 || is_paced(lane) ||
        (lane->ahead.reading && read == 0)) {
        return 0;
    }
    return read == 0 ? 1 : read < room ? read : room;
}

static void give_orders(struct lane *lane)
{
    size_t most = batches_to_take(lane);
    struct backlog *backlog = survey_known(&lane->survey);
    size_t uses = most_events(lane) > 0
                      ? 0
                      : ahead_take(&lane->ahead, lane->used,
                                   backlog != NULL ? (most + 1) / 2 : most);
    lane->take = (struct take_options){
        .most_events = most_events(lane),
        .spread_ms = spread_left(lane),
        .hurry = lane->lanes->options.foreground,
        .now = lane->rest.over,
        .not_yet = rest_not_yet(&lane->rest),
        .ahead = flights_fly(&lane->flights) || lane->ready_n > 0,
        .backlog = backlog,
        .most = most,
        .prefetched = lane->used,
        .prefetched_n = uses,
    };
    lane->order = (struct order){
        .done = lane->done,
        .done_n = flights_landed(&lane->flights),
        .back = lane->back,
        .back_n = lane->back_n,
        .take = most > 0 ? &lane->take : NULL,
    };
    for (size_t i = 0; i < lane->order.done_n; i++) {
        const struct flight *flight = flights_at(&lane->flights, i);
        lane->done[i] = (struct done){.batch = &flight->batch, .s = &flight->s};
    }
}

static void start_turn(struct lane *lane)
{
    give_orders(lane);
    lane->turning = true;
    lane->woken = false;
    rest_end(&lane->rest);
    lane->turn_work.data = lane;
    (void)uv_queue_work(lane->lanes->options.loop, &lane->turn_work, run_turn,
                        turn_done);
}

/* ---- deciding ---- */

static bool may_send(struct lane *lane)
{
    return lane->ready_n > 0 && !flights_fly(&lane->flights) &&
           flights_arrived(&lane->flights) && lane->flights.n < FLIGHTS_MAX &&
           !lane->lanes->failed && !lane->lanes->stopping;
}

static bool goes_well(const struct lane *lane)
{
    return most_events(lane) == 0 && !lane->lanes->stopping &&
           !lane->lanes->failed &&
           lane->destination.state == DESTINATION_RUNNING;
}

/* Whether batches are worth taking before the one in flight has arrived: while
 * all goes well and a limit, not the end of the log, ended it. */
static bool takes_ahead(struct lane *lane)
{
    return flights_fly(&lane->flights) &&
           flights_last(&lane->flights)->batch.more && goes_well(lane);
}

/* While there is enough to send, what landed gathers: settled together, it
 * costs one sync. But not for long, should the next answer be slow to come. */
static bool gathers(struct lane *lane)
{
    return flights_fly(&lane->flights) && lane->ready_n > BATCH_AHEAD / 2 &&
           lane->back_n == 0 && !lane->rest.rang && !lane->lanes->stopping;
}

static bool wants_turn(struct lane *lane)
{
    if (lane->turning || lane->lanes->failed || lane->gives_up) {
        return false;
    }
    if (flights_landed(&lane->flights) > 0 || lane->back_n > 0) {
        return !lane->failed_turn || !lane->rest.on || lane->lanes->stopping;
    }
    if (lane->lanes->stopping || lane->rest.on || lane->ready_n > 0 ||
        lane->ahead.reading) {
        return false;
    }
    return (lane->flights.n == 0 && !is_paced(lane)) || takes_ahead(lane);
}

static void wait_for_pace(struct lane *lane)
{
    int64_t wait = pace_wait_ms(lane->pace, mono_ms(lane));
    if (wait > 0 && !lane->turning && lane->flights.n == 0) {
        rest_alarm(&lane->rest, wait);
    }
}

/* Nothing goes on any more, and nothing will. */
static bool is_over(struct lane *lane)
{
    bool busy = lane->turning || lane->ahead.reading || lane->survey.stepping ||
                flights_fly(&lane->flights);
    bool gone = lane->rest.on && lane->rest.because == TAKEN_GONE;
    return !busy && (lane->lanes->stopping || lane->lanes->failed || gone);
}

static void lane_end(struct lane *lane)
{
    lane->ended = true;
    rest_stop(&lane->rest);
    drop_ready(lane);
    drop_back(lane);
    flights_finish(&lane->flights);
    ahead_finish(&lane->ahead);
    survey_finish(&lane->survey);
    lane->lanes->rests(lane->lanes->arg);
}

/* The endpoint takes what it is sent, as far as is known. */
static bool drains(const struct lane *lane)
{
    return lane->window == 0 && !lane->lanes->stopping &&
           !lane->lanes->failed &&
           lane->destination.state == DESTINATION_RUNNING;
}

static void lane_step(struct lane *lane)
{
    if (lane->ended) {
        return;
    }
    if (!lane->turning && lane->back_n == 0) {
        give_back(lane);
    }
    if (may_send(lane)) {
        send_first_ready(lane);
    }
    if (goes_well(lane)) {
        ahead_read(&lane->ahead, &lane->destination);
    }
    /* Both read by the same connection, and what is to be sent comes first. */
    survey_go_on(&lane->survey, drains(lane) && !lane->ahead.reading);
    if (wants_turn(lane) && gathers(lane)) {
        rest_alarm(&lane->rest, GATHER_MS);
    } else if (wants_turn(lane)) {
        start_turn(lane);
    } else if (is_over(lane)) {
        lane_end(lane);
    } else if (lane->rest.on && !lane->turning) {
        lane->lanes->rests(lane->lanes->arg);
    } else {
        wait_for_pace(lane);
    }
}

static void step_on(void *arg)
{
    lane_step(arg);
}

/* ---- from outside ---- */

struct lane *lane_create(struct lanes *s, const struct destination *d,
                         int number, struct pace *pace, int64_t spread_ms)
{
    struct lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL) {
        return NULL;
    }
    struct uv_loop_s *loop = s->options.loop;
    struct outbox *box = s->options.box;
    lane->lanes = s;
    lane->id = d->id;
    lane->number = number;
    lane->destination = *d;
    lane->starts_at = mono_ms(lane) + spread_ms;
    lane->pace = pace;
    pace_set(pace, d->rate, mono_ms(lane));
    ahead_init(&lane->ahead, box, &s->reader, number, step_on, lane);
    survey_init(&lane->survey, box, loop, d->id, number, step_on, lane);
    rest_init(&lane->rest, loop, outbox_clock(box), step_on, lane);
    /* In the foreground the first try is made whatever was waited for. */
    lane->rest.over = s->options.foreground;
    lane_step(lane);
    return lane;
}

bool lane_waits_for_events(const struct lane *lane)
{
    return lane->rest.on && !lane->failed_turn &&
           (lane->rest.because == TAKEN_NOTHING ||
            lane->rest.because == TAKEN_FILLING);
}

void lane_wake(struct lane *lane, bool all)
{
    lane->woken = true;
    if (lane_waits_for_events(lane) ||
        (all && lane->rest.on && !lane->failed_turn)) {
        rest_wake(&lane->rest);
        lane_step(lane);
    }
}

void lane_stop(struct lane *lane)
{
    lane_step(lane);
}

void lane_abort(struct lane *lane)
{
    if (flights_fly(&lane->flights)) {
        flight_abort(flights_last(&lane->flights), lane->lanes->http);
    }
    lane_step(lane);
}

bool lane_is_idle(const struct lane *lane)
{
    return lane->ended ||
           (lane->rest.on && !lane->turning && lane->flights.n == 0 &&
            lane->ready_n == 0 && lane->back_n == 0 &&
            (lane->rest.because == TAKEN_NOTHING ||
             lane->rest.because == TAKEN_PAUSED));
}

static void survey_is_closed(uv_handle_t *handle)
{
    struct lane *lane = handle->data;
    rest_close(&lane->rest, lane->closed);
}

void lane_close(struct lane *lane, uv_close_cb closed)
{
    assert(lane->ended);
    lane->closed = closed;
    survey_close(&lane->survey, survey_is_closed);
}
