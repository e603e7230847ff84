/* One sentence an event and destination: state, what it waits for, the last
 * answer, the next attempt, and the command that changes it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "human.h"
#include "json_line.h"
#include "outbox/lock.h"
#include "place.h"
#include "when.h"

struct why {
    struct ctl *ctl;
    int64_t id; /* 0: of a destination */
    const struct destination *d;
    int64_t now;
    bool flushed; /* a flusher runs */
    char sentence[1500];
    char command[200]; /* behind spoolctl; "" when nothing is to be done */
};

static void say(struct why *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds to the sentence. */
static void say(struct why *w, const char *format, ...)
{
    size_t n = strlen(w->sentence);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(w->sentence + n, sizeof w->sentence - n, format, args);
    va_end(args);
}

static void advise(struct why *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void advise(struct why *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(w->command, sizeof w->command, format, args);
    va_end(args);
}

static void say_next(struct why *w, int64_t at)
{
    char when[WHEN_SIZE], in[WHEN_SIZE];
    if (at > w->now) {
        time_text(at, when);
        duration_text(at - w->now, in);
        say(w, "; it is tried again at %s (in %s)", when, in);
    } else {
        say(w, "; the next attempt is due");
    }
}

static void say_answer(struct why *w, const char *code, const char *reason)
{
    char clean[600];
    if (strcmp(code, "REPLAYED") == 0 || strcmp(code, "PURGED") == 0) {
        say(w, " (by '%s')", human_words(reason, clean, sizeof clean));
    } else if (code[0] != '\0' || reason[0] != '\0') {
        say(w, "; the last answer was %s",
            human_answer(code, reason, clean, sizeof clean));
    }
}

static void say_since(struct why *w)
{
    char since[WHEN_SIZE], age[WHEN_SIZE];
    if (w->d->since > 0) {
        time_text(w->d->since, since);
        duration_text(w->now - w->d->since, age);
        say(w, " since %s (%s)", since, age);
    }
}

/* Whether the destination takes nothing at the moment, and then why. */
static bool say_stopped(struct why *w, const char *subject)
{
    char reason[500];
    const struct destination *d = w->d;
    if (d->state == DESTINATION_RUNNING) {
        return false;
    }
    say(w, "%s%s is %s", subject, d->name, destination_state_name(d->state));
    say_since(w);
    say(w, ": %s", human_words(d->reason, reason, sizeof reason));
    if (d->state == DESTINATION_HELD) {
        say(w, "; no event was lost");
        say_next(w, d->next_probe_at);
        say(w, ", and goes on by itself when that is taken");
        advise(w, w->flushed ? "resume %s" : "flush %s", d->name);
    } else {
        advise(w, "resume %s", d->name);
    }
    return true;
}

static void no_flusher(struct why *w)
{
    if (!w->flushed) {
        say(w, "; no flusher runs");
        advise(w, "flush %s", w->d->name);
    }
}

static void explain_waiting(struct why *w, const struct place *p)
{
    const char *name = w->d->name;
    say(w, "event %lld is %s at %s", (long long)w->id, place_state(p), name);
    if (p->state == EVENT_UNCERTAIN) {
        say(w, ": a request with it went out and no usable answer came back, "
               "so it may have arrived; it goes out again under the same "
               "Idempotency-Key");
    }
    if (p->attempts > 0) {
        say(w, " after %d attempt%s", p->attempts, p->attempts == 1 ? "" : "s");
    }
    say_answer(w, p->code, p->reason);
    if (say_stopped(w, "; ")) {
        return;
    }
    if (p->state == EVENT_SENDING && !w->flushed) {
        say(w, ": the flusher that was sending it has ended, so it may have "
               "arrived, and it goes out again under the same Idempotency-Key");
    } else if (p->state == EVENT_SENDING) {
        say(w, ": it is in a request right now");
    } else if (p->next_at > 0) {
        say_next(w, p->next_at);
    } else {
        say(w, ": it goes out when those before it have, at the latest");
    }
    no_flusher(w);
}

static void explain_held(struct why *w, const struct place *p)
{
    say(w,
        "event %lld is held at %s: its nextPage flag lets it wait for the next "
        "PAGE_VIEW of its session, just before which it leaves, or until its "
        "time is over",
        (long long)w->id, p->d.name);
    advise(w, "replay %lld", (long long)w->id);
}

/* It was put with --quarantine, and no endpoint has seen it. */
static bool was_refused_when_put(const struct place *p)
{
    return p->attempts == 0 && strcmp(p->code, "INVALID") == 0;
}

static void explain_dead(struct why *w, const struct place *p)
{
    char reason[600];
    say(w, "event %lld is dead at %s: it was refused when it was ",
        (long long)w->id, w->d->name);
    if (was_refused_when_put(p)) {
        say(w, "put, and was never sent: %s",
            human_words(p->reason, reason, sizeof reason));
    } else {
        say(w, "alone in its request, and is not tried again");
        say_answer(w, p->code, p->reason);
    }
    advise(w, "replay %lld --destination %s", (long long)w->id, w->d->name);
}

static void explain_settled(struct why *w, const struct place *p)
{
    long long id = (long long)w->id;
    const char *name = w->d->name;
    if (p->state == EVENT_DELIVERED) {
        say(w, "event %lld was delivered to %s", id, name);
        say_answer(w, p->code, p->reason);
        say(w, "; it goes out once more only if it is replayed");
        advise(w, "replay %lld --destination %s", id, name);
    } else if (p->state == EVENT_DEAD) {
        explain_dead(w, p);
    } else {
        say(w, "event %lld was purged at %s", id, name);
        say_answer(w, p->code, p->reason);
        say(w, "; it does not leave any more");
    }
}

static void explain_event(struct why *w, const struct place *p)
{
    w->d = &p->d;
    w->sentence[0] = '\0';
    w->command[0] = '\0';
    if (p->kind == PLACE_PASSED) {
        say(w, "event %lld does not go to %s: its filter takes only %s",
            (long long)w->id, p->d.name, p->d.filter);
    } else if (p->kind == PLACE_BEFORE) {
        say(w,
            "event %lld does not go to %s: it reads the log behind event "
            "%lld",
            (long long)w->id, p->d.name, (long long)p->d.base);
    } else if (p->state == EVENT_DELIVERED || p->state == EVENT_DEAD ||
               p->state == EVENT_PURGED) {
        explain_settled(w, p);
    } else if (p->state == EVENT_HELD) {
        explain_held(w, p);
    } else {
        explain_waiting(w, p);
    }
}

static void print(struct why *w, const struct place *p)
{
    if (!w->ctl->json) {
        (void)printf("%s.\n", w->sentence);
        if (w->command[0] != '\0') {
            ctl_next(w->ctl, "%s", w->command);
        }
        return;
    }
    struct json_object *o = json_make();
    if (w->id > 0) {
        json_add_number(o, "id", w->id);
    }
    json_add_text(o, "destination", w->d != NULL ? w->d->name : "");
    json_add_text(o, "state",
                  p != NULL      ? place_state(p)
                  : w->d != NULL ? destination_state_name(w->d->state)
                                 : "pending");
    json_add_text(o, "sentence", w->sentence);
    json_add_text(o, "code", p != NULL ? p->code : "");
    json_add_text(o, "reason",
                  p != NULL      ? p->reason
                  : w->d != NULL ? w->d->reason
                                 : "");
    json_add_time(o, "next_attempt_ms",
                  w->d != NULL && w->d->state == DESTINATION_HELD
                      ? w->d->next_probe_at
                  : p != NULL ? p->next_at
                              : 0);
    json_add_command(o, "command", w->ctl->self, w->command);
    json_print(o);
}

static enum ending why_event(struct why *w)
{
    struct places all = {0};
    enum ending ending =
        places_find(w->ctl, w->id, ctl_value(w->ctl, OPTION_DESTINATION), &all);
    for (size_t i = 0; ending == DONE && i < all.n; i++) {
        explain_event(w, &all.places[i]);
        print(w, &all.places[i]);
    }
    if (ending == DONE && all.n == 0) {
        say(w, "event %lld is pending: no destination is set up",
            (long long)w->id);
        advise(w, "destination add NAME --url URL");
        print(w, NULL);
    }
    places_finish(&all);
    return ending;
}

static void explain_destination(struct why *w, const struct sums *s)
{
    char count[HUMAN_SIZE], age[WHEN_SIZE];
    const char *name = w->d->name;
    int64_t dead = s->by_state[EVENT_DEAD];
    if (!say_stopped(w, "")) {
        say(w, "%s is running", name);
    }
    if (s->waiting > 0) {
        duration_text(s->oldest_at < w->now ? w->now - s->oldest_at : 0, age);
        say(w, "; %s wait%s, the oldest for %s",
            human_events(s->waiting, count), s->waiting == 1 ? "s" : "", age);
    } else {
        say(w, "; nothing waits");
    }
    if (w->d->state == DESTINATION_RUNNING && s->waiting > 0) {
        if (s->next_at > 0) {
            say_next(w, s->next_at);
            if (w->flushed) {
                advise(w, "why %lld", (long long)s->oldest_id);
            }
        }
        no_flusher(w);
    }
    if (dead > 0) {
        say(w, "; %lld %s dead", (long long)dead, dead == 1 ? "is" : "are");
        if (w->command[0] == '\0') {
            advise(w, "ls --destination %s --state dead", name);
        }
    }
}

static enum ending why_destination(struct why *w)
{
    struct destination d;
    struct sums s;
    struct spool_error err;
    if (destination_find(w->ctl->box, w->ctl->arguments[0], &d, &err) !=
            SPOOL_OK ||
        inspect_sums(w->ctl->box, &d, &s, &err) != SPOOL_OK) {
        return ctl_failed(&err);
    }
    w->d = &d;
    explain_destination(w, &s);
    print(w, NULL);
    return DONE;
}

enum ending cmd_why(struct ctl *ctl)
{
    enum ending ending = ctl_open(ctl, false);
    if (ending != DONE) {
        return ending;
    }
    struct why w = {.ctl = ctl};
    w.now = clock_wall_ms(outbox_clock(ctl->box));
    w.flushed = flusher_lock_holder(outbox_path(ctl->box)) != 0;
    return picked_parse(ctl->arguments[0], &w.id) ? why_event(&w)
                                                  : why_destination(&w);
}
