/* Producing: an event is checked here, stored by the outbox and, from then on,
 * on disk. */
#include "spool/spool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "delivery/profile.h"
#include "events/event.h"
#include "events/filter.h"
#include "outbox/inspect.h"
#include "spool/handle.h"

/* Events of one transaction of spool_put_many. Their pages stay in memory until
 * the commit. */
#define GROUP_EVENTS 1000
#define GROUP_BYTES  ((size_t)4 * 1024 * 1024)

struct spool {
    struct outbox *box;
    enum spool_check check;
};

static enum spool_status compile_filter(const char *words, void **out,
                                        struct spool_error *err)
{
    struct filter *filter;
    enum spool_status status = filter_create(words, &filter, err);
    if (status == SPOOL_OK) {
        *out = filter;
    }
    return status;
}

static bool takes(const void *filter, const char *body, size_t len)
{
    return filter_takes(filter, body, len);
}

static void release_filter(void *filter)
{
    filter_destroy(filter);
}

void spool_options_default(struct spool_options *options)
{
    *options = (struct spool_options){.create = 1};
}

enum spool_status spool_open(const struct spool_options *options,
                             struct spool **out, struct spool_error *err)
{
    struct spool *spool = calloc(1, sizeof *spool);
    if (spool == NULL) {
        return failed(err, SPOOL_NO_MEMORY, "out of memory");
    }
    struct outbox_options box = {
        .path = options->path,
        .create = options->create != 0,
        .filters = {compile_filter, takes, release_filter},
    };
    spool->check = options->check;
    enum spool_status status = outbox_open(&box, &spool->box, err);
    if (status != SPOOL_OK) {
        free(spool);
        return status;
    }
    *out = spool;
    return SPOOL_OK;
}

void spool_close(struct spool *spool)
{
    if (spool != NULL) {
        outbox_close(spool->box);
        free(spool);
    }
}

struct outbox *spool_outbox(struct spool *spool)
{
    return spool->box;
}

static enum event_mode mode_of(enum spool_check check)
{
    switch (check) {
    case SPOOL_CHECK_STRICT:
        return EVENT_STRICT;
    case SPOOL_CHECK_RELAXED:
        return EVENT_RELAXED;
    case SPOOL_CHECK_OFF:
        return EVENT_OFF;
    }
    return EVENT_STRICT;
}

static void fill_receipt(struct spool_receipt *r,
                         const struct event_finding *finding)
{
    *r = (struct spool_receipt){.status = SPOOL_INVALID,
                                .fault = event_fault_name(finding->fault),
                                .offset = finding->offset};
    (void)snprintf(r->path, sizeof r->path, "%s", finding->path);
    (void)snprintf(r->message, sizeof r->message, "%s", finding->message);
}

/* Checks one event. SPOOL_OK fills *out for the outbox. */
static enum spool_status check(enum event_mode mode, const char *json,
                               size_t len, struct outbox_event *out,
                               struct spool_receipt *receipt)
{
    struct event_facts facts;
    struct event_finding finding;
    enum spool_status status = event_check(json, len, mode, &facts, &finding);
    if (status != SPOOL_OK) {
        fill_receipt(receipt, &finding);
        return status;
    }
    *out = (struct outbox_event){.body = json, .len = len, .part = facts.part};
    return SPOOL_OK;
}

static enum event_mode mode_for(const struct spool *spool,
                                const struct spool_put_options *options)
{
    return mode_of(options != NULL ? options->check : spool->check);
}

enum spool_status spool_put(struct spool *spool, const char *json, size_t len,
                            const struct spool_put_options *options,
                            struct spool_receipt *receipt,
                            struct spool_error *err)
{
    struct spool_receipt unwanted;
    struct spool_receipt *r = receipt != NULL ? receipt : &unwanted;
    struct outbox_event event;
    enum spool_status status =
        check(mode_for(spool, options), json, len, &event, r);
    if (status != SPOOL_OK) {
        return failed(err, status, "the event was refused at byte %zu: %s",
                      r->offset, r->message);
    }
    status = outbox_append(spool->box, &event, 1, err);
    *r = (struct spool_receipt){.status = status,
                                .id = status == SPOOL_OK ? event.id : 0,
                                .fault = event_fault_name(EVENT_OK)};
    return status;
}

/* Events that were checked and wait for their commit. */
struct group {
    struct outbox_event events[GROUP_EVENTS];
    struct spool_receipt *receipts[GROUP_EVENTS];
    size_t n, bytes;
};

static enum spool_status commit_group(struct spool *spool, struct group *g,
                                      struct spool_error *err)
{
    enum spool_status status = outbox_append(spool->box, g->events, g->n, err);
    for (size_t i = 0; i < g->n; i++) {
        *g->receipts[i] = (struct spool_receipt){
            .status = status,
            .id = status == SPOOL_OK ? g->events[i].id : 0,
            .fault = event_fault_name(EVENT_OK)};
    }
    g->n = 0;
    g->bytes = 0;
    return status;
}

static enum spool_status put_groups(struct spool *spool, struct group *g,
                                    enum event_mode mode,
                                    const struct spool_event *events, size_t n,
                                    struct spool_receipt *receipts,
                                    size_t *refused, struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    for (size_t i = 0; i < n && status == SPOOL_OK; i++) {
        if (check(mode, events[i].json, events[i].len, &g->events[g->n],
                  &receipts[i]) != SPOOL_OK) {
            ++*refused;
            continue;
        }
        g->receipts[g->n++] = &receipts[i];
        g->bytes += events[i].len;
        if (g->n == GROUP_EVENTS || g->bytes >= GROUP_BYTES) {
            status = commit_group(spool, g, err);
        }
    }
    return status == SPOOL_OK ? commit_group(spool, g, err) : status;
}

enum spool_status spool_put_many(struct spool *spool,
                                 const struct spool_event *events, size_t n,
                                 const struct spool_put_options *options,
                                 struct spool_receipt *receipts,
                                 struct spool_error *err)
{
    size_t refused = 0;
    struct group *g = malloc(sizeof *g);
    if (g == NULL) {
        return failed(err, SPOOL_NO_MEMORY, "out of memory for %zu events", n);
    }
    g->n = 0;
    g->bytes = 0;
    for (size_t i = 0; i < n; i++) { /* what is never reached, should it fail */
        receipts[i] = (struct spool_receipt){.status = SPOOL_IO};
    }
    enum spool_status status = put_groups(spool, g, mode_for(spool, options),
                                          events, n, receipts, &refused, err);
    free(g);
    if (status == SPOOL_OK && refused > 0) {
        return failed(err, SPOOL_INVALID, "%zu of %zu events were refused",
                      refused, n);
    }
    return status;
}

static bool copy_text(char *out, size_t size, const char *text)
{
    int n = snprintf(out, size, "%s", text != NULL ? text : "");
    return n >= 0 && (size_t)n < size;
}

enum spool_status
spool_add_destination(struct spool *spool,
                      const struct spool_destination *destination,
                      struct spool_error *err)
{
    struct destination d;
    enum profile profile;
    destination_default(&d);
    const char *name = destination->profile;
    bool fits =
        copy_text(d.name, sizeof d.name, destination->name) &&
        copy_text(d.url, sizeof d.url, destination->url) &&
        (name == NULL || copy_text(d.profile, sizeof d.profile, name)) &&
        copy_text(d.origin, sizeof d.origin, destination->origin) &&
        copy_text(d.api_key_file, sizeof d.api_key_file,
                  destination->api_key_file) &&
        copy_text(d.filter, sizeof d.filter, destination->filter);
    if (!fits) {
        return failed(err, SPOOL_MISUSE,
                      "a text of the destination is too long: a name has at "
                      "most 64 bytes, the others at most 1,000");
    }
    enum spool_status status = profile_find(d.profile, &profile, err);
    if (status == SPOOL_OK) {
        status = profile_check_url(profile, d.url, err);
    }
    return status == SPOOL_OK ? destination_add(spool->box, &d, err) : status;
}

enum spool_status spool_stats(struct spool *spool, const char *destination,
                              struct spool_stats *out, struct spool_error *err)
{
    struct destination d;
    struct sums s;
    enum spool_status status =
        destination_find(spool->box, destination, &d, err);
    if (status == SPOOL_OK) {
        status = inspect_sums(spool->box, &d, &s, err);
    }
    if (status == SPOOL_OK) {
        *out = (struct spool_stats){
            .accepted = s.accepted,
            .delivered = s.by_state[EVENT_DELIVERED],
            .pending = s.by_state[EVENT_PENDING],
            .sending = s.by_state[EVENT_SENDING],
            .retrying = s.by_state[EVENT_RETRYING],
            .uncertain = s.by_state[EVENT_UNCERTAIN],
            .dead = s.by_state[EVENT_DEAD],
            .purged = s.by_state[EVENT_PURGED],
            .passed = s.passed,
            .oldest_at_ms = s.oldest_at,
        };
    }
    return status;
}

const char *spool_version(void)
{
    return SPOOL_VERSION;
}
