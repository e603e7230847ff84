/* An event's slice of the endpoint's answer to its batch: the API answers with
 * an object whose members `responses`, `campaigns` and `search` hold a list for
 * each event. Pure. */
#ifndef SPOOL_SLICE_H
#define SPOOL_SLICE_H

#include "events/json.h"

/* Texts of arrays, in the answer; at is NULL where the answer has none. */
struct slice {
    struct json_text responses, campaigns, search;
};

/* The slice of the event at index among the n of the batch. NULL, or a static
 * sentence on why the answer has none to give; *out is zeroed then. */
const char *slice_find(const char *answer, size_t len, size_t n, size_t index,
                       struct slice *out);

#endif
