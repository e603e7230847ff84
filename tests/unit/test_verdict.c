#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "delivery/verdict.h"

/* Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110's examples. */
#define NOV_1994 ((int64_t)784111777000)
#define DAY_MS   ((int64_t)86400000)

#define JSON "application/json"
#define HTML "text/html; charset=utf-8"

static struct reply answer(int http, const char *type, const char *body)
{
    return (struct reply){.transport = TRANSPORT_OK,
                          .http = http,
                          .content_type = type,
                          .body = body,
                          .body_len = strlen(body),
                          .error = ""};
}

static const char *const names[] = {
    [VERDICT_DELIVERED] = "delivered", [VERDICT_RETRY] = "retry",
    [VERDICT_UNCERTAIN] = "uncertain", [VERDICT_REFUSED] = "refused",
    [VERDICT_HOLD] = "hold",
};

static void assert_verdict(const char *what, const struct judgement *j,
                           enum verdict want)
{
    if (j->verdict != want) {
        print_error("%s: %s, not %s (%s: %s)\n", what, names[j->verdict],
                    names[want], j->code, j->reason);
    }
    assert_int_equal(j->verdict, want);
}

static void the_status_decides(void **state)
{
    (void)state;
    static const struct {
        int http;
        enum verdict want;
    } cases[] = {
        {200, VERDICT_DELIVERED}, {201, VERDICT_DELIVERED},
        {202, VERDICT_DELIVERED}, {204, VERDICT_DELIVERED},
        {299, VERDICT_DELIVERED}, {300, VERDICT_HOLD},
        {301, VERDICT_HOLD},      {302, VERDICT_HOLD},
        {304, VERDICT_HOLD},      {307, VERDICT_HOLD},
        {308, VERDICT_HOLD},      {400, VERDICT_REFUSED},
        {401, VERDICT_HOLD},      {402, VERDICT_HOLD},
        {403, VERDICT_HOLD},      {404, VERDICT_HOLD},
        {405, VERDICT_HOLD},      {406, VERDICT_HOLD},
        {407, VERDICT_HOLD},      {408, VERDICT_RETRY},
        {409, VERDICT_RETRY},     {410, VERDICT_HOLD},
        {411, VERDICT_HOLD},      {412, VERDICT_HOLD},
        {413, VERDICT_REFUSED},   {414, VERDICT_HOLD},
        {415, VERDICT_HOLD},      {417, VERDICT_HOLD},
        {418, VERDICT_HOLD},      {421, VERDICT_HOLD},
        {422, VERDICT_REFUSED},   {425, VERDICT_RETRY},
        {426, VERDICT_HOLD},      {429, VERDICT_RETRY},
        {431, VERDICT_HOLD},      {451, VERDICT_HOLD},
        {499, VERDICT_HOLD},      {500, VERDICT_RETRY},
        {501, VERDICT_RETRY},     {502, VERDICT_RETRY},
        {503, VERDICT_RETRY},     {504, VERDICT_RETRY},
        {511, VERDICT_HOLD},      {599, VERDICT_RETRY},
        {600, VERDICT_HOLD},      {999, VERDICT_HOLD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char code[16];
        (void)snprintf(code, sizeof code, "HTTP %d", cases[i].http);
        for (int profile = 0; profile < 2; profile++) {
            struct judgement j;
            struct reply r = answer(cases[i].http, JSON, "");
            judge((enum profile)profile, &r, 0, NOV_1994, &j);
            assert_verdict(code, &j, cases[i].want);
            assert_string_equal(j.code, code);
            assert_non_null(strstr(j.reason, code));
            assert_false(j.unknown_code);
        }
    }
}

static void the_code_of_a_2xx_decides(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum verdict want;
        const char *code;
    } cases[] = {
        {"{\"statusCode\":\"SUCCESS\"}", VERDICT_DELIVERED, "SUCCESS"},
        {"{\"responses\":[[]],\"timestamp\":1}", VERDICT_DELIVERED, "HTTP 200"},
        {"{}", VERDICT_DELIVERED, "HTTP 200"},
        {" \r\n{}\r\n ", VERDICT_DELIVERED, "HTTP 200"},
        {"{\"statusCode\":null}", VERDICT_DELIVERED, "HTTP 200"},
        {"{\"responses\":[{\"statusCode\":\"NO_API_KEY\"}]}", VERDICT_DELIVERED,
         "HTTP 200"},
        {"{\"statusCode\":\"NO_API_KEY\"}", VERDICT_HOLD, "NO_API_KEY"},
        {"{\"statusCode\":\"NO_ACCOUNT\"}", VERDICT_HOLD, "NO_ACCOUNT"},
        {"{\"statusCode\":\"UNVERIFIED_ACCOUNT\"}", VERDICT_HOLD,
         "UNVERIFIED_ACCOUNT"},
        {"{\"statusCode\":\"FAILED_ACCOUNT\"}", VERDICT_HOLD, "FAILED_ACCOUNT"},
        {"{\"statusCode\":\"NO_DOMAIN_APIKEY_MATCH\"}", VERDICT_HOLD,
         "NO_DOMAIN_APIKEY_MATCH"},
        {"{\"statusCode\":\"NO_EVENT\"}", VERDICT_HOLD, "NO_EVENT"},
        {"{\"timestamp\":\"\",\"responses\":[],\"statusCode\":\"NO_USERID\"}",
         VERDICT_REFUSED, "NO_USERID"},
        {"{\"statusCode\":\"NO_SESSIONID\"}", VERDICT_REFUSED, "NO_SESSIONID"},
        {"{\"statusCode\":\"BAD_INPUT\"}", VERDICT_REFUSED, "BAD_INPUT"},
        {"{\"statusCode\":\"success\"}", VERDICT_RETRY, "success"},
        {"{\"statusCode\":\"no_api_key\"}", VERDICT_RETRY, "no_api_key"},
        {"{\"statusCode\":\"SUCCESS\\u0000X\"}", VERDICT_RETRY, "SUCCESS?X"},
        {"{\"statusCode\":\"\"}", VERDICT_RETRY, ""},
        {"{\"statuscode\":\"NO_API_KEY\"}", VERDICT_DELIVERED, "HTTP 200"},
        {"{\"statusCode\":200}", VERDICT_UNCERTAIN, "UNREADABLE"},
        {"{\"statusCode\":[\"SUCCESS\"]}", VERDICT_UNCERTAIN, "UNREADABLE"},
        {"", VERDICT_DELIVERED, "HTTP 200"},
        {" \r\n", VERDICT_DELIVERED, "HTTP 200"},
        {"null", VERDICT_UNCERTAIN, "UNREADABLE"},
        {"[]", VERDICT_UNCERTAIN, "UNREADABLE"},
        {"true", VERDICT_UNCERTAIN, "UNREADABLE"},
        {"17", VERDICT_UNCERTAIN, "UNREADABLE"},
        {"\"SUCCESS\"", VERDICT_UNCERTAIN, "UNREADABLE"},
        {"OK", VERDICT_UNCERTAIN, "UNREADABLE"},
        {"{\"statusCode\":\"SUCC", VERDICT_UNCERTAIN, "UNREADABLE"},
        {"{\"responses\":[[]]", VERDICT_UNCERTAIN, "UNREADABLE"},
        {"{} {}", VERDICT_UNCERTAIN, "UNREADABLE"},
        {"{'statusCode':'SUCCESS'}", VERDICT_UNCERTAIN, "UNREADABLE"},
        {"{\"name\":\"caf\xE9\"}", VERDICT_DELIVERED, "HTTP 200"},
        {"<html>", VERDICT_HOLD, "HTML"},
        {"\xEF\xBB\xBF\n <!DOCTYPE html>", VERDICT_HOLD, "HTML"},
        {"\xEF\xBB\xBF{\"statusCode\":\"NO_API_KEY\"}", VERDICT_HOLD,
         "NO_API_KEY"},
        {"\xEF\xBB\xBF", VERDICT_DELIVERED, "HTTP 200"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct judgement j;
        struct reply r = answer(200, JSON, cases[i].body);
        judge(PROFILE_SEGMENTIFY, &r, 0, NOV_1994, &j);
        assert_verdict(cases[i].body, &j, cases[i].want);
        assert_string_equal(j.code, cases[i].code);
        assert_true(strlen(j.reason) > 0);
        /* The other profile does not look. */
        judge(PROFILE_JSON, &r, 0, NOV_1994, &j);
        assert_verdict(cases[i].body, &j, VERDICT_DELIVERED);
    }
}

static void a_nul_byte_does_not_end_the_answer_early(void **state)
{
    (void)state;
    struct judgement j;
    struct reply r = answer(200, JSON, "");
    r.body = "{}\0{\"statusCode\":\"NO_API_KEY\"}";
    r.body_len = 32;
    judge(PROFILE_SEGMENTIFY, &r, 0, NOV_1994, &j);
    assert_verdict("NUL", &j, VERDICT_UNCERTAIN);
}

static void a_deep_answer_is_read_and_a_bottomless_one_is_not(void **state)
{
    (void)state;
    static char body[4096];
    static const struct {
        int depth;
        enum verdict want;
    } cases[] = {{100, VERDICT_DELIVERED}, {1000, VERDICT_UNCERTAIN}};
    for (size_t i = 0; i < 2; i++) {
        size_t depth = (size_t)cases[i].depth;
        memcpy(body, "{\"a\":", 5);
        memset(body + 5, '[', depth);
        memset(body + 5 + depth, ']', depth);
        memcpy(body + 5 + 2 * depth, "}", 2);
        struct judgement j;
        struct reply r = answer(200, JSON, body);
        judge(PROFILE_SEGMENTIFY, &r, 0, NOV_1994, &j);
        assert_verdict("depth", &j, cases[i].want);
    }
}

static void a_web_page_is_not_the_endpoint(void **state)
{
    (void)state;
    static const struct {
        enum profile profile;
        const char *type, *body;
        enum verdict want;
    } cases[] = {
        {PROFILE_SEGMENTIFY, HTML, "<html>", VERDICT_HOLD},
        {PROFILE_SEGMENTIFY, "TEXT/HTML", "Welcome", VERDICT_HOLD},
        {PROFILE_SEGMENTIFY, "application/xhtml+xml", "Hi", VERDICT_HOLD},
        {PROFILE_SEGMENTIFY, "", "<html>", VERDICT_HOLD},
        {PROFILE_SEGMENTIFY, "text/htmlx", "Welcome", VERDICT_UNCERTAIN},
        {PROFILE_SEGMENTIFY, HTML, "", VERDICT_DELIVERED},
        {PROFILE_SEGMENTIFY, HTML, "{\"responses\":[]}", VERDICT_DELIVERED},
        {PROFILE_SEGMENTIFY, HTML, "{\"statusCode\":\"NO_ACCOUNT\"}",
         VERDICT_HOLD},
        {PROFILE_JSON, HTML, "<html>", VERDICT_HOLD},
        {PROFILE_JSON, "", " <html>", VERDICT_HOLD},
        {PROFILE_JSON, HTML, "OK", VERDICT_DELIVERED},
        {PROFILE_JSON, HTML, "", VERDICT_DELIVERED},
        {PROFILE_JSON, "application/xml", "<ok/>", VERDICT_DELIVERED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct judgement j;
        struct reply r = answer(200, cases[i].type, cases[i].body);
        judge(cases[i].profile, &r, 0, NOV_1994, &j);
        assert_verdict(cases[i].body, &j, cases[i].want);
    }
}

static void an_answer_past_the_limit_counts_as_its_beginning(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum verdict want;
    } cases[] = {
        {"{\"responses\":[[{\"type\":\"reco", VERDICT_DELIVERED},
        {" {\"statusCode\" : \"SUCCESS\",\"re", VERDICT_DELIVERED},
        {"{\"statusCode\":\"NO_API_KEY\",\"re", VERDICT_UNCERTAIN},
        {"{\"statusCode\":\"SUCC", VERDICT_UNCERTAIN},
        {"{\"a\":1,\"statusCode\"", VERDICT_UNCERTAIN},
        {"{\"a\":1,\"statusCode", VERDICT_DELIVERED},
        {"{\"a\":1}}}}}", VERDICT_UNCERTAIN},
        {"[[[[[[", VERDICT_UNCERTAIN},
        {"aaaaaa", VERDICT_UNCERTAIN},
        {"<html>", VERDICT_HOLD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct judgement j;
        struct reply r = answer(200, JSON, cases[i].body);
        r.body_cut = true;
        judge(PROFILE_SEGMENTIFY, &r, 0, NOV_1994, &j);
        assert_verdict(cases[i].body, &j, cases[i].want);
    }
}

static void an_unknown_code_is_refused_after_three_retries(void **state)
{
    (void)state;
    struct reply r = answer(200, JSON, "{\"statusCode\":\"TEA_TIME\"}");
    for (unsigned before = 0; before < 6; before++) {
        struct judgement j;
        judge(PROFILE_SEGMENTIFY, &r, before, NOV_1994, &j);
        assert_verdict("TEA_TIME", &j,
                       before < 3 ? VERDICT_RETRY : VERDICT_REFUSED);
        assert_true(j.unknown_code);
        assert_string_equal(j.code, "TEA_TIME");
        assert_non_null(strstr(j.reason, "TEA_TIME"));
    }
}

static void an_account_at_fault_refuses_no_event(void **state)
{
    (void)state;
    static const struct {
        int http;
        const char *body;
        enum verdict want;
        const char *code;
    } cases[] = {
        {400, "{\"statusCode\":\"NO_API_KEY\"}", VERDICT_HOLD, "NO_API_KEY"},
        {422, "{\"statusCode\":\"NO_ACCOUNT\"}", VERDICT_HOLD, "NO_ACCOUNT"},
        {400, "{\"statusCode\":\"BAD_INPUT\"}", VERDICT_REFUSED, "BAD_INPUT"},
        {400, "{\"statusCode\":\"SUCCESS\"}", VERDICT_REFUSED, "HTTP 400"},
        {400, "{\"statusCode\":\"TEA_TIME\"}", VERDICT_REFUSED, "HTTP 400"},
        {400, "<html>Bad Request", VERDICT_REFUSED, "HTTP 400"},
        {503, "{\"statusCode\":\"BAD_INPUT\"}", VERDICT_RETRY, "HTTP 503"},
        {401, "{\"statusCode\":\"BAD_INPUT\"}", VERDICT_HOLD, "HTTP 401"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct judgement j;
        struct reply r = answer(cases[i].http, JSON, cases[i].body);
        judge(PROFILE_SEGMENTIFY, &r, 0, NOV_1994, &j);
        assert_verdict(cases[i].body, &j, cases[i].want);
        assert_string_equal(j.code, cases[i].code);
    }
}

static void
a_web_server_at_odds_with_the_connection_refuses_no_event(void **state)
{
    (void)state;
    static const struct {
        int http;
        const char *body;
        enum verdict want;
    } cases[] = {
        {400, "<html><title>400 No required SSL certificate was sent</title>",
         VERDICT_HOLD},
        {400, "<html>400 The SSL certificate error", VERDICT_HOLD},
        {400, "<html>The plain HTTP request was sent to HTTPS port",
         VERDICT_HOLD},
        {400,
         "<!DOCTYPE HTML>Reason: You're speaking plain HTTP to an SSL-enabled "
         "server port.<br />",
         VERDICT_HOLD},
        {400, "<html>400 Bad Request", VERDICT_REFUSED},
        {400, "<html>The SSL certificate erro", VERDICT_REFUSED},
        {400, "No required SSL certificate was sent", VERDICT_REFUSED},
        {422, "<html>The SSL certificate error", VERDICT_REFUSED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int profile = 0; profile < 2; profile++) {
            struct judgement j;
            struct reply r = answer(cases[i].http, HTML, cases[i].body);
            judge((enum profile)profile, &r, 0, NOV_1994, &j);
            assert_verdict(cases[i].body, &j, cases[i].want);
        }
    }
}

static void without_an_answer_the_transport_decides(void **state)
{
    (void)state;
    static const struct {
        enum transport transport;
        int http;
        const char *body;
        enum verdict want;
        const char *code;
    } cases[] = {
        {TRANSPORT_UNSENT, 0, "", VERDICT_RETRY, "UNSENT"},
        {TRANSPORT_UNTRUSTED, 0, "", VERDICT_HOLD, "TLS"},
        {TRANSPORT_UNNAMED, 0, "", VERDICT_HOLD, "TLS"},
        {TRANSPORT_TURNED_AWAY, 0, "", VERDICT_HOLD, "TLS"},
        {TRANSPORT_LOST, 0, "", VERDICT_UNCERTAIN, "LOST"},
        {TRANSPORT_LOST, 200, "", VERDICT_UNCERTAIN, "LOST"},
        {TRANSPORT_LOST, 200, "{}", VERDICT_UNCERTAIN, "LOST"},
        {TRANSPORT_LOST, 200, "{\"resp", VERDICT_UNCERTAIN, "LOST"},
        {TRANSPORT_LOST, 200, "<html>", VERDICT_HOLD, "HTML"},
        {TRANSPORT_LOST, 503, "", VERDICT_RETRY, "HTTP 503"},
        {TRANSPORT_LOST, 401, "", VERDICT_HOLD, "HTTP 401"},
        {TRANSPORT_LOST, 302, "", VERDICT_HOLD, "HTTP 302"},
        {TRANSPORT_LOST, 413, "", VERDICT_REFUSED, "HTTP 413"},
        {TRANSPORT_UNSENT, 401, "", VERDICT_HOLD, "HTTP 401"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int profile = 0; profile < 2; profile++) {
            struct judgement j;
            struct reply r = answer(cases[i].http, "", cases[i].body);
            r.transport = cases[i].transport;
            r.error = "the cable is out";
            judge((enum profile)profile, &r, 0, NOV_1994, &j);
            assert_verdict(cases[i].code, &j, cases[i].want);
            assert_string_equal(j.code, cases[i].code);
            if (cases[i].http == 0) {
                assert_non_null(strstr(j.reason, "the cable is out"));
            }
        }
    }
}

static void whose_certificate_it_is_is_said(void **state)
{
    (void)state;
    static const struct {
        enum transport transport;
        const char *whose;
    } cases[] = {
        {TRANSPORT_UNTRUSTED, "the endpoint's certificate is not accepted"},
        {TRANSPORT_UNNAMED, "the client certificate or its key cannot be used"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct judgement j;
        struct reply r = answer(0, "", "");
        r.transport = cases[i].transport;
        judge(PROFILE_SEGMENTIFY, &r, 0, NOV_1994, &j);
        assert_non_null(strstr(j.reason, cases[i].whose));
    }
}

static void the_endpoints_words_cannot_drive_a_terminal(void **state)
{
    (void)state;
    static const struct {
        const char *words, *shown;
    } cases[] = {
        {"A\\u001b[2J\\u0007B", "A?[2J?B"},
        {"A\\u007f\\u009b31mB", "A??31mB"},
        {"A\xC2\x9B!", "A?!"},
        {"A\\u202eB\\u2066C\\u200fD\\u2028E", "A?B?C?D?E"},
        {"A\xFF\xC0\xAF\xED\xA0\x80\xF5Z", "A???????Z"},
        {"A\xE2\x82", "A??"},
        {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80",
         "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"},
        {"x\\u000ay\\u0009z", "x?y?z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[128];
        (void)snprintf(body, sizeof body, "{\"statusCode\":\"%s\"}",
                       cases[i].words);
        struct judgement j;
        struct reply r = answer(200, JSON, body);
        judge(PROFILE_SEGMENTIFY, &r, 0, NOV_1994, &j);
        assert_string_equal(j.code, cases[i].shown);
        assert_non_null(strstr(j.reason, cases[i].shown));
    }
    struct judgement j;
    struct reply r = answer(0, "", "");
    r.transport = TRANSPORT_UNTRUSTED;
    r.error = "subject \x1b]0;owned\x07";
    judge(PROFILE_JSON, &r, 0, NOV_1994, &j);
    assert_non_null(strstr(j.reason, "subject ?]0;owned?"));
}

static void long_words_are_cut_between_characters(void **state)
{
    (void)state;
    static char body[2048];
    size_t n = (size_t)snprintf(body, sizeof body, "{\"statusCode\":\"a");
    for (int i = 0; i < 400; i++) {
        n += (size_t)snprintf(body + n, sizeof body - n, "\xE2\x82\xAC");
    }
    (void)snprintf(body + n, sizeof body - n, "\"}");
    struct judgement j;
    struct reply r = answer(200, JSON, body);
    judge(PROFILE_SEGMENTIFY, &r, 0, NOV_1994, &j);
    assert_int_equal(strlen(j.code), 61);
    assert_string_equal(j.code + 58, "\xE2\x82\xAC");
    assert_true(strlen(j.reason) < JUDGEMENT_REASON_SIZE);
}

static void retry_after_is_read_strictly_and_clamped(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t want;
    } cases[] = {
        {"0", 0},
        {"1", 1000},
        {"120", 120000},
        {"0120", 120000},
        {"86399", DAY_MS - 1000},
        {"86400", DAY_MS},
        {"86401", DAY_MS},
        {"100000000000", DAY_MS},
        {"99999999999999999999999999999999999999", DAY_MS},
        {"00000000000000000000000000000000000001", 1000},
        {"", -1},
        {" ", -1},
        {"-1", -1},
        {"+30", -1},
        {"3.5", -1},
        {"1e9", -1},
        {"0x10", -1},
        {"120, 240", -1},
        {"120 ", -1},
        {"soon", -1},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
        {"Sun, 06 Nov 1994 08:49:36 GMT", 0},
        {"Sun, 06 Nov 1994 08:50:07 GMT", 30000},
        {"Sunday, 06-Nov-94 08:50:07 GMT", 30000},
        {"Sun Nov  6 08:50:07 1994", 30000},
        {"Mon Nov 07 08:49:37 1994", DAY_MS},
        {"Wed, 09 Nov 1994 00:00:00 GMT", DAY_MS},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Mon, 01 Jan 0001 00:00:00 GMT", 0},
        {"Fri, 31 Dec 9999 23:59:59 GMT", DAY_MS},
        {"Tue, 19 Jan 2038 03:14:08 GMT", DAY_MS},
        {"Sun, 06 Nov 1994 08:49:60 GMT", 23000},
        {"Sun, 06 Nov 1994 08:49:61 GMT", -1},
        {"Sun, 06 Nov 1994 08:60:00 GMT", -1},
        {"Sun, 06 Nov 1994 24:00:00 GMT", -1},
        {"Sun, 31 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 00 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 Nov 0000 08:49:37 GMT", -1},
        {"Sun, 6 Nov 1994 08:49:37 GMT", -1},
        {"sun, 06 nov 1994 08:49:37 gmt", -1},
        {"Sun, 06 Nov 1994 08:49:37 CET", -1},
        {"Sun, 06 Nov 1994 08:49:37 GMT+1", -1},
        {"Sun, 06 Nov 1994 08:49:37", -1},
        {"Sun, 06 Nov 19944 08:49:37 GMT", -1},
        {"Sun Nov 6 08:49:37 1994", -1},
        {"Sun, 06 Nov", -1},
        {"Fri, 29 Feb 2019 00:00:00 GMT", -1},
        {"Thu, 29 Feb 2024 00:00:00 GMT", DAY_MS},
        {"Thu, 29 Feb 1900 00:00:00 GMT", -1},
        {"Tue, 29 Feb 2000 00:00:00 GMT", DAY_MS},
        {"Fri, 29 Feb 2100 00:00:00 GMT", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t got = retry_after_ms(cases[i].text, NULL, NOV_1994);
        if (got != cases[i].want) {
            print_error("\"%s\" gave %lld\n", cases[i].text, (long long)got);
        }
        assert_int_equal(got, cases[i].want);
    }
}

static void a_date_is_found_on_the_right_day(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t before; /* a moment less than a day earlier */
        int64_t want;
    } cases[] = {
        {"Thu, 01 Jan 1970 00:00:10 GMT", 0, 10000},
        {"Tue, 29 Feb 2000 00:00:00 GMT", 951782400000 - 7000, 7000},
        {"Wed, 01 Mar 2000 00:00:00 GMT", 951868800000 - 7000, 7000},
        {"Thu, 29 Feb 2024 12:00:00 GMT", 1709208000000 - 7000, 7000},
        {"Fri, 01 Mar 2024 00:00:00 GMT", 1709251200000 - 7000, 7000},
        {"Sat, 01 Mar 2025 00:00:00 GMT", 1740787200000 - 7000, 7000},
        {"Tue, 19 Jan 2038 03:14:08 GMT", 2147483648000 - 1, 1},
        {"Mon, 01 Mar 2100 00:00:00 GMT", 4107542400000 - 7000, 7000},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799000 - 7000, 7000},
        /* Two digits of a year, across the turn of the century. */
        {"Saturday, 01-Jan-00 00:00:05 GMT", 946684800000, 5000},
        {"Friday, 31-Dec-99 23:59:59 GMT", 946684800000, 0},
        {"Friday, 01-Jan-38 00:00:00 GMT", 2145916800000 - 7000, 7000},
        {"Friday, 29-Feb-80 00:00:00 GMT", 3476390400000 - 7000, 7000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t got = retry_after_ms(cases[i].text, NULL, cases[i].before);
        if (got != cases[i].want) {
            print_error("\"%s\" gave %lld\n", cases[i].text, (long long)got);
        }
        assert_int_equal(got, cases[i].want);
    }
}

static void a_date_is_taken_by_the_endpoints_own_clock(void **state)
{
    (void)state;
    const char *later = "Sun, 06 Nov 1994 08:50:07 GMT";
    const char *date = "Sun, 06 Nov 1994 08:49:57 GMT";
    int64_t now = 1900000000000; /* decades off */
    assert_int_equal(retry_after_ms(later, date, now), 10000);
    assert_int_equal(retry_after_ms(later, "yesterday", now), 0);
    assert_int_equal(retry_after_ms(later, "120", NOV_1994), 30000);
    assert_int_equal(retry_after_ms("30", date, now), 30000);
}

static void the_judgement_carries_retry_after(void **state)
{
    (void)state;
    struct judgement j;
    struct reply r = answer(503, JSON, "");
    judge(PROFILE_JSON, &r, 0, NOV_1994, &j);
    assert_int_equal(j.retry_after_ms, -1);
    r.retry_after = "17";
    judge(PROFILE_JSON, &r, 0, NOV_1994, &j);
    assert_int_equal(j.retry_after_ms, 17000);
    r.retry_after = "Sun, 06 Nov 1994 08:50:07 GMT";
    r.date = "Sun, 06 Nov 1994 08:50:00 GMT";
    judge(PROFILE_JSON, &r, 0, NOV_1994, &j);
    assert_int_equal(j.retry_after_ms, 7000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_status_decides),
        cmocka_unit_test(the_code_of_a_2xx_decides),
        cmocka_unit_test(a_nul_byte_does_not_end_the_answer_early),
        cmocka_unit_test(a_deep_answer_is_read_and_a_bottomless_one_is_not),
        cmocka_unit_test(a_web_page_is_not_the_endpoint),
        cmocka_unit_test(an_answer_past_the_limit_counts_as_its_beginning),
        cmocka_unit_test(an_unknown_code_is_refused_after_three_retries),
        cmocka_unit_test(an_account_at_fault_refuses_no_event),
        cmocka_unit_test(
            a_web_server_at_odds_with_the_connection_refuses_no_event),
        cmocka_unit_test(without_an_answer_the_transport_decides),
        cmocka_unit_test(whose_certificate_it_is_is_said),
        cmocka_unit_test(the_endpoints_words_cannot_drive_a_terminal),
        cmocka_unit_test(long_words_are_cut_between_characters),
        cmocka_unit_test(retry_after_is_read_strictly_and_clamped),
        cmocka_unit_test(a_date_is_found_on_the_right_day),
        cmocka_unit_test(a_date_is_taken_by_the_endpoints_own_clock),
        cmocka_unit_test(the_judgement_carries_retry_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
