#include <stdio.h>

#include "cmd.h"
#include "human.h"
#include "json_line.h"
#include "limits.h"
#include "status.h"
#include "table.h"
#include "when.h"

/* ---- JSON ---- */

static struct json_object *destination_json(const struct status *s, size_t i)
{
    const struct destination *d = &s->d[i];
    const struct sums *sums = &s->sums[i];
    struct json_object *o = json_make();
    json_add_text(o, "name", d->name);
    json_add_text(o, "state", destination_state_name(d->state));
    json_add_text(o, "reason", d->reason);
    json_add_time(o, "since_ms", d->since);
    json_add_time(o, "next_attempt_ms", status_next(s, i));
    json_add_number(o, "oldest_age_ms", status_age(s, i));
    json_add_time(o, "oldest_at_ms", sums->oldest_at);
    json_add_number(o, "oldest_id", sums->oldest_id);
    json_add_number(o, "accepted", sums->accepted);
    json_add_number(o, "waiting", sums->waiting);
    for (int state = 0; state < EVENT_STATES; state++) {
        json_add_number(o, event_state_name((enum event_state)state),
                        sums->by_state[state]);
    }
    json_add_number(o, "passed", sums->passed);
    json_add_number(o, "lost", sums->lost);
    json_add_decimal(o, "rate_per_s",
                     (double)sums->delivered_last_minute / 60.0);
    return o;
}

static void print_json(const struct status *s, const struct verdict *v)
{
    struct json_object *o = json_make(), *list = json_object_new_array();
    json_add_text(o, "spool", outbox_path(s->ctl->box));
    json_add_text(o, "store_id", outbox_store_id(s->ctl->box));
    json_add_text(o, "verdict", v->word);
    json_add_text(o, "sentence", v->sentence);
    json_add_command(o, "next", s->ctl->self, v->next);
    json_add_number(o, "accepted", s->accepted);
    json_add_number(o, "file_bytes", s->file_bytes);
    json_add_number(o, "wal_bytes", s->wal_bytes);
    json_add_number(o, "disk_free_bytes", s->disk_free_bytes);
    json_add_time(o, "flusher_pid", s->flusher_pid);
    json_add_number(o, "limit_full_percent",
                    limits_full(&s->limits, &s->usage));
    json_add_number(o, "refused", toll_total(s->usage.refused));
    json_add_number(o, "shed", toll_total(s->usage.shed));
    json_add_text(o, "set_aside", s->set_aside);
    for (size_t i = 0; i < s->n; i++) {
        (void)json_object_array_add(list, destination_json(s, i));
    }
    json_add(o, "destinations", list);
    json_print(o);
}

/* ---- text ---- */

static void print_table(const struct status *s)
{
    static const struct table_column columns[] = {
        {"DESTINATION", LEFT, 0}, {"OLDEST", RIGHT, 0},
        {"PENDING", RIGHT, 0},    {"SENDING", RIGHT, 0},
        {"RETRYING", RIGHT, 0},   {"UNCERTAIN", RIGHT, 0},
        {"DEAD", RIGHT, 0},       {"OUT/s", RIGHT, 0},
        {"STATE", LEFT, 0},
    };
    static const enum event_state order[] = {EVENT_PENDING, EVENT_SENDING,
                                             EVENT_RETRYING, EVENT_UNCERTAIN,
                                             EVENT_DEAD};
    struct table *t = table_create(columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < s->n; i++) {
        char age[WHEN_SIZE] = "", rate[32], counts[5][HUMAN_SIZE];
        const char *cells[9] = {s->d[i].name, age};
        if (s->sums[i].waiting > 0) {
            duration_text(status_age(s, i), age);
        }
        for (size_t c = 0; c < 5; c++) {
            cells[2 + c] =
                human_count(s->sums[i].by_state[order[c]], counts[c]);
        }
        (void)snprintf(rate, sizeof rate, "%.1f",
                       (double)s->sums[i].delivered_last_minute / 60.0);
        cells[7] = rate;
        cells[8] = destination_state_name(s->d[i].state);
        table_add(t, cells, tone_of_destination(s->d[i].state));
    }
    table_finish(t);
}

static void print_next(const struct status *s, size_t i)
{
    int64_t next = status_next(s, i);
    char in[WHEN_SIZE];
    if (next > s->now) {
        duration_text(next - s->now, in);
        (void)printf("next attempt in %s", in);
    } else {
        (void)printf("the next attempt is due");
    }
}

static void print_stopped(const struct status *s, size_t i)
{
    const struct destination *d = &s->d[i];
    char since[WHEN_SIZE], reason[500];
    status_since(s, i, since);
    (void)printf("%s: %s since %s: %s", d->name,
                 destination_state_name(d->state), since,
                 human_words(d->reason, reason, sizeof reason));
    if (d->state == DESTINATION_HELD) {
        (void)printf("; ");
        print_next(s, i);
    }
    (void)putchar('\n');
}

static void print_settled(const struct status *s, size_t i)
{
    const struct sums *sums = &s->sums[i];
    char delivered[HUMAN_SIZE], held[HUMAN_SIZE], purged[HUMAN_SIZE];
    char passed[HUMAN_SIZE], lost[HUMAN_SIZE];
    (void)printf("%s: %s delivered", s->d[i].name,
                 human_count(sums->by_state[EVENT_DELIVERED], delivered));
    if (sums->by_state[EVENT_HELD] > 0) {
        (void)printf(", %s held for the next page",
                     human_count(sums->by_state[EVENT_HELD], held));
    }
    if (sums->by_state[EVENT_PURGED] > 0) {
        (void)printf(", %s purged",
                     human_count(sums->by_state[EVENT_PURGED], purged));
    }
    if (sums->passed > 0) {
        (void)printf(", %s passed over by its filter",
                     human_count(sums->passed, passed));
    }
    if (sums->lost > 0) {
        (void)printf(", %s lost by damage", human_count(sums->lost, lost));
    }
    (void)putchar('\n');
}

/* What the table has no room for. */
static void print_notes(const struct status *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct destination *d = &s->d[i];
        if (d->state != DESTINATION_RUNNING) {
            print_stopped(s, i);
        } else if (status_next(s, i) > 0) {
            (void)printf("%s: ", d->name);
            print_next(s, i);
            (void)putchar('\n');
        }
        print_settled(s, i);
    }
}

/* Nothing, as long as there is nothing to know. */
static void print_limits(const struct status *s)
{
    char refused[HUMAN_SIZE], shed[HUMAN_SIZE];
    int64_t full = limits_full(&s->limits, &s->usage);
    int64_t r = toll_total(s->usage.refused), d = toll_total(s->usage.shed);
    if (full > 0 || r + d > 0) {
        (void)printf("limits   %lld%% full, %s refused, %s shed so far\n",
                     (long long)full, human_events(r, refused),
                     human_count(d, shed));
    }
}

static void print_text(const struct status *s, const struct verdict *v)
{
    static const char *const colours[] = {[PLAIN] = "",
                                          [GOOD] = "\033[32m",
                                          [WARNING] = "\033[33m",
                                          [BAD] = "\033[31m"};
    bool colour = table_has_colour();
    char a[HUMAN_SIZE], b[HUMAN_SIZE], c[HUMAN_SIZE], path[HUMAN_PATH_SIZE];
    (void)printf("%s%s%s  %s\n\n", colour ? colours[v->tone] : "", v->word,
                 colour ? "\033[0m" : "", v->sentence);
    if (s->n > 0) {
        print_table(s);
        print_notes(s);
        (void)putchar('\n');
    }
    (void)printf("spool    %s %s, WAL %s, %s free\n",
                 human_words(outbox_path(s->ctl->box), path, sizeof path),
                 human_bytes(s->file_bytes, a), human_bytes(s->wal_bytes, b),
                 human_bytes(s->disk_free_bytes, c));
    (void)printf("events   %s accepted\n", human_count(s->accepted, a));
    print_limits(s);
    if (s->flusher_pid != 0) {
        (void)printf("flusher  process %ld\n", s->flusher_pid);
    } else {
        (void)printf("flusher  none runs\n");
    }
    if (v->next[0] != '\0') {
        (void)printf("next     %s %s\n", s->ctl->self, v->next);
    }
}

enum ending cmd_status(struct ctl *ctl)
{
    struct status s = {.ctl = ctl};
    enum ending ending = ctl_open(ctl, false);
    if (ending == DONE) {
        ctl_warn_of_place(ctl);
    }
    if (ending == DONE) {
        ending = status_look(&s);
    }
    if (ending == DONE) {
        struct verdict v;
        status_judge(&s, &v);
        if (ctl->json) {
            print_json(&s, &v);
        } else {
            print_text(&s, &v);
        }
    }
    status_finish(&s);
    return ending;
}
