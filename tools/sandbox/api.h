/* The rules of the events API, as its guide prints them: which requests it
 * takes and which statusCode the others get. Pure. */
#ifndef SANDBOX_API_H
#define SANDBOX_API_H

#include "batch.h"
#include "request.h"

#define API_KEYS_MAX 1000

enum api_path {
    API_EVENTS,  /* /add/events/v1.json */
    API_KEYS,    /* /get/key and /get/key/v1.json */
    API_SANDBOX, /* /sandbox/...: not the API's, but ours */
    API_UNKNOWN
};

enum api_path api_path(struct text path);

/* Whether the request has a key, and, if api_key is not NULL, that one. The
 * result is NULL or the code that says what is wrong. */
const char *api_check_key(const struct request *r, const char *api_key);

/* The statusCode of a request to API_EVENTS; "SUCCESS" when it is good. Splits
 * the body into batch, whatever else is wrong. NULL for api_key and origin:
 * any will do. */
const char *api_check_events(const struct request *r, struct text body,
                             const char *api_key, const char *origin,
                             struct batch *batch);

/* How many keys a request to API_KEYS asks for, 1 when it does not say; 0 when
 * it asks for no number from 1 to API_KEYS_MAX. */
unsigned api_key_count(const struct request *r);

#endif
