#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "events/json.h"

/* A text, what must be said of it, and where: behind the value or at the byte
 * at fault. B is a text that is no JSON, I one that ends too early. Texts with
 * a NUL byte stand further down. The cases marked "our choice" are those RFC
 * 8259 leaves to the reader. */
enum { O = JSON_OK, I = JSON_INCOMPLETE, B = JSON_BROKEN, L = JSON_TOO_MUCH };

struct sample {
    const char *text;
    int want;
    size_t offset;
};

static const struct sample samples[] = {
    /* Structure. */
    {"{}", O, 2},
    {"[]", O, 2},
    {" {} ", O, 3},
    {"\t\r\n []", O, 6},
    {"{\"a\":1}", O, 7},
    {"{ \"a\" : 1 , \"b\" : 2 }", O, 21},
    {"{\n\"a\"\r:\t1\n}", O, 11},
    {"[1,2,3]", O, 7},
    {"[ 1 , 2 ]", O, 9},
    {"[[],[[]],{}]", O, 12},
    {"[{\"a\":[{\"b\":{}}]}]", O, 18},
    {"{\"\":0}", O, 6},
    {"{\"a\":{\"a\":{\"a\":1}}}", O, 19},
    {"[{\"a\":1},{\"a\":1}]", O, 17},
    {"", I, 0},
    {" ", I, 1},
    {"{", I, 1},
    {"[", I, 1},
    {"{\"a\"", I, 4},
    {"{\"a\":", I, 5},
    {"{\"a\":1", I, 6},
    {"{\"a\":1,", I, 7},
    {"{\"a\":1 ", I, 7},
    {"[1", I, 2},
    {"[1,", I, 3},
    {"[[", I, 2},
    {"[{}", I, 3},
    {"{,}", B, 1},
    {"[,]", B, 1},
    {"[1,]", B, 3},
    {"[,1]", B, 1},
    {"[1,,2]", B, 3},
    {"{\"a\":1,}", B, 7},
    {"{\"a\":1,,\"b\":2}", B, 7},
    {"{,\"a\":1}", B, 1},
    {"[1 2]", B, 3},
    {"[\"a\" \"b\"]", B, 5},
    {"{\"a\":1 \"b\":2}", B, 7},
    {"{\"a\" 1}", B, 5},
    {"{\"a\"=1}", B, 4},
    {"{\"a\":}", B, 5},
    {"{\"a\"}", B, 4},
    {"{\"a\",1}", B, 4},
    {"{\"a\"::1}", B, 5},
    {"{\"a\":1:2}", B, 6},
    {"{1:1}", B, 1},
    {"{a:1}", B, 1},
    {"{'a':1}", B, 1},
    {"{null:1}", B, 1},
    {"{[]:1}", B, 1},
    {"[1}", B, 2},
    {"{\"a\":1]", B, 6},
    {"{]", B, 1},
    {"[}", B, 1},
    {"]", B, 0},
    {"}", B, 0},
    {",", B, 0},
    {":", B, 0},
    {"[:]", B, 1},
    {"[\"a\":1]", B, 4},
    {"{\"a\":[1,{\"b\":2]}", B, 14},
    {"<html>", B, 0},
    {"*", B, 0},
    {"[\xE2\x81\xA0]", B, 1},
    {"[\f1]", B, 1},
    {"[\v1]", B, 1},
    {"[\xC2\xA0"
     "1]",
     B, 1},
    {"\xEF\xBB\xBF{}", B, 0}, /* our choice: no byte order mark */
    {"\xEF\xBB", I, 2},
    {"\xFE\xFF", B, 0},
    {"[1] x", O, 3}, /* what follows the value is for the caller */
    {"{}}", O, 2},
    {"1 2", O, 1},

    /* Comments and other dialects. */
    {"[1,/*c*/2]", B, 3},
    {"[1]//c", O, 3},
    {"//c\n[1]", B, 0},
    {"[1 #c\n]", B, 3},
    {"['a']", B, 1},
    {"[`a`]", B, 1},
    {"[\xE2\x80\x9C"
     "a\xE2\x80\x9D]",
     B, 1},
    {"[undefined]", B, 1},
    {"(1)", B, 0},

    /* Literals. */
    {"true", O, 4},
    {"false", O, 5},
    {"null", O, 4},
    {"[true,false,null]", O, 17},
    {"tru", I, 3},
    {"n", I, 1},
    {"[nul", I, 4},
    {"True", B, 0},
    {"TRUE", B, 0},
    {"[nil]", B, 2},
    {"[truth]", B, 4},
    {"[truee]", B, 5},
    {"[nulll]", B, 5},
    {"[none]", B, 2},
    {"[NaN]", B, 1},
    {"[nan]", B, 2},
    {"[Infinity]", B, 1},
    {"[-Infinity]", B, 2},
    {"[-inf]", B, 2},

    /* Numbers: all that is written so, of any size and precision; they are
     * kept as text. Our choice: no limit on digits and exponents. */
    {"0", O, 1},
    {"-0", O, 2},
    {"[-0.0]", O, 6},
    {"123", O, 3},
    {"[1.50]", O, 6},
    {"[1e5]", O, 5},
    {"[1E+5]", O, 6},
    {"[1.25e-7]", O, 9},
    {"[0e0]", O, 5},
    {"[0.1]", O, 5},
    {"[9223372036854775808]", O, 21},
    {"[-9223372036854775809]", O, 22},
    {"[18446744073709551616]", O, 22},
    {"[123456789012345678901234567890]", O, 32},
    {"[1e400]", O, 7},
    {"[-1e-400]", O, 9},
    {"[0.1000000000000000055511151231257827]", O, 38},
    {"-", I, 1},
    {"1.", I, 2},
    {"1e", I, 2},
    {"1e+", I, 3},
    {"[01]", B, 1},
    {"[-01]", B, 2},
    {"[00]", B, 1},
    {"[+1]", B, 1},
    {"[.5]", B, 1},
    {"[-.5]", B, 2},
    {"[1.]", B, 3},
    {"[1.e5]", B, 3},
    {"[1e]", B, 3},
    {"[1e+]", B, 4},
    {"[1e5.5]", B, 4},
    {"[1.2.3]", B, 4},
    {"[--1]", B, 2},
    {"[1-2]", B, 2},
    {"[0x1F]", B, 2},
    {"[1_000]", B, 2},
    {"[1,000]", B, 3},
    {"[1a]", B, 2},
    {"[-]", B, 2},
    {"[- 1]", B, 2},
    {"[1 000]", B, 3},
    {"[\xEF\xBC\x91]", B, 1},

    /* Strings. */
    {"\"\"", O, 2},
    {"\"a\"", O, 3},
    {"\"abcdefgh\"", O, 10},
    {"\"abcdefghijklmnop\"", O, 18},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", O, 18},
    {"\"\\u0041\"", O, 8},
    {"\"\\u00e4\\u00E4\"", O, 14},
    {"\"\\u0000\"", O, 8}, /* our choice: an escaped NUL is a character */
    {"\"\\uFFFF\"", O, 8}, /* so is a noncharacter */
    {"\"\\uD83D\\uDE00\"", O, 14},
    {"\"\x7F\"", O, 3},
    {"\"\xC3\xA4\"", O, 4},
    {"\"\xE2\x82\xAC\"", O, 5},
    {"\"\xF0\x9F\x98\x80\"", O, 6},
    {"\"\xF4\x8F\xBF\xBF\"", O, 6},
    {"\"\xEF\xBF\xBF\"", O, 5},
    {"\"\xEF\xBB\xBF\"", O, 5},
    {"\"\xE2\x80\xA8\"", O, 5},
    {"\"/*no comment*/\"", O, 16},
    {"\"", I, 1},
    {"\"abc", I, 4},
    {"\"abcdefghij", I, 11},
    {"\"\\", I, 2},
    {"\"\\u", I, 3},
    {"\"\\u00", I, 5},
    {"\"\\uD83D", I, 7},
    {"\"\\uD83D\\", I, 8},
    {"\"\\uD83D\\uDE", I, 11},
    {"\"\\\"", I, 3},
    {"\"\xC3", I, 2},
    {"\"\xF0\x9F\x98", I, 4},
    {"\"a\nb\"", B, 2},
    {"\"a\tb\"", B, 2},
    {"\"a\rb\"", B, 2},
    {"\"\x01\"", B, 1},
    {"\"\x1F\"", B, 1},
    {"\"abcdefg\x1F\"", B, 8},
    {"\"\\x41\"", B, 1},
    {"\"\\a\"", B, 1},
    {"\"\\v\"", B, 1},
    {"\"\\'\"", B, 1},
    {"\"\\ \"", B, 1},
    {"\"\\\n\"", B, 1},
    {"\"\\U0041\"", B, 1},
    {"\"\\u004\"", B, 6},
    {"\"\\u00G1\"", B, 5},
    {"\"\\u{41}\"", B, 3},
    {"\"\\\xC3\xA4\"", B, 1},
    /* Our choice: half a surrogate pair is no character. */
    {"\"\\uD800\"", B, 1},
    {"\"\\uDC00\"", B, 1},
    {"\"a\\uDBFFb\"", B, 2},
    {"\"\\uD800\\uD800\"", B, 1},
    {"\"\\uD800\\u0041\"", B, 1},
    {"\"\\uD800\\n\"", B, 1},
    {"\"\\uDE00\\uD83D\"", B, 1},
    /* Our choice: what is not UTF-8 is no JSON, wherever it stands. */
    {"\"\x80\"", B, 1},
    {"\"\xBF\"", B, 1},
    {"\"\xC0\x80\"", B, 1},
    {"\"\xC1\xBF\"", B, 1},
    {"\"\xC3\"", B, 1},
    {"\"\xC3\x28\"", B, 1},
    {"\"\xE0\x80\x80\"", B, 1},
    {"\"\xE0\x9F\xBF\"", B, 1},
    {"\"\xE2\x82\"", B, 1},
    {"\"\xED\xA0\x80\"", B, 1},
    {"\"\xED\xBF\xBF\"", B, 1},
    {"\"\xF0\x80\x80\x80\"", B, 1},
    {"\"\xF0\x8F\xBF\xBF\"", B, 1},
    {"\"\xF4\x90\x80\x80\"", B, 1},
    {"\"\xF5\x80\x80\x80\"", B, 1},
    {"\"\xFF\"", B, 1},
    {"\"\xE9\"", B, 1},
    {"{\"\xE9\":1}", B, 2},

    /* Our choice: no two members of one name, as decoded. */
    {"{\"a\":1,\"a\":1}", B, 7},
    {"{\"a\":1,\"\\u0061\":1}", B, 7},
    {"{\"\\u0061\":1,\"a\":1}", B, 12},
    {"{\"\":1,\"\":1}", B, 6},
    {"{\"a\":{\"b\":1,\"c\":2,\"b\":3}}", B, 18},
    {"{\"a\":{\"b\":1},\"b\":1}", O, 19},
    {"{\"a\":{\"b\":1},\"a\":1}", B, 13},
    {"[{\"abcdefgh\":1,\"abcdefgh\":1}]", B, 15},
    {"{\"abcdefghijk\":1,\"abcdefgh\\u0069jk\":1}", B, 17},
    {"{\"abcdefgh\":1,\"\\u0061bcdefgh\":1}", B, 14},
    {"{\"A\":1,\"a\":1}", O, 13},
    {"{\"a\":1,\"a\\u0000\":1}", O, 19},
    {"{\"\xC3\xA4\":1,\"\\u00e4\":1}", B, 8},
    {"{\"\xC3\xA4\":1,\"a\xCC\x88\":1}", O, 16},
    {"{\"\xF0\x9F\x98\x80\":1,\"\\ud83d\\ude00\":1}", B, 10},
};

/* The text in memory of its own, so that a read past its end is noticed. */
static enum json_result scan_copy(const char *text, size_t len,
                                  struct json_end *end)
{
    char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    enum json_result result = json_scan(copy, len, NULL, NULL, end);
    free(copy);
    return result;
}

static void the_rfc_is_kept_to_the_letter(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const struct sample *s = &samples[i];
        struct json_end end;
        int result = (int)scan_copy(s->text, strlen(s->text), &end);
        if (result != s->want || end.offset != s->offset) {
            fail_msg("case %zu, %s: %d at %zu", i, s->text, result, end.offset);
        }
        assert_int_equal(end.sentence == NULL, result == JSON_OK);
    }
}

/* Each beginning of a good text but numbers is incomplete, never broken: a
 * reader that waits for more bytes relies on it. */
static void a_text_cut_short_is_incomplete(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const struct sample *s = &samples[i];
        char first = s->text[strspn(s->text, " \t\r\n")];
        if (s->want != O || strchr("{[\"tfn", first) == NULL) {
            continue;
        }
        for (size_t len = 0; len < s->offset; len++) {
            struct json_end end;
            assert_int_equal(scan_copy(s->text, len, &end), JSON_INCOMPLETE);
            assert_int_equal(end.offset, len);
        }
    }
}

static void a_nul_byte_is_a_byte_like_others(void **state)
{
    (void)state;
    struct json_end end;
    assert_int_equal(scan_copy("\"a\0b\"", 5, &end), JSON_BROKEN);
    assert_int_equal(end.offset, 2);
    assert_int_equal(scan_copy("{}\0", 3, &end), JSON_OK);
    assert_int_equal(end.offset, 2);
    assert_int_equal(scan_copy("[\0]", 3, &end), JSON_BROKEN);
    assert_int_equal(end.offset, 1);
}

static void the_depth_is_counted(void **state)
{
    (void)state;
    char text[2 * JSON_DEPTH_MAX + 2];
    struct json_end end;
    memset(text, '[', JSON_DEPTH_MAX);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    assert_int_equal(scan_copy(text, (size_t)2 * JSON_DEPTH_MAX, &end),
                     JSON_OK);
    memset(text, '[', JSON_DEPTH_MAX + 1);
    assert_int_equal(scan_copy(text, JSON_DEPTH_MAX + 1, &end), JSON_TOO_MUCH);
    assert_int_equal(end.offset, JSON_DEPTH_MAX);
}

static size_t object_of(char *out, size_t size, unsigned members)
{
    size_t len = 1;
    out[0] = '{';
    for (unsigned i = 0; i < members; i++) {
        len += (size_t)snprintf(out + len, size - len, "%s\"member%u\":%u",
                                i == 0 ? "" : ",", i, i);
    }
    out[len++] = '}';
    return len;
}

static void the_members_of_an_object_are_counted(void **state)
{
    (void)state;
    static char text[32 * (JSON_NAMES_MAX + 1)];
    struct json_end end;
    size_t len = object_of(text, sizeof text, JSON_NAMES_MAX);
    assert_int_equal(scan_copy(text, len, &end), JSON_OK);
    len = object_of(text, sizeof text, JSON_NAMES_MAX + 1);
    assert_int_equal(scan_copy(text, len, &end), JSON_TOO_MUCH);
}

static void a_second_member_is_found_among_many(void **state)
{
    (void)state;
    static char text[32 * JSON_NAMES_MAX];
    struct json_end end;
    for (unsigned members = 2; members < 600; members += 7) {
        size_t len = object_of(text, sizeof text, members) - 1;
        len += (size_t)sprintf(text + len, ",\"member%u\":0}", members / 2);
        assert_int_equal(scan_copy(text, len, &end), JSON_BROKEN);
    }
}

/* Sixteen bytes of which the second half undoes what the hash made of the
 * first. False if they are no plain string. */
static bool colliding_name(uint64_t first, char out[17])
{
    uint64_t hash = first * UINT64_C(0x9E3779B97F4A7C15);
    uint64_t second = hash ^ hash >> 32 ^ UINT64_C(0x4142434445464748);
    for (int i = 0; i < 8; i++) {
        out[i] = (char)(first >> (8 * i) & 0xFF);
        out[i + 8] = (char)(second >> (8 * i) & 0xFF);
    }
    out[16] = '\0';
    for (int i = 0; i < 16; i++) {
        if (out[i] < ' ' || out[i] > '~' || out[i] == '"' || out[i] == '\\') {
            return false;
        }
    }
    return true;
}

static void names_chosen_to_collide_are_refused(void **state)
{
    (void)state;
    static char text[4096];
    size_t len = (size_t)sprintf(text, "{\"x\":0");
    unsigned names = 0;
    uint32_t hash = 0;
    struct json_end end;
    for (uint64_t i = 0; names < 32; i++) {
        char name[17];
        uint64_t letters = UINT64_C(0x6161616161616161) + (i & 15) +
                           (i >> 4 & 15) * 0x100 + (i >> 8 & 15) * 0x10000 +
                           (i >> 12 & 15) * 0x1000000 +
                           (i >> 16 & 15) * UINT64_C(0x100000000);
        if (!colliding_name(letters, name)) {
            continue;
        }
        struct json_text t = {.at = name, .len = 16};
        assert_true(names == 0 || json_hash(t) == hash);
        hash = json_hash(t);
        len += (size_t)sprintf(text + len, ",\"%s\":0", name);
        names++;
        text[len] = '}';
        if (names == 5) {
            assert_int_equal(scan_copy(text, len + 1, &end), JSON_OK);
        }
    }
    assert_int_equal(scan_copy(text, len + 1, &end), JSON_TOO_MUCH);
}

struct seen_path {
    char text[512];
    size_t len;
};

static void write_path(void *arg, const struct json_member *path,
                       unsigned depth)
{
    struct seen_path *seen = arg;
    const struct json_member *m = &path[depth - 1];
    for (unsigned i = 0; i < depth; i++) {
        seen->len += (size_t)sprintf(seen->text + seen->len, "/%.*s",
                                     (int)path[i].name.len, path[i].name.at);
    }
    seen->len +=
        (size_t)sprintf(seen->text + seen->len, "=%.*s%s ", (int)m->value.len,
                        m->value.at, m->value.escaped ? "(e)" : "");
}

static void members_are_told_as_they_end(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *want;
    } cases[] = {
        {"{\"a\" : \"x\\n\" , \"b\":1.50}", "/a=x\\n(e) /b=1.50 "},
        {"{\"a\":[{\"b\": true}, null ]}", "/a//b=true /a/={\"b\": true} "
                                           "/a/=null "
                                           "/a=[{\"b\": true}, null ] "},
        {"[1,\"\",[]]", "/=1 /= /=[] "},
        {"{\"a\":{\"b\":{\"c\":{\"d\":1}}}}",
         "/a/b/c={\"d\":1} /a/b={\"c\":{\"d\":1}} "
         "/a={\"b\":{\"c\":{\"d\":1}}} "},
        {"7", ""},
        {"{\"a\":1,\"b\":", "/a=1 "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct seen_path seen = {.len = 0};
        struct json_end end;
        (void)json_scan(cases[i].text, strlen(cases[i].text), write_path, &seen,
                        &end);
        assert_string_equal(seen.text, cases[i].want);
    }
}

static void text_is_decoded(void **state)
{
    (void)state;
    static const struct json_text text = {
        .at = "a\\u00e4\\ud83d\\ude00\\n\\/\xE2\x82\xAC",
        .len = 26,
        .escaped = true};
    char out[32];
    static const char want[] = "a\xC3\xA4\xF0\x9F\x98\x80\n/\xE2\x82\xAC";
    assert_int_equal(json_decode(text, out, sizeof out), sizeof want - 1);
    assert_memory_equal(out, want, sizeof want - 1);
    assert_int_equal(json_decode(text, out, 6), 3);
    assert_true(json_equals(text, want));
    assert_false(json_equals(text, "a"));
    assert_false(json_equals((struct json_text){"ab", 2, false}, "abc"));
    assert_true(json_equals((struct json_text){0}, ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfc_is_kept_to_the_letter),
        cmocka_unit_test(a_text_cut_short_is_incomplete),
        cmocka_unit_test(a_nul_byte_is_a_byte_like_others),
        cmocka_unit_test(the_depth_is_counted),
        cmocka_unit_test(the_members_of_an_object_are_counted),
        cmocka_unit_test(a_second_member_is_found_among_many),
        cmocka_unit_test(names_chosen_to_collide_are_refused),
        cmocka_unit_test(members_are_told_as_they_end),
        cmocka_unit_test(text_is_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
