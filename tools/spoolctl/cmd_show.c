#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "events/event.h"
#include "human.h"
#include "json_line.h"
#include "place.h"
#include "table.h"
#include "when.h"

struct show {
    struct ctl *ctl;
    FILE *out; /* of the text */
    const struct place *place;
    struct json_object *attempts; /* an array */
};

/* Called inside a snapshot, so it is kept for later whatever the form. */
static void keep_attempt(void *arg, const struct attempt_record *a)
{
    const struct show *s = arg;
    struct json_object *o = json_make();
    json_add_text(o, "destination", s->place->d.name);
    json_add_time(o, "at_ms", a->at);
    json_add_text(o, "verdict", a->verdict);
    json_add_number(o, "http", a->http);
    json_add_number(o, "curl", a->curl);
    json_add_text(o, "code", a->code);
    json_add_number(o, "duration_ms", a->duration_ms);
    json_add_text(o, "answer", a->answer);
    json_add_number(o, "events", a->events);
    json_add_text(o, "idempotency_key", a->key);
    (void)json_object_array_add(s->attempts, o);
}

static int64_t number_of(struct json_object *o, const char *name)
{
    return json_object_get_int64(json_object_object_get(o, name));
}

static const char *text_of(struct json_object *o, const char *name)
{
    return json_object_get_string(json_object_object_get(o, name));
}

static void print_attempts(const struct show *s)
{
    static const struct table_column columns[] = {
        {"DESTINATION", LEFT, 0}, {"AT", LEFT, 0},     {"VERDICT", LEFT, 0},
        {"HTTP", RIGHT, 0},       {"CURL", RIGHT, 0},  {"CODE", LEFT, 0},
        {"TOOK", RIGHT, 0},       {"BATCH", RIGHT, 0}, {"ANSWER", CUT, 0},
    };
    struct table *t = table_create(columns, sizeof columns / sizeof *columns);
    size_t n = json_object_array_length(s->attempts);
    for (size_t i = 0; i < n && ctl_can_print(); i++) {
        struct json_object *o = json_object_array_get_idx(s->attempts, i);
        char at[WHEN_SIZE], took[WHEN_SIZE];
        const char *verdict = text_of(o, "verdict");
        time_text(number_of(o, "at_ms"), at);
        duration_text(number_of(o, "duration_ms"), took);
        const char *cells[] = {text_of(o, "destination"),
                               at,
                               verdict,
                               text_of(o, "http"),
                               text_of(o, "curl"),
                               text_of(o, "code"),
                               took,
                               text_of(o, "events"),
                               text_of(o, "answer")};
        table_add(t, cells, strcmp(verdict, "delivered") == 0 ? GOOD : PLAIN);
    }
    table_finish(t);
}

static struct json_object *place_json(const struct place *p)
{
    struct json_object *o = json_make();
    json_add_text(o, "destination", p->d.name);
    json_add_text(o, "state", place_state(p));
    json_add_number(o, "attempts", p->attempts);
    json_add_number(o, "uncertain_attempts", p->uncertain);
    json_add_time(o, "next_attempt_ms", p->next_at);
    json_add_text(o, "idempotency_key", p->key);
    json_add_text(o, "code", p->code);
    json_add_text(o, "reason", p->reason);
    return o;
}

static enum ending find_attempts(struct show *s, const struct places *all)
{
    struct spool_error err;
    for (size_t i = 0; i < all->n; i++) {
        const struct event_record event = {.id = all->id, .part = all->part};
        s->place = &all->places[i];
        if (inspect_attempts(s->ctl->box, &all->places[i].d, &event,
                             keep_attempt, s, &err) != SPOOL_OK) {
            return ctl_failed(&err);
        }
    }
    return DONE;
}

static void event_json(struct json_object *o, const struct places *all,
                       const struct event_facts *f)
{
    json_add_number(o, "id", all->id);
    json_add_time(o, "at_ms", all->at);
    json_add_decoded(o, "name", f->name);
    json_add_decoded(o, "step", f->step);
    json_add_decoded(o, "userId", f->user_id);
    json_add_decoded(o, "sessionId", f->session_id);
    json_add_decoded(o, "orderNo", f->order_no);
    json_add_decoded(o, "key", f->key);
    json_add_text(o, "class",
                  f->name.at != NULL ? event_class_name(f->class) : "");
    json_add_number(o, "bytes", (int64_t)all->len);
    json_add_bool(o, "whole", all->whole);
}

static void show_json(const struct show *s, const struct places *all,
                      const struct event_facts *f)
{
    struct json_object *o = json_make(), *list = json_object_new_array();
    event_json(o, all, f);
    if (all->n == 1) { /* then there is one state */
        json_add_text(o, "destination", all->places[0].d.name);
        json_add_text(o, "state", place_state(&all->places[0]));
    }
    for (size_t i = 0; i < all->n; i++) {
        (void)json_object_array_add(list, place_json(&all->places[i]));
    }
    json_add(o, "destinations", list);
    json_add(o, "attempts", json_object_get(s->attempts));
    if (ctl_has(s->ctl, OPTION_PAYLOAD)) {
        json_add_bytes(o, "payload", all->body, all->len);
    }
    json_print(o);
}

static void print_place(const struct show *s, const struct place *p)
{
    char answer[600], in[WHEN_SIZE];
    (void)fprintf(s->out, "%s at %s", place_state(p), p->d.name);
    if (p->attempts > 0) {
        (void)fprintf(s->out, ", %d attempt%s", p->attempts,
                      p->attempts == 1 ? "" : "s");
    }
    if (p->next_at > 0) {
        time_text(p->next_at, in);
        (void)fprintf(s->out, ", next at %s", in);
    }
    if (p->code[0] != '\0' || p->reason[0] != '\0') {
        (void)fprintf(s->out, ": %s",
                      human_answer(p->code, p->reason, answer, sizeof answer));
    }
    (void)fputc('\n', s->out);
}

static void print_event(const struct show *s, const struct places *all,
                        const struct event_facts *f)
{
    char name[130], step[130], user[200], session[200], key[200];
    char at[WHEN_SIZE];
    time_text(all->at, at);
    (void)fprintf(s->out, "event %lld  %s%s%s, class %s, %zu bytes%s\n",
                  (long long)all->id, human_json(f->name, name, sizeof name),
                  f->step.at != NULL ? " " : "",
                  human_json(f->step, step, sizeof step),
                  f->name.at != NULL ? event_class_name(f->class) : "?",
                  all->len, all->whole ? "" : ", DAMAGED");
    (void)fprintf(s->out, "accepted %s, user %s, session %s", at,
                  human_json(f->user_id, user, sizeof user),
                  human_json(f->session_id, session, sizeof session));
    if (f->key.at != NULL) {
        (void)fprintf(s->out, ", key %s", human_json(f->key, key, sizeof key));
    }
    (void)fputc('\n', s->out);
    for (size_t i = 0; i < all->n; i++) {
        print_place(s, &all->places[i]);
    }
    if (all->n == 0) {
        (void)fputs("pending: no destination is set up\n", s->out);
    }
}

/* The bytes alone go to stdout, so that they can be piped; what is known of
 * the event goes to stderr. */
static void show_payload(const struct show *s, const struct places *all,
                         const struct event_facts *f)
{
    if (!s->ctl->quiet) {
        print_event(s, all, f);
    }
    (void)fwrite(all->body, 1, all->len, stdout);
    if (isatty(STDOUT_FILENO)) {
        (void)putchar('\n');
    }
}

static enum ending show(struct show *s, const struct places *all)
{
    struct event_facts facts = {0};
    if (!event_read(all->body, all->len, &facts)) {
        facts = (struct event_facts){0};
    }
    bool payload = ctl_has(s->ctl, OPTION_PAYLOAD);
    s->out = payload ? stderr : stdout;
    if (payload && !s->ctl->json) {
        show_payload(s, all, &facts);
        return DONE;
    }
    enum ending ending = find_attempts(s, all);
    if (ending == DONE && s->ctl->json) {
        show_json(s, all, &facts);
    } else if (ending == DONE) {
        print_event(s, all, &facts);
        (void)putchar('\n');
        print_attempts(s);
        ctl_say(s->ctl, "payload  not shown; --payload prints it");
    }
    return ending;
}

enum ending cmd_show(struct ctl *ctl)
{
    struct places all = {0};
    struct show s = {.ctl = ctl};
    int64_t id;
    if (!picked_parse(ctl->arguments[0], &id)) {
        return ctl_misuse(ctl, "'%s' is no event id", ctl->arguments[0]);
    }
    enum ending ending = ctl_open(ctl, false);
    if (ending == DONE) {
        ending = places_find(ctl, id, ctl_value(ctl, OPTION_DESTINATION), &all);
    }
    if (ending == DONE) {
        s.attempts = json_object_new_array();
        ending = show(&s, &all);
        (void)json_object_put(s.attempts);
    }
    places_finish(&all);
    return ending;
}
