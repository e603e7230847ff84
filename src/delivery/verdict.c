#include "delivery/verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <json-c/json.h>

#include "base/text.h"
#include "events/json.h"

/* Answers nest products in recommendations in lists; json-c's own 32 is near
 * enough to that to matter. */
#define ANSWER_DEPTH 128

struct status_rule {
    int http;
    enum verdict verdict;
    const char *why;
};

/* Only a status that can be about the events themselves refuses them. All
 * other 4xx are about the address, the account or what stands between: the
 * events are kept and the destination is held. */
static const struct status_rule status_rules[] = {
    {400, VERDICT_REFUSED, "the endpoint cannot use the batch"},
    {401, VERDICT_HOLD, "the API key is not accepted; check the key"},
    {402, VERDICT_HOLD, "the account is not paid for"},
    {403, VERDICT_HOLD, "not allowed; check the key and the origin"},
    {404, VERDICT_HOLD, "nothing at this address; check the URL"},
    {405, VERDICT_HOLD, "POST is not allowed there; check the URL"},
    {407, VERDICT_HOLD, "a proxy on the way asks for a login"},
    {408, VERDICT_RETRY, "the endpoint gave up waiting for the request"},
    {409, VERDICT_RETRY, "the endpoint is still busy with this batch"},
    {410, VERDICT_HOLD, "the address was given up; check the URL"},
    {413, VERDICT_REFUSED, "the batch is too large for the endpoint"},
    {422, VERDICT_REFUSED, "the endpoint refuses the batch's content"},
    {425, VERDICT_RETRY, "the endpoint asks to try again"},
    {429, VERDICT_RETRY, "the endpoint asks for a slower pace"},
    {511, VERDICT_HOLD, "the network asks for a login"},
};

struct code_rule {
    const char *code;
    enum verdict verdict;
    const char *why;
};

static const struct code_rule code_rules[] = {
    {"SUCCESS", VERDICT_DELIVERED, "the endpoint accepted the batch"},
    {"NO_API_KEY", VERDICT_HOLD, "no API key arrived; set the key"},
    {"NO_ACCOUNT", VERDICT_HOLD, "no account has this key; check the key"},
    {"UNVERIFIED_ACCOUNT", VERDICT_HOLD, "the account is not verified yet"},
    {"FAILED_ACCOUNT", VERDICT_HOLD, "the account is in a failed state"},
    {"NO_DOMAIN_APIKEY_MATCH", VERDICT_HOLD,
     "the key is for another domain; check the key and the origin"},
    {"NO_EVENT", VERDICT_HOLD,
     "the endpoint saw no event in a batch that had some; check the URL"},
    {"NO_USERID", VERDICT_REFUSED, "an event lacks its userId"},
    {"NO_SESSIONID", VERDICT_REFUSED, "an event lacks its sessionId"},
    {"BAD_INPUT", VERDICT_REFUSED, "the endpoint cannot use the batch"},
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static void decide(struct judgement *out, enum verdict verdict,
                   const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void decide(struct judgement *out, enum verdict verdict,
                   const char *code, const char *format, ...)
{
    char reason[2 * JUDGEMENT_REASON_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    out->verdict = verdict;
    text_clean(out->code, sizeof out->code, code, strlen(code));
    text_clean(out->reason, sizeof out->reason, reason, strlen(reason));
}

/* What the body of an answer is. */
enum answer {
    ANSWER_EMPTY,
    ANSWER_PLAIN, /* a JSON object without a code */
    ANSWER_CODE,  /* a JSON object with a code */
    ANSWER_PAGE,  /* HTML: a captive portal, a proxy, a web server */
    ANSWER_UNREADABLE
};

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) {
        p++;
    }
    return p;
}

static bool says_html(const char *content_type)
{
    static const char *const types[] = {"text/html", "application/xhtml+xml"};
    for (size_t i = 0; i < COUNT(types); i++) {
        size_t n = strlen(types[i]);
        if (strncasecmp(content_type, types[i], n) == 0 &&
            strchr("; \t", content_type[n]) != NULL) {
            return true;
        }
    }
    return false;
}

static bool begins_as_markup(const struct reply *reply)
{
    const char *end = reply->body + reply->body_len;
    const char *p = skip_space(reply->body, end);
    return p < end && *p == '<';
}

static enum answer read_code(struct json_object *object, char *code)
{
    struct json_object *value = NULL;
    if (!json_object_is_type(object, json_type_object)) {
        return ANSWER_UNREADABLE;
    }
    if (!json_object_object_get_ex(object, "statusCode", &value) ||
        value == NULL) {
        return ANSWER_PLAIN;
    }
    if (!json_object_is_type(value, json_type_string)) {
        return ANSWER_UNREADABLE;
    }
    text_clean(code, JUDGEMENT_CODE_SIZE, json_object_get_string(value),
               (size_t)json_object_get_string_len(value));
    return ANSWER_CODE;
}

/* An answer of which only the beginning is here: whether a code other than
 * SUCCESS stands in it. */
static enum answer read_beginning(const struct reply *reply)
{
    static const char name[] = "\"statusCode\"";
    const char *end = reply->body + reply->body_len;
    for (const char *p = reply->body; p + sizeof name - 1 <= end; p++) {
        if (memcmp(p, name, sizeof name - 1) != 0) {
            continue;
        }
        const char *value = skip_space(p + sizeof name - 1, end);
        value = value < end && *value == ':' ? skip_space(value + 1, end) : end;
        if (end - value < 9 || memcmp(value, "\"SUCCESS\"", 9) != 0) {
            return ANSWER_UNREADABLE;
        }
    }
    return ANSWER_PLAIN;
}

/* What our own scanner saw of an answer. */
struct seen {
    char *code;
    enum answer answer;
};

static void see_member(void *arg, const struct json_member *path,
                       unsigned depth)
{
    struct seen *seen = arg;
    char text[JUDGEMENT_CODE_SIZE];
    if (depth > 1 || path[0].name.at == NULL ||
        !json_equals(path[0].name, "statusCode")) {
        return;
    }
    if (path[0].kind == JSON_STRING) {
        size_t n = json_decode(path[0].value, text, sizeof text);
        text_clean(seen->code, JUDGEMENT_CODE_SIZE, text, n);
        seen->answer = ANSWER_CODE;
    } else {
        seen->answer =
            path[0].kind == JSON_NULL ? ANSWER_PLAIN : ANSWER_UNREADABLE;
    }
}

/* In one pass and without memory, which json-c asks for with every member and
 * may lose one of when there is none. False: it is not JSON to the letter. */
static bool read_strictly(const struct reply *reply, struct seen *seen)
{
    struct json_end end;
    if (json_scan(reply->body, reply->body_len, see_member, seen, &end) !=
        JSON_OK) {
        return false;
    }
    size_t behind =
        json_space(reply->body + end.offset, reply->body_len - end.offset);
    if (end.kind != JSON_OBJECT || end.offset + behind != reply->body_len) {
        seen->answer = ANSWER_UNREADABLE;
    }
    return true;
}

/* An endpoint may be sloppy about UTF-8 or name a member twice: that says
 * nothing about whether the batch was taken. */
static enum answer read_leniently(const struct reply *reply, char *code)
{
    struct json_tokener *tokener = json_tokener_new_ex(ANSWER_DEPTH);
    if (tokener == NULL) {
        return ANSWER_UNREADABLE;
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    struct json_object *object =
        json_tokener_parse_ex(tokener, reply->body, (int)reply->body_len);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    bool whole = error == json_tokener_success &&
                 json_tokener_get_parse_end(tokener) == reply->body_len;
    const char *end = reply->body + reply->body_len;
    enum answer answer = ANSWER_UNREADABLE;
    if (whole) {
        answer = read_code(object, code);
    } else if (reply->body_cut && error == json_tokener_continue &&
               *skip_space(reply->body, end) == '{') {
        answer = read_beginning(reply);
    }
    (void)json_object_put(object);
    json_tokener_free(tokener);
    return answer;
}

static enum answer read_json(const struct reply *reply, char *code)
{
    struct seen seen = {code, ANSWER_PLAIN};
    return read_strictly(reply, &seen) ? seen.answer
                                       : read_leniently(reply, code);
}

static enum answer read_answer(const struct reply *reply, char *code)
{
    const char *end = reply->body + reply->body_len;
    if (reply->body_len == 0 || skip_space(reply->body, end) == end) {
        return ANSWER_EMPTY;
    }
    if (begins_as_markup(reply)) {
        return ANSWER_PAGE;
    }
    enum answer answer = read_json(reply, code);
    return answer == ANSWER_UNREADABLE && says_html(reply->content_type)
               ? ANSWER_PAGE
               : answer;
}

/* Frameworks label any text they are given text/html, so for an endpoint whose
 * answers we do not know the label alone proves nothing. */
static bool is_page(const struct reply *reply)
{
    return begins_as_markup(reply) &&
           (reply->content_type[0] == '\0' || says_html(reply->content_type));
}

static bool judge_known_code(const char *code, struct judgement *out)
{
    for (size_t i = 0; i < COUNT(code_rules); i++) {
        if (strcmp(code_rules[i].code, code) == 0) {
            decide(out, code_rules[i].verdict, code, "%s: %s", code,
                   code_rules[i].why);
            return true;
        }
    }
    return false;
}

static void judge_code(const char *code, unsigned unknown_before,
                       struct judgement *out)
{
    if (judge_known_code(code, out)) {
        return;
    }
    out->unknown_code = true;
    if (unknown_before < UNKNOWN_CODE_RETRIES) {
        decide(out, VERDICT_RETRY, code,
               "the endpoint answered with the unknown code \"%s\"", code);
    } else {
        decide(out, VERDICT_REFUSED, code,
               "the endpoint answered %u times with the unknown code \"%s\"",
               unknown_before + 1, code);
    }
}

static struct status_rule rule_of_status(int http)
{
    for (size_t i = 0; i < COUNT(status_rules); i++) {
        if (status_rules[i].http == http) {
            return status_rules[i];
        }
    }
    if (http >= 500 && http < 600) {
        return (struct status_rule){http, VERDICT_RETRY, "the endpoint failed"};
    }
    if (http >= 300 && http < 400) {
        return (struct status_rule){
            http, VERDICT_HOLD, "redirects are not followed; check the URL"};
    }
    return (struct status_rule){http, VERDICT_HOLD,
                                "not an answer to expect there; check the URL"};
}

static bool contains(const struct reply *reply, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= reply->body_len; i++) {
        if (memcmp(reply->body + i, text, n) == 0) {
            return true;
        }
    }
    return false;
}

/* A web server that is not content with the connection says so with a status
 * that is about the request. */
static bool is_about_connection(const struct reply *reply)
{
    static const char *const pages[] = {
        /* nginx */
        "No required SSL certificate was sent",
        "The SSL certificate error",
        "The plain HTTP request was sent to HTTPS port",
        /* Apache */
        "speaking plain HTTP to an SSL-enabled server port",
    };
    for (size_t i = 0; i < COUNT(pages) && begins_as_markup(reply); i++) {
        if (contains(reply, pages[i])) {
            return true;
        }
    }
    return false;
}

static void judge_status(enum profile profile, const struct reply *reply,
                         struct judgement *out)
{
    struct status_rule rule = rule_of_status(reply->http);
    char code[JUDGEMENT_CODE_SIZE];
    /* Before events are refused, the endpoint is heard: the account may be at
     * fault after all. */
    if (rule.verdict == VERDICT_REFUSED && profile == PROFILE_SEGMENTIFY &&
        read_answer(reply, code) == ANSWER_CODE &&
        strcmp(code, "SUCCESS") != 0 && judge_known_code(code, out)) {
        return;
    }
    (void)snprintf(code, sizeof code, "HTTP %d", reply->http);
    if (reply->http == 400 && is_about_connection(reply)) {
        rule.verdict = VERDICT_HOLD;
        rule.why = "the endpoint wants another connection; check the URL and "
                   "the client certificate";
    }
    decide(out, rule.verdict, code, "%s: %s", code, rule.why);
}

static void judge_success(enum profile profile, const struct reply *reply,
                          unsigned unknown_before, struct judgement *out)
{
    char code[JUDGEMENT_CODE_SIZE];
    enum answer answer = ANSWER_PLAIN;
    if (profile == PROFILE_SEGMENTIFY) {
        answer = read_answer(reply, code);
    } else if (is_page(reply)) {
        answer = ANSWER_PAGE;
    }
    if (answer == ANSWER_PAGE) {
        decide(out, VERDICT_HOLD, "HTML",
               "a web page (HTTP %d) came where the endpoint should answer: a "
               "captive portal, or the URL is wrong",
               reply->http);
    } else if (reply->transport == TRANSPORT_LOST) {
        decide(out, VERDICT_UNCERTAIN, "LOST",
               "the answer (HTTP %d) broke off: %s", reply->http, reply->error);
    } else if (answer == ANSWER_UNREADABLE) {
        decide(out, VERDICT_UNCERTAIN, "UNREADABLE",
               "the answer (HTTP %d) is not the API's JSON", reply->http);
    } else if (answer == ANSWER_CODE) {
        judge_code(code, unknown_before, out);
    } else {
        (void)snprintf(code, sizeof code, "HTTP %d", reply->http);
        decide(out, VERDICT_DELIVERED, code, "%s: the batch was accepted",
               code);
    }
}

static void judge_silence(const struct reply *reply, struct judgement *out)
{
    switch (reply->transport) {
    case TRANSPORT_UNTRUSTED:
        decide(out, VERDICT_HOLD, "TLS",
               "the endpoint's certificate is not accepted: %s", reply->error);
        return;
    case TRANSPORT_UNNAMED:
        decide(out, VERDICT_HOLD, "TLS",
               "the client certificate or its key cannot be used (a pass "
               "phrase is not asked for): %s",
               reply->error);
        return;
    case TRANSPORT_TURNED_AWAY:
        decide(out, VERDICT_HOLD, "TLS",
               "the endpoint refuses us in TLS (client certificate, protocol "
               "or name): %s",
               reply->error);
        return;
    case TRANSPORT_UNSENT:
        decide(out, VERDICT_RETRY, "UNSENT", "nothing was sent: %s",
               reply->error);
        return;
    case TRANSPORT_OK:
    case TRANSPORT_LOST:
        decide(out, VERDICT_UNCERTAIN, "LOST",
               "sent, but no answer came back: %s", reply->error);
        return;
    }
}

/* The mark of UTF-8, which RFC 8259 (8.1) lets a reader ignore. */
static struct reply without_mark(const struct reply *reply)
{
    struct reply r = *reply;
    if (r.body_len >= 3 && memcmp(r.body, "\xEF\xBB\xBF", 3) == 0) {
        r.body += 3;
        r.body_len -= 3;
    }
    return r;
}

void judge(enum profile profile, const struct reply *reply,
           unsigned unknown_before, int64_t wall_ms, struct judgement *out)
{
    const struct reply r = without_mark(reply);
    *out = (struct judgement){.retry_after_ms = -1};
    if (reply->retry_after != NULL) {
        out->retry_after_ms =
            retry_after_ms(reply->retry_after, reply->date, wall_ms);
    }
    if (reply->http < 200) {
        judge_silence(&r, out);
    } else if (reply->http < 300) {
        judge_success(profile, &r, unknown_before, out);
    } else {
        judge_status(profile, &r, out);
    }
}
