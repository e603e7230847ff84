#include "replays.h"

#include <stdio.h>
#include <stdlib.h>

#include "human.h"
#include "json_line.h"
#include "outbox/replay.h"
#include "table.h"
#include "when.h"

#define REPLAYS_MAX 256

static void print_one(const struct replay *r)
{
    struct json_object *o = json_make();
    json_add_number(o, "id", r->id);
    json_add_text(o, "destination", r->destination);
    json_add_time(o, "at_ms", r->at);
    json_add_number(o, "rate", r->terms.rate);
    json_add_number(o, "share", r->terms.share);
    json_add_number(o, "events", r->events);
    json_add_number(o, "done", r->done);
    json_add_number(o, "changed", r->changed);
    json_print(o);
}

static void print_table(const struct replay *all, size_t n)
{
    static const struct table_column columns[] = {
        {"REPLAY", RIGHT, 0},  {"DESTINATION", LEFT, 0}, {"RATE", RIGHT, 0},
        {"SHARE", RIGHT, 0},   {"EVENTS", RIGHT, 0},     {"DONE", RIGHT, 0},
        {"CHANGED", RIGHT, 0},
    };
    struct table *t = table_create(columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < n; i++) {
        const struct replay *r = &all[i];
        char id[24], rate[32] = "-", share[16] = "-", events[24], done[24],
                     changed[24];
        (void)snprintf(id, sizeof id, "%lld", (long long)r->id);
        if (r->terms.rate > 0) {
            (void)snprintf(rate, sizeof rate, "%lld/s",
                           (long long)r->terms.rate);
        }
        if (r->terms.share > 0) {
            (void)snprintf(share, sizeof share, "%d%%", r->terms.share);
        }
        (void)snprintf(events, sizeof events, "%lld", (long long)r->events);
        (void)snprintf(done, sizeof done, "%lld", (long long)r->done);
        (void)snprintf(changed, sizeof changed, "%lld", (long long)r->changed);
        const char *cells[] = {id,     r->destination, rate,   share,
                               events, done,           changed};
        table_add(t, cells, PLAIN);
    }
    table_finish(t);
}

static enum ending list(struct ctl *ctl)
{
    struct spool_error err;
    size_t n = 0;
    struct replay *all = calloc(REPLAYS_MAX, sizeof *all);
    if (all == NULL) {
        ctl_warn("out of memory");
        return FAILED;
    }
    enum spool_status status =
        replay_list(ctl->box, all, REPLAYS_MAX, &n, &err);
    size_t shown = n < REPLAYS_MAX ? n : REPLAYS_MAX;
    if (status == SPOOL_OK && ctl->json) {
        for (size_t i = 0; i < shown; i++) {
            print_one(&all[i]);
        }
    } else if (status == SPOOL_OK && n > 0) {
        print_table(all, shown);
    }
    free(all);
    if (status == SPOOL_OK && n == 0) {
        ctl_say(ctl, "no replay is under way");
    }
    return status == SPOOL_OK ? DONE : ctl_failed(&err);
}

static enum ending stop(struct ctl *ctl)
{
    struct replay r;
    struct spool_error err;
    int64_t id = 0;
    enum ending ending = ctl_number(ctl, OPTION_STOP, 1, INT64_MAX, &id);
    if (ending != DONE) {
        return ending;
    }
    if (replay_stop(ctl->box, id, &r, &err) != SPOOL_OK) {
        return ctl_failed(&err);
    }
    if (ctl->json) {
        print_one(&r);
    }
    ctl_say(ctl, "replay %lld is stopped after %lld of %lld events",
            (long long)id, (long long)r.done, (long long)r.events);
    return DONE;
}

enum ending replays_under_way(struct ctl *ctl)
{
    if (ctl->arguments_n > 0 || ctl->given_n > 1) {
        return ctl_misuse(ctl, "--list and --stop stand alone");
    }
    enum ending ending = ctl_open(ctl, false);
    if (ending != DONE) {
        return ending;
    }
    return ctl_has(ctl, OPTION_LIST) ? list(ctl) : stop(ctl);
}
