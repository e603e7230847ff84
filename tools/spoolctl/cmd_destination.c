#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "cmd.h"
#include "delivery/profile.h"
#include "destination_options.h"
#include "human.h"
#include "json_line.h"
#include "outbox/inspect.h"
#include "table.h"

/* Headers of the file are not read, those kept are no secrets. */
static void add_options(struct json_object *o, const struct destination *d)
{
    json_add_text(o, "body", destination_body_name(d->body));
    json_add_text(o, "success", d->success);
    json_add_text(o, "headers", d->headers);
    json_add_text(o, "header_file", d->header_file);
    json_add_text(o, "proxy", d->proxy);
    json_add_text(o, "ca_file", d->ca_file);
    json_add_text(o, "client_cert", d->client_cert);
    json_add_text(o, "client_key", d->client_key);
    json_add_number(o, "rate", d->rate);
    json_add_number(o, "spread_ms", d->spread_ms);
}

static void print_one(const struct destination *d)
{
    char url[DESTINATION_URL_SIZE];
    struct json_object *o = json_make();
    profile_redact(d->url, url, sizeof url);
    json_add_text(o, "name", d->name);
    json_add_text(o, "state", destination_state_name(d->state));
    json_add_text(o, "reason", d->reason);
    json_add_time(o, "since_ms", d->since);
    json_add_text(o, "url", url);
    json_add_text(o, "profile", d->profile);
    json_add_text(o, "origin", d->origin);
    json_add_text(o, "api_key_file", d->api_key_file);
    json_add_text(o, "filter", d->filter);
    json_add_number(o, "lanes", d->lanes);
    json_add_number(o, "batch_events", d->batch_events);
    json_add_number(o, "batch_bytes", d->batch_bytes);
    json_add_number(o, "batch_age_ms", d->batch_age_ms);
    json_add_number(o, "backoff_base_ms", d->backoff_base_ms);
    json_add_number(o, "backoff_cap_ms", d->backoff_cap_ms);
    json_add_number(o, "hold_after", d->hold_after);
    json_add_number(o, "base", d->base);
    add_options(o, d);
    json_print(o);
}

static enum ending read_from(const struct ctl *ctl, struct destination *d)
{
    const char *from = ctl_value(ctl, OPTION_FROM);
    if (from == NULL || strcmp(from, "start") == 0) {
        return DONE;
    }
    if (strcmp(from, "now") == 0) {
        d->base = -1;
        return DONE;
    }
    return ctl_misuse(ctl, "--from takes start or now, not '%s'", from);
}

enum ending cmd_destination_add(struct ctl *ctl)
{
    struct destination d;
    struct spool_error err;
    destination_default(&d);
    if (strlen(ctl->arguments[0]) >= sizeof d.name) {
        return ctl_misuse(ctl, "a name has at most %zu bytes",
                          sizeof d.name - 1);
    }
    (void)snprintf(d.name, sizeof d.name, "%s", ctl->arguments[0]);
    if (ctl_value(ctl, OPTION_URL) == NULL) {
        return ctl_misuse(ctl, "--url is missing");
    }
    enum ending ending = destination_options_read(ctl, &d);
    if (ending == DONE) {
        ending = read_from(ctl, &d);
    }
    if (ending == DONE) {
        ending = destination_options_check(&d);
    }
    if (ending == DONE) {
        ending = ctl_open(ctl, false);
    }
    if (ending != DONE) {
        return ending;
    }
    if (destination_add(ctl->box, &d, &err) != SPOOL_OK) {
        return ctl_failed(&err);
    }
    if (ctl->json) {
        print_one(&d);
    }
    ctl_say(ctl, "%s is added and reads the log behind event %lld", d.name,
            (long long)d.base);
    return DONE;
}

enum ending cmd_destination_set(struct ctl *ctl)
{
    struct destination d;
    struct spool_error err;
    if (ctl->given_n == 0) {
        return ctl_misuse(ctl, "nothing to change was given");
    }
    enum ending ending = ctl_open(ctl, false);
    if (ending != DONE) {
        return ending;
    }
    if (destination_find(ctl->box, ctl->arguments[0], &d, &err) != SPOOL_OK) {
        return ctl_failed(&err);
    }
    ending = destination_options_read(ctl, &d);
    if (ending == DONE) {
        ending = destination_options_check(&d);
    }
    if (ending != DONE) {
        return ending;
    }
    if (destination_set(ctl->box, &d, &err) != SPOOL_OK ||
        destination_find(ctl->box, d.name, &d, &err) != SPOOL_OK) {
        return ctl_failed(&err);
    }
    if (ctl->json) {
        print_one(&d);
    }
    ctl_say(ctl, "%s is changed", d.name);
    return DONE;
}

static void print_table(const struct destination *all, size_t n)
{
    static const struct table_column columns[] = {
        {"DESTINATION", LEFT, 0}, {"STATE", LEFT, 0}, {"PROFILE", LEFT, 0},
        {"LANES", RIGHT, 0},      {"BATCH", LEFT, 0}, {"FILTER", CUT, 0},
        {"URL", CUT, 0},
    };
    struct table *t = table_create(columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < n; i++) {
        const struct destination *d = &all[i];
        char lanes[16], batch[80], bytes[HUMAN_SIZE];
        char url[DESTINATION_URL_SIZE];
        (void)snprintf(lanes, sizeof lanes, "%d", d->lanes);
        (void)snprintf(batch, sizeof batch, "%d, %s, %lld ms", d->batch_events,
                       human_bytes(d->batch_bytes, bytes),
                       (long long)d->batch_age_ms);
        profile_redact(d->url, url, sizeof url);
        const char *cells[] = {d->name,    destination_state_name(d->state),
                               d->profile, lanes,
                               batch,      d->filter,
                               url};
        table_add(t, cells, tone_of_destination(d->state));
    }
    table_finish(t);
}

enum ending cmd_destination_ls(struct ctl *ctl)
{
    struct destination *all = NULL;
    size_t n = 0;
    enum ending ending = ctl_open(ctl, false);
    if (ending == DONE) {
        ending = ctl_destinations(ctl, NULL, &all, &n);
    }
    if (ending != DONE) {
        return ending;
    }
    if (ctl->json) {
        for (size_t i = 0; i < n; i++) {
            print_one(&all[i]);
        }
    } else {
        print_table(all, n);
    }
    free(all);
    if (n == 0) {
        ctl_say(ctl,
                "there is no destination yet; add one with %s destination add "
                "NAME --url URL",
                ctl->self);
    }
    return DONE;
}

enum ending cmd_destination_rm(struct ctl *ctl)
{
    const char *name = ctl->arguments[0];
    struct destination d;
    struct sums s;
    struct spool_error err;
    int64_t undelivered = 0;
    enum ending ending = ctl_open(ctl, false);
    if (ending != DONE) {
        return ending;
    }
    if (destination_find(ctl->box, name, &d, &err) != SPOOL_OK ||
        inspect_sums(ctl->box, &d, &s, &err) != SPOOL_OK) {
        return ctl_failed(&err);
    }
    int64_t dead = s.by_state[EVENT_DEAD];
    char waiting[HUMAN_SIZE], question[400];
    (void)snprintf(question, sizeof question,
                   "%s has %s waiting and %lld dead; what became of each event "
                   "there is forgotten. Take it out?",
                   name, human_events(s.waiting, waiting), (long long)dead);
    if (!isatty(STDIN_FILENO)) {
        ctl_say(ctl, "%s has %s waiting and %lld dead", name, waiting,
                (long long)dead);
    }
    int64_t lost = s.waiting + dead;
    ending = ask(ctl, question, lost > ASK_YES_MAX ? lost : 0);
    if (ending != DONE) {
        return ending;
    }
    if (destination_remove(ctl->box, name, &undelivered, &err) != SPOOL_OK) {
        return ctl_failed(&err);
    }
    if (ctl->json) {
        struct json_object *o = json_make();
        json_add_text(o, "name", name);
        json_add_number(o, "undelivered", undelivered);
        json_print(o);
    }
    ctl_say(ctl, "%s is taken out; %s it had not delivered", name,
            human_events(undelivered, waiting));
    return DONE;
}

static enum ending
change_state(struct ctl *ctl,
             enum spool_status (*change)(struct outbox *, const char *,
                                         struct spool_error *),
             struct destination *d)
{
    struct spool_error err;
    enum ending ending = ctl_open(ctl, false);
    if (ending != DONE) {
        return ending;
    }
    if (change(ctl->box, ctl->arguments[0], &err) != SPOOL_OK ||
        destination_find(ctl->box, ctl->arguments[0], d, &err) != SPOOL_OK) {
        return ctl_failed(&err);
    }
    if (ctl->json) {
        print_one(d);
    }
    return DONE;
}

enum ending cmd_pause(struct ctl *ctl)
{
    struct destination d;
    enum ending ending = change_state(ctl, destination_pause, &d);
    if (ending == DONE) {
        ctl_say(ctl, "%s is paused; %s resume %s restarts it", d.name,
                ctl->self, d.name);
    }
    return ending;
}

enum ending cmd_resume(struct ctl *ctl)
{
    struct destination d;
    enum ending ending = change_state(ctl, destination_resume, &d);
    if (ending == DONE) {
        ctl_say(ctl, "%s is running", d.name);
    }
    return ending;
}
