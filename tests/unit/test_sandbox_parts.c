/* The parts of spool-sandbox that a socket does not reach at every border. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "keyring.h"
#include "request.h"
#include "shelf.h"

static void a_head_may_come_in_any_two_pieces(void **state)
{
    (void)state;
    static const char head[] = "POST //a/b?x=1&y=%41 HTTP/1.1\r\n"
                               "Host: h\r\nContent-Length: 3\r\n"
                               "Idempotency-Key:  k \r\n\r\n";
    size_t len = sizeof head - 1;
    for (size_t cut = 0; cut <= len; cut++) {
        struct request r;
        struct complaint why;
        size_t scanned = 0;
        if (cut < len) {
            assert_int_equal(request_parse(head, cut, &scanned, &r, &why),
                             PARSED_PARTLY);
        }
        assert_int_equal(request_parse(head, len, &scanned, &r, &why),
                         PARSED_WHOLE);
        assert_true(text_is(r.path, "/a/b"));
        assert_true(text_is(r.idempotency_key, "k"));
        assert_int_equal(r.body_len, 3);
        assert_int_equal(r.head_len, len);
        char y[4];
        assert_true(request_parameter(&r, "y", y, sizeof y));
        assert_string_equal(y, "A");
        assert_false(request_parameter(&r, "z", y, sizeof y));
    }
}

static void a_chunked_body_may_come_in_any_two_pieces(void **state)
{
    (void)state;
    static const char body[] =
        "3\r\nabc\r\n0A;x=\"y\"\r\n0123456789\r\n0\r\nT: t\r\n\r\nGET";
    size_t len = sizeof body - 1;
    for (size_t cut = 0; cut <= len; cut++) {
        struct chunked c = {0};
        struct buffer out = {.limit = REQUEST_BODY_LIMIT};
        struct complaint why;
        size_t used = 0;
        size_t more = 0;
        enum parsed p = chunked_decode(&c, body, cut, &used, &out, &why);
        assert_int_equal(p, cut < len - 3 ? PARSED_PARTLY : PARSED_WHOLE);
        if (p == PARSED_PARTLY) {
            assert_int_equal(used, cut);
            p = chunked_decode(&c, body + cut, len - cut, &more, &out, &why);
        }
        assert_int_equal(p, PARSED_WHOLE);
        assert_int_equal(used + more, len - 3);
        assert_int_equal(out.len, 13);
        assert_memory_equal(out.data, "abc0123456789", 13);
        buffer_finish(&out);
    }
}

static void a_chunked_body_stops_at_its_limit(void **state)
{
    (void)state;
    struct chunked c = {0};
    struct buffer out = {.limit = 4};
    struct complaint why;
    size_t used;
    assert_int_equal(chunked_decode(&c, "5\r\n12345", 8, &used, &out, &why),
                     PARSED_BAD);
    assert_int_equal(why.http, 413);
    buffer_finish(&out);
}

/* Every event on the shelf is whole and the numbers are those of the last. */
static void check_shelf(const struct shelf *s)
{
    uint64_t number = s->last - s->count;
    for (size_t i = 0; i < s->count; i++) {
        const struct shelf_event *e = &s->events[(s->first + i) % SHELF_EVENTS];
        assert_int_equal(e->number, ++number);
        for (size_t k = 0; k < e->len; k++) {
            if (s->bytes[e->offset + k] != (char)('a' + e->number % 26)) {
                fail_msg("event %zu is overwritten", (size_t)e->number);
            }
        }
    }
}

static void the_shelf_keeps_the_last_events_whole(void **state)
{
    (void)state;
    static struct shelf s;
    static char event[SHELF_BYTES];
    static const size_t sizes[] = {10, 900000, 1, 1500000, 70000, 2000000};
    for (size_t i = 0; i < 60; i++) {
        size_t len = sizes[i % 6] + i;
        memset(event, (int)('a' + (s.last + 1) % 26), len);
        shelf_add(&s, (struct text){event, len}, i, 0);
        assert_true(s.count > 0);
        check_shelf(&s);
    }
    for (size_t i = 0; i < 2 * SHELF_EVENTS + 1; i++) {
        memset(event, (int)('a' + (s.last + 1) % 26), 300);
        shelf_add(&s, (struct text){event, 300}, i, 0);
    }
    assert_int_equal(s.count, SHELF_EVENTS);
    check_shelf(&s);
    shelf_clear(&s);
}

static void the_keyring_finds_each_key_again(void **state)
{
    (void)state;
    struct keyring ring = {0};
    char name[32];
    bool is_new;
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < 5000; i++) {
            int n = snprintf(name, sizeof name, "key-%zu", i);
            struct key *key =
                keyring_get(&ring, (struct text){name, (size_t)n}, &is_new);
            assert_int_equal(is_new, pass == 0);
            if (is_new) {
                key->events = i;
            }
            assert_int_equal(key->events, i);
        }
    }
    assert_int_equal(ring.count, 5000);
    keyring_finish(&ring);
}

static void bodies_that_differ_have_different_hashes(void **state)
{
    (void)state;
    char body[100] = {0};
    uint64_t plain = keyring_hash((struct text){body, sizeof body});
    for (size_t i = 0; i < sizeof body; i++) {
        body[i] = 1;
        assert_true(keyring_hash((struct text){body, sizeof body}) != plain);
        body[i] = 0;
    }
    assert_true(keyring_hash((struct text){body, 99}) != plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_may_come_in_any_two_pieces),
        cmocka_unit_test(a_chunked_body_may_come_in_any_two_pieces),
        cmocka_unit_test(a_chunked_body_stops_at_its_limit),
        cmocka_unit_test(the_shelf_keeps_the_last_events_whole),
        cmocka_unit_test(the_keyring_finds_each_key_again),
        cmocka_unit_test(bodies_that_differ_have_different_hashes),
    };
    return cmocka_run_group_tests_name("sandbox_parts", tests, NULL, NULL);
}
