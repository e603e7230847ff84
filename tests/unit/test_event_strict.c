#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "events/event.h"

#define COMMON   "\"userId\":\"u\",\"sessionId\":\"s\",\"device\":\"PC\""
#define PAGE     "{\"name\":\"PAGE_VIEW\"," COMMON ",\"category\":\"Home Page\""
#define REST     ",\"url\":\"u\",\"image\":\"i\",\"category\":\"A > B\""
#define PRODUCT0 "{\"name\":\"PRODUCT_VIEW\"," COMMON ",\"productId\":\"p\""
#define PRODUCT1 PRODUCT0 ",\"title\":\"t\"" REST
#define PRODUCT  PRODUCT1 ",\"price\":1.5"
#define BASKET   "{\"name\":\"BASKET_OPERATIONS\"," COMMON ",\"step\":\"add\""
#define ADD      BASKET ",\"productId\":\"p\""
#define CHECK0   "{\"name\":\"CHECKOUT\"," COMMON
#define CHECK1   CHECK0 ",\"step\":\"purchase\""
#define CHECK2   CHECK1 ",\"totalPrice\":9.99"
#define LINE     "{\"productId\":\"p\"}"
#define CHECKOUT CHECK2 ",\"productList\":[" LINE "]"
#define LIST(x)  CHECK2 ",\"productList\":[" LINE "," x "]}"
#define USER0    "{\"name\":\"USER_OPERATIONS\"," COMMON
#define USER(s)  USER0 ",\"step\":\"" s "\",\"username\":\"n\""
#define SIGNUP   USER("signup")
#define UPDATE   USER("update")
#define CUSTOM   "{\"name\":\"CUSTOM_EVENT\"," COMMON ",\"type\":\"t\""
#define BARE(n)  "{\"name\":\"" n "\"," COMMON "}"

static const struct {
    const char *json;
    enum event_fault fault;
    const char *path;
} cases[] = {
    /* Every event of the guide with nothing optional. */
    {PAGE "}", EVENT_OK, ""},
    {PRODUCT "}", EVENT_OK, ""},
    {ADD "}", EVENT_OK, ""},
    {CHECKOUT "}", EVENT_OK, ""},
    {SIGNUP "}", EVENT_OK, ""},
    {USER("signin") "}", EVENT_OK, ""},
    {USER("signout") "}", EVENT_OK, ""},
    {UPDATE "}", EVENT_OK, ""},
    {CUSTOM "}", EVENT_OK, ""},
    {BARE("INTERACTION"), EVENT_OK, ""},
    {BARE("USER_FORM"), EVENT_OK, ""},
    {BARE("BANNER_VIEW"), EVENT_OK, ""},
    {BARE("BANNER_OPERATIONS"), EVENT_OK, ""},

    /* Common members. */
    {"{}", EVENT_MISSING, "/name"},
    {"{\"name\":\"PAGE_VIEW\"}", EVENT_MISSING, "/userId"},
    {"{\"name\":\"PAGE_VIEW\",\"userId\":\"u\"}", EVENT_MISSING, "/sessionId"},
    {"{\"name\":\"PAGE_VIEW\",\"userId\":\"u\",\"sessionId\":\"s\","
     "\"category\":\"c\"}",
     EVENT_MISSING, "/device"},
    {"{\"name\":\"PAGE_VIEW\",\"userId\":\"\",\"sessionId\":\"s\"}",
     EVENT_MISSING, "/userId"},
    {"{\"name\":\"PAGE_VIEW\",\"userId\":\"u\",\"sessionId\":\"\"}",
     EVENT_MISSING, "/sessionId"},
    {"{\"name\":\"PAGE_VIEW\",\"userId\":7,\"sessionId\":\"s\"}", EVENT_TYPE,
     "/userId"},
    {"{\"name\":\"PAGE_VIEW\",\"userId\":null,\"sessionId\":\"s\"}", EVENT_TYPE,
     "/userId"},
    {"{\"name\":7,\"userId\":\"u\",\"sessionId\":\"s\"}", EVENT_TYPE, "/name"},
    {BARE("page_view"), EVENT_ENUM, "/name"},
    {BARE("SEARCH"), EVENT_ENUM, "/name"},
    {BARE("FORM"), EVENT_ENUM, "/name"},
    {BARE("NO_SUCH"), EVENT_ENUM, "/name"},
    {PAGE ",\"userAgent\":\"a\",\"lang\":\"TR\",\"currency\":\"EUR\","
          "\"browser\":\"Internet Explorer\",\"os\":\"iOS\",\"osversion\":"
          "\"10\",\"pageUrl\":\"\",\"referrer\":\"\",\"params\":{\"a\":[1]},"
          "\"testMode\":false,\"nextPage\":\"true\"}",
     EVENT_OK, ""},
    {PAGE ",\"lang\":\"IT\"}", EVENT_OK, ""}, /* by arrangement */
    {PAGE ",\"lang\":\"tr\"}", EVENT_ENUM, "/lang"},
    {PAGE ",\"lang\":\"Turkish\"}", EVENT_ENUM, "/lang"},
    {PAGE ",\"lang\":1}", EVENT_TYPE, "/lang"},
    {PAGE ",\"currency\":\"eur\"}", EVENT_FORMAT, "/currency"},
    {PAGE ",\"currency\":\"EURO\"}", EVENT_FORMAT, "/currency"},
    {PAGE ",\"currency\":\"\"}", EVENT_FORMAT, "/currency"},
    {PAGE ",\"currency\":\"\xE2\x82\xAC\"}", EVENT_FORMAT, "/currency"},
    {PAGE ",\"currency\":\"\\u0045UR\"}", EVENT_OK, ""},
    {PAGE ",\"currency\":949}", EVENT_TYPE, "/currency"},
    {PAGE ",\"browser\":\"chrome\"}", EVENT_ENUM, "/browser"},
    {PAGE ",\"browser\":\"Chrome|Firefox\"}", EVENT_ENUM, "/browser"},
    {PAGE ",\"browser\":\"\"}", EVENT_ENUM, "/browser"},
    {PAGE ",\"os\":\"macOS\"}", EVENT_ENUM, "/os"},
    {PAGE ",\"osversion\":10}", EVENT_TYPE, "/osversion"},
    {PAGE ",\"pageUrl\":null}", EVENT_TYPE, "/pageUrl"},
    {PAGE ",\"referrer\":[]}", EVENT_TYPE, "/referrer"},
    {PAGE ",\"userAgent\":true}", EVENT_TYPE, "/userAgent"},
    {PAGE ",\"params\":\"{}\"}", EVENT_TYPE, "/params"},
    {PAGE ",\"params\":[]}", EVENT_TYPE, "/params"},
    {PAGE ",\"params\":{}}", EVENT_OK, ""},
    {PAGE ",\"testMode\":\"yes\"}", EVENT_ENUM, "/testMode"},
    {PAGE ",\"testMode\":\"True\"}", EVENT_ENUM, "/testMode"},
    {PAGE ",\"testMode\":1}", EVENT_TYPE, "/testMode"},
    {PAGE ",\"nextPage\":null}", EVENT_TYPE, "/nextPage"},
    {PAGE ",\"unknown\":null,\"ft\":1e999,\"Device\":0}", EVENT_OK, ""},

    /* PAGE_VIEW. */
    {BARE("PAGE_VIEW"), EVENT_MISSING, "/category"},
    {PAGE ",\"subCategory\":\"a > b\"}", EVENT_OK, ""},
    {PAGE ",\"subCategory\":[\"a\"]}", EVENT_TYPE, "/subCategory"},
    {"{\"name\":\"PAGE_VIEW\"," COMMON ",\"category\":\"Campaign Page\"}",
     EVENT_OK, ""}, /* predefined, not closed */
    {"{\"name\":\"PAGE_VIEW\"," COMMON ",\"category\":4}", EVENT_TYPE,
     "/category"},

    /* PRODUCT_VIEW. */
    {BARE("PRODUCT_VIEW"), EVENT_MISSING, "/productId"},
    {PRODUCT0 "}", EVENT_MISSING, "/title"},
    {PRODUCT0 ",\"title\":\"t\"}", EVENT_MISSING, "/url"},
    {PRODUCT1 "}", EVENT_MISSING, "/price"},
    {PRODUCT1 ",\"price\":\"349.99\"}", EVENT_TYPE, "/price"},
    {PRODUCT1 ",\"price\":null}", EVENT_TYPE, "/price"},
    {PRODUCT1 ",\"price\":-0.0e1}", EVENT_OK, ""},
    {PRODUCT ",\"oldPrice\":\"1\"}", EVENT_TYPE, "/oldPrice"},
    {PRODUCT ",\"inStock\":\"true\"}", EVENT_OK, ""},
    {PRODUCT ",\"inStock\":false}", EVENT_OK, ""},
    {PRODUCT ",\"inStock\":\"no\"}", EVENT_ENUM, "/inStock"},
    {PRODUCT ",\"inStock\":0}", EVENT_TYPE, "/inStock"},
    {PRODUCT ",\"gender\":\"U\"}", EVENT_OK, ""},
    {PRODUCT ",\"gender\":\"X\"}", EVENT_ENUM, "/gender"},
    {PRODUCT ",\"gender\":\"m\"}", EVENT_ENUM, "/gender"},
    {PRODUCT ",\"colors\":[\"a\"],\"sizes\":[],\"labels\":[1]}", EVENT_OK, ""},
    {PRODUCT ",\"colors\":\"red\"}", EVENT_TYPE, "/colors"},
    {PRODUCT ",\"sizes\":{}}", EVENT_TYPE, "/sizes"},
    {PRODUCT ",\"labels\":null}", EVENT_TYPE, "/labels"},
    {PRODUCT ",\"mUrl\":\"\",\"imageXS\":\"\",\"imageS\":\"\",\"imageM\":\"\","
             "\"imageL\":\"\",\"imageXL\":\"\",\"brand\":\"\"}",
     EVENT_OK, ""},
    {PRODUCT ",\"imageXL\":1}", EVENT_TYPE, "/imageXL"},
    {PRODUCT ",\"productList\":[1]}", EVENT_OK, ""}, /* unknown here */

    /* BASKET_OPERATIONS. */
    {BARE("BASKET_OPERATIONS"), EVENT_MISSING, "/step"},
    {BASKET "}", EVENT_MISSING, "/productId"},
    {BASKET ",\"productId\":\"\"}", EVENT_MISSING, "/productId"},
    {BASKET ",\"productId\":17}", EVENT_TYPE, "/productId"},
    {"{\"name\":\"BASKET_OPERATIONS\"," COMMON ",\"step\":\"clear\"}",
     EVENT_ENUM, "/step"},
    {"{\"name\":\"BASKET_OPERATIONS\"," COMMON ",\"step\":\"ADD\"}", EVENT_ENUM,
     "/step"},
    {"{\"name\":\"BASKET_OPERATIONS\"," COMMON ",\"step\":1}", EVENT_TYPE,
     "/step"},
    {ADD ",\"price\":1,\"currency\":\"EUR\",\"quantity\":2.3}", EVENT_OK, ""},
    {ADD ",\"quantity\":\"2\"}", EVENT_TYPE, "/quantity"},
    {ADD ",\"Quantity\":\"2\"}", EVENT_OK, ""}, /* unknown member */

    /* CHECKOUT. */
    {CHECK0 "}", EVENT_MISSING, "/step"},
    {CHECK0 ",\"step\":\"view-basket\"}", EVENT_ENUM, "/step"},
    {CHECK1 "}", EVENT_MISSING, "/totalPrice"},
    {CHECK2 "}", EVENT_MISSING, "/productList"},
    {CHECK2 ",\"products\":[" LINE "]}", EVENT_MISSING, "/productList"},
    {CHECK2 ",\"productList\":[]}", EVENT_OK, ""},
    {CHECK2 ",\"productList\":{}}", EVENT_TYPE, "/productList"},
    {CHECK2 ",\"productList\":\"[]\"}", EVENT_TYPE, "/productList"},
    {CHECKOUT ",\"orderNo\":\"o\",\"cartUrl\":\"c\",\"currency\":\"TRY\"}",
     EVENT_OK, ""},
    {CHECKOUT ",\"orderNo\":4711}", EVENT_TYPE, "/orderNo"},
    {CHECKOUT ",\"cartUrl\":false}", EVENT_TYPE, "/cartUrl"},
    {CHECK1 ",\"totalPrice\":\"9\",\"productList\":[]}", EVENT_TYPE,
     "/totalPrice"},
    {LIST("7"), EVENT_TYPE, "/productList/1"},
    {LIST("[]"), EVENT_TYPE, "/productList/1"},
    {LIST("{}"), EVENT_MISSING, "/productList/1/productId"},
    {LIST("{\"productId\":\"\"}"), EVENT_MISSING, "/productList/1/productId"},
    {LIST("{\"productId\":\"p\",\"price\":1,\"currency\":\"EUR\","
          "\"quantity\":0.5,\"x\":[{\"productId\":1}]}"),
     EVENT_OK, ""},
    {LIST("{\"productId\":\"p\",\"price\":\"1\"}"), EVENT_TYPE,
     "/productList/1/price"},
    {LIST("{\"productId\":\"p\",\"quantity\":\"1\"}"), EVENT_TYPE,
     "/productList/1/quantity"},
    {LIST("{\"productId\":\"p\",\"currency\":\"eur\"}"), EVENT_FORMAT,
     "/productList/1/currency"},
    {LIST("{\"productId\":7},{}"), EVENT_TYPE, "/productList/1/productId"},
    {LIST("[{\"productId\":7}]"), EVENT_TYPE, "/productList/1"},
    {"{\"productList\":[{}],\"step\":\"basket\",\"totalPrice\":1," COMMON
     ",\"name\":\"CHECKOUT\"}",
     EVENT_MISSING, "/productList/0/productId"},

    /* USER_OPERATIONS. */
    {USER0 ",\"username\":\"n\"}", EVENT_MISSING, "/step"},
    {USER0 ",\"step\":\"signin\"}", EVENT_MISSING, "/username"},
    {USER("subscribe") "}", EVENT_ENUM, "/step"},
    {SIGNUP ",\"fullName\":\"f\",\"email\":\"e\",\"phone\":\"p\","
            "\"gender\":\"F\",\"age\":27,\"birthdate\":\"29.02.2000\","
            "\"memberSince\":\"01.12.2026\",\"location\":\"l\","
            "\"segments\":[\"a\"],\"custom\":{\"a\":\"b\"}}",
     EVENT_OK, ""},
    {SIGNUP ",\"gender\":\"U\"}", EVENT_ENUM, "/gender"},
    {SIGNUP ",\"age\":\"27\"}", EVENT_TYPE, "/age"},
    {SIGNUP ",\"birthdate\":\"29.02.2001\"}", EVENT_FORMAT, "/birthdate"},
    {SIGNUP ",\"birthdate\":\"29.02.1900\"}", EVENT_FORMAT, "/birthdate"},
    {SIGNUP ",\"birthdate\":\"31.04.1980\"}", EVENT_FORMAT, "/birthdate"},
    {SIGNUP ",\"birthdate\":\"00.01.1980\"}", EVENT_FORMAT, "/birthdate"},
    {SIGNUP ",\"birthdate\":\"01.13.1980\"}", EVENT_FORMAT, "/birthdate"},
    {SIGNUP ",\"birthdate\":\"01.01.0000\"}", EVENT_FORMAT, "/birthdate"},
    {SIGNUP ",\"birthdate\":\"1.1.1980\"}", EVENT_FORMAT, "/birthdate"},
    {SIGNUP ",\"birthdate\":\"1980-01-01\"}", EVENT_FORMAT, "/birthdate"},
    {SIGNUP ",\"birthdate\":\"23/01/1980\"}", EVENT_FORMAT, "/birthdate"},
    {SIGNUP ",\"birthdate\":\"23.01.80\"}", EVENT_FORMAT, "/birthdate"},
    {SIGNUP ",\"birthdate\":\"\"}", EVENT_FORMAT, "/birthdate"},
    {SIGNUP ",\"birthdate\":19800123}", EVENT_TYPE, "/birthdate"},
    {UPDATE ",\"memberSince\":\"23.01.14\"}", EVENT_FORMAT, "/memberSince"},
    {UPDATE ",\"segments\":\"a,b\"}", EVENT_TYPE, "/segments"},
    {UPDATE ",\"phone\":905550000000}", EVENT_TYPE, "/phone"},
    {UPDATE ",\"isLogin\":\"false\",\"isRegistered\":true}", EVENT_OK, ""},
    {UPDATE ",\"isLogin\":\"0\"}", EVENT_ENUM, "/isLogin"},
    {SIGNUP ",\"isLogin\":\"0\"}", EVENT_OK, ""},      /* update only */
    {USER("signin") ",\"age\":\"27\"}", EVENT_OK, ""}, /* not in its table */

    /* CUSTOM_EVENT. */
    {BARE("CUSTOM_EVENT"), EVENT_MISSING, "/type"},
    {CUSTOM ",\"params\":{\"a\":1}}", EVENT_OK, ""},
    {CUSTOM ",\"params\":\"{\\\"a\\\":1}\"}", EVENT_TYPE, "/params"},
    {"{\"name\":\"CUSTOM_EVENT\"," COMMON ",\"type\":[]}", EVENT_TYPE, "/type"},

    /* The guide has no tables for these. */
    {"{\"name\":\"INTERACTION\"," COMMON ",\"type\":5}", EVENT_OK, ""},
    {"{\"name\":\"BANNER_VIEW\"," COMMON ",\"os\":\"x\"}", EVENT_ENUM, "/os"},

    /* Of two faults: JSON first, then the order of the guide's tables. */
    {"{\"name\":\"NO_SUCH\",\"a\":01}", EVENT_SYNTAX, ""},
    {"{\"name\":\"NO_SUCH\"} x", EVENT_SYNTAX, ""},
    {"{\"name\":\"NO_SUCH\",\"userId\":1}", EVENT_ENUM, "/name"},
    {"{\"category\":1,\"device\":\"pc\",\"name\":\"PAGE_VIEW\",\"userId\":"
     "\"u\",\"sessionId\":\"s\"}",
     EVENT_ENUM, "/device"},
    {CHECK1 ",\"productList\":[{}]}", EVENT_MISSING, "/totalPrice"},
    {LIST("{\"quantity\":\"1\",\"price\":\"1\",\"productId\":\"p\"}"),
     EVENT_TYPE, "/productList/1/price"},

    /* No JSON, or not an event. */
    {"[" PAGE "}]", EVENT_TYPE, ""},
    {"\"PAGE_VIEW\"", EVENT_TYPE, ""},
    {PAGE ",\"a\":1,\"a\":1}", EVENT_SYNTAX, ""},
    {PAGE ",}", EVENT_SYNTAX, ""},
    {PAGE ",\"a\":NaN}", EVENT_SYNTAX, ""},
    {PAGE ",\"a\":'b'}", EVENT_SYNTAX, ""},
    {PAGE, EVENT_SYNTAX, ""},
    {PAGE "}}", EVENT_SYNTAX, ""},
    {"\xEF\xBB\xBF" PAGE "}", EVENT_SYNTAX, ""},
};

static void the_guide_is_kept_to_the_letter(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct event_facts facts;
        struct event_finding finding = {.path = ""};
        size_t len = strlen(cases[i].json);
        char *copy = malloc(len);
        assert_non_null(copy);
        memcpy(copy, cases[i].json, len);
        enum spool_status status =
            event_check(copy, len, EVENT_STRICT, &facts, &finding);
        if (finding.fault != cases[i].fault ||
            strcmp(finding.path, cases[i].path) != 0) {
            fail_msg("%s: %s at %s", cases[i].json,
                     event_fault_name(finding.fault), finding.path);
        }
        assert_int_equal(status == SPOOL_OK, finding.fault == EVENT_OK);
        free(copy);
    }
}

static void findings_are_sentences_about_the_byte_at_fault(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        size_t offset;
        const char *message;
    } findings[] = {
        {"{\"userId\":\"u\"}", 0, "name is mandatory and missing"},
        {"{\"name\":\"\"}", 8, "name is mandatory and empty"},
        {" {\"name\":\"NO\"}", 9, "name is no event of the guide"},
        {"{\"name\" : 7}", 10, "name must be a string, not a number"},
        {"{\"name\":\"PAGE_VIEW\",\"userId\":\"u\",\"sessionId\":\"s\","
         "\"device\":\"pc\"}",
         58,
         "device must be PC, TABLET, MOBILE, ANDROID or IOS, written exactly "
         "so"},
        {CHECK2 ",\"Products\":[]}", 0,
         "productList is mandatory and missing; Products is another member"},
        {SIGNUP ",\"birthdate\":\"x\"}", 112,
         "birthdate must be a day that exists, written DD.MM.YYYY"},
        {PAGE ",\"lang\":\"xx\"}", 93,
         "lang must be TR, EN, FR or DE, or another code of two capital "
         "letters"},
        {PAGE ",\"testMode\":\"\"}", 97,
         "testMode must be true or false, written exactly so"},
        {CHECK2 ",\"productList\":[{}]}", 113,
         "productId is mandatory and missing"},
        {PAGE ",\"a\":\"\n\"}", 91,
         "a string has a line break, a tab or another control character that "
         "must be escaped"},
    };
    for (size_t i = 0; i < sizeof findings / sizeof findings[0]; i++) {
        struct event_facts facts;
        struct event_finding finding;
        assert_int_equal(event_check(findings[i].json, strlen(findings[i].json),
                                     EVENT_STRICT, &facts, &finding),
                         SPOOL_INVALID);
        assert_string_equal(finding.message, findings[i].message);
        assert_int_equal(finding.offset, findings[i].offset);
    }
}

static void deep_and_long_events_have_room(void **state)
{
    (void)state;
    struct event_facts facts;
    struct event_finding finding;
    static char text[EVENT_BYTES_MAX + 16];
    size_t len = (size_t)sprintf(text, "%s,\"params\":{\"a\":", PAGE);
    memset(text + len, '[', 38);
    memset(text + len + 38, ']', 38);
    len += 76;
    len += (size_t)sprintf(text + len, "}}");
    assert_int_equal(event_check(text, len, EVENT_STRICT, &facts, &finding),
                     SPOOL_OK);
    len = (size_t)sprintf(text, "%s,\"x\":\"", PAGE);
    memset(text + len, 'x', 65536);
    len += 65536;
    len += (size_t)sprintf(text + len, "\"}");
    assert_int_equal(event_check(text, len, EVENT_STRICT, &facts, &finding),
                     SPOOL_OK);
}

static void limits_are_a_fault_of_their_own(void **state)
{
    (void)state;
    struct event_facts facts;
    struct event_finding finding;
    static char text[EVENT_BYTES_MAX + 16];
    memset(text, ' ', sizeof text);
    size_t len = (size_t)sprintf(text, "%s", PAGE);
    text[len] = ' ';
    text[EVENT_BYTES_MAX - 1] = '}';
    assert_int_equal(
        event_check(text, EVENT_BYTES_MAX, EVENT_STRICT, &facts, &finding),
        SPOOL_OK);
    text[EVENT_BYTES_MAX - 1] = ' ';
    text[EVENT_BYTES_MAX] = '}';
    assert_int_equal(
        event_check(text, EVENT_BYTES_MAX + 1, EVENT_STRICT, &facts, &finding),
        SPOOL_INVALID);
    assert_int_equal(finding.fault, EVENT_LIMIT);
    len = (size_t)sprintf(text, "%s,\"x\":", PAGE);
    memset(text + len, '[', JSON_DEPTH_MAX);
    assert_int_equal(
        event_check(text, len + JSON_DEPTH_MAX, EVENT_OFF, &facts, &finding),
        SPOOL_INVALID);
    assert_int_equal(finding.fault, EVENT_LIMIT);
    assert_int_equal(finding.offset, len + JSON_DEPTH_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_guide_is_kept_to_the_letter),
        cmocka_unit_test(findings_are_sentences_about_the_byte_at_fault),
        cmocka_unit_test(deep_and_long_events_have_room),
        cmocka_unit_test(limits_are_a_fault_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
