#define _DEFAULT_SOURCE /* statvfs's block counts in 64 bits */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "cmd.h"
#include "human.h"
#include "json_line.h"
#include "limits.h"
#include "outbox/inspect.h"
#include "outbox/lock.h"
#include "outbox/recover.h"
#include "table.h"
#include "when.h"

struct status {
    struct ctl *ctl;
    struct destination *d; /* owned; n of them */
    struct sums *sums;     /* owned; one each */
    size_t n;
    int64_t now, accepted;
    int64_t file_bytes, wal_bytes, disk_free_bytes;
    long flusher_pid; /* 0: none runs */
    struct spool_limits limits;
    struct spool_usage usage;
    char set_aside[ASIDE_PATH_SIZE]; /* "": no file waits to be put back */
};

static int64_t size_of(const char *path, const char *suffix)
{
    char name[4200];
    struct stat st;
    (void)snprintf(name, sizeof name, "%s%s", path, suffix);
    return stat(name, &st) == 0 ? (int64_t)st.st_size : 0;
}

static enum ending look(struct status *s)
{
    struct spool_error err;
    struct statvfs disk;
    const char *path = outbox_path(s->ctl->box);
    enum ending ending = ctl_destinations(s->ctl, NULL, &s->d, &s->n);
    if (ending != DONE) {
        return ending;
    }
    s->sums = calloc(s->n + 1, sizeof *s->sums);
    if (s->sums == NULL) {
        ctl_warn("out of memory");
        return FAILED;
    }
    enum spool_status status = inspect_last_id(s->ctl->box, &s->accepted, &err);
    for (size_t i = 0; status == SPOOL_OK && i < s->n; i++) {
        status = inspect_sums(s->ctl->box, &s->d[i], &s->sums[i], &err);
    }
    if (status == SPOOL_OK) {
        status = recover_waiting(s->ctl->box, s->set_aside, &err);
    }
    if (status != SPOOL_OK) {
        (void)ctl_failed(&err);
        return FAILED;
    }
    s->now = clock_wall_ms(outbox_clock(s->ctl->box));
    s->file_bytes = size_of(path, "");
    s->wal_bytes = size_of(path, "-wal");
    if (statvfs(path, &disk) == 0) {
        s->disk_free_bytes = (int64_t)((uint64_t)disk.f_bavail * disk.f_frsize);
    }
    s->flusher_pid = (long)flusher_lock_holder(path);
    if (spool_get_limits(s->ctl->spool, &s->limits, &err) != SPOOL_OK ||
        spool_usage(s->ctl->spool, &s->usage, &err) != SPOOL_OK) {
        return ctl_failed(&err);
    }
    return DONE;
}

static int64_t age_of(const struct status *s, size_t i)
{
    int64_t at = s->sums[i].oldest_at;
    return at == 0 || at > s->now ? 0 : s->now - at;
}

/* The destination with the oldest waiting event; n when nothing waits. */
static size_t oldest(const struct status *s)
{
    size_t best = s->n;
    for (size_t i = 0; i < s->n; i++) {
        if (s->sums[i].waiting > 0 &&
            (best == s->n || s->sums[i].oldest_at < s->sums[best].oldest_at)) {
            best = i;
        }
    }
    return best;
}

static int64_t next_of(const struct status *s, size_t i)
{
    return s->d[i].state == DESTINATION_HELD ? s->d[i].next_probe_at
           : s->sums[i].waiting > 0          ? s->sums[i].next_at
                                             : 0;
}

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
    json_add_time(o, "next_attempt_ms", next_of(s, i));
    json_add_number(o, "oldest_age_ms", age_of(s, i));
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

/* ---- the verdict ---- */

struct verdict {
    const char *word;
    enum tone tone;
    char sentence[700];
    char next[200]; /* a command; "" when nothing is to be done */
};

static void since_text(int64_t ms, char out[WHEN_SIZE])
{
    if (ms > 0) {
        time_text(ms, out);
    } else {
        (void)snprintf(out, WHEN_SIZE, "an unknown time");
    }
}

/* The worst of the destinations speaks: held or paused with events waiting. */
static bool judge_stopped(const struct status *s, struct verdict *v)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct destination *d = &s->d[i];
        char age[WHEN_SIZE], since[WHEN_SIZE], reason[500];
        if (d->state == DESTINATION_RUNNING || s->sums[i].waiting == 0) {
            continue;
        }
        bool held = d->state == DESTINATION_HELD;
        duration_text(age_of(s, i), age);
        since_text(d->since, since);
        *v = (struct verdict){.word = held ? "STUCK" : "PAUSED",
                              .tone = held ? BAD : WARNING};
        (void)snprintf(v->sentence, sizeof v->sentence,
                       "oldest event %s; %s is %s since %s: %s", age, d->name,
                       destination_state_name(d->state), since,
                       human_words(d->reason, reason, sizeof reason));
        bool gone = strcmp(d->name, DESTINATION_STAND_IN) == 0;
        (void)snprintf(v->next, sizeof v->next,
                       gone   ? "spoolctl recover"
                       : held ? "spoolctl why %s"
                              : "spoolctl resume %s",
                       d->name);
        if (held) {
            return true;
        }
    }
    return v->word != NULL;
}

/* Waiting for a page of its session is no fault of anybody. */
static bool only_held(const struct sums *s)
{
    return s->waiting == s->by_state[EVENT_HELD];
}

static bool judge_waiting(const struct status *s, struct verdict *v)
{
    size_t i = oldest(s);
    if (i == s->n) {
        return false;
    }
    char age[WHEN_SIZE];
    duration_text(age_of(s, i), age);
    const int64_t *by = s->sums[i].by_state;
    bool retries = by[EVENT_RETRYING] + by[EVENT_UNCERTAIN] > 0;
    v->word = retries ? "LATE" : "WAITING";
    v->tone = WARNING;
    (void)snprintf(v->sentence, sizeof v->sentence,
                   "oldest event %s, at %s%s%s", age, s->d[i].name,
                   retries ? ", which does not take it" : "",
                   s->flusher_pid == 0 ? "; no flusher runs" : "");
    (void)snprintf(v->next, sizeof v->next,
                   s->flusher_pid == 0 ? "spoolctl flush %s"
                                       : "spoolctl why %s",
                   s->d[i].name);
    /* A moment old and on its way, or where it is to be. */
    if (!retries && s->flusher_pid != 0 &&
        (age_of(s, i) < 10000 || only_held(&s->sums[i]))) {
        v->word = "OK";
        v->tone = GOOD;
        v->next[0] = '\0';
    }
    return true;
}

/* Before what was found already. */
static void speak_first(struct verdict *v, const char *word, const char *what)
{
    char why[sizeof v->sentence];
    (void)snprintf(why, sizeof why, "%s", v->sentence);
    (void)snprintf(v->sentence, sizeof v->sentence, "%s; %.*s", what,
                   (int)(sizeof why - strlen(what) - 3), why);
    v->word = word;
    v->tone = BAD;
}

static void judge_full(const struct status *s, struct verdict *v)
{
    if (limits_full(&s->limits, &s->usage) >= 100) {
        speak_first(v, "FULL", "a limit of the spool is reached");
        if (v->next[0] == '\0') {
            (void)snprintf(v->next, sizeof v->next, "spoolctl limits");
        }
    }
}

/* Its events wait where no destination counts them. */
static void judge_aside(const struct status *s, struct verdict *v)
{
    if (s->set_aside[0] != '\0') {
        speak_first(v, "DAMAGED",
                    "the file was damaged, and what it held has not been put "
                    "back");
        (void)snprintf(v->next, sizeof v->next, "spoolctl recover");
    }
}

static void judge(const struct status *s, struct verdict *v)
{
    int64_t dead = 0;
    *v = (struct verdict){0};
    for (size_t i = 0; i < s->n; i++) {
        dead += s->sums[i].by_state[EVENT_DEAD];
    }
    if (s->n == 0) {
        bool empty = s->accepted == 0;
        v->word = empty ? "OK" : "STUCK";
        v->tone = empty ? GOOD : BAD;
        (void)snprintf(v->sentence, sizeof v->sentence,
                       empty ? "empty, and no destination is set up"
                             : "no destination is set up, so nothing leaves");
        (void)snprintf(v->next, sizeof v->next,
                       "spoolctl destination add NAME --url URL");
    } else if (!judge_stopped(s, v) && !judge_waiting(s, v)) {
        v->word = dead > 0 ? "DEAD" : "OK";
        v->tone = dead > 0 ? WARNING : GOOD;
        char count[HUMAN_SIZE];
        (void)snprintf(v->sentence, sizeof v->sentence,
                       dead > 0 ? "%s set aside, nothing else waits"
                                : "nothing waits",
                       human_events(dead, count));
        (void)snprintf(v->next, sizeof v->next, "%s",
                       dead > 0 ? "spoolctl ls --state dead" : "");
    }
    judge_full(s, v);
    judge_aside(s, v);
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
            duration_text(age_of(s, i), age);
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
    int64_t next = next_of(s, i);
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
    since_text(d->since, since);
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
        } else if (next_of(s, i) > 0) {
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
    char a[HUMAN_SIZE], b[HUMAN_SIZE], c[HUMAN_SIZE];
    (void)printf("%s%s%s  %s\n\n", colour ? colours[v->tone] : "", v->word,
                 colour ? "\033[0m" : "", v->sentence);
    if (s->n > 0) {
        print_table(s);
        print_notes(s);
        (void)putchar('\n');
    }
    (void)printf("spool    %s %s, WAL %s, %s free\n", outbox_path(s->ctl->box),
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
        (void)printf("next     %s\n", v->next);
    }
}

static void print_json(const struct status *s, const struct verdict *v)
{
    struct json_object *o = json_make(), *list = json_object_new_array();
    json_add_text(o, "spool", outbox_path(s->ctl->box));
    json_add_text(o, "store_id", outbox_store_id(s->ctl->box));
    json_add_text(o, "verdict", v->word);
    json_add_text(o, "sentence", v->sentence);
    json_add_text(o, "next", v->next);
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

enum ending cmd_status(struct ctl *ctl)
{
    struct status s = {.ctl = ctl};
    enum ending ending = ctl_open(ctl, false);
    if (ending == DONE) {
        ctl_warn_of_place(ctl);
    }
    if (ending == DONE) {
        ending = look(&s);
    }
    if (ending == DONE) {
        struct verdict v;
        judge(&s, &v);
        if (ctl->json) {
            print_json(&s, &v);
        } else {
            print_text(&s, &v);
        }
    }
    free(s.d);
    free(s.sums);
    return ending;
}
