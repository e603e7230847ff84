/* One event: is it what the guide says, and what does the rest of spool need to
 * know of it. The bytes are only looked at; they are kept and sent as given. */
#ifndef EVENTS_EVENT_H
#define EVENTS_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events/json.h"
#include "spool/error.h"

/* Most bytes of one event. */
#define EVENT_BYTES_MAX ((size_t)256 * 1024)

enum event_mode {
    EVENT_STRICT,  /* the letter of the guide */
    EVENT_RELAXED, /* also what the official clients really send */
    EVENT_OFF,     /* JSON, an object, and name, userId, sessionId */
    EVENT_JSON,    /* JSON, an object */
};

/* How much an event is worth when room runs out, the least first. */
enum event_class {
    EVENT_VIEW,        /* pages, products, banners, searches */
    EVENT_INTERACTION, /* interactions, custom events, forms */
    EVENT_BASKET,      /* basket operations */
    EVENT_CHECKOUT,    /* checkout before the purchase, user operations */
    EVENT_PURCHASE,    /* CHECKOUT with step purchase */
};

enum event_fault {
    EVENT_OK,
    EVENT_MISSING, /* a mandatory member is not there, or an id is empty */
    EVENT_TYPE,    /* a value of the wrong JSON type */
    EVENT_ENUM,    /* not one of the values the guide lists */
    EVENT_FORMAT,  /* a string that is not written as the guide asks */
    EVENT_SYNTAX,  /* no JSON, or two members of one name */
    EVENT_LIMIT,   /* too long, too deep, too many members */
};

/* What is known of an accepted event. The texts point into the bytes that were
 * checked and live as long as those; an absent one has at == NULL. They are as
 * written: use json_decode or json_equals on them. */
struct event_facts {
    struct json_text name;
    struct json_text user_id;
    struct json_text session_id;
    struct json_text step;
    struct json_text order_no;    /* a string or a number */
    struct json_text total_price; /* a number, or a string in relaxed events */
    struct json_text currency;
    struct json_text key; /* dedupe key of its own: the orderNo of a purchase */
    uint32_t part;        /* hash of user and session, 31 bits */
    enum event_class class;
    bool next_page; /* nextPage is true or "true" */
    bool test_mode; /* testMode is true or "true" */
};

#define EVENT_PATH_SIZE 64

struct event_finding {
    enum event_fault fault;
    size_t offset;              /* of the byte at fault, in the checked bytes */
    char path[EVENT_PATH_SIZE]; /* JSON Pointer; "" for the event as a whole */
    char message[192]; /* a sentence; never with a value of the event */
};

/* "ok", "missing", "type", ... : static. */
const char *event_fault_name(enum event_fault fault);

/* "view", "interaction", "basket", "checkout", "purchase": static. */
const char *event_class_name(enum event_class class);

/* Checks json, which must be one event and nothing else but white space.
 * SPOOL_OK with *facts filled, or SPOOL_INVALID with *finding filled and
 * *facts undefined. Of several faults the one reported is: the first fault of
 * the JSON text, else the first in the order of the guide's tables, common
 * members before the event's own. Any thread. */
SPOOL_MUST_CHECK enum spool_status event_check(const char *json, size_t len,
                                               enum event_mode mode,
                                               struct event_facts *facts,
                                               struct event_finding *finding);

/* Called for what a valid event should better not have: in relaxed mode all
 * that strict would refuse, in both modes a likely misspelling of a member.
 * The finding lives for the call only. */
typedef void event_warn_fn(void *arg, const struct event_finding *warning);

struct event_checks {
    enum event_mode mode;
    event_warn_fn *warn; /* NULL: nobody wants to know */
    void *arg;
};

/* As event_check for the event that begins text, whatever follows it. On
 * SPOOL_OK, and on SPOOL_INVALID unless the fault is syntax or limit, *end is
 * the offset behind the event. */
SPOOL_MUST_CHECK enum spool_status
event_check_at(const struct event_checks *checks, const char *text, size_t len,
               struct event_facts *facts, struct event_finding *finding,
               size_t *end);

/* The facts of an event that was accepted before, in whatever mode. False if
 * the bytes are no event at all: then they are not the ones accepted. */
bool event_read(const char *json, size_t len, struct event_facts *facts);

#endif
