/* The guide's tables, line by line: a new member is a new line. Beside each
 * stands what the official clients were seen to send instead; only the relaxed
 * reading takes that. The guide gives no tables for INTERACTION, USER_FORM,
 * BANNER_VIEW and BANNER_OPERATIONS: theirs come from the official clients.
 *
 * Where the guide leaves a choice, this is ours:
 *
 *  - An id (userId, sessionId, productId, username, the type of a custom event)
 *    that is empty is missing. Other mandatory strings may be empty.
 *  - null is a value of the wrong type, also for an optional member.
 *  - Numbers are JSON numbers; flags are true, false or these as strings.
 *  - lang is open to other languages "by arrangement", so any two capital
 *    letters will do. The page categories are "predefined", not the only ones.
 *    All other lists of values are closed, and case matters.
 *  - currency in "short format" is three capital letters.
 *  - Arrays and maps may hold anything, productList may be empty.
 *  - orderNo with another step than purchase, and cartUrl with a purchase, are
 *    not what the guide asks for but no fault either.
 *  - A member that is not in the tables of the event and its step is unknown,
 *    and unknown members are passed on whatever they hold. */
#include "events/catalogue.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#define DEVICES "PC|TABLET|MOBILE|ANDROID|IOS"
#define BROWSERS                                                               \
    "Chrome|Firefox|Internet Explorer|Microsoft Edge|Safari|Android|Opera|"    \
    "Maxthon|iPhone|iPad"
#define SYSTEMS "Windows|Linux|MacOS|Android|iOS|Other"

/* A column left out is empty. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* clang-format off */

/* Common Parameters. */
static struct rule common[] = {
    {"name",       MANDATORY, NAME},
    {"userId",     MANDATORY, ID},
    {"sessionId",  MANDATORY, ID},
    {"device",     EXPECTED,  ONE_OF, DEVICES, "app"},
    {"userAgent",  OPTIONAL,  TEXT},
    {"lang",       OPTIONAL,  LANGUAGE, "TR|EN|FR|DE"},
    {"currency",   OPTIONAL,  CURRENCY},
    {"browser",    OPTIONAL,  HINT, BROWSERS},
    {"os",         OPTIONAL,  HINT, SYSTEMS},
    {"osversion",  OPTIONAL,  TEXT},
    {"pageUrl",    OPTIONAL,  TEXT},
    {"referrer",   OPTIONAL,  TEXT},
    {"params",     OPTIONAL,  MAP},
    {"testMode",   OPTIONAL,  FLAG},
    {"nextPage",   OPTIONAL,  FLAG},
};

/* Page View. The guide's categories are predefined, not the only ones. */
static struct rule page_view[] = {
    {"category",    EXPECTED, TEXT},
    {"subCategory", OPTIONAL, TEXT},
};

/* Product View. */
static struct rule product_view[] = {
    {"productId", MANDATORY, ID},
    {"title",     EXPECTED,  TEXT},
    {"inStock",   OPTIONAL,  FLAG},
    {"url",       EXPECTED,  TEXT},
    {"mUrl",      OPTIONAL,  TEXT},
    {"image",     EXPECTED,  TEXT},
    {"imageXS",   OPTIONAL,  TEXT},
    {"imageS",    OPTIONAL,  TEXT},
    {"imageM",    OPTIONAL,  TEXT},
    {"imageL",    OPTIONAL,  TEXT},
    {"imageXL",   OPTIONAL,  TEXT},
    {"category",  EXPECTED,  TEXT},
    {"brand",     OPTIONAL,  TEXT},
    {"price",     EXPECTED,  NUMBER},
    {"oldPrice",  OPTIONAL,  NUMBER},
    {"gender",    OPTIONAL,  ONE_OF, "M|F|U"},
    {"colors",    OPTIONAL,  LIST},
    {"sizes",     OPTIONAL,  LIST},
    {"labels",    OPTIONAL,  LIST},
};

/* Basket Operations. */
static struct rule basket_step[] = {
    {"step",      MANDATORY, ONE_OF, "add|remove", "clear"},
};
static struct rule basket[] = {
    {"productId", MANDATORY, ID},
    {"price",     OPTIONAL,  NUMBER},
    {"quantity",  OPTIONAL,  NUMBER},
};

/* Checkout Operations. The guide asks for orderNo only with purchase, and for
 * cartUrl with the other steps; neither is wrong elsewhere. */
static struct rule checkout[] = {
    {"step",        MANDATORY, ONE_OF, "basket|customer|payment|purchase",
                                       "view-basket|customer-info|payment-info"},
    {"totalPrice",  MANDATORY, NUMBER},
    {"orderNo",     OPTIONAL,  TEXT},
    {"cartUrl",     OPTIONAL,  TEXT},
    {"productList", EXPECTED,  PRODUCTS},
};

/* Basket Product Parameters. */
static struct rule product[] = {
    {"productId", MANDATORY, ID},
    {"price",     OPTIONAL,  NUMBER},
    {"currency",  OPTIONAL,  CURRENCY},
    {"quantity",  OPTIONAL,  NUMBER},
};

/* User/Visitor Operations. */
static struct rule user[] = {
    {"step",         MANDATORY, ONE_OF, "signup|signin|signout|update",
                                        "subscribe|unsubscribe|identify|"
                                        "delete_last_search|iyspermissions"},
    {"username",     EXPECTED,  ID},
};
static struct rule user_profile[] = {
    {"fullName",     OPTIONAL,  TEXT},
    {"email",        OPTIONAL,  TEXT},
    {"phone",        OPTIONAL,  TEXT},
    {"gender",       OPTIONAL,  ONE_OF, "M|F"},
    {"age",          OPTIONAL,  NUMBER},
    {"birthdate",    OPTIONAL,  DATE},
    {"memberSince",  OPTIONAL,  DATE},
    {"location",     OPTIONAL,  TEXT},
    {"segments",     OPTIONAL,  LIST},
};
static struct rule user_flags[] = {
    {"isRegistered", OPTIONAL,  FLAG},
    {"isLogin",      OPTIONAL,  FLAG},
};

/* Custom Event. Its params are in the common table. */
static struct rule custom[] = {
    {"type", MANDATORY, ID},
};

/* Not in the guide. */
static struct rule interaction[] = {
    {"type",          MANDATORY, ID},
    {"instanceId",    OPTIONAL,  TEXT},
    {"interactionId", OPTIONAL,  TEXT},
};
static struct rule form[] = {
    {"formName", MANDATORY, ID},
    {"fields",   MANDATORY, MAP},
};
static struct rule banner_view[] = {
    {"group",   MANDATORY, ID},
    {"banners", OPTIONAL,  LIST},
};
static struct rule banner_operations[] = {
    {"type",  MANDATORY, ONE_OF, "impression|click|update"},
    {"title", MANDATORY, TEXT},
    {"group", MANDATORY, ID},
    {"order", MANDATORY, NUMBER},
};
static struct rule search[] = {
    {"query",    OPTIONAL, TEXT},
    {"type",     OPTIONAL, ONE_OF, "instant|faceted"},
    {"trigger",  OPTIONAL, ONE_OF, "keyword|page|filter"},
    {"ordering", OPTIONAL, MAP},
    {"filters",  OPTIONAL, LIST},
};
static struct rule user_change[] = {
    {"oldUserId", MANDATORY, ID},
};
static struct rule user_traits[] = {
    {"properties", MANDATORY, MAP},
};

#define RULES(table) table, sizeof(table) / sizeof((table)[0])
#define NO_RULES     NULL, 0

const struct table catalogue_common  = {NULL, NULL, EVENT_VIEW, RULES(common)};
const struct table catalogue_product = {NULL, NULL, EVENT_VIEW, RULES(product)};

/* The tables of one event stand side by side. */
static const struct table tables[] = {
    {"PAGE_VIEW",         NULL,            EVENT_VIEW,        RULES(page_view)},
    {"PRODUCT_VIEW",      NULL,            EVENT_VIEW,        RULES(product_view)},
    {"BASKET_OPERATIONS", NULL,            EVENT_BASKET,      RULES(basket_step)},
    {"BASKET_OPERATIONS", "add|remove",    EVENT_BASKET,      RULES(basket)},
    {"CHECKOUT",          NULL,            EVENT_CHECKOUT,    RULES(checkout)},
    {"USER_OPERATIONS",   NULL,            EVENT_CHECKOUT,    RULES(user)},
    {"USER_OPERATIONS",   "signup|update", EVENT_CHECKOUT,    RULES(user_profile)},
    {"USER_OPERATIONS",   "update",        EVENT_CHECKOUT,    RULES(user_flags)},
    {"CUSTOM_EVENT",      NULL,            EVENT_INTERACTION, RULES(custom)},

    {"INTERACTION",       NULL,            EVENT_INTERACTION, NO_RULES},
    {"INTERACTION",       NULL,            EVENT_INTERACTION, RULES(interaction), true},
    {"USER_FORM",         NULL,            EVENT_INTERACTION, NO_RULES},
    {"USER_FORM",         NULL,            EVENT_INTERACTION, RULES(form), true},
    {"BANNER_VIEW",       NULL,            EVENT_VIEW,        NO_RULES},
    {"BANNER_VIEW",       NULL,            EVENT_VIEW,        RULES(banner_view), true},
    {"BANNER_OPERATIONS", NULL,            EVENT_INTERACTION, NO_RULES},
    {"BANNER_OPERATIONS", NULL,            EVENT_INTERACTION, RULES(banner_operations), true},

    {"FORM",                  NULL, EVENT_INTERACTION, RULES(form), true},
    {"BANNER_GROUP_VIEW",     NULL, EVENT_VIEW,        RULES(banner_view), true},
    {"INTERNAL_BANNER_GROUP", NULL, EVENT_VIEW,        RULES(banner_view), true},
    {"SEARCH",                NULL, EVENT_VIEW,        RULES(search), true},
    {"USER_CHANGE",           NULL, EVENT_CHECKOUT,    RULES(user_change), true},
    {"USER_TRAITS",           NULL, EVENT_CHECKOUT,    RULES(user_traits), true},
    {"PROMOTION",             NULL, EVENT_INTERACTION, NO_RULES, true},
    {"FILTER",                NULL, EVENT_INTERACTION, NO_RULES, true},
    {"COUPON",                NULL, EVENT_INTERACTION, NO_RULES, true},
    {"JOURNEY",               NULL, EVENT_INTERACTION, NO_RULES, true},
    {"WISHLIST",              NULL, EVENT_INTERACTION, NO_RULES, true},
    {"PERSONA_QUIZ",          NULL, EVENT_INTERACTION, NO_RULES, true},
    {"GAMIFICATION",          NULL, EVENT_INTERACTION, NO_RULES, true},
    {"EMAIL_SUBSCRIPTION",    NULL, EVENT_INTERACTION, NO_RULES, true},
    {"ALERT",                 NULL, EVENT_INTERACTION, NO_RULES, true},
};
/* clang-format on */

#define TABLES (sizeof tables / sizeof tables[0])

/* An index from names to ids: filled once, then only read. */
#define SLOTS 256
static struct slot {
    struct json_text name;
    uint32_t hash;
    uint8_t id;
} slots[SLOTS];
static unsigned members;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

/* The slot of a name, or the free one where it belongs. */
static inline struct slot *slot_of(const struct json_text *name, uint32_t hash)
{
    for (unsigned i = hash % SLOTS;; i = (i + 1) % SLOTS) {
        struct slot *slot = &slots[i];
        if (slot->id == MEMBER_UNKNOWN ||
            (slot->hash == hash && json_equal(slot->name, *name))) {
            return slot;
        }
    }
}

static uint8_t id_of(const char *member)
{
    struct json_text name = {.at = member, .len = strlen(member)};
    uint32_t hash = json_hash(name);
    struct slot *slot = slot_of(&name, hash);
    if (slot->id == MEMBER_UNKNOWN) {
        members++;
        assert(members < CATALOGUE_MEMBERS);
        *slot = (struct slot){name, hash, (uint8_t)members};
    }
    return slot->id;
}

static void number_rules(const struct table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        table->rules[i].id = id_of(table->rules[i].member);
    }
}

static void prepare(void)
{
    /* In the order of enum member_id. */
    static const char *const asked[] = {
        "name",       "userId",   "sessionId", "step",     "orderNo",
        "totalPrice", "currency", "nextPage",  "testMode", "productList",
    };
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        uint8_t id = id_of(asked[i]);
        assert(id == MEMBER_NAME + i);
    }
    number_rules(&catalogue_common);
    number_rules(&catalogue_product);
    for (size_t i = 0; i < TABLES; i++) {
        number_rules(&tables[i]);
    }
}

void catalogue_prepare(void)
{
    (void)pthread_once(&prepared, prepare);
}

uint8_t catalogue_member(const struct json_member *member)
{
    return slot_of(&member->name, member->hash)->id;
}

const char *catalogue_similar(const struct json_member *member)
{
    struct json_text name = member->name;
    if (name.at == NULL || name.escaped ||
        catalogue_member(member) != MEMBER_UNKNOWN) {
        return NULL;
    }
    if (rule_lists("products", name, true)) {
        return "productList"; /* the guide's table calls it Products */
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        if (slots[i].id != MEMBER_UNKNOWN &&
            rule_lists(slots[i].name.at, name, true)) {
            return slots[i].name.at;
        }
    }
    return NULL;
}

const struct table *catalogue_event(struct json_text name, size_t *count)
{
    size_t first = 0;
    while (first < TABLES && !json_equals(name, tables[first].event)) {
        first++;
    }
    if (first == TABLES) {
        return NULL;
    }
    size_t end = first + 1;
    while (end < TABLES &&
           strcmp(tables[end].event, tables[first].event) == 0) {
        end++;
    }
    *count = end - first;
    return &tables[first];
}
