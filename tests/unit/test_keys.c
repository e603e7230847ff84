#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "integration/sandbox_child.h"
#include "spool/keys.h"
#include "support/rogue.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static char keys[SPOOL_KEYS_MAX][SPOOL_KEY_SIZE];

/* Decimal as the endpoint writes it: no zero, no plus, no leading zeros. */
static bool is_a_number(const char *key)
{
    char again[SPOOL_KEY_SIZE];
    char *end;
    errno = 0;
    long long n = strtoll(key, &end, 10);
    (void)snprintf(again, sizeof again, "%lld", n);
    return errno == 0 && n != 0 && *end == '\0' && strcmp(again, key) == 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void assert_different(size_t n)
{
    qsort(keys, n, SPOOL_KEY_SIZE, compare);
    for (size_t i = 1; i < n; i++) {
        assert_string_not_equal(keys[i - 1], keys[i]);
    }
}

static void keys_made_here_are_numbers_and_all_different(void **state)
{
    size_t negative = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(keys); i++) {
        assert_int_equal(spool_make_key(keys[i]), SPOOL_OK);
        assert_true(is_a_number(keys[i]));
        negative += keys[i][0] == '-' ? 1 : 0;
    }
    /* Half of them are, give or take 16. */
    assert_in_range(negative, 300, 700);
    assert_different(COUNT(keys));
}

static enum spool_status fetch(unsigned port, const char *path, size_t n,
                               struct spool_error *err)
{
    char url[256];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, path);
    return spool_fetch_keys(url, "https://shop.example", n, keys, 10000, err);
}

static void the_endpoint_gives_as_many_as_are_asked_for(void **state)
{
    static const size_t counts[] = {1, 2, 50, SPOOL_KEYS_MAX};
    struct sandbox_child c;
    struct spool_error err;
    (void)state;
    sandbox_child_start(&c, NULL);
    for (size_t i = 0; i < COUNT(counts); i++) {
        memset(keys, 0, sizeof keys);
        assert_int_equal(fetch(c.port, "", counts[i], &err), SPOOL_OK);
        for (size_t k = 0; k < counts[i]; k++) {
            assert_true(is_a_number(keys[k]));
        }
        assert_different(counts[i]);
    }
    assert_int_equal(sandbox_child_stop(&c, NULL, 0), 0);
}

static void the_data_center_is_found_in_a_destinations_url(void **state)
{
    static const struct {
        const char *path, *asks;
    } cases[] = {
        {"", "/get/key?count=1"},
        {"/", "/get/key?count=1"},
        {"/add/events/v1.json", "/get/key?count=1"},
        {"//add/events/v1.json/", "/get/key?count=1"},
        {"/shops/7/add/events/v1.json", "/shops/7/get/key?count=1"},
        {"/shops/7/", "/shops/7/get/key?count=1"},
        {"/v1.json", "/v1.json/get/key?count=1"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct rogue_script script = {
            .answer = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n[\"-42\"]"};
        struct rogue *r = rogue_start(&script, 1);
        struct spool_error err;
        char want[256];
        (void)snprintf(want, sizeof want,
                       "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                       "Accept: application/json\r\nUser-Agent: spool\r\n"
                       "Origin: https://shop.example\r\n\r\n",
                       cases[i].asks, rogue_port(r));
        assert_int_equal(fetch((unsigned)rogue_port(r), cases[i].path, 1, &err),
                         SPOOL_OK);
        assert_string_equal(keys[0], "-42");
        rogue_stop(r);
        assert_int_equal(rogue_requests(r), 1);
        assert_string_equal(rogue_request(r, 0, NULL), want);
        rogue_free(r);
    }
}

#define OK      "HTTP/1.1 200 OK\r\n"
#define SIXTEEN "0123456789abcdef"
#define SIXTY_4 SIXTEEN SIXTEEN SIXTEEN SIXTEEN

static void what_is_no_list_of_keys_is_refused(void **state)
{
    static const struct {
        const char *answer, *words;
    } cases[] = {
        {OK "Content-Length: 0\r\n\r\n", "an array of 2 keys"},
        {OK "\r\n[\"1\"]", "an array of 2 keys"},
        {OK "\r\n[\"1\",\"2\",\"3\"]", "an array of 2 keys"},
        {OK "\r\n[\"1\",\"\"]", "an array of 2 keys"},
        {OK "\r\n[\"1\",2]", "an array of 2 keys"},
        {OK "\r\n[\"1\",null]", "an array of 2 keys"},
        {OK "\r\n[\"1\",[\"2\"]]", "an array of 2 keys"},
        {OK "\r\n[\"1\",\"a b\"]", "an array of 2 keys"},
        {OK "\r\n[\"1\",\"\\u0031\"]", "an array of 2 keys"},
        {OK "\r\n[\"1\",\"\xc3\xbc\"]", "an array of 2 keys"},
        {OK "\r\n[\"1\",\"" SIXTY_4 "x\"]", "an array of 2 keys"},
        {OK "\r\n{\"a\":\"1\",\"b\":\"2\"}", "an array of 2 keys"},
        {OK "\r\n[\"1\",\"2\"] x", "an array of 2 keys"},
        {OK "\r\n[\"1\",\"2\",]", "an array of 2 keys"},
        {OK "Content-Type: text/html\r\n\r\n<html>Log in</html>",
         "an array of 2 keys"},
        {OK "Content-Length: 9\r\n\r\n[\"1\",\"2", "no keys came"},
        {OK "Content-Le", "no keys came"},
        {NULL, "no keys came"},
        {"HTTP/1.1 204 No Content\r\n\r\n", "HTTP 204"},
        {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
         "HTTP 302"},
        {"HTTP/1.1 404 Not Found\r\n\r\n", "HTTP 404"},
        {"HTTP/1.1 503 Service Unavailable\r\n\r\n[\"1\",\"2\"]", "HTTP 503"},
        {"keys? no", "no keys came"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct rogue_script script = {.answer = cases[i].answer,
                                            .ends = ROGUE_CLOSE};
        struct rogue *r = rogue_start(&script, 1);
        struct spool_error err = {0};
        strcpy(keys[0], "before");
        enum spool_status got = fetch((unsigned)rogue_port(r), "", 2, &err);
        if (got != SPOOL_IO || strstr(err.message, cases[i].words) == NULL) {
            fail_msg("case %zu: %d %s", i, got, err.message);
        }
        assert_string_equal(keys[0], "before");
        assert_null(strchr(err.message, '?'));
        rogue_free(r);
    }
}

static void white_space_and_the_longest_keys_are_taken(void **state)
{
    const struct rogue_script script = {.answer = OK "\r\n [ \"" SIXTY_4
                                                     "\" ,\r\n\"a\"]\n",
                                        .ends = ROGUE_CLOSE};
    struct rogue *r = rogue_start(&script, 1);
    struct spool_error err;
    (void)state;
    assert_int_equal(fetch((unsigned)rogue_port(r), "", 2, &err), SPOOL_OK);
    assert_string_equal(keys[0], SIXTY_4);
    assert_string_equal(keys[1], "a");
    rogue_free(r);
}

static void an_endless_answer_ends_at_the_limit(void **state)
{
    const struct rogue_script script = {.answer = OK "\r\n[",
                                        .endless = "\"" SIXTEEN "\","};
    struct rogue *r = rogue_start(&script, 1);
    struct spool_error err;
    (void)state;
    assert_int_equal(fetch((unsigned)rogue_port(r), "", 2, &err), SPOOL_IO);
    assert_non_null(strstr(err.message, "more than 64 KiB"));
    rogue_free(r);
}

static void who_does_not_answer_is_waited_for_no_longer(void **state)
{
    const struct rogue_script script = {.ends = ROGUE_STALL};
    struct rogue *r = rogue_start(&script, 1);
    struct spool_error err;
    char url[64];
    (void)state;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", rogue_port(r));
    assert_int_equal(spool_fetch_keys(url, NULL, 2, keys, 50, &err), SPOOL_IO);
    assert_non_null(strstr(err.message, url));
    rogue_free(r);
    /* Nobody there any more. */
    assert_int_equal(spool_fetch_keys(url, NULL, 2, keys, 10000, &err),
                     SPOOL_IO);
}

static void a_wrong_question_is_not_asked(void **state)
{
    static char long_origin[1024], long_url[4096] = "https://x.example/";
    memset(long_origin, 'o', sizeof long_origin - 1);
    memset(long_url + strlen(long_url), 'u',
           sizeof long_url - strlen(long_url) - 1);
    const struct {
        const char *url, *origin;
        size_t n;
        int64_t timeout_ms;
    } cases[] = {
        {"http://shop.example", NULL, 1, 1000},
        {"https://me:pw@shop.example", NULL, 1, 1000},
        {"https://shop.example/?apiKey=S3CRET", NULL, 1, 1000},
        {"ftp://127.0.0.1", NULL, 1, 1000},
        {"", NULL, 1, 1000},
        {long_url, NULL, 1, 1000},
        {"http://127.0.0.1:1", "a\r\nX-Evil: b", 1, 1000},
        {"http://127.0.0.1:1", long_origin, 1, 1000},
        {"http://127.0.0.1:1", NULL, 0, 1000},
        {"http://127.0.0.1:1", NULL, SPOOL_KEYS_MAX + 1, 1000},
        {"http://127.0.0.1:1", NULL, 1, 0},
        {"http://127.0.0.1:1", NULL, 1, INT64_MAX},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct spool_error err;
        if (spool_fetch_keys(cases[i].url, cases[i].origin, cases[i].n, keys,
                             cases[i].timeout_ms, &err) != SPOOL_MISUSE) {
            fail_msg("case %zu was not refused", i);
        }
        assert_null(strstr(err.message, "S3CRET"));
    }
    assert_int_equal(spool_fetch_keys("", NULL, 1, keys, 1000, NULL),
                     SPOOL_MISUSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_made_here_are_numbers_and_all_different),
        cmocka_unit_test(the_endpoint_gives_as_many_as_are_asked_for),
        cmocka_unit_test(the_data_center_is_found_in_a_destinations_url),
        cmocka_unit_test(what_is_no_list_of_keys_is_refused),
        cmocka_unit_test(white_space_and_the_longest_keys_are_taken),
        cmocka_unit_test(an_endless_answer_ends_at_the_limit),
        cmocka_unit_test(who_does_not_answer_is_waited_for_no_longer),
        cmocka_unit_test(a_wrong_question_is_not_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
