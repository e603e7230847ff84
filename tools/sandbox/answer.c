#include "answer.h"

#include <inttypes.h>
#include <time.h>

#include "distort.h"
#include "print.h"

static const char page[] =
    "<!doctype html>\n<html><head><title>Welcome</title></head>\n"
    "<body><h1>Welcome to our network</h1>\n"
    "<p>Please accept the terms of use to go on.</p></body></html>\n";

static const char *reason(int http)
{
    static const struct {
        int http;
        const char *words;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {410, "Gone"},
        {413, "Content Too Large"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].http == http) {
            return reasons[i].words;
        }
    }
    return "Whatever";
}

static bool has(const struct strike *s, enum fault_id manner)
{
    return s->manner[manner] != NULL;
}

/* One list for each event. */
static void print_lists(struct buffer *b, const char *name,
                        const struct answer *a, const struct strike *s)
{
    size_t count = a->events - (has(s, FAULT_FEW_LISTS) && a->events > 0);
    bool filled = has(s, FAULT_RECOMMEND) && strcmp(name, "responses") == 0;
    print(b, ",\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        if (filled) {
            print(b,
                  "%s[{\"type\":\"recommendProducts\",\"params\":{"
                  "\"instanceId\":\"scn_%" PRIu64 "_%zu\"}}]",
                  i > 0 ? "," : "", a->n, i);
        } else {
            print_bytes(b, i > 0 ? ",[]" : "[]", i > 0 ? 3 : 2);
        }
    }
    print(b, "]");
}

static void print_success(struct buffer *b, const struct answer *a,
                          const struct strike *s)
{
    print(b, "{");
    if (!has(s, FAULT_NO_CODE)) {
        print(b, "\"statusCode\":\"SUCCESS\",");
    }
    print(b, "\"timestamp\":%" PRId64, a->at_ms);
    if (!has(s, FAULT_NO_CAMPAIGNS)) {
        print_lists(b, "campaigns", a, s);
        print_lists(b, "responses", a, s);
        print_lists(b, "search", a, s);
    }
    if (s->outcome != NULL && fault_id(s->outcome) == FAULT_HUGE) {
        print(b, ",\"padding\":\"");
        print_fill(b, 'x', (size_t)fault_number(s->outcome) * 1024 * 1024);
        print(b, "\"");
    }
    print(b, "}");
}

static void print_body(struct buffer *b, const struct answer *a,
                       const struct strike *s)
{
    switch (a->body) {
    case ANSWER_EMPTY:
        break;
    case ANSWER_SUCCESS:
        print_success(b, a, s);
        break;
    case ANSWER_ERROR:
        print(b, "{\"timestamp\":\"\",\"responses\":[],\"statusCode\":");
        print_latin1(b, (struct text){a->code, strlen(a->code)});
        print(b, "}");
        break;
    case ANSWER_WORDS:
        print_text(b, a->text);
        print(b, "\n");
        break;
    case ANSWER_PAGE:
        print_bytes(b, page, sizeof page - 1);
        break;
    case ANSWER_JSON:
        print_text(b, a->text);
        break;
    }
}

static void print_date(struct buffer *b, int64_t at_ms)
{
    time_t t = (time_t)(at_ms / 1000);
    struct tm utc;
    char date[40];
    if (gmtime_r(&t, &utc) != NULL &&
        strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc) > 0) {
        print(b, "Date: %s\r\n", date);
    }
}

static const char *media_type(enum answer_body body)
{
    switch (body) {
    case ANSWER_EMPTY:
        return NULL;
    case ANSWER_SUCCESS:
    case ANSWER_ERROR:
    case ANSWER_JSON:
        return "application/json";
    case ANSWER_WORDS:
        return "text/plain; charset=utf-8";
    case ANSWER_PAGE:
        return "text/html; charset=utf-8";
    }
    return NULL;
}

static void print_text_header(struct buffer *b, const char *name,
                              const struct fault *fault)
{
    if (fault != NULL) {
        const char *text = fault_text(fault);
        print(b, "%s: ", name);
        print_bytes(b, text, strlen(text));
        print(b, "\r\n");
    }
}

/* All of the head but what says where the body ends. */
static void print_head(struct buffer *b, const struct answer *a,
                       const struct strike *s)
{
    print(b,
          "HTTP/1.1 %d %s\r\n"
          "Server: spool-sandbox\r\n"
          "Access-Control-Allow-Origin: *\r\n"
          "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"
          "Access-Control-Allow-Headers: Content-Type, Accept, "
          "X-Sfy-Api-Key, Idempotency-Key\r\n",
          a->http, reason(a->http));
    print_date(b, a->at_ms);
    if (media_type(a->body) != NULL) {
        print(b, "Content-Type: %s\r\n", media_type(a->body));
    }
    print_text_header(b, "Retry-After", s->manner[FAULT_RETRY_AFTER]);
    print_text_header(b, "Location", s->manner[FAULT_REDIRECT]);
    if (has(s, FAULT_MANY_HEADERS)) {
        uint64_t n = fault_number(s->manner[FAULT_MANY_HEADERS]);
        for (uint64_t i = 1; i <= n; i++) {
            print(b, "X-Extra-%" PRIu64 ": extra\r\n", i);
        }
    }
    if (has(s, FAULT_LONG_HEADER)) {
        print(b, "X-Long: ");
        print_fill(b, 'x', fault_number(s->manner[FAULT_LONG_HEADER]));
        print(b, "\r\n");
    }
    if (!a->keep_alive) {
        print(b, "Connection: close\r\n");
    }
}

static void print_answer(const struct answer *a, const struct strike *s,
                         struct buffer *body, struct plan *p)
{
    body->len = 0;
    print_body(body, a, s);
    print_head(&p->bytes, a, s);
    if (s->outcome == NULL || !distort_answer(s->outcome, a, body, p)) {
        answer_frame(&p->bytes, body, a);
    }
}

void answer_frame(struct buffer *out, const struct buffer *body,
                  const struct answer *a)
{
    if (a->http == 204 || a->http == 304) {
        print(out, "\r\n");
        return;
    }
    print(out, "Content-Length: %zu\r\n\r\n", body->len);
    if (!a->no_body) {
        print_bytes(out, body->data, body->len);
    }
}

void answer_write(const struct answer *a, const struct strike *strike,
                  struct buffer *body, struct plan *plan)
{
    static const struct strike none;
    const struct strike *s = strike != NULL ? strike : &none;
    plan->deed = DEED_ANSWER;
    plan->bytes.len = 0;
    plan->forever = NULL;
    plan->close = !a->keep_alive || has(s, FAULT_CLOSE_KEPT);
    plan->delay_ms =
        has(s, FAULT_SLOW) ? fault_number(s->manner[FAULT_SLOW]) : 0;
    plan->drip = has(s, FAULT_DRIP) ? fault_number(s->manner[FAULT_DRIP]) : 0;
    plan->is_http = s->outcome == NULL || !distort_deed(s->outcome, plan);
    if (plan->is_http) {
        print_answer(a, s, body, plan);
    }
}
