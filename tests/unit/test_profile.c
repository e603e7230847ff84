#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "delivery/profile.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_must_be_safe_to_keep),
        cmocka_unit_test(a_redacted_url_shows_no_values),
        cmocka_unit_test(a_request_has_its_url_and_headers),
        cmocka_unit_test(a_key_that_cannot_be_used_is_said_so_without_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
