/* replay and purge: collect what the selection names, say how much it is, ask,
 * and act on exactly what was counted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "cmd.h"
#include "human.h"
#include "json_line.h"
#include "listing.h"
#include "outbox/operate.h"
#include "outbox/replay.h"
#include "replays.h"

/* Events of one transaction. */
#define CHUNK 10000

typedef enum spool_status
operate_fn(struct outbox *box, const struct destination *d, const int64_t *ids,
           size_t n, const char *who_and_why, struct operation *out,
           struct spool_error *err);

/* What is picked at one destination. */
struct site {
    const struct destination *d;
    struct picked picked;
    struct operation done;
};

struct operate {
    struct ctl *ctl;
    operate_fn *act;
    struct selection selection;
    struct destination *destinations; /* owned */
    struct site *sites;               /* owned; n of them */
    size_t n;
    struct site *site; /* the one that is being picked at */
    int64_t by_state[EVENT_STATES];
    int64_t picked;
    struct operation done;
    bool begun; /* the rest is the flusher's */
    bool full;  /* no memory for one more id */
};

static bool pick(void *arg, const struct listed *l)
{
    struct operate *o = arg;
    if (!picked_add(&o->site->picked, l->event->id)) {
        o->full = true;
        return false;
    }
    o->picked++;
    o->by_state[l->event->state]++;
    return true;
}

static enum ending collect(struct operate *o)
{
    const struct selection *s = &o->selection;
    struct spool_error err;
    int64_t limit = s->limit;
    enum ending ending =
        ctl_destinations(o->ctl, s->destination, &o->destinations, &o->n);
    if (ending != DONE) {
        return ending;
    }
    if (o->n == 0) {
        ctl_warn("there is no destination to %s at", o->ctl->command->name);
        return NOTHING;
    }
    o->sites = calloc(o->n, sizeof *o->sites);
    enum spool_status status = SPOOL_OK;
    for (size_t i = 0; o->sites != NULL && status == SPOOL_OK && i < o->n;
         i++) {
        o->site = &o->sites[i];
        o->site->d = &o->destinations[i];
        status =
            listing_walk(o->ctl->box, s, o->site->d, &limit, pick, o, &err);
    }
    if (o->sites == NULL || o->full) {
        ctl_warn("out of memory: select fewer, with --limit");
        return FAILED;
    }
    return status == SPOOL_OK ? DONE : ctl_failed(&err);
}

static void add_states(struct json_object *o, const int64_t *by_state)
{
    struct json_object *states = json_make();
    for (int i = 0; i < EVENT_STATES; i++) {
        if (by_state[i] > 0) {
            json_add_number(states, event_state_name((enum event_state)i),
                            by_state[i]);
        }
    }
    json_add(o, "by_state", states);
}

static void print_json(const struct operate *o, bool dry)
{
    struct json_object *out = json_make(), *list = json_object_new_array();
    json_add_text(out, "action", o->ctl->command->name);
    json_add_bool(out, "dry_run", dry);
    json_add_number(out, "selected", o->picked);
    add_states(out, o->by_state);
    json_add_bool(out, "begun", o->begun);
    json_add_number(out, "changed", o->done.changed);
    json_add_number(out, "skipped_sending", o->done.skipped_sending);
    json_add_number(out, "skipped_state", o->done.skipped_state);
    json_add_number(out, "skipped_gone", o->done.skipped_gone);
    for (size_t i = 0; i < o->n; i++) {
        struct json_object *d = json_make();
        json_add_text(d, "name", o->sites[i].d->name);
        json_add_number(d, "selected", (int64_t)o->sites[i].picked.n);
        json_add_number(d, "changed", o->sites[i].done.changed);
        (void)json_object_array_add(list, d);
    }
    json_add(out, "destinations", list);
    json_print(out);
}

/* "12,480 events of 2 destinations (12,471 dead, 9 delivered)" */
static void describe(const struct operate *o, char *out, size_t size)
{
    char count[HUMAN_SIZE];
    size_t sites = 0, n;
    const char *before = " (";
    for (size_t i = 0; i < o->n; i++) {
        sites += o->sites[i].picked.n > 0;
    }
    n = (size_t)snprintf(out, size, "%s of %zu destination%s",
                         human_events(o->picked, count), sites,
                         sites == 1 ? "" : "s");
    for (int i = 0; i < EVENT_STATES; i++) {
        if (o->by_state[i] > 0 && n < size) {
            n += (size_t)snprintf(out + n, size - n, "%s%s %s", before,
                                  human_count(o->by_state[i], count),
                                  event_state_name((enum event_state)i));
            before = ", ";
        }
    }
    if (n < size) {
        (void)snprintf(out + n, size - n, ")");
    }
}

static enum ending confirm(const struct operate *o)
{
    char what[300], question[400];
    describe(o, what, sizeof what);
    ctl_say(o->ctl, "%s", what);
    if (o->by_state[EVENT_DELIVERED] > 0 && o->act == operate_replay) {
        ctl_say(o->ctl, "the delivered ones go out again under new keys: the "
                        "endpoint gets them twice");
    }
    (void)snprintf(question, sizeof question, "%s them?",
                   o->act == operate_replay ? "Replay" : "Purge");
    return ask(o->ctl, question,
               o->picked > ASK_YES_MAX || o->selection.all ? o->picked : 0);
}

static void add_up(struct operation *sum, const struct operation *one)
{
    sum->changed += one->changed;
    sum->skipped_sending += one->skipped_sending;
    sum->skipped_state += one->skipped_state;
    sum->skipped_gone += one->skipped_gone;
}

static void describe_terms(const struct replay_terms *t, char *out, size_t size)
{
    int n = t->rate > 0 ? snprintf(out, size, ", %lld events a second",
                                   (long long)t->rate)
                        : 0;
    if (t->share > 0) {
        (void)snprintf(out + n, size - (size_t)n,
                       ", %d %% of what is delivered", t->share);
    }
}

/* The flusher replays them, by and by. */
static enum ending begin_replays(struct operate *o,
                                 const struct replay_terms *terms)
{
    char words[200], how[96] = "";
    struct spool_error err;
    selection_words(o->ctl, words, sizeof words);
    for (size_t i = 0; i < o->n; i++) {
        struct site *s = &o->sites[i];
        int64_t id;
        if (s->picked.n == 0) {
            continue;
        }
        if (replay_begin(o->ctl->box, s->d, s->picked.ids, s->picked.n, terms,
                         words, &id, &err) != SPOOL_OK) {
            return ctl_failed(&err);
        }
        o->begun = true;
        describe_terms(terms, how, sizeof how);
        ctl_say(o->ctl,
                "replay %lld of %s begins%s; %s replay --list tells how far it "
                "is",
                (long long)id, s->d->name, how, o->ctl->self);
    }
    return DONE;
}

static enum ending act(struct operate *o)
{
    char words[200];
    struct spool_error err;
    enum spool_status status = SPOOL_OK;
    selection_words(o->ctl, words, sizeof words);
    for (size_t i = 0; status == SPOOL_OK && i < o->n; i++) {
        struct site *s = &o->sites[i];
        for (size_t at = 0; status == SPOOL_OK && at < s->picked.n;
             at += CHUNK) {
            struct operation one = {0};
            size_t n = s->picked.n - at < CHUNK ? s->picked.n - at : CHUNK;
            status = o->act(o->ctl->box, s->d, s->picked.ids + at, n, words,
                            &one, &err);
            if (status == SPOOL_OK) {
                add_up(&s->done, &one);
                add_up(&o->done, &one);
            }
        }
    }
    if (status != SPOOL_OK) {
        ctl_warn("after %lld changed:", (long long)o->done.changed);
        (void)ctl_failed(&err);
        return FAILED;
    }
    return DONE;
}

static enum ending report(const struct operate *o)
{
    const struct operation *d = &o->done;
    char count[HUMAN_SIZE];
    bool replay = o->act == operate_replay;
    ctl_say(o->ctl, "%s %s", human_events(d->changed, count),
            replay ? "to be delivered again" : "purged");
    if (d->skipped_sending > 0) {
        ctl_say(o->ctl, "%s skipped: in a request right now, try again later",
                human_events(d->skipped_sending, count));
    }
    if (d->skipped_state > 0) {
        ctl_say(o->ctl, "%s skipped: %s", human_events(d->skipped_state, count),
                replay ? "waiting already, or purged"
                       : "delivered or purged already");
    }
    if (d->skipped_gone > 0) {
        ctl_say(o->ctl, "%s skipped: no longer kept",
                human_events(d->skipped_gone, count));
    }
    return d->skipped_sending > 0 ? PARTLY : d->changed > 0 ? DONE : NOTHING;
}

/* What an option-less selection means, and that nothing is never everything. */
static enum ending complete(struct operate *o)
{
    struct selection *s = &o->selection;
    if (s->by_id && (s->filtered || s->all)) {
        return ctl_misuse(o->ctl, "ids and filters exclude one another");
    }
    if (!s->by_id && !s->filtered && !s->all) {
        return ctl_misuse(o->ctl, "nothing is selected: give ids, filters, or "
                                  "--all");
    }
    if (!s->by_id && s->states == 0) {
        s->states = o->act == operate_replay
                        ? 1U << EVENT_DEAD
                        : STATES_WAITING | 1U << EVENT_DEAD;
    }
    return DONE;
}

static enum ending run(struct operate *o)
{
    enum ending ending = selection_parse(o->ctl, true, &o->selection);
    if (ending == DONE) {
        ending = complete(o);
    }
    if (ending == DONE) {
        ending = ctl_open(o->ctl, false);
    }
    if (ending == DONE) {
        ending = collect(o);
    }
    if (ending != DONE) {
        return ending;
    }
    bool dry = ctl_has(o->ctl, OPTION_DRY_RUN);
    struct replay_terms terms = {0};
    int64_t share = 0;
    ending = ctl_number(o->ctl, OPTION_RATE, 1, 1000000, &terms.rate);
    if (ending == DONE) {
        ending = ctl_number(o->ctl, OPTION_SHARE, 1, 99, &share);
        terms.share = (int)share;
    }
    if (ending != DONE) {
        return ending;
    }
    if (o->picked == 0) {
        ctl_say(o->ctl, "no event matches");
        ending = NOTHING;
    } else if (dry) {
        char what[300];
        describe(o, what, sizeof what);
        ctl_say(o->ctl, "%s; nothing is changed", what);
    } else {
        ending = confirm(o);
        if (ending != DONE) {
            return ending;
        }
        bool by_and_by = terms.rate > 0 || terms.share > 0;
        ending = by_and_by ? begin_replays(o, &terms) : act(o);
        ending = ending == DONE && !by_and_by ? report(o) : ending;
    }
    if (o->ctl->json) {
        print_json(o, dry);
    }
    return ending;
}

static enum ending operate(struct ctl *ctl, operate_fn *fn)
{
    struct operate o = {.ctl = ctl, .act = fn};
    enum ending ending = run(&o);
    for (size_t i = 0; o.sites != NULL && i < o.n; i++) {
        picked_finish(&o.sites[i].picked);
    }
    free(o.sites);
    free(o.destinations);
    selection_finish(&o.selection);
    return ending;
}

enum ending cmd_replay(struct ctl *ctl)
{
    if (ctl_has(ctl, OPTION_LIST) || ctl_has(ctl, OPTION_STOP)) {
        return replays_under_way(ctl);
    }
    return operate(ctl, operate_replay);
}

enum ending cmd_purge(struct ctl *ctl)
{
    return operate(ctl, operate_purge);
}
