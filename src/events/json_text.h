/* The rare parts of a JSON string, for json.c alone: escapes and characters
 * beyond ASCII. Each function returns where reading goes on, or NULL with
 * *fault filled. */
#ifndef EVENTS_JSON_TEXT_H
#define EVENTS_JSON_TEXT_H

#include "events/json.h"

struct json_fault {
    enum json_result result;
    const char *at;       /* the byte at fault */
    const char *sentence; /* static */
};

/* Fill *fault and return NULL. json_cut: the text ends too early. */
const char *json_fail(struct json_fault *fault, enum json_result result,
                      const char *at, const char *sentence);
const char *json_cut(struct json_fault *fault, const char *end);

/* p is at a byte beyond ASCII: passes one character of UTF-8. */
const char *json_read_utf8(const char *p, const char *end,
                           struct json_fault *fault);

/* p is at a backslash: passes the escape, or a pair of surrogates. */
const char *json_read_escape(const char *p, const char *end,
                             struct json_fault *fault);

#endif
