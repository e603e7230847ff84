#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "delivery/profile.h"
#include "delivery/success.h"

static void a_url_must_be_safe_to_keep(void **state)
{
    static const struct {
        enum profile profile;
        const char *url;
        enum spool_status want;
    } cases[] = {
        {PROFILE_SEGMENTIFY, "https://dce1.example.com", SPOOL_OK},
        {PROFILE_SEGMENTIFY, "https://dce1.example.com:8443/x/", SPOOL_OK},
        {PROFILE_SEGMENTIFY, "http://127.0.0.1:8080", SPOOL_OK},
        {PROFILE_SEGMENTIFY, "http://127.9.9.9", SPOOL_OK},
        {PROFILE_SEGMENTIFY, "http://[::1]:8080/", SPOOL_OK},
        {PROFILE_SEGMENTIFY, "http://localhost/x", SPOOL_OK},
        {PROFILE_JSON, "https://x.example.com/in?shop=1", SPOOL_OK},
        {PROFILE_SEGMENTIFY, "http://dce1.example.com", SPOOL_MISUSE},
        {PROFILE_SEGMENTIFY, "http://127.0.0.1.example.com", SPOOL_MISUSE},
        {PROFILE_SEGMENTIFY, "http://localhost.example.com", SPOOL_MISUSE},
        {PROFILE_SEGMENTIFY, "ftp://localhost", SPOOL_MISUSE},
        {PROFILE_SEGMENTIFY, "localhost", SPOOL_MISUSE},
        {PROFILE_SEGMENTIFY, "", SPOOL_MISUSE},
        {PROFILE_SEGMENTIFY, "https://", SPOOL_MISUSE},
        {PROFILE_SEGMENTIFY, "https:///x", SPOOL_MISUSE},
        {PROFILE_SEGMENTIFY, "https://x.example.com:65535/y", SPOOL_OK},
        {PROFILE_SEGMENTIFY, "https://x.example.com:65536", SPOOL_MISUSE},
        {PROFILE_SEGMENTIFY, "https://x.example.com:0", SPOOL_MISUSE},
        {PROFILE_SEGMENTIFY, "https://x.example.com:http", SPOOL_MISUSE},
        {PROFILE_SEGMENTIFY, "http://[::1]8080", SPOOL_MISUSE},
        {PROFILE_SEGMENTIFY, "https://me:secret@x.example.com", SPOOL_MISUSE},
        {PROFILE_SEGMENTIFY, "https://x.example.com/?apiKey=1", SPOOL_MISUSE},
        {PROFILE_JSON, "https://x.example.com/?ApiKey=1", SPOOL_MISUSE},
        {PROFILE_SEGMENTIFY, "https://x.example.com/a b", SPOOL_MISUSE},
        {PROFILE_SEGMENTIFY, "https://x.example.com/\r\nA: b", SPOOL_MISUSE},
        {PROFILE_SEGMENTIFY, "https://x.example.com/#a", SPOOL_MISUSE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct spool_error err = {0};
        enum spool_status got =
            profile_check_url(cases[i].profile, cases[i].url, &err);
        if (got != cases[i].want) {
            fail_msg("%s: %s", cases[i].url, err.message);
        }
        assert_null(strstr(err.message, "secret"));
    }
}

static void a_redacted_url_shows_no_values(void **state)
{
    static const char *const cases[][2] = {
        {"https://a.example.com/x", "https://a.example.com/x"},
        {"https://a.example.com/x?apiKey=K",
         "https://a.example.com/x?apiKey=***"},
        {"https://a/x?a=1&apiKey=K&b", "https://a/x?a=***&apiKey=***&b"},
        {"https://me:pw@a.example.com/x", "https://***@a.example.com/x"},
        {"https://a/x=1", "https://a/x=1"},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[128];
        profile_redact(cases[i][0], out, sizeof out);
        assert_string_equal(out, cases[i][1]);
    }
}

struct key_file {
    char path[64];
};

static void write_key(struct key_file *k, const char *text)
{
    (void)snprintf(k->path, sizeof k->path, "/tmp/spool-key-XXXXXX");
    int fd = mkstemp(k->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

static void a_request_has_its_url_and_headers(void **state)
{
    struct key_file k;
    struct profile_request r;
    struct spool_error err;
    struct batch b = {.key = "01234567-89ab-7000-8000-000000000000"};
    struct destination d = {.name = "shop", .origin = "https://shop.example"};
    static const char *const urls[] = {"http://127.0.0.1:1",
                                       "http://127.0.0.1:1/",
                                       "http://127.0.0.1:1/add/events/v1.json"};
    (void)state;
    write_key(&k, "a+b/c\nsecond line\n");
    (void)snprintf(d.api_key_file, sizeof d.api_key_file, "%s", k.path);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(d.url, sizeof d.url, "%s", urls[i]);
        assert_int_equal(profile_prepare(PROFILE_SEGMENTIFY, &d, &b, &r, &err),
                         SPOOL_OK);
        assert_string_equal(
            r.url, "http://127.0.0.1:1/add/events/v1.json?apiKey=a%2Bb%2Fc");
    }
    bool key = false, origin = false;
    for (size_t i = 0; r.headers[i] != NULL; i++) {
        key |=
            strcmp(r.headers[i], "Idempotency-Key: "
                                 "01234567-89ab-7000-8000-000000000000") == 0;
        origin |= strcmp(r.headers[i], "Origin: https://shop.example") == 0;
        assert_null(strstr(r.headers[i], "a+b"));
    }
    assert_true(key && origin);

    (void)snprintf(d.url, sizeof d.url, "http://127.0.0.1:1/in");
    assert_int_equal(profile_prepare(PROFILE_JSON, &d, &b, &r, &err), SPOOL_OK);
    assert_string_equal(r.url, "http://127.0.0.1:1/in");
    bool bearer = false;
    for (size_t i = 0; r.headers[i] != NULL; i++) {
        bearer |= strcmp(r.headers[i], "Authorization: Bearer a+b/c") == 0;
    }
    assert_true(bearer);
    profile_forget(&r);
    assert_int_equal(r.text[0][0], 0);
    assert_int_equal(r.url[0], 0);
    assert_int_equal(unlink(k.path), 0);
}

static void a_key_that_cannot_be_used_is_said_so_without_it(void **state)
{
    static const char *const bad[] = {"", "\n", "se cret\n", "se\tcret"};
    struct profile_request r;
    struct spool_error err;
    struct batch b = {.key = "k"};
    struct destination d = {.name = "shop", .url = "http://127.0.0.1:1"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct key_file k;
        write_key(&k, bad[i]);
        (void)snprintf(d.api_key_file, sizeof d.api_key_file, "%s", k.path);
        assert_int_equal(profile_prepare(PROFILE_SEGMENTIFY, &d, &b, &r, &err),
                         SPOOL_IO);
        assert_non_null(strstr(err.message, k.path));
        assert_null(strstr(err.message, "cret"));
        assert_int_equal(unlink(k.path), 0);
    }
    assert_int_equal(profile_prepare(PROFILE_SEGMENTIFY, &d, &b, &r, &err),
                     SPOOL_IO);
}

/* libcurl opens them itself. */
static void files_for_libcurl_are_looked_at_before_it_reads_them(void **state)
{
    static struct destination d = {.name = "shop", .url = "https://127.0.0.1"};
    static struct profile_request r;
    const struct {
        char *path;
        const char *what;
    } files[] = {{d.ca_file, "the authorities' certificates"},
                 {d.client_cert, "the client certificate"},
                 {d.client_key, "the client certificate's key"}};
    static const char *const bad[] = {"/nonexistent/x.pem", "/tmp",
                                      "/dev/null"};
    struct batch b = {.key = "k"};
    struct spool_error err;
    struct key_file k;
    (void)state;
    write_key(&k, "a certificate");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        for (size_t j = 0; j < sizeof bad / sizeof *bad; j++) {
            (void)strcpy(files[i].path, bad[j]);
            assert_int_equal(profile_prepare(PROFILE_JSON, &d, &b, &r, &err),
                             SPOOL_IO);
            assert_non_null(strstr(err.message, bad[j]));
            assert_non_null(strstr(err.message, files[i].what));
        }
        (void)strcpy(files[i].path, k.path);
        assert_int_equal(profile_prepare(PROFILE_JSON, &d, &b, &r, &err),
                         SPOOL_OK);
    }
    assert_int_equal(unlink(k.path), 0);
}

static bool has_header(const struct profile_request *r, const char *line)
{
    for (size_t i = 0; r->headers[i] != NULL; i++) {
        if (strcmp(r->headers[i], line) == 0) {
            return true;
        }
    }
    return false;
}

static void headers_of_ones_own_replace_spools(void **state)
{
    struct key_file k;
    struct profile_request r;
    struct spool_error err = {0};
    struct batch b = {.key = "k"};
    struct destination d = {.name = "shop",
                            .url = "http://127.0.0.1:1",
                            .body = BODY_NDJSON,
                            .headers = "X-Shop: 7\nUser-Agent: till\n"};
    (void)state;
    write_key(&k, "Authorization: Basic c2VjcmV0\r\n\nX-Empty:\n");
    (void)snprintf(d.header_file, sizeof d.header_file, "%s", k.path);
    assert_int_equal(profile_prepare(PROFILE_JSON, &d, &b, &r, &err), SPOOL_OK);
    static const char *const want[] = {"X-Shop: 7",
                                       "User-Agent: till",
                                       "Authorization: Basic c2VjcmV0",
                                       "X-Empty:",
                                       "Idempotency-Key: k",
                                       "Accept-Encoding: identity",
                                       "Content-Type: application/x-ndjson"};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        if (!has_header(&r, want[i])) {
            fail_msg("%s is missing", want[i]);
        }
    }
    assert_false(has_header(&r, "User-Agent: spool"));
    profile_forget(&r);
    assert_int_equal(r.own.text[0], 0);
    assert_int_equal(unlink(k.path), 0);
    assert_int_equal(profile_prepare(PROFILE_JSON, &d, &b, &r, &err), SPOOL_IO);
    assert_null(r.headers[0]);
}

static void what_is_no_header_is_refused_without_its_value(void **state)
{
    static const char *const bad[] = {
        "se cret", ": secret",          "A secret: b",    "A: sec\x01ret",
        "secret",  "Host: secret",      "host:secret",    "TE: secret",
        "\xFF: x", "Content-Length: 3", "Expect: secret", "A\tb: secret",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct own_headers own = {0};
        struct spool_error err = {0};
        if (own_headers_add(&own, bad[i], "FILE", &err) != SPOOL_MISUSE) {
            fail_msg("%s was taken", bad[i]);
        }
        assert_null(strstr(err.message, "secret"));
        assert_non_null(strstr(err.message, "FILE"));
        assert_int_equal(own.n, 0);
    }
    struct own_headers own = {0};
    struct spool_error err;
    for (int i = 0; i < OWN_HEADERS; i++) {
        assert_int_equal(own_headers_add(&own, "A: b", "FILE", &err), SPOOL_OK);
    }
    assert_int_equal(own_headers_add(&own, "A: b", "FILE", &err), SPOOL_MISUSE);
    static const char *const secret[] = {"Authorization: a", "x-api-KEY: b",
                                         "Cookie: c", "X-Auth-Token: d"};
    for (size_t i = 0; i < sizeof secret / sizeof *secret; i++) {
        assert_true(own_header_is_secret(secret[i]));
    }
    assert_false(own_header_is_secret("X-Shop: key"));
}

static void a_proxy_has_no_login_and_nothing_goes_out_in_clear(void **state)
{
    static const struct {
        const char *proxy, *url;
        enum spool_status want;
    } cases[] = {
        {"http://proxy.example.com:3128", "https://x.example.com", SPOOL_OK},
        {"socks5h://10.0.0.1:1080", "https://x.example.com", SPOOL_OK},
        {"http://127.0.0.1:3128", "http://127.0.0.1:8080", SPOOL_OK},
        {"http://proxy.example.com:3128", "http://127.0.0.1:8080",
         SPOOL_MISUSE},
        {"http://me:secret@proxy.example.com", "https://x.example.com",
         SPOOL_MISUSE},
        {"proxy.example.com:3128", "https://x.example.com", SPOOL_MISUSE},
        {"http://", "https://x.example.com", SPOOL_MISUSE},
        {"ftp://proxy.example.com", "https://x.example.com", SPOOL_MISUSE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct spool_error err = {0};
        if (profile_check_proxy(cases[i].proxy, cases[i].url, &err) !=
            cases[i].want) {
            fail_msg("%s: %s", cases[i].proxy, err.message);
        }
        assert_null(strstr(err.message, "secret"));
    }
}

static void a_rule_for_success_looks_at_the_status_alone(void **state)
{
    static const struct {
        const char *rule;
        int http;
        int want; /* a verdict; -1: not the rule's */
    } cases[] = {
        {"", 200, -1},
        {"2xx", 200, VERDICT_DELIVERED},
        {"2xx", 299, VERDICT_DELIVERED},
        {"2xx", 409, -1},
        {"2xx", 0, -1},
        {"2xx,409", 409, VERDICT_DELIVERED},
        {"200,202", 202, VERDICT_DELIVERED},
        {"200,202", 204, VERDICT_HOLD},
        {"200,202", 503, -1},
    };
    static const char *const bad[] = {"2x",  "x00", "200,", ",200", "2xx;409",
                                      "3xx", "99",  "600",  "100",  "ok"};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct judgement j = {.verdict = VERDICT_RETRY};
        struct reply r = {.http = cases[i].http,
                          .content_type = "text/html",
                          .body = "<html>",
                          .body_len = 6,
                          .error = ""};
        assert_int_equal(success_check(cases[i].rule, NULL), SPOOL_OK);
        int got = success_judge(cases[i].rule, &r, &j) ? (int)j.verdict : -1;
        if (got != cases[i].want) {
            fail_msg("%s with %d: %d", cases[i].rule, cases[i].http, got);
        }
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (success_check(bad[i], NULL) != SPOOL_MISUSE) {
            fail_msg("%s was taken", bad[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_must_be_safe_to_keep),
        cmocka_unit_test(a_redacted_url_shows_no_values),
        cmocka_unit_test(a_request_has_its_url_and_headers),
        cmocka_unit_test(headers_of_ones_own_replace_spools),
        cmocka_unit_test(what_is_no_header_is_refused_without_its_value),
        cmocka_unit_test(a_proxy_has_no_login_and_nothing_goes_out_in_clear),
        cmocka_unit_test(a_rule_for_success_looks_at_the_status_alone),
        cmocka_unit_test(files_for_libcurl_are_looked_at_before_it_reads_them),
        cmocka_unit_test(a_key_that_cannot_be_used_is_said_so_without_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
