#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "delivery/secrets.h"

struct said {
    size_t size;
    const char *text, *want;
};

static void expect(const char *secrets, const struct said *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char text[96];
        (void)snprintf(text, sizeof text, "%s", cases[i].text);
        secrets_conceal(secrets, text, cases[i].size);
        assert_string_equal(text, cases[i].want);
        secrets_conceal(NULL, text, cases[i].size);
        assert_string_equal(text, "");
    }
}

static void what_an_endpoint_says_back_is_concealed(void **state)
{
    static struct profile_request r = {.key = "a+secret/key"};
    static const struct said cases[] = {
        {64, "", ""},
        {64, "no secrets here", "no secrets here"},
        {64, "?apiKey=a%2Bsecret%2Fkey!", "?apiKey=***!"},
        {64, "?apiKey=a%2bsecret/key!", "?apiKey=***!"},
        {64, "a+secret/keya+secret/key", "******"},
        {64, "{\"key\":\"a+secret/key\"}", "{\"key\":\"***\"}"},
        {64, "{\"key\":\"a+secret\\/key\"}", "{\"key\":\"***\"}"},
        {64, "{\"key\":\"a\\u002Bsecret\\u002fkey\"}", "{\"key\":\"***\"}"},
        {64, "a+secret\\key, a+secret\\\\key",
         "a+secret\\key, a+secret\\\\key"},
        {64, "whole: a+secr", "whole: a+secr"},
        {16, "cut: a+secr", "cut: a+secr"},
        {14, "cut: a+secr", "cut: ***"},
        {17, "cut: a+secret\\", "cut: ***"},
        {17, "cut: a%2bsecr%", "cut: ***"},
        {14, "cut: a+ secr", "cut: a+ secr"},
        {64, "from-a-file, kept-open", "***, kept-open"},
        {64, "text", "text"},
    };
    char own[] = "X-One: kept-open", file[] = "X-Two:  from-a-file";
    char short_one[] = "X-Three: text";
    (void)state;
    r.own.lines[0] = own;
    r.own.lines[1] = file;
    r.own.lines[2] = short_one;
    r.own.n = 3;
    r.own.len = sizeof own + sizeof file + sizeof short_one;
    r.own.open_n = 1;
    char *secrets = secrets_of(&r);
    expect(secrets, cases, sizeof cases / sizeof *cases);
    secrets_free(secrets);
    secrets_free(NULL);
}

static void a_word_of_a_header_is_a_secret_too(void **state)
{
    static struct profile_request r;
    static const struct said cases[] = {
        {96, "Bearer s3cr3t-token-77 has expired", "*** has expired"},
        {96, "Bearer: {\"error\":\"token s3cr3t-token-77 has expired\"}",
         "Bearer: {\"error\":\"token *** has expired\"}"},
        {96, "the session sid-one== of sid-one, theme=dark",
         "the session ***== of ***, theme=dark"},
        {96, "a\\\\b/c-77 a\\b/c-77 a\\\\b\\/c-77 a\\\\\\\\b/c-77",
         "*** *** *** a\\\\\\\\b/c-77"},
        {96, "\"quoted-77\" \\\"quoted-77\\\" quoted",
         "\"***\" \\\"***\\\" quoted"},
        /* one is the beginning of another */
        {96, "quoted-77-longer quoted-77-long", "*** ***-long"},
        {25, "cut: Bearer s3cr3t-tok", "cut: ***"},
        {25, "cut, token: s3cr3t-tok", "cut, token: ***"},
    };
    static char lines[][64] = {
        "Proxy-Authorization: Bearer s3cr3t-token-77",
        "Cookie: session=sid-one==; theme=dark",
        "X-Two: a\\b/c-77, \"quoted-77\"",
        "X-Three: quoted-77-longer",
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        r.own.lines[r.own.n++] = lines[i];
        r.own.len += strlen(lines[i]) + 1;
    }
    char *secrets = secrets_of(&r);
    expect(secrets, cases, sizeof cases / sizeof *cases);
    secrets_free(secrets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_endpoint_says_back_is_concealed),
        cmocka_unit_test(a_word_of_a_header_is_a_secret_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
