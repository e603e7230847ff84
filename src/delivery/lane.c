#include "delivery/lane.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "delivery/backoff.h"
#include "delivery/profile.h"

/* The first batch after a failure; doubled with each one that arrives. */
#define WINDOW_MIN 5

/* Before the outbox is tried again when it could not be used. */
#define TROUBLE_MS 1000

/* Nothing is ever scheduled further ahead than a Retry-After of a day. */
#define WAIT_MAX_MS ((int64_t)27 * 60 * 60 * 1000)

#define TO(state) (1U << (state))

static const struct {
    const char *name;
    unsigned next;
} states[] = {
    [LANE_TAKING] = {"taking", TO(LANE_SENDING) | TO(LANE_WAITING) |
                                   TO(LANE_TAKING) | TO(LANE_ENDED)},
    [LANE_SENDING] = {"sending", TO(LANE_TAKING)},
    [LANE_WAITING] = {"waiting", TO(LANE_TAKING) | TO(LANE_ENDED)},
    [LANE_ENDED] = {"ended", 0},
};

static void lane_step(struct lane *lane);

static void move_to(struct lane *lane, enum lane_state next)
{
    assert(states[lane->state].next & TO(next));
    lane->state = next;
}

/* ---- taking: one turn of the outbox, on the thread pool ---- */

static void run_turn(uv_work_t *work)
{
    struct lane *lane = work->data;
    const struct flusher *f = lane->f;
    struct take_options take = {
        .framing = profile_framing,
        .most_events = lane->window,
        .hurry = f->options.foreground,
        .now = lane->overdue,
    };
    bool settles = lane->answered;
    lane->status =
        batch_turn(f->options.box, lane->destination, lane->number,
                   settles ? &lane->batch : NULL, settles ? &lane->s : NULL,
                   f->stopping ? NULL : &take, &lane->turn, &lane->error);
}

static void turn_done(uv_work_t *work, int cancelled)
{
    (void)cancelled; /* never: nobody cancels it */
    lane_step(work->data);
}

static void enter_taking(struct lane *lane)
{
    move_to(lane, LANE_TAKING);
    lane->woken = false;
    lane->work.data = lane;
    (void)uv_queue_work(lane->f->options.loop, &lane->work, run_turn,
                        turn_done);
}

/* ---- sending ---- */

static int64_t retry_wait(struct lane *lane)
{
    const struct destination *d = &lane->turn.destination;
    return backoff_ms(&lane->f->rng, (unsigned)lane->batch.attempts,
                      d->backoff_base_ms, d->backoff_cap_ms,
                      lane->judgement.retry_after_ms);
}

static int64_t probe_wait(struct lane *lane)
{
    const struct destination *d = &lane->turn.destination;
    unsigned probes =
        d->state == DESTINATION_HELD ? (unsigned)d->probes + 1 : 0;
    int64_t wait =
        probe_ms(&lane->f->rng, probes, d->backoff_base_ms, d->backoff_cap_ms);
    return wait > lane->judgement.retry_after_ms
               ? wait
               : lane->judgement.retry_after_ms;
}

static enum outcome outcome_of(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_DELIVERED:
        return OUTCOME_DELIVERED;
    case VERDICT_RETRY:
        return OUTCOME_RETRY;
    case VERDICT_UNCERTAIN:
        return OUTCOME_UNCERTAIN;
    case VERDICT_REFUSED:
        return OUTCOME_REFUSED;
    case VERDICT_HOLD:
        return OUTCOME_HOLD;
    }
    return OUTCOME_UNCERTAIN;
}

/* What the judgement means for the batch, ready for the next turn. */
static void note_outcome(struct lane *lane)
{
    int64_t now = clock_wall_ms(outbox_clock(lane->f->options.box));
    int64_t probe = probe_wait(lane);
    bool good = lane->judgement.verdict == VERDICT_DELIVERED;
    int64_t retry = good ? 0 : retry_wait(lane);
    lane->s.outcome = outcome_of(lane->judgement.verdict);
    lane->s.retry_at = now + retry;
    lane->s.probe_at = now + probe;
    lane->s.sent_at = lane->sent_at;
    lane->s.code = lane->judgement.code;
    lane->s.reason = lane->judgement.reason;
    lane->s.answer = lane->answer;
    lane->wait_ms = lane->judgement.verdict == VERDICT_HOLD ? probe : retry;
    lane->answered = true;
    if (good && lane->window > 0) {
        lane->window *= 2;
        if (lane->window >= lane->turn.destination.batch_events) {
            lane->window = 0;
        }
    } else if (!good && lane->judgement.verdict != VERDICT_REFUSED) {
        lane->window = WINDOW_MIN;
    }
}

static void reply_arrived(void *arg, const struct reply *reply)
{
    struct lane *lane = arg;
    struct flusher *f = lane->f;
    enum profile profile = PROFILE_SEGMENTIFY;
    (void)profile_find(lane->turn.destination.profile, &profile, NULL);
    lane->post = NULL;
    judge(profile, reply, (unsigned)lane->batch.unknown,
          clock_wall_ms(outbox_clock(f->options.box)), &lane->judgement);
    text_clean(lane->answer, sizeof lane->answer, reply->body, reply->body_len);
    lane->s = (struct settlement){
        .unknown_code = lane->judgement.unknown_code,
        .http = reply->http,
        .curl = reply->curl,
        .duration_ms = reply->duration_ms,
        .answer_len = strlen(lane->answer),
    };
    note_outcome(lane);
    lane_step(lane);
}

/* It could not even be tried: as a fault of the destination's, so that the
 * operator sees why and nothing is consumed. */
static void hold_unsent(struct lane *lane, const char *code, const char *why)
{
    lane->judgement =
        (struct judgement){.verdict = VERDICT_HOLD, .retry_after_ms = -1};
    (void)snprintf(lane->judgement.code, sizeof lane->judgement.code, "%s",
                   code);
    (void)snprintf(lane->judgement.reason, sizeof lane->judgement.reason,
                   "%.*s", JUDGEMENT_REASON_SIZE - 1, why);
    lane->answer[0] = '\0';
    lane->s = (struct settlement){0};
    note_outcome(lane);
    enter_taking(lane);
}

static void enter_sending(struct lane *lane)
{
    struct flusher *f = lane->f;
    const struct destination *d = &lane->turn.destination;
    struct profile_request request;
    struct spool_error err = {0};
    enum profile profile;
    lane->batch = lane->turn.batch;
    lane->turn.batch = (struct batch){0};
    lane->sent_at = clock_wall_ms(outbox_clock(f->options.box));
    move_to(lane, LANE_SENDING);
    enum spool_status status = profile_find(d->profile, &profile, &err);
    if (status == SPOOL_OK) {
        status = profile_prepare(profile, d, &lane->batch, &request, &err);
    }
    if (status == SPOOL_OK) {
        struct http_request post = {request.url, request.headers,
                                    lane->batch.bytes.data,
                                    lane->batch.bytes.len};
        status = f->options.sender->post(f->http, &post, reply_arrived, lane,
                                         &lane->post, &err);
    }
    profile_forget(&request);
    if (status != SPOOL_OK) {
        hold_unsent(lane, "CONFIGURATION", err.message);
    }
}

/* ---- waiting ---- */

static void time_is_over(uv_timer_t *timer)
{
    struct lane *lane = timer->data;
    if (lane->state == LANE_WAITING) {
        lane->overdue = true;
        lane_step(lane);
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

/* wait_ms < 0: for a wake alone. */
static void enter_waiting(struct lane *lane, int64_t wait_ms)
{
    move_to(lane, LANE_WAITING);
    lane->overdue = false;
    if (wait_ms >= 0) {
        (void)uv_timer_start(&lane->timer, time_is_over, (uint64_t)wait_ms, 0);
    }
    flusher_lane_rests(lane->f);
}

static void enter_ended(struct lane *lane)
{
    (void)uv_timer_stop(&lane->timer);
    batch_finish(&lane->batch);
    batch_finish(&lane->turn.batch);
    move_to(lane, LANE_ENDED);
    flusher_lane_rests(lane->f);
}

/* ---- telling ---- */

static void report_settled(struct lane *lane)
{
    static const enum spool_report_kind kinds[] = {
        [OUTCOME_DELIVERED] = SPOOL_REPORT_DELIVERED,
        [OUTCOME_RETRY] = SPOOL_REPORT_RETRY,
        [OUTCOME_UNCERTAIN] = SPOOL_REPORT_UNCERTAIN,
        [OUTCOME_REFUSED] = SPOOL_REPORT_SPLIT,
        [OUTCOME_HOLD] = SPOOL_REPORT_HELD,
    };
    struct spool_report r = {
        .kind = kinds[lane->s.outcome],
        .destination = lane->turn.destination.name,
        .first_id = lane->batch.lo,
        .last_id = lane->batch.hi,
        .events = (int64_t)lane->batch.n,
        .http = lane->s.http,
        .code = lane->judgement.code,
        .reason = lane->judgement.reason,
        .wait_ms = lane->wait_ms,
    };
    if (lane->s.outcome == OUTCOME_REFUSED) {
        r.kind = lane->turn.died    ? SPOOL_REPORT_DEAD
                 : lane->turn.split ? SPOOL_REPORT_SPLIT
                                    : SPOOL_REPORT_HELD;
        r.wait_ms = -1;
        if (r.kind == SPOOL_REPORT_HELD) {
            r.reason = lane->turn.destination.reason;
        }
    } else if (lane->s.outcome == OUTCOME_DELIVERED) {
        r.wait_ms = -1;
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
            .destination = lane->turn.destination.name,
            .events = lane->turn.damaged,
            .code = "DAMAGED",
            .reason = "rows whose checksum is wrong were set aside",
            .wait_ms = -1,
        };
        flusher_report(lane->f, &r);
    }
}

/* ---- deciding ---- */

/* The turn failed; nothing was settled or taken by it. */
static void turn_failed(struct lane *lane)
{
    switch (lane->status) {
    case SPOOL_BUSY:
    case SPOOL_FULL:
    case SPOOL_IO:
    case SPOOL_NO_MEMORY: {
        struct spool_report r = {.kind = SPOOL_REPORT_TROUBLE,
                                 .destination = "",
                                 .code = spool_status_name(lane->status),
                                 .reason = lane->error.message,
                                 .wait_ms = TROUBLE_MS};
        flusher_report(lane->f, &r);
        if (lane->f->stopping) {
            enter_ended(lane); /* unsettled: uncertain at the next start */
        } else {
            enter_waiting(lane, TROUBLE_MS);
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
        flusher_fails(lane->f, &lane->error);
        enter_ended(lane);
        break;
    }
}

static void turn_succeeded(struct lane *lane)
{
    struct turn *turn = &lane->turn;
    if (lane->answered) {
        lane->answered = false;
        report_settled(lane);
        batch_finish(&lane->batch);
    }
    report_damaged(lane);
    if (lane->f->stopping && turn->taken != TAKEN_BATCH) {
        enter_ended(lane);
        return;
    }
    lane->idle_because = turn->taken;
    switch (turn->taken) {
    case TAKEN_BATCH:
        lane->overdue = false;
        enter_sending(lane);
        break;
    case TAKEN_WAIT:
    case TAKEN_HELD:
        enter_waiting(lane, wait_for(lane, turn->wait_until));
        break;
    case TAKEN_NOTHING:
    case TAKEN_PAUSED:
        if (lane->woken) {
            enter_taking(lane);
        } else {
            enter_waiting(lane, -1);
        }
        break;
    case TAKEN_GONE:
        enter_ended(lane);
        break;
    }
}

static void lane_step(struct lane *lane)
{
    switch (lane->state) {
    case LANE_TAKING:
        if (lane->status == SPOOL_OK) {
            turn_succeeded(lane);
        } else {
            turn_failed(lane);
        }
        break;
    case LANE_SENDING: /* the reply is noted */
        enter_taking(lane);
        break;
    case LANE_WAITING:
        (void)uv_timer_stop(&lane->timer);
        enter_taking(lane);
        break;
    case LANE_ENDED:
        break;
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
    lane->destination = d->id;
    lane->number = number;
    lane->state = LANE_WAITING;
    /* In the foreground the first try is made whatever was waited for. */
    lane->overdue = f->options.foreground;
    (void)uv_timer_init(f->options.loop, &lane->timer);
    lane->timer.data = lane;
    enter_taking(lane);
    return lane;
}

void lane_wake(struct lane *lane)
{
    lane->woken = true;
    if (lane->state == LANE_WAITING) {
        lane_step(lane);
    }
}

void lane_stop(struct lane *lane)
{
    if (lane->state == LANE_WAITING && !lane->answered) {
        enter_ended(lane);
    } else if (lane->state == LANE_WAITING) {
        lane_step(lane); /* one more try to settle */
    }
}

void lane_abort(struct lane *lane)
{
    if (lane->state == LANE_SENDING && lane->post != NULL) {
        lane->f->options.sender->cancel(lane->f->http, lane->post);
        lane->post = NULL;
        lane->judgement =
            (struct judgement){.verdict = VERDICT_UNCERTAIN,
                               .retry_after_ms = -1,
                               .code = "STOPPED",
                               .reason = "the flusher was stopped "
                                         "before the answer "
                                         "came"};
        lane->answer[0] = '\0';
        lane->s = (struct settlement){0};
        note_outcome(lane);
        lane_step(lane);
    }
}

void lane_destroy(struct lane *lane, uv_close_cb closed)
{
    assert(lane->state == LANE_ENDED);
    uv_close((uv_handle_t *)&lane->timer, closed);
}
