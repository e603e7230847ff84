#include "events/event.h"

#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "events/catalogue.h"
#include "events/judge.h"

const char *event_fault_name(enum event_fault fault)
{
    switch (fault) {
    case EVENT_OK:
        return "ok";
    case EVENT_MISSING:
        return "missing";
    case EVENT_TYPE:
        return "type";
    case EVENT_ENUM:
        return "enum";
    case EVENT_FORMAT:
        return "format";
    case EVENT_SYNTAX:
        return "syntax";
    case EVENT_LIMIT:
        return "limit";
    }
    return "?";
}

const char *event_class_name(enum event_class class)
{
    switch (class) {
    case EVENT_VIEW:
        return "view";
    case EVENT_INTERACTION:
        return "interaction";
    case EVENT_BASKET:
        return "basket";
    case EVENT_CHECKOUT:
        return "checkout";
    case EVENT_PURCHASE:
        return "purchase";
    }
    return "?";
}

/* Facts. */

static uint32_t crc_of(uint32_t crc, struct json_text text)
{
    if (!text.escaped) {
        return crc32c(crc, text.at, text.len);
    }
    char c[4];
    for (size_t n; (n = json_next(&text, c)) > 0;) {
        crc = crc32c(crc, c, n);
    }
    return crc;
}

static uint32_t part_of(struct json_text user, struct json_text session)
{
    uint32_t crc = crc_of(0, user);
    crc = crc32c(crc, "", 1);
    return crc_of(crc, session) & UINT32_C(0x7FFFFFFF);
}

static struct json_text string_of(const struct seen *seen, unsigned id)
{
    const struct json_member *member = seen_member(seen, id);
    return member != NULL && member->kind == JSON_STRING
               ? member->value
               : (struct json_text){0};
}

static struct json_text string_or_number_of(const struct seen *seen,
                                            unsigned id)
{
    const struct json_member *member = seen_member(seen, id);
    return member != NULL && member->kind == JSON_NUMBER ? member->value
                                                         : string_of(seen, id);
}

static bool flag_of(const struct seen *seen, unsigned id)
{
    const struct json_member *member = seen_member(seen, id);
    return member != NULL &&
           (member->kind == JSON_TRUE || (member->kind == JSON_STRING &&
                                          json_equals(member->value, "true")));
}

static enum event_class class_of(const struct event_facts *facts)
{
    size_t count;
    const struct table *table = catalogue_event(facts->name, &count);
    if (table == NULL) {
        return EVENT_INTERACTION; /* checks are off: as a custom event */
    }
    if (strcmp(table->event, "CHECKOUT") == 0 && facts->step.at != NULL &&
        json_equals(facts->step, "purchase")) {
        return EVENT_PURCHASE;
    }
    return table->class;
}

static void fill_facts(const struct seen *seen, struct event_facts *facts)
{
    facts->name = string_of(seen, MEMBER_NAME);
    facts->user_id = string_of(seen, MEMBER_USER_ID);
    facts->session_id = string_of(seen, MEMBER_SESSION_ID);
    facts->step = string_of(seen, MEMBER_STEP);
    facts->order_no = string_or_number_of(seen, MEMBER_ORDER_NO);
    facts->total_price = string_or_number_of(seen, MEMBER_TOTAL_PRICE);
    facts->currency = string_of(seen, MEMBER_CURRENCY);
    facts->next_page = flag_of(seen, MEMBER_NEXT_PAGE);
    facts->test_mode = flag_of(seen, MEMBER_TEST_MODE);
    facts->part = part_of(facts->user_id, facts->session_id);
    facts->class = class_of(facts);
    bool keyed = facts->class == EVENT_PURCHASE && facts->order_no.len > 0;
    facts->key = keyed ? facts->order_no : (struct json_text){0};
}

/* Checks. */

static enum spool_status refuse(struct event_finding *finding,
                                enum event_fault fault, size_t offset,
                                const char *sentence)
{
    finding->fault = fault;
    finding->offset = offset;
    finding->path[0] = '\0';
    (void)snprintf(finding->message, sizeof finding->message, "%s", sentence);
    return SPOOL_INVALID;
}

/* The text is no JSON that we take. */
static enum spool_status refuse_text(struct event_finding *finding,
                                     enum json_result result, size_t offset,
                                     const char *sentence, bool cut_by_limit)
{
    if (result == JSON_INCOMPLETE && cut_by_limit) {
        return refuse(finding, EVENT_LIMIT, offset,
                      "an event is longer than 256 KiB");
    }
    return refuse(finding, result == JSON_TOO_MUCH ? EVENT_LIMIT : EVENT_SYNTAX,
                  offset, sentence);
}

enum spool_status event_check_at(const struct event_checks *checks,
                                 const char *text, size_t len,
                                 struct event_facts *facts,
                                 struct event_finding *finding, size_t *end)
{
    size_t start = json_space(text, len);
    const char *json = text + start;
    size_t most = len - start;
    if (most > EVENT_BYTES_MAX) {
        most = EVENT_BYTES_MAX;
    }
    struct judge judge;
    struct json_end stop;
    judge_init(&judge, checks, json);
    enum json_result result =
        json_scan(json, most, judge_member, &judge, &stop);
    if (result != JSON_OK) {
        return refuse_text(finding, result, start + stop.offset, stop.sentence,
                           start + most < len);
    }
    *end = start + stop.offset;
    if (stop.kind != JSON_OBJECT) {
        return refuse(finding, EVENT_TYPE, start, "an event must be an object");
    }
    if (!judge_event(&judge, stop.offset, finding)) {
        finding->offset += start;
        return SPOOL_INVALID;
    }
    if (checks->warn != NULL && checks->mode < EVENT_OFF) {
        judge_warn(&judge, stop.offset);
    }
    finding->fault = EVENT_OK;
    fill_facts(&judge.event, facts);
    return SPOOL_OK;
}

enum spool_status event_check(const char *json, size_t len,
                              enum event_mode mode, struct event_facts *facts,
                              struct event_finding *finding)
{
    struct event_checks checks = {.mode = mode};
    size_t end = len;
    enum spool_status status =
        event_check_at(&checks, json, len, facts, finding, &end);
    if (status != SPOOL_OK &&
        (finding->fault == EVENT_SYNTAX || finding->fault == EVENT_LIMIT)) {
        return status;
    }
    end += json_space(json + end, len - end);
    if (end != len) {
        return refuse(finding, EVENT_SYNTAX, end,
                      "something follows the event; one is wanted here");
    }
    return status;
}

bool event_read(const char *json, size_t len, struct event_facts *facts)
{
    struct event_finding finding;
    return event_check(json, len, EVENT_JSON, facts, &finding) == SPOOL_OK;
}
