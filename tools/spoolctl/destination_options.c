#include "destination_options.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "delivery/profile.h"
#include "when.h"

/* BASE[:CAP], each in ms or with a unit. */
static enum ending read_backoff(const struct ctl *ctl, struct destination *d)
{
    const char *text = ctl_value(ctl, OPTION_BACKOFF_MS);
    if (text == NULL) {
        return DONE;
    }
    char base[64];
    size_t n = strcspn(text, ":");
    (void)snprintf(base, sizeof base, "%.*s", (int)n, text);
    int64_t cap = d->backoff_cap_ms;
    if (!duration_parse(base, 1, &d->backoff_base_ms) ||
        (text[n] == ':' && !duration_parse(text + n + 1, 1, &cap))) {
        return ctl_misuse(ctl,
                          "--backoff-ms takes BASE or BASE:CAP, like "
                          "1000:600000 or 1s:10m, not '%s'",
                          text);
    }
    d->backoff_cap_ms =
        text[n] == '\0' && cap < d->backoff_base_ms ? d->backoff_base_ms : cap;
    return DONE;
}

static enum ending read_numbers(const struct ctl *ctl, struct destination *d)
{
    int64_t lanes = d->lanes, events = d->batch_events, hold = d->hold_after;
    const struct {
        enum option_id id;
        int64_t *out;
        int64_t most;
    } numbers[] = {
        {OPTION_LANES, &lanes, DESTINATION_LANES_MAX},
        {OPTION_BATCH_EVENTS, &events, 100000},
        {OPTION_BATCH_BYTES, &d->batch_bytes, (int64_t)64 * 1024 * 1024},
        {OPTION_BATCH_AGE_MS, &d->batch_age_ms, (int64_t)24 * 3600 * 1000},
        {OPTION_HOLD_AFTER, &hold, 1000000},
        {OPTION_RATE, &d->rate, 1000000},
    };
    enum ending ending = DONE;
    for (size_t i = 0; ending == DONE && i < sizeof numbers / sizeof *numbers;
         i++) {
        bool zero = numbers[i].id == OPTION_HOLD_AFTER ||
                    numbers[i].id == OPTION_BATCH_AGE_MS ||
                    numbers[i].id == OPTION_RATE;
        ending = ctl_number(ctl, numbers[i].id, zero ? 0 : 1, numbers[i].most,
                            numbers[i].out);
    }
    d->lanes = (int)lanes;
    d->batch_events = (int)events;
    d->hold_after = (int)hold;
    return ending;
}

static enum ending read_text(const struct ctl *ctl, enum option_id id,
                             char *out, size_t size)
{
    const char *text = ctl_value(ctl, id);
    if (text == NULL) {
        return DONE;
    }
    if (strlen(text) >= size) {
        return ctl_misuse(ctl, "--%s takes at most %zu bytes",
                          option_rules[id].name, size - 1);
    }
    memcpy(out, text, strlen(text) + 1);
    return DONE;
}

/* The flusher is another process in another folder. */
static enum ending read_path(const struct ctl *ctl, enum option_id id,
                             char out[DESTINATION_TEXT_SIZE])
{
    char folder[DESTINATION_TEXT_SIZE], path[2 * DESTINATION_TEXT_SIZE];
    enum ending ending = read_text(ctl, id, out, DESTINATION_TEXT_SIZE);
    if (ending != DONE || ctl_value(ctl, id) == NULL || out[0] == '\0' ||
        out[0] == '/') {
        return ending;
    }
    const char *name = option_rules[id].name;
    if (getcwd(folder, sizeof folder) == NULL) {
        return ctl_misuse(ctl, "--%s must begin with / here", name);
    }
    int n = snprintf(path, sizeof path, "%s/%s", folder, out);
    if (n < 0 || n >= DESTINATION_TEXT_SIZE) {
        return ctl_misuse(ctl, "the path of --%s is too long", name);
    }
    memcpy(out, path, (size_t)n + 1);
    return DONE;
}

/* Those that are given replace those there were; an empty one takes all away.
 */
static enum ending read_headers(const struct ctl *ctl, struct destination *d)
{
    size_t n = 0;
    if (!ctl_has(ctl, OPTION_HEADER)) {
        return DONE;
    }
    d->headers[0] = '\0';
    for (size_t i = 0; i < ctl->given_n; i++) {
        const char *line = ctl->given[i].value;
        if (ctl->given[i].id != OPTION_HEADER || line[0] == '\0') {
            continue;
        }
        if (own_header_is_secret(line)) {
            return ctl_misuse(ctl, "--header would keep a secret in the spool, "
                                   "and show it in the list of processes; "
                                   "give it in --header-file");
        }
        if (n + strlen(line) + 2 > sizeof d->headers ||
            strpbrk(line, "\r\n") != NULL) {
            return ctl_misuse(ctl,
                              "--header takes one line, %zu bytes in all; "
                              "more do in --header-file",
                              sizeof d->headers - 1);
        }
        n += (size_t)snprintf(d->headers + n, sizeof d->headers - n, "%s\n",
                              line);
    }
    return DONE;
}

static enum ending read_body(const struct ctl *ctl, struct destination *d)
{
    const char *name = ctl_value(ctl, OPTION_BODY);
    if (name != NULL && !destination_body_find(name, &d->body)) {
        return ctl_misuse(ctl, "--body takes array, object or ndjson, not '%s'",
                          name);
    }
    return DONE;
}

enum ending destination_options_read(const struct ctl *ctl,
                                     struct destination *d)
{
    const struct {
        enum option_id id;
        char *out;
        size_t size;
    } texts[] = {
        {OPTION_URL, d->url, sizeof d->url},
        {OPTION_PROFILE, d->profile, sizeof d->profile},
        {OPTION_ORIGIN, d->origin, sizeof d->origin},
        {OPTION_FILTER, d->filter, sizeof d->filter},
        {OPTION_SUCCESS, d->success, sizeof d->success},
        {OPTION_PROXY, d->proxy, sizeof d->proxy},
    };
    const struct {
        enum option_id id;
        char *out;
    } paths[] = {
        {OPTION_API_KEY_FILE, d->api_key_file},
        {OPTION_HEADER_FILE, d->header_file},
        {OPTION_CA_FILE, d->ca_file},
        {OPTION_CLIENT_CERT, d->client_cert},
        {OPTION_CLIENT_KEY, d->client_key},
    };
    enum ending ending = DONE;
    for (size_t i = 0; ending == DONE && i < sizeof texts / sizeof *texts;
         i++) {
        ending = read_text(ctl, texts[i].id, texts[i].out, texts[i].size);
    }
    for (size_t i = 0; ending == DONE && i < sizeof paths / sizeof *paths;
         i++) {
        ending = read_path(ctl, paths[i].id, paths[i].out);
    }
    if (ending == DONE) {
        ending = read_headers(ctl, d);
    }
    if (ending == DONE) {
        ending = read_body(ctl, d);
    }
    if (ending == DONE) {
        ending = ctl_duration(ctl, OPTION_SPREAD, 1000, &d->spread_ms);
    }
    if (ending == DONE) {
        ending = read_numbers(ctl, d);
    }
    return ending == DONE ? read_backoff(ctl, d) : ending;
}

/* By these eyes, which need not be those that deliver. */
static void warn_of_files(const struct destination *d)
{
    struct spool_error err;
    if (profile_check_files(d, &err) != SPOOL_OK) {
        ctl_warn("warning: %s; %s is held until it can be used", err.message,
                 d->name);
    }
}

enum ending destination_options_check(const struct destination *d)
{
    enum profile profile;
    struct spool_error err;
    enum spool_status status = profile_find(d->profile, &profile, &err);
    if (status == SPOOL_OK) {
        status = profile_check(profile, d, &err);
    }
    if (status != SPOOL_OK) {
        return ctl_failed(&err);
    }
    warn_of_files(d);
    if (profile == PROFILE_SEGMENTIFY && d->api_key_file[0] == '\0') {
        ctl_warn("warning: without --api-key-file the API answers NO_API_KEY");
    }
    if (profile == PROFILE_SEGMENTIFY && d->origin[0] == '\0') {
        ctl_warn("warning: without --origin the API answers "
                 "NO_DOMAIN_APIKEY_MATCH; give the shop's, like "
                 "https://www.example.com");
    }
    return DONE;
}
