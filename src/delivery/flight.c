#include "delivery/flight.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "delivery/backoff.h"
#include "delivery/profile.h"
#include "delivery/secrets.h"
#include "delivery/success.h"

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

static int64_t probe_wait(const struct flight *f)
{
    const struct destination *d = f->destination;
    bool held = d->state == DESTINATION_HELD;
    int64_t wait = probe_ms(f->rng, held ? (unsigned)d->probes + 1 : 0,
                            d->backoff_base_ms, d->backoff_cap_ms);
    int64_t asked = f->judgement.retry_after_ms;
    return wait > asked ? wait : asked;
}

static void land(struct flight *f)
{
    const struct destination *d = f->destination;
    int64_t now = clock_wall_ms(outbox_clock(f->options->box));
    bool holds = f->judgement.verdict == VERDICT_HOLD;
    int64_t probe = probe_wait(f);
    int64_t retry =
        backoff_ms(f->rng, (unsigned)f->batch.attempts, d->backoff_base_ms,
                   d->backoff_cap_ms, f->judgement.retry_after_ms);
    f->s.outcome = outcome_of(f->judgement.verdict);
    f->s.retry_at = now + retry;
    f->s.probe_at = now + probe;
    f->s.sent_at = f->sent_at;
    f->s.unknown_code = f->judgement.unknown_code;
    f->s.code = f->judgement.code;
    f->s.reason = f->judgement.reason;
    secrets_free(f->secrets);
    f->secrets = NULL;
    f->s.answer = f->answer;
    f->s.answer_len = strlen(f->answer);
    f->wait_ms = holds ? probe : retry;
    f->landed = true;
}

static void land_without_reply(struct flight *f, enum verdict verdict,
                               const char *code, const char *why)
{
    f->judgement = (struct judgement){.verdict = verdict, .retry_after_ms = -1};
    text_clean(f->judgement.code, sizeof f->judgement.code, code, strlen(code));
    text_clean(f->judgement.reason, sizeof f->judgement.reason, why,
               strlen(why));
    f->answer[0] = '\0';
    f->s = (struct settlement){0};
    land(f);
}

/* An unknown code is said back as it came. Our own words stay, with or without
 * memory for the secrets. */
static void conceal_judgement(struct flight *f)
{
    if (f->secrets != NULL) {
        struct judgement *j = &f->judgement;
        secrets_conceal(f->secrets, j->code, sizeof j->code);
        secrets_conceal(f->secrets, j->reason, sizeof j->reason);
    }
}

static void reply_arrived(void *arg, const struct reply *reply)
{
    struct flight *f = arg;
    enum profile profile = PROFILE_SEGMENTIFY;
    (void)profile_find(f->destination->profile, &profile, NULL);
    f->post = NULL;
    if (!success_judge(f->destination->success, reply, &f->judgement)) {
        judge(profile, reply, (unsigned)f->batch.unknown,
              clock_wall_ms(outbox_clock(f->options->box)), &f->judgement);
    }
    text_clean(f->answer, sizeof f->answer, reply->body, reply->body_len);
    secrets_conceal(f->secrets, f->answer, sizeof f->answer);
    conceal_judgement(f);
    f->s = (struct settlement){.http = reply->http,
                               .curl = reply->curl,
                               .duration_ms = reply->duration_ms};
    land(f);
    if (f->options->landed != NULL && f->s.outcome == OUTCOME_DELIVERED) {
        f->options->landed(f->options->landed_arg, f->destination, &f->batch,
                           reply);
    }
    f->done(f->arg);
}

static const char *given(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

bool flight_start(struct flight *f, const struct flusher_options *options,
                  struct http *http, struct rng *rng,
                  const struct destination *d, struct batch *batch,
                  void (*done)(void *arg), void *arg)
{
    struct profile_request request;
    struct spool_error err = {0};
    enum profile profile;
    f->batch = *batch;
    *batch = (struct batch){0};
    f->landed = false;
    f->options = options;
    f->rng = rng;
    f->destination = d;
    f->post = NULL;
    f->secrets = NULL;
    f->sent_at = clock_wall_ms(outbox_clock(options->box));
    f->done = done;
    f->arg = arg;
    enum spool_status status = profile_find(d->profile, &profile, &err);
    if (status == SPOOL_OK) {
        status = profile_prepare(profile, d, &f->batch, &request, &err);
    }
    if (status == SPOOL_OK) {
        f->secrets = secrets_of(&request);
        struct http_request post = {
            .url = request.url,
            .headers = request.headers,
            .body = f->batch.bytes.data,
            .body_len = f->batch.bytes.len,
            .ca_file = given(d->ca_file),
            .client_cert = given(d->client_cert),
            .client_key = given(d->client_key),
            .proxy = given(d->proxy),
        };
        status = options->sender->post(http, &post, reply_arrived, f, &f->post,
                                       &err);
    }
    profile_forget(&request);
    if (status != SPOOL_OK) {
        land_without_reply(f, VERDICT_HOLD, "CONFIGURATION", err.message);
    }
    return status == SPOOL_OK;
}

void flight_abort(struct flight *f, struct http *http)
{
    if (f->batch.n > 0 && !f->landed) {
        f->options->sender->cancel(http, f->post);
        f->post = NULL;
        land_without_reply(f, VERDICT_UNCERTAIN, "STOPPED",
                           "the flusher was stopped before the answer came");
    }
}

void flight_finish(struct flight *f)
{
    batch_finish(&f->batch);
}
