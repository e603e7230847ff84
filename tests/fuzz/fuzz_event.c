/* The three readings of an event against each other. */
#include "fuzz.h"

#include <string.h>

#include "events/event.h"
#include "events/filter.h"

struct input {
    const char *json;
    size_t len;
    size_t warnings;
};

static void check_inside(const struct input *in, struct json_text text)
{
    MUST(text.at == NULL ||
         (text.at > in->json && text.at + text.len < in->json + in->len));
}

static void check_facts(const struct input *in, enum event_mode mode,
                        const struct event_facts *f)
{
    MUST(mode == EVENT_JSON ||
         (f->name.len > 0 && f->user_id.len > 0 && f->session_id.len > 0));
    MUST(f->part <= 0x7FFFFFFF);
    MUST(f->key.at == NULL || f->class == EVENT_PURCHASE);
    check_inside(in, f->name);
    check_inside(in, f->user_id);
    check_inside(in, f->session_id);
    check_inside(in, f->step);
    check_inside(in, f->order_no);
    check_inside(in, f->total_price);
    check_inside(in, f->currency);
    check_inside(in, f->key);
}

static void check_finding(const struct event_finding *finding, size_t len)
{
    MUST(finding->fault != EVENT_OK && finding->offset <= len);
    MUST(memchr(finding->path, '\0', sizeof finding->path) != NULL);
    MUST(memchr(finding->message, '\0', sizeof finding->message) != NULL);
    MUST(finding->message[0] != '\0');
}

static void take_warning(void *arg, const struct event_finding *warning)
{
    struct input *in = arg;
    in->warnings++;
    check_finding(warning, in->len);
}

static bool passes(struct input *in, enum event_mode mode)
{
    struct event_checks checks = {mode, take_warning, in};
    struct event_facts facts;
    struct event_facts again;
    struct event_finding finding;
    size_t end;
    in->warnings = 0;
    enum spool_status at =
        event_check_at(&checks, in->json, in->len, &facts, &finding, &end);
    if (at == SPOOL_OK) {
        MUST(end <= in->len);
        check_facts(in, mode, &facts);
    } else {
        check_finding(&finding, in->len);
        MUST(in->warnings == 0);
    }
    enum spool_status whole =
        event_check(in->json, in->len, mode, &again, &finding);
    MUST(whole == SPOOL_OK || finding.fault != EVENT_OK);
    MUST(whole != SPOOL_OK || (at == SPOOL_OK && facts.part == again.part &&
                               facts.class == again.class));
    return whole == SPOOL_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct filter *filter;
    if (filter == NULL) {
        MUST(filter_create("name = CHECKOUT and step = \"purchase\"", &filter,
                           NULL) == SPOOL_OK);
    }
    struct input in = {.json = (const char *)data, .len = size};
    bool strict = passes(&in, EVENT_STRICT);
    bool relaxed = passes(&in, EVENT_RELAXED);
    bool unwarned = in.warnings == 0;
    bool off = passes(&in, EVENT_OFF);
    bool json = passes(&in, EVENT_JSON);
    MUST(!strict || relaxed);
    MUST(!relaxed || off);
    MUST(!off || json);
    MUST(!relaxed || strict || !unwarned);
    struct event_facts facts;
    MUST(event_read(in.json, in.len, &facts) == json);
    if (filter_takes(filter, in.json, in.len) && off) {
        MUST(facts.class == EVENT_PURCHASE);
    }
    return 0;
}
