#include "api.h"

#include <stdlib.h>

enum api_path api_path(struct text path)
{
    if (text_is(path, "/add/events/v1.json")) {
        return API_EVENTS;
    }
    if (text_is(path, "/get/key") || text_is(path, "/get/key/v1.json")) {
        return API_KEYS;
    }
    static const char own[] = "/sandbox/";
    bool is_own =
        path.len >= sizeof own - 1 && memcmp(path.at, own, sizeof own - 1) == 0;
    return is_own ? API_SANDBOX : API_UNKNOWN;
}

const char *api_check_key(const struct request *r, const char *api_key)
{
    char buffer[512] = "";
    struct text given = r->api_key;
    if (request_parameter(r, "apiKey", buffer, sizeof buffer)) {
        given = (struct text){buffer, strlen(buffer)};
    }
    if (given.len == 0) {
        return "NO_API_KEY";
    }
    return api_key == NULL || text_is(given, api_key) ? NULL : "NO_ACCOUNT";
}

static const char *batch_code(enum batch_state state)
{
    switch (state) {
    case BATCH_GOOD:
        return "SUCCESS";
    case BATCH_MALFORMED:
        return "BAD_INPUT";
    case BATCH_EMPTY:
        return "NO_EVENT";
    case BATCH_NO_USER:
        return "NO_USERID";
    case BATCH_NO_SESSION:
        return "NO_SESSIONID";
    }
    return "BAD_INPUT";
}

const char *api_check_events(const struct request *r, struct text body,
                             const char *api_key, const char *origin,
                             struct batch *batch)
{
    batch_split(batch, body);
    const char *code = api_check_key(r, api_key);
    if (code != NULL) {
        return code;
    }
    if (origin != NULL &&
        (r->origin.at == NULL || !text_is(r->origin, origin))) {
        return "NO_DOMAIN_APIKEY_MATCH";
    }
    return batch_code(batch->state);
}

unsigned api_key_count(const struct request *r)
{
    char text[64];
    if (!request_parameter(r, "count", text, sizeof text)) {
        return 1;
    }
    char *end;
    long n = strtol(text, &end, 10);
    bool good = end != text && *end == '\0' && n >= 1 && n <= API_KEYS_MAX;
    return good ? (unsigned)n : 0;
}
