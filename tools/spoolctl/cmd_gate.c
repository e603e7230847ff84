/* The gate at closing time: is anything of what was accepted not there yet? */
#include <stdio.h>
#include <stdlib.h>

#include "cmd.h"
#include "human.h"
#include "json_line.h"
#include "outbox/inspect.h"
#include "outbox/recover.h"
#include "when.h"

struct gate {
    int64_t max_age_ms, now;
    struct json_object *list; /* NULL: text */
    int64_t undelivered, oldest_age_ms;
    bool shut;
    char set_aside[ASIDE_PATH_SIZE]; /* "": no file waits to be put back */
};

static void look(struct gate *g, const struct ctl *ctl,
                 const struct destination *d, const struct sums *s)
{
    int64_t dead = s->by_state[EVENT_DEAD];
    int64_t age = s->oldest_at > 0 ? g->now - s->oldest_at : 0;
    age = age < 0 ? 0 : age;
    bool late = s->waiting > 0 && (g->max_age_ms < 0 || age > g->max_age_ms);
    bool shut = late || dead > 0;
    g->shut = g->shut || shut;
    g->undelivered += s->waiting + dead;
    g->oldest_age_ms = age > g->oldest_age_ms ? age : g->oldest_age_ms;
    if (g->list != NULL) {
        struct json_object *o = json_make();
        json_add_text(o, "name", d->name);
        json_add_bool(o, "ok", !shut);
        json_add_number(o, "undelivered", s->waiting + dead);
        json_add_number(o, "waiting", s->waiting);
        json_add_number(o, "dead", dead);
        json_add_number(o, "oldest_age_ms", age);
        json_add_number(o, "accepted", s->accepted);
        json_add_number(o, "delivered", s->by_state[EVENT_DELIVERED]);
        json_add_number(o, "purged", s->by_state[EVENT_PURGED]);
        json_add_number(o, "passed", s->passed);
        json_add_number(o, "lost", s->lost);
        (void)json_object_array_add(g->list, o);
    } else if (shut) {
        char count[5][HUMAN_SIZE], oldest[WHEN_SIZE];
        duration_text(age, oldest);
        (void)printf("%s: %s undelivered (%s waiting, oldest %s; %s dead) of "
                     "%s accepted, %s delivered\n",
                     d->name, human_events(s->waiting + dead, count[0]),
                     human_count(s->waiting, count[1]),
                     s->waiting > 0 ? oldest : "-", human_count(dead, count[2]),
                     human_count(s->accepted, count[3]),
                     human_count(s->by_state[EVENT_DELIVERED], count[4]));
        ctl_next(ctl, "why %s", d->name);
    }
}

static enum ending look_at_all(struct ctl *ctl, struct gate *g, int64_t *last)
{
    struct destination *all = NULL;
    struct spool_error err;
    size_t n = 0;
    enum ending ending = ctl_destinations(ctl, NULL, &all, &n);
    if (ending != DONE) {
        return ending;
    }
    enum spool_status status = inspect_last_id(ctl->box, last, &err);
    if (status == SPOOL_OK) {
        status = recover_waiting(ctl->box, g->set_aside, &err);
    }
    for (size_t i = 0; status == SPOOL_OK && i < n; i++) {
        struct sums s;
        status = inspect_sums(ctl->box, &all[i], &s, &err);
        if (status == SPOOL_OK) {
            look(g, ctl, &all[i], &s);
        }
    }
    free(all);
    if (status != SPOOL_OK) {
        (void)ctl_failed(&err);
        return FAILED;
    }
    if (g->set_aside[0] != '\0') {
        g->shut = true;
        if (!ctl->json) {
            char clean[HUMAN_PATH_SIZE];
            (void)printf("%s: was set aside, and what it holds has not been "
                         "put back\n",
                         human_words(g->set_aside, clean, sizeof clean));
            ctl_next(ctl, "recover");
        }
    }
    if (n == 0 && *last > 0) {
        g->shut = true;
        g->undelivered = *last;
        if (!ctl->json) {
            char count[HUMAN_SIZE];
            (void)printf("no destination: %s undelivered\n",
                         human_events(*last, count));
        }
    }
    return DONE;
}

enum ending cmd_gate(struct ctl *ctl)
{
    struct gate g = {.max_age_ms = -1, .now = clock_wall_ms(&clock_system)};
    int64_t last = 0;
    enum ending ending = ctl_duration(ctl, OPTION_MAX_AGE, 1000, &g.max_age_ms);
    if (ending == DONE) {
        ending = ctl_open(ctl, false);
    }
    if (ending != DONE) {
        return ending;
    }
    g.list = ctl->json ? json_object_new_array() : NULL;
    ending = look_at_all(ctl, &g, &last);
    if (ending != DONE) {
        (void)json_object_put(g.list);
        return ending;
    }
    if (ctl->json) {
        struct json_object *o = json_make();
        json_add_bool(o, "ok", !g.shut);
        json_add_number(o, "undelivered", g.undelivered);
        json_add_number(o, "oldest_age_ms", g.oldest_age_ms);
        json_add_number(o, "accepted", last);
        json_add_text(o, "set_aside", g.set_aside);
        json_add(o, "destinations", g.list);
        json_print(o);
    } else if (!g.shut) {
        char count[HUMAN_SIZE], way[HUMAN_SIZE];
        ctl_say(ctl, "open: %s accepted, %s not delivered or purged yet",
                human_events(last, count), human_count(g.undelivered, way));
    }
    return g.shut ? PARTLY : DONE;
}
