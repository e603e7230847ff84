/* Producing: an event is checked here, stored by the outbox and, from then on,
 * on disk. */
#include "spool/spool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "events/event.h"
#include "events/filter.h"
#include "outbox/order.h"
#include "outbox/outbox.h"
#include "spool/answers.h"
#include "spool/handle.h"

/* Events of one transaction of spool_put_many. Their pages stay in memory until
 * the commit. */
#define GROUP_EVENTS 1000
#define GROUP_BYTES  ((size_t)4 * 1024 * 1024)

/* A key's room, its NUL included. */
#define KEY_SIZE 256

struct spool {
    struct outbox *box;
    struct answers *answers;
    enum spool_check check;
    int64_t next_page_ms;
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

static int class_of(const char *body, size_t len)
{
    struct event_facts facts;
    return event_read(body, len, &facts) ? (int)facts.class : -1;
}

void spool_options_default(struct spool_options *options)
{
    *options = (struct spool_options){.create = 1,
                                      .next_page_ms = (int64_t)30 * 60 * 1000};
}

enum spool_status spool_open(const struct spool_options *options,
                             struct spool **out, struct spool_error *err)
{
    if (options->next_page_ms < 0 ||
        options->next_page_ms > OUTBOX_HOLD_MAX_MS) {
        return failed(err, SPOOL_MISUSE,
                      "next_page_ms is %lld; an event waits for the next page "
                      "for 24 hours at most",
                      (long long)options->next_page_ms);
    }
    struct spool *spool = calloc(1, sizeof *spool);
    struct answers *answers = answers_create();
    if (spool == NULL || answers == NULL) {
        answers_destroy(answers);
        free(spool);
        return failed(err, SPOOL_NO_MEMORY, "out of memory");
    }
    struct outbox_options box = {
        .path = options->path,
        .create = options->create != 0,
        .filters = {compile_filter, takes, release_filter},
        .class_of = class_of,
    };
    spool->answers = answers;
    spool->check = options->check;
    spool->next_page_ms = options->next_page_ms;
    enum spool_status status = outbox_open(&box, &spool->box, err);
    if (status != SPOOL_OK) {
        answers_destroy(answers);
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
        answers_destroy(spool->answers);
        free(spool);
    }
}

struct outbox *spool_outbox(struct spool *spool)
{
    return spool->box;
}

struct answers *spool_answers(struct spool *spool)
{
    return spool->answers;
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
    case SPOOL_CHECK_JSON:
        return EVENT_JSON;
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

/* An event on its way into the outbox, with the texts that it is known by. */
struct item {
    struct outbox_event event;
    struct spool_receipt refused; /* of a quarantined one */
    char number[ORDER_NUMBER_SIZE];
    char total[64];
    char currency[16];
};

/* The decoded text, or NULL when it is absent, empty, too long as written, or
 * holds what no name should. */
static const char *decode(struct json_text text, char *out, size_t size)
{
    if (text.at == NULL || text.len >= size) {
        return NULL;
    }
    size_t n = json_decode(text, out, size - 1);
    out[n] = '\0';
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)out[i] < ' ') {
            return NULL;
        }
    }
    return n > 0 ? out : NULL;
}

/* An order number that is written longer than a key is read on the heap. */
static enum spool_status fill_number(struct item *item, struct json_text text)
{
    char little[ORDER_NUMBER_SIZE];
    bool fits = text.len <= sizeof little;
    char *number = fits ? little : malloc(text.len);
    if (number == NULL) {
        return SPOOL_NO_MEMORY;
    }
    size_t n = json_decode(text, number, text.len);
    if (n > 0) {
        order_key(number, n, item->number);
        item->event.order.number = item->number;
    }
    if (!fits) {
        free(number);
    }
    return SPOOL_OK;
}

static enum spool_status fill_event(const struct spool *spool,
                                    struct item *item, const char *json,
                                    size_t len, const char *key,
                                    const struct event_facts *facts)
{
    bool holds = facts->next_page && spool->next_page_ms > 0;
    item->event = (struct outbox_event){
        .body = json,
        .len = len,
        .part = facts->part,
        .class = (int)facts->class,
        .key = key,
        .opens_page = !holds && json_equals(facts->name, "PAGE_VIEW"),
        .hold_until = holds ? clock_wall_ms(outbox_clock(spool->box)) +
                                  spool->next_page_ms
                            : 0,
    };
    if (facts->class == EVENT_PURCHASE) {
        item->event.order.total =
            decode(facts->total_price, item->total, sizeof item->total);
        item->event.order.currency =
            decode(facts->currency, item->currency, sizeof item->currency);
        return fill_number(item, facts->order_no);
    }
    return SPOOL_OK;
}

static enum event_mode mode_for(const struct spool *spool,
                                const struct spool_put_options *options)
{
    return mode_of(options != NULL ? options->check : spool->check);
}

/* A refused event that is kept. Without a user and a session to be sure of, all
 * of them are of one part. */
static void fill_quarantined(struct item *item, const char *json, size_t len,
                             const struct spool_receipt *receipt)
{
    item->refused = *receipt;
    item->event = (struct outbox_event){
        .body = json, .len = len, .quarantine = item->refused.message};
}

/* Checks one event. SPOOL_OK fills *item for the outbox, and so does
 * SPOOL_QUARANTINED. */
static enum spool_status check(const struct spool *spool,
                               const struct spool_put_options *options,
                               const char *json, size_t len, const char *key,
                               struct item *item, struct spool_receipt *receipt)
{
    enum event_mode mode = mode_for(spool, options);
    struct event_facts facts;
    struct event_finding finding;
    enum spool_status status = event_check(json, len, mode, &facts, &finding);
    if (status == SPOOL_OK && key != NULL &&
        (key[0] == '\0' || strlen(key) >= KEY_SIZE)) {
        status = SPOOL_INVALID;
        finding = (struct event_finding){
            .fault = EVENT_LIMIT,
            .message = "the dedupe key is empty or longer than 255 bytes"};
    }
    if (status != SPOOL_OK) {
        fill_receipt(receipt, &finding);
        if (options == NULL || options->refused != SPOOL_QUARANTINE ||
            len == 0 || len > EVENT_BYTES_MAX) {
            return status;
        }
        fill_quarantined(item, json, len, receipt);
        return SPOOL_QUARANTINED;
    }
    status = fill_event(spool, item, json, len, key, &facts);
    if (status != SPOOL_OK) {
        *receipt = (struct spool_receipt){
            .status = status,
            .fault = event_fault_name(EVENT_OK),
            .message = "out of memory for its order number"};
    }
    return status;
}

/* Why a limit keeps an event out, and what to do about it. */
static void fill_no_room(struct spool_receipt *r, const struct outbox_event *e)
{
    static const char *const units[] = {
        [LIMIT_EVENTS] = "events in the spool",
        [LIMIT_BYTES] = "bytes of the spool's file",
        [LIMIT_DISK] = "bytes that stay free on the disk",
    };
    *r = (struct spool_receipt){.status = SPOOL_FULL, .fault = "full"};
    (void)snprintf(r->message, sizeof r->message,
                   "the limit of %lld %s is reached for events of class %s; "
                   "nothing was stored, spoolctl limits says how full it is",
                   (long long)e->ceiling, units[e->cause],
                   event_class_name((enum event_class)e->class));
}

static void fill_conflict(struct spool_receipt *r, const struct outbox_event *e)
{
    long long id = e->id;
    r->fault = "conflict";
    if (e->key != NULL) {
        (void)snprintf(r->message, sizeof r->message,
                       "event %lld has the same key and other bytes; nothing "
                       "was stored, give this event a key of its own",
                       id);
        return;
    }
    (void)snprintf(r->message, sizeof r->message,
                   "event %lld has the same order number and other bytes; "
                   "nothing was stored, others are taken only once that one is "
                   "purged everywhere: spoolctl purge %lld",
                   id, id);
}

/* What the outbox did with an event, for its producer. */
static void answer(const struct item *item, enum spool_status status,
                   struct spool_receipt *r)
{
    const struct outbox_event *e = &item->event;
    static const enum spool_status by_result[] = {
        [APPENDED] = SPOOL_OK,
        [APPENDED_BEFORE] = SPOOL_DUPLICATE,
        [APPENDED_DIFFERENT] = SPOOL_CONFLICT,
    };
    if (status == SPOOL_OK && e->appended == APPENDED_NO_ROOM) {
        fill_no_room(r, e);
        return;
    }
    *r = (struct spool_receipt){.status = status,
                                .fault = event_fault_name(EVENT_OK)};
    if (status == SPOOL_OK && e->quarantine != NULL) {
        *r = item->refused;
    }
    if (status == SPOOL_OK) {
        r->status = by_result[e->appended];
        r->id = e->id;
    }
    if (status == SPOOL_OK && e->quarantine != NULL) {
        r->status = SPOOL_QUARANTINED;
    }
    if (r->status == SPOOL_CONFLICT) {
        fill_conflict(r, e);
    }
}

enum spool_status spool_put(struct spool *spool, const char *json, size_t len,
                            const struct spool_put_options *options,
                            struct spool_receipt *receipt,
                            struct spool_error *err)
{
    struct spool_receipt unwanted;
    struct spool_receipt *r = receipt != NULL ? receipt : &unwanted;
    struct item item;
    enum spool_status status =
        check(spool, options, json, len, options != NULL ? options->key : NULL,
              &item, r);
    if (status != SPOOL_OK && status != SPOOL_QUARANTINED) {
        return failed(err, status, "the event was refused at byte %zu: %s",
                      r->offset, r->message);
    }
    status = outbox_append(spool->box, &item.event, 1, err);
    answer(&item, status, r);
    if (status == SPOOL_OK && r->message[0] != '\0') {
        return failed(err, r->status, "%s", r->message);
    }
    return r->status;
}

/* Events that were checked and wait for their commit. */
struct group {
    struct item items[GROUP_EVENTS];
    struct outbox_event events[GROUP_EVENTS];
    struct spool_receipt *receipts[GROUP_EVENTS];
    size_t n, bytes;
};

/* Events that were not accepted, for what they are and for want of room. */
struct refusals {
    size_t n, no_room;
};

static void count(struct refusals *refused, const struct spool_receipt *r)
{
    bool no_room = r->status == SPOOL_FULL;
    refused->no_room += no_room ? 1 : 0;
    refused->n +=
        no_room || r->status == SPOOL_CONFLICT || r->status == SPOOL_QUARANTINED
            ? 1
            : 0;
}

static enum spool_status commit_group(struct spool *spool, struct group *g,
                                      struct refusals *refused,
                                      struct spool_error *err)
{
    for (size_t i = 0; i < g->n; i++) {
        g->events[i] = g->items[i].event;
    }
    enum spool_status status = outbox_append(spool->box, g->events, g->n, err);
    for (size_t i = 0; i < g->n; i++) {
        g->items[i].event = g->events[i];
        answer(&g->items[i], status, g->receipts[i]);
        count(refused, g->receipts[i]);
    }
    g->n = 0;
    g->bytes = 0;
    return status;
}

static enum spool_status put_groups(struct spool *spool, struct group *g,
                                    const struct spool_put_options *options,
                                    const struct spool_event *events, size_t n,
                                    struct spool_receipt *receipts,
                                    struct refusals *refused,
                                    struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    for (size_t i = 0; i < n && status == SPOOL_OK; i++) {
        const struct spool_event *e = &events[i];
        enum spool_status checked =
            check(spool, options, e->json, e->len, e->key, &g->items[g->n],
                  &receipts[i]);
        if (checked != SPOOL_OK && checked != SPOOL_QUARANTINED) {
            refused->n++;
            continue;
        }
        g->receipts[g->n++] = &receipts[i];
        g->bytes += e->len;
        if (g->n == GROUP_EVENTS || g->bytes >= GROUP_BYTES) {
            status = commit_group(spool, g, refused, err);
        }
    }
    return status == SPOOL_OK ? commit_group(spool, g, refused, err) : status;
}

enum spool_status spool_put_many(struct spool *spool,
                                 const struct spool_event *events, size_t n,
                                 const struct spool_put_options *options,
                                 struct spool_receipt *receipts,
                                 struct spool_error *err)
{
    struct refusals refused = {0};
    struct group *g = malloc(sizeof *g);
    if (g == NULL) {
        return failed(err, SPOOL_NO_MEMORY, "out of memory for %zu events", n);
    }
    g->n = 0;
    g->bytes = 0;
    for (size_t i = 0; i < n; i++) { /* what is never reached, should it fail */
        receipts[i] = (struct spool_receipt){.status = SPOOL_IO};
    }
    enum spool_status status =
        put_groups(spool, g, options, events, n, receipts, &refused, err);
    free(g);
    if (status == SPOOL_OK && refused.no_room > 0) {
        return failed(err, SPOOL_FULL,
                      "%zu of %zu events were refused, %zu of them because a "
                      "limit of the spool is reached; spoolctl limits says "
                      "how full it is",
                      refused.n, n, refused.no_room);
    }
    if (status == SPOOL_OK && refused.n > 0) {
        return failed(err, SPOOL_INVALID, "%zu of %zu events were refused",
                      refused.n, n);
    }
    return status;
}

void spool_notices(const struct spool *spool,
                   void (*each)(void *arg, const char *sentence), void *arg)
{
    outbox_notices(spool->box, each, arg);
}

const char *spool_version(void)
{
    return SPOOL_VERSION;
}
