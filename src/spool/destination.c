/* Destinations as a program sees them: setting one up, and its sums. */
#include <stdio.h>

#include "base/error.h"
#include "delivery/profile.h"
#include "outbox/inspect.h"
#include "spool/handle.h"
#include "spool/spool.h"

static bool copy_text(char *out, size_t size, const char *text)
{
    int n = snprintf(out, size, "%s", text);
    return n >= 0 && (size_t)n < size;
}

static bool copy_texts(struct destination *d, const struct spool_destination *s)
{
    const struct {
        char *out;
        size_t size;
        const char *text;
    } texts[] = {
        {d->name, sizeof d->name, s->name},
        {d->url, sizeof d->url, s->url},
        {d->profile, sizeof d->profile, s->profile},
        {d->origin, sizeof d->origin, s->origin},
        {d->api_key_file, sizeof d->api_key_file, s->api_key_file},
        {d->filter, sizeof d->filter, s->filter},
        {d->success, sizeof d->success, s->success},
        {d->headers, sizeof d->headers, s->headers},
        {d->header_file, sizeof d->header_file, s->header_file},
        {d->ca_file, sizeof d->ca_file, s->ca_file},
        {d->client_cert, sizeof d->client_cert, s->client_cert},
        {d->client_key, sizeof d->client_key, s->client_key},
        {d->proxy, sizeof d->proxy, s->proxy},
    };
    bool fits = true;
    for (size_t i = 0; fits && i < sizeof texts / sizeof *texts; i++) {
        fits = texts[i].text == NULL ||
               copy_text(texts[i].out, texts[i].size, texts[i].text);
    }
    return fits;
}

static void copy_numbers(struct destination *d,
                         const struct spool_destination *s)
{
    d->lanes = s->lanes != 0 ? s->lanes : d->lanes;
    d->batch_events = s->batch_events != 0 ? s->batch_events : d->batch_events;
    d->batch_bytes = s->batch_bytes != 0 ? s->batch_bytes : d->batch_bytes;
    d->batch_age_ms = s->batch_age_ms != 0 ? s->batch_age_ms : d->batch_age_ms;
    d->rate = s->rate;
    d->spread_ms = s->spread_ms;
}

enum spool_status
spool_add_destination(struct spool *spool,
                      const struct spool_destination *destination,
                      struct spool_error *err)
{
    struct destination d;
    enum profile profile;
    destination_default(&d);
    if (!copy_texts(&d, destination)) {
        return failed(err, SPOOL_MISUSE,
                      "a text of the destination is too long: a name has at "
                      "most 64 bytes, a profile 31, success 127, origin and "
                      "proxy 255, headers 2,047, the others 1,023");
    }
    if (destination->body != NULL &&
        !destination_body_find(destination->body, &d.body)) {
        return failed(err, SPOOL_MISUSE,
                      "a body is array, object or ndjson, not \"%s\"",
                      destination->body);
    }
    copy_numbers(&d, destination);
    enum spool_status status = profile_find(d.profile, &profile, err);
    if (status == SPOOL_OK) {
        status = profile_check(profile, &d, err);
    }
    return status == SPOOL_OK ? destination_add(spool_outbox(spool), &d, err)
                              : status;
}

enum spool_status spool_stats(struct spool *spool, const char *destination,
                              struct spool_stats *out, struct spool_error *err)
{
    struct destination d;
    struct sums s;
    enum spool_status status =
        destination_find(spool_outbox(spool), destination, &d, err);
    if (status == SPOOL_OK) {
        status = inspect_sums(spool_outbox(spool), &d, &s, err);
    }
    if (status == SPOOL_OK) {
        *out = (struct spool_stats){
            .accepted = s.accepted,
            .delivered = s.by_state[EVENT_DELIVERED],
            .pending = s.by_state[EVENT_PENDING],
            .held = s.by_state[EVENT_HELD],
            .sending = s.by_state[EVENT_SENDING],
            .retrying = s.by_state[EVENT_RETRYING],
            .uncertain = s.by_state[EVENT_UNCERTAIN],
            .dead = s.by_state[EVENT_DEAD],
            .purged = s.by_state[EVENT_PURGED],
            .passed = s.passed,
            .oldest_at_ms = s.oldest_at,
            .lost = s.lost,
        };
    }
    return status;
}
