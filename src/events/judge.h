/* Holds an event's members against the tables of the catalogue, while
 * json_scan passes over its bytes and once more at the end. */
#ifndef EVENTS_JUDGE_H
#define EVENTS_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events/catalogue.h"
#include "events/event.h"

/* The members of one object that the catalogue knows, by id. */
struct seen {
    struct ids has;
    struct json_member member[CATALOGUE_MEMBERS]; /* where has is set; without
 name */
};

struct judge {
    const struct event_checks *checks;
    const char *text;    /* the event; offsets count from here */
    struct seen event;   /* its own members */
    struct seen product; /* those of the basket product being read */
    int products;        /* basket products read so far */
    bool products_asked; /* the event has a productList */
    bool warning;        /* second pass: say what was tolerated */
    struct event_finding products_finding; /* the first in productList */
};

/* Ready for the event that begins at text. */
void judge_init(struct judge *j, const struct event_checks *checks,
                const char *text);

/* A json_member_fn: arg is the struct judge. */
void judge_member(void *arg, const struct json_member *path, unsigned depth);

/* After the scan, which passed len bytes: false with *finding filled if the
 * event breaks a rule. */
bool judge_event(struct judge *j, size_t len, struct event_finding *finding);

/* After judge_event found nothing: calls checks->warn for what was tolerated
 * and for members that look misspelt. */
void judge_warn(struct judge *j, size_t len);

/* The member, or NULL. */
static inline const struct json_member *seen_member(const struct seen *seen,
                                                    unsigned id)
{
    return ids_have(&seen->has, id) ? &seen->member[id] : NULL;
}

#endif
