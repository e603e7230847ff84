#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "events/event.h"

#define IDS "\"userId\":\"u\",\"sessionId\":\"s\""

static enum event_fault fault_of(const char *json, enum event_mode mode)
{
    struct event_facts facts;
    struct event_finding finding;
    enum spool_status status =
        event_check(json, strlen(json), mode, &facts, &finding);
    assert_int_equal(status == SPOOL_OK, finding.fault == EVENT_OK);
    return finding.fault;
}

static void off_asks_for_json_and_the_three_names_only(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        enum event_fault want;
    } cases[] = {
        {"{\"name\":\"ANY\"," IDS "}", EVENT_OK},
        {" {\"name\":\"ANY\"," IDS ",\"device\":7}\n", EVENT_OK},
        {"{\"name\":\"\"," IDS "}", EVENT_MISSING},
        {"{\"name\":7," IDS "}", EVENT_TYPE},
        {"{" IDS "}", EVENT_MISSING},
        {"{\"name\":\"A\",\"sessionId\":\"s\"}", EVENT_MISSING},
        {"{\"name\":\"A\",\"userId\":\"u\",\"sessionId\":null}", EVENT_TYPE},
        {"[{\"name\":\"A\"," IDS "}]", EVENT_TYPE},
        {"null", EVENT_TYPE},
        {"{\"name\":\"A\"," IDS "} x", EVENT_SYNTAX},
        {"{\"name\":\"A\"," IDS, EVENT_SYNTAX},
        {"", EVENT_SYNTAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(fault_of(cases[i].json, EVENT_OFF), cases[i].want);
    }
}

static void facts_tell_what_the_outbox_needs(void **state)
{
    (void)state;
    static const char json[] =
        "{\"name\":\"CHECKOUT\",\"device\":\"PC\"," IDS
        ",\"step\":\"purchase\",\"orderNo\":\"A-1\",\"totalPrice\":1.50,"
        "\"currency\":\"EUR\",\"productList\":[],\"nextPage\":\"true\"}";
    struct event_facts facts;
    struct event_finding finding;
    assert_int_equal(
        event_check(json, sizeof json - 1, EVENT_STRICT, &facts, &finding),
        SPOOL_OK);
    assert_true(json_equals(facts.name, "CHECKOUT"));
    assert_true(json_equals(facts.step, "purchase"));
    assert_true(json_equals(facts.key, "A-1"));
    assert_true(json_equals(facts.total_price, "1.50"));
    assert_true(json_equals(facts.currency, "EUR"));
    assert_int_equal(facts.class, EVENT_PURCHASE);
    assert_true(facts.next_page);
    assert_false(facts.test_mode);
    assert_int_equal(facts.part, crc32c(0, "u\0s", 3) & 0x7FFFFFFF);
}

static void a_session_is_the_same_however_it_is_escaped(void **state)
{
    (void)state;
    static const char plain[] =
        "{\"name\":\"A\",\"userId\":\"a\xC3\xA4\",\"sessionId\":\"s/\"}";
    static const char escaped[] =
        "{\"n\\u0061me\":\"A\",\"userId\":\"\\u0061\\u00e4\","
        "\"sessionId\":\"s\\/\"}";
    struct event_facts a;
    struct event_facts b;
    assert_true(event_read(plain, sizeof plain - 1, &a));
    assert_true(event_read(escaped, sizeof escaped - 1, &b));
    assert_int_equal(a.part, b.part);
    assert_true(json_equal(a.user_id, b.user_id));
}

static void each_event_has_its_class(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *step;
        const char *want;
    } cases[] = {
        {"PAGE_VIEW", "", "view"},
        {"PRODUCT_VIEW", "purchase", "view"},
        {"BANNER_VIEW", "", "view"},
        {"SEARCH", "", "view"},
        {"INTERACTION", "", "interaction"},
        {"CUSTOM_EVENT", "", "interaction"},
        {"USER_FORM", "", "interaction"},
        {"BANNER_OPERATIONS", "", "interaction"},
        {"ANYTHING", "", "interaction"},
        {"BASKET_OPERATIONS", "add", "basket"},
        {"USER_OPERATIONS", "signup", "checkout"},
        {"CHECKOUT", "basket", "checkout"},
        {"CHECKOUT", "PURCHASE", "checkout"},
        {"CHECKOUT", "purchase", "purchase"},
        {"CHECK\\u004fUT", "purch\\u0061se", "purchase"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char json[256];
        struct event_facts facts;
        (void)snprintf(json, sizeof json,
                       "{\"name\":\"%s\",\"step\":\"%s\"," IDS "}",
                       cases[i].name, cases[i].step);
        assert_true(event_read(json, strlen(json), &facts));
        assert_string_equal(event_class_name(facts.class), cases[i].want);
    }
}

static void only_a_purchase_with_a_number_has_a_key(void **state)
{
    (void)state;
    static const struct {
        const char *members;
        const char *key;
    } cases[] = {
        {"\"step\":\"purchase\",\"orderNo\":\"A-1\"", "A-1"},
        {"\"step\":\"purchase\",\"orderNo\":4711", "4711"},
        {"\"step\":\"purchase\",\"orderNo\":\"\"", NULL},
        {"\"step\":\"purchase\",\"orderNo\":null", NULL},
        {"\"step\":\"purchase\"", NULL},
        {"\"step\":\"payment\",\"orderNo\":\"A-1\"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char json[256];
        struct event_facts facts;
        (void)snprintf(json, sizeof json, "{\"name\":\"CHECKOUT\",%s," IDS "}",
                       cases[i].members);
        assert_true(event_read(json, strlen(json), &facts));
        assert_int_equal(facts.key.at == NULL, cases[i].key == NULL);
        assert_true(cases[i].key == NULL ||
                    json_equals(facts.key, cases[i].key));
    }
}

static void what_is_no_event_is_not_read(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "{} {}", "[]", "7", "{\"a\":}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct event_facts facts;
        assert_false(event_read(texts[i], strlen(texts[i]), &facts));
    }
}

static void any_object_is_an_event_when_that_is_all_that_is_asked(void **state)
{
    static const struct {
        const char *json;
        enum event_fault want;
    } cases[] = {
        {"{}", EVENT_OK},
        {"{\"name\":7,\"userId\":null}", EVENT_OK},
        {"{\"productList\":[{\"price\":\"x\"}]}", EVENT_OK},
        {"[]", EVENT_TYPE},
        {"{\"a\":1,\"a\":2}", EVENT_SYNTAX},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(fault_of(cases[i].json, EVENT_JSON), cases[i].want);
    }
    struct event_facts a, b, c;
    assert_true(event_read("{\"a\":1}", 7, &a));
    assert_true(event_read("{\"name\":\"b\"}", 12, &b));
    assert_int_equal(a.part, b.part); /* they keep their order */
    static const char user[] = "{\"userId\":\"u\",\"sessionId\":\"s\"}";
    assert_true(event_read(user, strlen(user), &c));
    assert_int_not_equal(a.part, c.part);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_object_is_an_event_when_that_is_all_that_is_asked),
        cmocka_unit_test(off_asks_for_json_and_the_three_names_only),
        cmocka_unit_test(facts_tell_what_the_outbox_needs),
        cmocka_unit_test(each_event_has_its_class),
        cmocka_unit_test(only_a_purchase_with_a_number_has_a_key),
        cmocka_unit_test(what_is_no_event_is_not_read),
        cmocka_unit_test(a_session_is_the_same_however_it_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
