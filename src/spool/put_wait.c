/* Putting an event and waiting for what the endpoint says to it. */
#include "spool/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "outbox/inspect.h"
#include "spool/answers.h"
#include "spool/handle.h"
#include "spool/slice.h"

/* How often the spool itself is looked at meanwhile: an event that dies, is
 * purged, or is delivered by another process has no answer that lands here. */
#define LOOK_MS 200

/* What is waited for, and where the answer goes. */
struct put_wait {
    struct outbox *box;
    struct answers *answers;
    struct destination d;
    struct wait wait;
    int64_t id;
    int64_t deadline; /* mono ms */
    struct spool_answer *out;
    struct spool_error *err;
};

void spool_answer_finish(struct spool_answer *answer)
{
    free(answer->responses);
    free(answer->campaigns);
    free(answer->search);
    *answer = (struct spool_answer){0};
}

/* ---- the answer that landed ---- */

static bool copy(struct json_text text, char **out)
{
    if (text.at == NULL) {
        return true;
    }
    *out = strndup(text.at, text.len);
    return *out != NULL;
}

static void say(struct spool_answer *out, const char *sentence)
{
    (void)snprintf(out->reason, sizeof out->reason, "%s", sentence);
}

static void give_answer(const struct wait *w, struct spool_answer *out)
{
    const struct landing *l = w->landing;
    struct slice slice;
    out->code[0] = '\0'; /* whatever an earlier look said */
    if (l->cut) {
        say(out, "the endpoint's answer is longer than the 64 KiB that are "
                 "kept; smaller batches have shorter ones");
        return;
    }
    const char *why = slice_find(l->body, l->len, l->n, w->index, &slice);
    if (why == NULL && !(copy(slice.responses, &out->responses) &&
                         copy(slice.campaigns, &out->campaigns) &&
                         copy(slice.search, &out->search))) {
        spool_answer_finish(out);
        why = "out of memory for the endpoint's answer";
    }
    say(out, why != NULL ? why : "");
}

/* ---- the event as the spool has it ---- */

struct look {
    bool found;
    enum event_state state;
    char code[64];
    char reason[DESTINATION_REASON_SIZE];
};

static bool note(void *arg, const struct event_record *e)
{
    struct look *look = arg;
    look->found = true;
    look->state = e->state;
    (void)snprintf(look->code, sizeof look->code, "%s", e->code);
    (void)snprintf(look->reason, sizeof look->reason, "%s", e->reason);
    return false;
}

/* A look that fails finds the event waiting: the next one will do. */
static void look_at(const struct put_wait *p, const struct destination *d,
                    struct look *look)
{
    struct event_range range = {.lo = p->id, .hi = p->id};
    *look = (struct look){0};
    if (inspect_events(p->box, d, &range, note, look, NULL) != SPOOL_OK) {
        *look = (struct look){.found = true, .state = EVENT_PENDING};
    }
}

/* SPOOL_TIMEOUT: it waits. */
static enum spool_status look_for_event(const struct put_wait *p)
{
    struct spool_answer *out = p->out;
    struct look look;
    look_at(p, &p->d, &look);
    if (!look.found) {
        look_at(p, NULL, &look);
        if (look.found) {
            say(out, "the destination does not take such events");
            return SPOOL_UNFINISHED;
        }
        say(out, "it is a duplicate of an event that was settled so long ago "
                 "that it is no longer kept");
        return SPOOL_UNFINISHED;
    }
    switch (look.state) {
    case EVENT_PENDING:
    case EVENT_SENDING:
    case EVENT_RETRYING:
    case EVENT_UNCERTAIN:
    case EVENT_HELD:
        return SPOOL_TIMEOUT;
    case EVENT_DELIVERED:
        say(out, "the event was delivered before, or by another process, and "
                 "its answer is not known here");
        return SPOOL_OK;
    case EVENT_DEAD:
        (void)snprintf(out->code, sizeof out->code, "%s", look.code);
        say(out, look.reason);
        return SPOOL_UNFINISHED;
    case EVENT_PURGED:
        say(out, "the event was purged by an operator");
        return SPOOL_UNFINISHED;
    }
    return SPOOL_TIMEOUT;
}

/* ---- waiting ---- */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static enum spool_status await(struct put_wait *p, bool look_first)
{
    int64_t now = clock_mono_ms(&clock_system);
    int64_t next_look = look_first ? now : now + LOOK_MS;
    enum spool_status status = SPOOL_TIMEOUT;
    bool landed = false;
    do {
        landed = answers_await(p->answers, &p->wait,
                               earlier(next_look, p->deadline));
        if (!landed) {
            status = look_for_event(p);
        }
        now = clock_mono_ms(&clock_system);
        next_look = now + LOOK_MS;
    } while (!landed && status == SPOOL_TIMEOUT && now < p->deadline);
    /* What the spool shows as delivered may have landed here just before. */
    if (landed || answers_await(p->answers, &p->wait, now)) {
        give_answer(&p->wait, p->out);
        return SPOOL_OK;
    }
    return status;
}

static enum spool_status tell(const struct put_wait *p,
                              enum spool_status status)
{
    if (status == SPOOL_TIMEOUT) {
        say(p->out, "the time given was over");
        return failed(p->err, status,
                      "event %lld is on disk, but %s did not take it in the "
                      "time given; it will be delivered later",
                      (long long)p->id, p->d.name);
    }
    return status == SPOOL_OK
               ? status
               : failed(p->err, status,
                        "event %lld was not delivered to %s: %s",
                        (long long)p->id, p->d.name, p->out->reason);
}

enum spool_status
spool_put_wait(struct spool *spool, const char *json, size_t len,
               const struct spool_put_options *options, const char *destination,
               int64_t timeout_ms, struct spool_receipt *receipt,
               struct spool_answer *answer, struct spool_error *err)
{
    struct spool_receipt unwanted;
    struct spool_receipt *r = receipt != NULL ? receipt : &unwanted;
    struct put_wait p = {.box = spool_outbox(spool),
                         .answers = spool_answers(spool),
                         .out = answer,
                         .err = err};
    *answer = (struct spool_answer){0};
    if (timeout_ms < 0) {
        return failed(err, SPOOL_MISUSE,
                      "the time to wait for an answer must not be negative");
    }
    enum spool_status status = destination_find(p.box, destination, &p.d, err);
    if (status != SPOOL_OK) {
        return status;
    }
    answers_begin(p.answers, &p.wait, p.d.id);
    status = spool_put(spool, json, len, options, r, err);
    if (status == SPOOL_OK || status == SPOOL_DUPLICATE) {
        int64_t now = clock_mono_ms(&clock_system);
        p.id = r->id;
        p.deadline =
            timeout_ms < INT64_MAX - now ? now + timeout_ms : INT64_MAX;
        answers_name(p.answers, &p.wait, p.id);
        status = tell(&p, await(&p, status == SPOOL_DUPLICATE));
    }
    answers_end(p.answers, &p.wait);
    return status;
}
