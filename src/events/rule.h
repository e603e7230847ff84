/* One line of the guide's tables: what a member must look like, and how far
 * the relaxed reading goes beyond that. */
#ifndef EVENTS_RULE_H
#define EVENTS_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "events/event.h"
#include "events/json.h"

enum need {
    OPTIONAL,
    MANDATORY,
    EXPECTED, /* mandatory in the guide; official clients leave it out */
};

enum rule_type {
    TEXT,     /* a string */
    ID,       /* a string that names something: an empty one is missing */
    NAME,     /* an ID: the name of an event in the catalogue */
    ONE_OF,   /* one of the values */
    HINT,     /* one of the values; relaxed takes any other string too */
    LANGUAGE, /* one of the values or another code of two capital letters */
    FLAG,     /* true, false, "true" or "false" */
    NUMBER,   /* relaxed also takes a string that is one */
    DATE,     /* DD.MM.YYYY, a day that exists */
    CURRENCY, /* three capital letters; relaxed: any letters, or none */
    MAP,      /* an object */
    LIST,     /* an array */
    PRODUCTS, /* an array of basket products */
};

struct rule {
    const char *member;
    enum need need;
    enum rule_type type;
    const char *values; /* what the guide allows, separated by | */
    const char *also;   /* what relaxed takes besides */
    uint8_t id;         /* of the member; filled by the catalogue */
};

/* How well a value fits. */
enum fit {
    FITS,
    FITS_RELAXED, /* strict refuses it */
    FITS_NOT,
};

/* Judges value by rule, except for what only the catalogue knows: whether a
 * NAME is one, and what is inside PRODUCTS. Unless it fits, *fault says what is
 * wrong in strict terms. */
enum fit rule_fit(const struct rule *rule, const struct json_member *value,
                  enum event_fault *fault);

/* The sentence for a fault against rule, into out. value is NULL if the member
 * is missing. */
void rule_explain(const struct rule *rule, enum event_fault fault,
                  const struct json_member *value, char *out, size_t size);

/* Is text one of the values separated by |, exactly or in any case? */
bool rule_lists(const char *values, struct json_text text, bool any_case);

#endif
