/* The events of the guide, as data. */
#ifndef EVENTS_CATALOGUE_H
#define EVENTS_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events/rule.h"

/* A table of the guide: the members of an event, or of some of its steps. */
struct table {
    const char *event;
    const char *steps; /* the steps it is for, separated by |; NULL: all */
    enum event_class class;
    struct rule *rules;
    size_t count;
    bool newer; /* not in the guide, seen with official clients: the strict
                   reading passes it over, the relaxed one only warns */
};

/* Members the checker itself asks for; all other ids come behind them. */
enum member_id {
    MEMBER_UNKNOWN,
    MEMBER_NAME,
    MEMBER_USER_ID,
    MEMBER_SESSION_ID,
    MEMBER_STEP,
    MEMBER_ORDER_NO,
    MEMBER_TOTAL_PRICE,
    MEMBER_CURRENCY,
    MEMBER_NEXT_PAGE,
    MEMBER_TEST_MODE,
    MEMBER_PRODUCT_LIST,
};

/* Ids are below this. */
#define CATALOGUE_MEMBERS 128

/* A set of ids. */
struct ids {
    uint64_t bits[CATALOGUE_MEMBERS / 64];
};

static inline bool ids_have(const struct ids *ids, unsigned id)
{
    return (ids->bits[id / 64] >> id % 64 & 1) != 0;
}

static inline void ids_add(struct ids *ids, unsigned id)
{
    ids->bits[id / 64] |= UINT64_C(1) << id % 64;
}

/* To be called before anything else here; cheap from the second time on. */
void catalogue_prepare(void);

/* The id of a member by its name; MEMBER_UNKNOWN if no table has it. */
uint8_t catalogue_member(const struct json_member *member);

/* The name of the member that name is but for upper and lower case, or NULL.
 * Slow: for sentences. */
const char *catalogue_similar(const struct json_member *member);

/* The common members, in the guide's order. The first CATALOGUE_IDS of them no
 * event goes without, whatever the mode: name, userId, sessionId. */
#define CATALOGUE_IDS 3
extern const struct table catalogue_common;

/* The members of a basket product inside productList. */
extern const struct table catalogue_product;

/* The tables of an event, *count of them, side by side; NULL if it is not in
 * the catalogue. The first one is in the guide unless the event is newer. */
const struct table *catalogue_event(struct json_text name, size_t *count);

#endif
