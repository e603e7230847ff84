/* Names for visitors and their sessions. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd.h"
#include "json_line.h"
#include "spool/keys.h"

/* Somebody at a till waits. */
#define ASK_MS 5000

struct endpoint {
    const char *url; /* NULL: nobody is asked */
    const char *origin;
};

static enum ending read_count(const struct ctl *ctl, size_t *out)
{
    if (ctl->arguments_n == 0) {
        *out = 1;
        return DONE;
    }
    const char *text = ctl->arguments[0];
    char *end;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
        n == 0 || n > SPOOL_KEYS_MAX) {
        return ctl_misuse(ctl, "COUNT is a number from 1 to %d, not '%s'",
                          SPOOL_KEYS_MAX, text);
    }
    *out = n;
    return DONE;
}

/* Whom the options say to ask. *d is what *out points into. */
static enum ending choose(struct ctl *ctl, struct destination *d,
                          struct endpoint *out)
{
    const char *name = ctl_value(ctl, OPTION_DESTINATION);
    struct spool_error err;
    out->url = ctl_value(ctl, OPTION_URL);
    if ((name != NULL) + (out->url != NULL) + ctl_has(ctl, OPTION_LOCAL) > 1) {
        return ctl_misuse(ctl, "--url, --destination and --local exclude each "
                               "other");
    }
    if (name == NULL) {
        return DONE;
    }
    enum ending ending = ctl_open(ctl, false);
    if (ending != DONE) {
        return ending;
    }
    if (destination_find(ctl->box, name, d, &err) != SPOOL_OK) {
        return ctl_failed(&err);
    }
    *out = (struct endpoint){d->url, d->origin};
    return DONE;
}

static enum ending print_keys(const struct ctl *ctl, size_t n,
                              char (*keys)[SPOOL_KEY_SIZE], const char *source)
{
    for (size_t i = 0; i < n; i++) {
        if (source == NULL && spool_make_key(keys[i]) != SPOOL_OK) {
            ctl_warn("the kernel gives no random bytes; no key can be made");
            return FAILED;
        }
        if (ctl->json) {
            struct json_object *o = json_make();
            json_add_text(o, "key", keys[i]);
            json_add_text(o, "source", source != NULL ? source : "local");
            json_print(o);
        } else {
            (void)puts(keys[i]);
        }
    }
    return DONE;
}

enum ending cmd_keys(struct ctl *ctl)
{
    static char keys[SPOOL_KEYS_MAX][SPOOL_KEY_SIZE];
    struct endpoint endpoint = {0};
    struct destination d;
    struct spool_error err;
    size_t n = 0;
    enum ending ending = read_count(ctl, &n);
    if (ending == DONE) {
        ending = choose(ctl, &d, &endpoint);
    }
    if (ending != DONE || endpoint.url == NULL) {
        return ending == DONE ? print_keys(ctl, n, keys, NULL) : ending;
    }
    enum spool_status status =
        spool_fetch_keys(endpoint.url, endpoint.origin, n, keys, ASK_MS, &err);
    if (status == SPOOL_OK) {
        return print_keys(ctl, n, keys, "endpoint");
    }
    if (status != SPOOL_IO) {
        return ctl_failed(&err);
    }
    ctl_warn("%s; these were made here", err.message);
    return print_keys(ctl, n, keys, NULL);
}
