#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "events/event.h"

#define IDS                                                                    \
    "\"userId\":\"-5093311807364102284\",\"sessionId\":"                       \
    "\"7731180042219306113\""
#define BASKET "{\"name\":\"BASKET_OPERATIONS\"," IDS ",\"device\":\"PC\""

struct log {
    char text[512];
    size_t len;
};

static void write_warning(void *arg, const struct event_finding *warning)
{
    struct log *log = arg;
    log->len += (size_t)snprintf(
        log->text + log->len, sizeof log->text - log->len, "%s %s; ",
        event_fault_name(warning->fault), warning->path);
    assert_true(log->len < sizeof log->text);
    assert_true(strlen(warning->message) > 0);
}

/* The warnings in order, or "!" and the finding. */
static void judge(const char *json, enum event_mode mode, struct log *log)
{
    struct event_checks checks = {mode, write_warning, log};
    struct event_facts facts;
    struct event_finding finding;
    size_t end = 0;
    log->len = 0;
    log->text[0] = '\0';
    if (event_check_at(&checks, json, strlen(json), &facts, &finding, &end) !=
        SPOOL_OK) {
        assert_int_equal(log->len, 0);
        (void)snprintf(log->text, sizeof log->text, "!%s %s",
                       event_fault_name(finding.fault), finding.path);
    }
}

/* One event of each kind as the official clients send it. */
static void official_clients_pass_with_warnings(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *warnings;
    } cases[] = {
        {"{\"name\":\"PAGE_VIEW\"," IDS
         ",\"testMode\":\"false\",\"device\":\"PC\",\"noProcess\":false,"
         "\"tryCount\":0,\"nextPage\":false,\"dnt\":false,\"dnp\":false,"
         "\"params\":{},\"recommendIds\":[],\"pageUrl\":\"https://magaza."
         "example.com/kahve\",\"referrer\":\"\",\"browser\":\"Chrome\",\"os\":"
         "\"Windows\",\"osversion\":\"10\",\"userAgent\":\"Mozilla/5.0\","
         "\"lang\":\"TR\",\"currency\":\"TRY\",\"region\":\"\",\"async\":"
         "\"true\",\"globalMode\":\"REAL\",\"experiments\":{},\"email\":\"\","
         "\"ft\":\"2026.11.23 14:05:09.041\",\"tz\":\"-180\",\"category\":"
         "\"Category Page\",\"subCategory\":\"G\xC4\xB1"
         "da > Kahve\"}",
         ""},
        {"{\"name\":\"PRODUCT_VIEW\"," IDS
         ",\"device\":\"PC\",\"async\":\"true\",\"ft\":\"2026.11.23 "
         "14:05:12.200\",\"tz\":\"-180\",\"productId\":\"KAHVE-250\",\"title\":"
         "\"Filtre Kahve 250 g\",\"url\":\"https://magaza.example.com/p\","
         "\"image\":\"https://cdn.example.com/k.jpg\",\"categories\":[\"a > "
         "b\"],\"price\":189.9,\"oldPrice\":219.9,\"brand\":\"\xC3\x96rnek\","
         "\"noUpdate\":[\"image\"],\"source\":\"INTERNAL\",\"activeBanners\":"
         "[{\"title\":\"t\",\"group\":\"g\",\"order\":1}]}",
         "missing /category; "},
        {"{\"name\":\"BASKET_OPERATIONS\"," IDS
         ",\"device\":\"mobile\",\"nextPage\":true,\"async\":\"false\","
         "\"productId\":\"KAHVE-250\",\"basketId\":\"basket_1\",\"step\":"
         "\"add\",\"price\":189.9,\"quantity\":1}",
         "enum /device; "},
        {"{\"totalPrice\":569.7,\"productList\":[{\"productId\":\"KAHVE-250\","
         "\"price\":189.9,\"quantity\":2.0,\"os\":\"android\"}],\"orderNo\":"
         "\"SIP-1\",\"activeBanners\":[],\"step\":\"purchase\"," IDS
         ",\"name\":\"CHECKOUT\",\"currency\":\"TRY\",\"os\":\"android\","
         "\"device\":\"android\",\"osversion\":\"15\",\"sdkVersion\":\"2.2.9\","
         "\"testMode\":false,\"region\":\"\"}",
         "enum /device; enum /os; "},
        {"{\"name\":\"USER_OPERATIONS\"," IDS
         ",\"device\":\"PC\",\"async\":\"false\",\"step\":\"update\","
         "\"username\":\"musteri-00417\",\"fullName\":\"Z\",\"email\":\"z@"
         "example.com\",\"phone\":\"+90\",\"segments\":[\"vip\"],"
         "\"memberSince\":\"23.11.2026\",\"isLogin\":true,\"isRegistered\":"
         "\"true\"}",
         ""},
        {"{\"name\":\"CUSTOM_EVENT\"," IDS
         ",\"device\":\"PC\",\"async\":\"true\",\"type\":\"gift\",\"params\":"
         "{\"ribbon\":\"red\"}}",
         ""},
        {"{\"name\":\"INTERACTION\"," IDS
         ",\"device\":\"PC\",\"nextPage\":false,\"type\":\"impression\","
         "\"instanceId\":\"scn_1\",\"interactionId\":\"act_1\"}",
         ""},
        {"{\"name\":\"FORM\"," IDS
         ",\"device\":\"PC\",\"formName\":\"n\",\"fields\":{\"a\":\"b,c\"}}",
         "enum /name; "},
        {"{\"name\":\"BANNER_OPERATIONS\"," IDS
         ",\"device\":\"PC\",\"type\":\"click\",\"title\":\"t\",\"group\":"
         "\"g\",\"order\":1}",
         ""},
        {"{\"name\":\"BANNER_GROUP_VIEW\"," IDS
         ",\"device\":\"PC\",\"group\":\"g\"}",
         "enum /name; "},
        {"{\"name\":\"SEARCH\"," IDS
         ",\"device\":\"PC\",\"query\":\"kahve\",\"type\":\"faceted\","
         "\"trigger\":\"keyword\",\"ordering\":{\"page\":1},\"filters\":[]}",
         "enum /name; "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct log log;
        judge(cases[i].json, EVENT_RELAXED, &log);
        assert_string_equal(log.text, cases[i].warnings);
    }
}

static void relaxed_goes_so_far_and_no_further(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *warnings;
    } cases[] = {
        {"{\"name\":\"PAGE_VIEW\"," IDS "}", "missing /device; "
                                             "missing /category; "},
        {"{\"name\":\"PAGE_VIEW\"," IDS
         ",\"device\":\"app\",\"category\":\"c\",\"pageUrl\":null,"
         "\"browser\":\"Brave\",\"lang\":\"tr\",\"currency\":\"\"}",
         "enum /device; enum /lang; format /currency; enum /browser; "
         "type /pageUrl; "},
        {"{\"name\":\"PRODUCT_VIEW\"," IDS
         ",\"device\":\"PC\",\"productId\":\"p\",\"price\":\"3099.90\"}",
         "missing /title; missing /url; missing /image; missing /category; "
         "type /price; "},
        {"{\"name\":\"CHECKOUT\"," IDS
         ",\"device\":\"PC\",\"step\":\"view-basket\",\"totalPrice\":1,"
         "\"productList\":[{\"productId\":\"p\"},{\"productId\":\"p\","
         "\"price\":\"1\",\"Quantity\":2}]}",
         "enum /step; missing /productList/1/Quantity; "
         "type /productList/1/price; "},
        {"{\"name\":\"CHECKOUT\"," IDS
         ",\"device\":\"PC\",\"step\":\"purchase\",\"totalPrice\":1,"
         "\"Products\":[]}",
         "missing /productList; missing /Products; "},
        {BASKET ",\"step\":\"clear\"}", "enum /step; "},
        {"{\"name\":\"USER_OPERATIONS\"," IDS
         ",\"device\":\"PC\",\"step\":\"signup\",\"email\":\"e\",\"age\":"
         "\"27\",\"birthDate\":\"01.01.1980\"}",
         "missing /username; type /age; missing /birthDate; "},
        {"{\"name\":\"INTERACTION\"," IDS ",\"device\":\"PC\"}",
         "missing /type; "},
        {"{\"name\":\"USER_FORM\"," IDS ",\"device\":\"PC\",\"fields\":[],"
         "\"formName\":\"f\"}",
         "type /fields; "},

        {"{\"name\":\"NO_SUCH\"," IDS ",\"device\":\"PC\"}", "!enum /name"},
        {"{\"name\":\"SEARCH\",\"userId\":\"\",\"sessionId\":\"s\"}",
         "!missing /userId"},
        {"{\"name\":\"SEARCH\",\"userId\":null,\"sessionId\":\"s\"}",
         "!type /userId"},
        {"{\"name\":\"PAGE_VIEW\"," IDS ",\"device\":\"fridge\"}",
         "!enum /device"},
        {BASKET ",\"step\":\"add\"}", "!missing /productId"},
        {BASKET ",\"step\":\"add\",\"productId\":\"p\",\"price\":\"1,5\"}",
         "!type /price"},
        {"{\"name\":\"CHECKOUT\"," IDS
         ",\"device\":\"PC\",\"step\":\"purchase\",\"productList\":[]}",
         "!missing /totalPrice"},
        {"{\"name\":\"CHECKOUT\"," IDS
         ",\"device\":\"PC\",\"step\":\"purchase\",\"totalPrice\":1,"
         "\"productList\":[{}]}",
         "!missing /productList/0/productId"},
        {"{\"name\":\"CUSTOM_EVENT\"," IDS
         ",\"device\":\"PC\",\"type\":\"t\",\"params\":\"{}\"}",
         "!type /params"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct log log;
        judge(cases[i].json, EVENT_RELAXED, &log);
        assert_string_equal(log.text, cases[i].warnings);
    }
}

static void strict_warns_of_misspelt_members_only(void **state)
{
    (void)state;
    struct log log;
    judge(BASKET ",\"step\":\"add\",\"productId\":\"p\",\"Quantity\":1,"
                 "\"productList\":[{\"Price\":1}]}",
          EVENT_STRICT, &log);
    assert_string_equal(log.text, "missing /Quantity; ");
}

static void off_never_warns(void **state)
{
    (void)state;
    struct log log;
    judge("{\"name\":\"NO_SUCH\"," IDS ",\"Device\":1}", EVENT_OFF, &log);
    assert_string_equal(log.text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(official_clients_pass_with_warnings),
        cmocka_unit_test(relaxed_goes_so_far_and_no_further),
        cmocka_unit_test(strict_warns_of_misspelt_members_only),
        cmocka_unit_test(off_never_warns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
