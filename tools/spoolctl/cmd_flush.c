#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd.h"
#include "human.h"
#include "json_line.h"
#include "outbox/inspect.h"
#include "spool/flusher.h"
#include "when.h"

struct flush {
    struct ctl *ctl;
    int64_t delivered, batches, unsaid; /* unsaid: delivered, not told yet */
    int64_t retries, uncertain, dead, held;
    int64_t said_at, pace_ms; /* of telling what was delivered */
    char last[700];           /* told about a destination */
    int64_t last_at;
};

static void say_delivered(struct flush *f)
{
    char count[HUMAN_SIZE];
    if (f->unsaid > 0) {
        ctl_say(f->ctl, "delivered %s", human_events(f->unsaid, count));
        f->unsaid = 0;
    }
    f->said_at = clock_mono_ms(&clock_system);
}

static const char *word_of(enum spool_report_kind kind)
{
    switch (kind) {
    case SPOOL_REPORT_DELIVERED:
        return "delivered";
    case SPOOL_REPORT_RETRY:
        return "retry";
    case SPOOL_REPORT_UNCERTAIN:
        return "uncertain";
    case SPOOL_REPORT_SPLIT:
        return "split";
    case SPOOL_REPORT_DEAD:
        return "dead";
    case SPOOL_REPORT_HELD:
        return "held";
    case SPOOL_REPORT_RESUMED:
        return "resumed";
    case SPOOL_REPORT_DAMAGED:
        return "damaged";
    case SPOOL_REPORT_TROUBLE:
        return "trouble";
    case SPOOL_REPORT_STOPPED:
        return "stopped";
    }
    return "";
}

static void count(struct flush *f, const struct spool_report *r)
{
    f->retries += r->kind == SPOOL_REPORT_RETRY;
    f->uncertain += r->kind == SPOOL_REPORT_UNCERTAIN;
    f->held += r->kind == SPOOL_REPORT_HELD;
    if (r->kind == SPOOL_REPORT_DEAD || r->kind == SPOOL_REPORT_DAMAGED) {
        f->dead += r->events;
    }
}

/* The same again is told once in ten seconds. */
static bool is_news(struct flush *f, const struct spool_report *r,
                    const char *answer)
{
    char text[sizeof f->last];
    int64_t now = clock_mono_ms(&clock_system);
    (void)snprintf(text, sizeof text, "%s %s %s", r->destination,
                   word_of(r->kind), answer);
    if (strcmp(text, f->last) == 0 && now - f->last_at < 10000 &&
        r->kind != SPOOL_REPORT_DEAD) {
        return false;
    }
    memcpy(f->last, text, sizeof text);
    f->last_at = now;
    return true;
}

static void say_report(struct flush *f, const struct spool_report *r)
{
    char ids[64] = "", wait[WHEN_SIZE] = "", answer[600];
    (void)human_answer(r->code, r->reason, answer, sizeof answer);
    if (!is_news(f, r, answer)) {
        return;
    }
    if (r->first_id > 0) {
        (void)snprintf(ids, sizeof ids, " %lld to %lld", (long long)r->first_id,
                       (long long)r->last_id);
    }
    if (r->wait_ms >= 0) {
        duration_text(r->wait_ms, wait);
    }
    ctl_say(f->ctl, "%s: %s%s%s%s%s%s", r->destination, word_of(r->kind), ids,
            answer[0] != '\0' ? ", " : "", answer,
            wait[0] != '\0' ? "; again in " : "", wait);
}

static void report(void *arg, const struct spool_report *r)
{
    struct flush *f = arg;
    if (r->kind == SPOOL_REPORT_DELIVERED) {
        f->delivered += r->events;
        f->unsaid += r->events;
        f->batches++;
        if (clock_mono_ms(&clock_system) - f->said_at >= f->pace_ms) {
            say_delivered(f);
        }
        return;
    }
    count(f, r);
    say_delivered(f);
    if (r->kind != SPOOL_REPORT_STOPPED) { /* why is how the command ends */
        say_report(f, r);
    }
}

static void add_left(struct json_object *list, const struct destination *d,
                     const struct sums *s)
{
    struct json_object *o = json_make();
    json_add_text(o, "name", d->name);
    json_add_text(o, "state", destination_state_name(d->state));
    json_add_text(o, "reason", d->reason);
    json_add_number(o, "waiting", s->waiting);
    json_add_number(o, "dead", s->by_state[EVENT_DEAD]);
    json_add_number(o, "delivered", s->by_state[EVENT_DELIVERED]);
    json_add_number(o, "accepted", s->accepted);
    json_add_time(o, "next_attempt_ms",
                  d->state == DESTINATION_HELD ? d->next_probe_at : s->next_at);
    (void)json_object_array_add(list, o);
}

/* False: nothing is. */
static bool say_left(const struct ctl *ctl, const struct destination *d,
                     const struct sums *s)
{
    char waiting[HUMAN_SIZE], reason[500];
    if (s->waiting == 0 && s->by_state[EVENT_DEAD] == 0) {
        return false;
    }
    ctl_say(ctl, "%s: %s waiting, %lld dead; it is %s%s%s", d->name,
            human_events(s->waiting, waiting),
            (long long)s->by_state[EVENT_DEAD],
            destination_state_name(d->state), d->reason[0] != '\0' ? ": " : "",
            human_words(d->reason, reason, sizeof reason));
    ctl_next(ctl,
             s->waiting > 0 ? "why %s" : "ls --destination %s --state dead",
             d->name);
    return true;
}

/* What is left, at the destinations that were flushed; *said: it was told. */
static enum ending look_at_rest(struct flush *f, const char *name,
                                struct json_object *list, bool *said)
{
    struct destination *all = NULL;
    struct spool_error err;
    size_t n = 0;
    enum spool_status status = SPOOL_OK;
    enum ending ending = ctl_destinations(f->ctl, name, &all, &n);
    for (size_t i = 0; ending == DONE && status == SPOOL_OK && i < n; i++) {
        struct sums s;
        status = inspect_sums(f->ctl->box, &all[i], &s, &err);
        if (status == SPOOL_OK) {
            *said = say_left(f->ctl, &all[i], &s) || *said;
            add_left(list, &all[i], &s);
        }
    }
    free(all);
    return status == SPOOL_OK ? ending : ctl_failed(&err);
}

static void print_json(const struct flush *f, bool all,
                       struct json_object *list)
{
    struct json_object *o = json_make();
    json_add_bool(o, "ok", all);
    json_add_number(o, "delivered", f->delivered);
    json_add_number(o, "batches", f->batches);
    json_add_number(o, "retries", f->retries);
    json_add_number(o, "uncertain", f->uncertain);
    json_add_number(o, "held", f->held);
    json_add_number(o, "dead", f->dead);
    json_add(o, "destinations", json_object_get(list));
    json_print(o);
}

static enum ending finish(struct flush *f, enum spool_status status,
                          const char *name, const struct spool_error *err)
{
    char sum[HUMAN_SIZE];
    struct json_object *list = json_object_new_array();
    bool all = status == SPOOL_OK, said = false;
    f->unsaid = 0; /* the sum says it */
    ctl_say(f->ctl, "%s delivered in %lld batch%s",
            human_events(f->delivered, sum), (long long)f->batches,
            f->batches == 1 ? "" : "es");
    enum ending ending = look_at_rest(f, name, list, &said);
    if (ending == DONE && f->ctl->json) {
        print_json(f, all, list);
    }
    if (ending == DONE && !all) {
        ending = PARTLY;
        if (!said) { /* no destination, or what none of them knows */
            (void)ctl_failed(err);
        }
    }
    (void)json_object_put(list);
    return ending;
}

enum ending cmd_flush(struct ctl *ctl)
{
    const char *name = ctl->arguments_n > 0 ? ctl->arguments[0] : NULL;
    struct flush f = {.ctl = ctl,
                      .pace_ms = isatty(STDERR_FILENO) ? 1000 : 10000};
    struct spool_flusher_options options;
    struct spool_error err;
    int64_t timeout_ms = -1, keep_ms = -1;
    enum ending ending = ctl_duration(ctl, OPTION_TIMEOUT, 1000, &timeout_ms);
    if (ending == DONE) {
        ending = ctl_duration(ctl, OPTION_KEEP, 1000, &keep_ms);
    }
    if (ending == DONE) {
        ending = ctl_open(ctl, false);
    }
    if (ending != DONE) {
        return ending;
    }
    spool_flusher_options_default(&options);
    options.report = report;
    options.arg = &f;
    options.keep_ms = keep_ms;
    options.end_on_signals = 1;
    f.said_at = clock_mono_ms(&clock_system);
    enum spool_status status =
        spool_flush(ctl->spool, name, timeout_ms, &options, &err);
    if (status != SPOOL_OK && status != SPOOL_UNFINISHED &&
        status != SPOOL_TIMEOUT) {
        return ctl_failed(&err);
    }
    return finish(&f, status, name, &err);
}
