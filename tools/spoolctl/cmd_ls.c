#include <stdio.h>
#include <stdlib.h>

#include "cmd.h"
#include "human.h"
#include "json_line.h"
#include "listing.h"
#include "table.h"
#include "when.h"

struct ls {
    struct table *table; /* NULL: JSON */
    int64_t n;
};

static const char *destination_of(const struct listed *l)
{
    return l->destination != NULL ? l->destination->name : "";
}

static void print_json(const struct listed *l)
{
    const struct event_record *e = l->event;
    struct json_object *o = json_make();
    json_add_number(o, "id", e->id);
    json_add_text(o, "destination", destination_of(l));
    json_add_text(o, "state", event_state_name(e->state));
    json_add_decoded(o, "name", l->facts.name);
    json_add_decoded(o, "userId", l->facts.user_id);
    json_add_decoded(o, "sessionId", l->facts.session_id);
    json_add_number(o, "at_ms", e->at);
    json_add_number(o, "attempts", e->attempts);
    json_add_number(o, "bytes", (int64_t)e->len);
    json_add_decoded(o, "key", l->facts.key);
    json_add_text(o, "reason",
                  l->known ? e->reason
                           : "damaged: its checksum "
                             "does not fit");
    json_add_text(o, "code", e->code);
    json_add_time(o, "next_attempt_ms", e->next_at);
    json_print(o);
}

#define CELL 128

static void add_row(struct table *t, const struct listed *l)
{
    const struct event_record *e = l->event;
    char id[24], name[CELL], user[CELL], session[CELL], key[CELL];
    char at[WHEN_SIZE], attempts[16], bytes[24];
    (void)snprintf(id, sizeof id, "%lld", (long long)e->id);
    (void)snprintf(attempts, sizeof attempts, "%d", e->attempts);
    (void)snprintf(bytes, sizeof bytes, "%zu", e->len);
    time_text(e->at, at);
    const char *cells[] = {
        id,
        destination_of(l),
        event_state_name(e->state),
        human_json(l->facts.name, name, sizeof name),
        human_json(l->facts.user_id, user, sizeof user),
        human_json(l->facts.session_id, session, sizeof session),
        at,
        attempts,
        bytes,
        human_json(l->facts.key, key, sizeof key),
        l->known ? e->reason : "damaged: its checksum does not fit",
    };
    table_add(t, cells, l->known ? tone_of_event(e->state) : BAD);
}

static bool print(void *arg, const struct listed *l)
{
    struct ls *ls = arg;
    ls->n++;
    if (ls->table != NULL) {
        add_row(ls->table, l);
    } else {
        print_json(l);
    }
    return ctl_can_print();
}

static enum ending walk(struct ctl *ctl, const struct selection *s,
                        struct ls *ls)
{
    struct destination *all = NULL;
    struct spool_error err;
    size_t n = 0;
    int64_t limit = s->limit;
    enum spool_status status = SPOOL_OK;
    enum ending ending = ctl_destinations(ctl, s->destination, &all, &n);
    if (ending != DONE) {
        return ending;
    }
    if (n == 0) {
        status = listing_walk(ctl->box, s, NULL, &limit, print, ls, &err);
    }
    for (size_t i = 0; status == SPOOL_OK && ctl_can_print() && i < n; i++) {
        status = listing_walk(ctl->box, s, &all[i], &limit, print, ls, &err);
    }
    free(all);
    return status == SPOOL_OK ? DONE : ctl_failed(&err);
}

enum ending cmd_ls(struct ctl *ctl)
{
    /* Widths that fit most, since a long list is printed piece by piece. */
    static const struct table_column columns[] = {
        {"ID", RIGHT, 7},   {"DESTINATION", LEFT, 0}, {"STATE", LEFT, 9},
        {"NAME", LEFT, 11}, {"USER", CUT, 0},         {"SESSION", CUT, 0},
        {"AT", LEFT, 0},    {"ATTEMPTS", RIGHT, 0},   {"BYTES", RIGHT, 0},
        {"KEY", CUT, 0},    {"REASON", CUT, 0},
    };
    struct selection s;
    struct ls ls = {0};
    enum ending ending = selection_parse(ctl, false, &s);
    if (ending == DONE) {
        ending = ctl_open(ctl, false);
    }
    if (ending == DONE) {
        ls.table =
            ctl->json ? NULL
                      : table_create(columns, sizeof columns / sizeof *columns);
        ending = walk(ctl, &s, &ls);
        if (ls.table != NULL) {
            table_finish(ls.table);
        }
    }
    selection_finish(&s);
    if (ending != DONE || ls.n > 0) {
        return ending;
    }
    ctl_say(ctl, s.filtered ? "no event matches" : "there are no events");
    return s.filtered ? NOTHING : DONE;
}
