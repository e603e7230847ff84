#define _DEFAULT_SOURCE /* statvfs's block counts in 64 bits */
#include "status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "human.h"
#include "limits.h"
#include "outbox/lock.h"
#include "when.h"

static int64_t size_of(const char *path, const char *suffix)
{
    char name[4200];
    struct stat st;
    (void)snprintf(name, sizeof name, "%s%s", path, suffix);
    return stat(name, &st) == 0 ? (int64_t)st.st_size : 0;
}

enum ending status_look(struct status *s)
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

void status_finish(struct status *s)
{
    free(s->d);
    free(s->sums);
}

static int64_t age_of(const struct status *s, int64_t at)
{
    return at == 0 || at > s->now ? 0 : s->now - at;
}

int64_t status_age(const struct status *s, size_t i)
{
    return age_of(s, s->sums[i].oldest_at);
}

/* Waiting for a page of its session is no fault of anybody. */
static bool only_held(const struct sums *s)
{
    return s->waiting == s->by_state[EVENT_HELD];
}

/* Since when the event has waited that is judged. */
static int64_t judged_at(const struct sums *s)
{
    return only_held(s) ? s->oldest_at : s->unheld_at;
}

static bool waits_longer(const struct sums *a, const struct sums *b)
{
    return only_held(a) != only_held(b) ? only_held(b)
                                        : judged_at(a) < judged_at(b);
}

/* The destination with the oldest waiting event, a held one only where there
 * is no other; n when nothing waits. */
static size_t oldest(const struct status *s)
{
    size_t best = s->n;
    for (size_t i = 0; i < s->n; i++) {
        if (s->sums[i].waiting > 0 &&
            (best == s->n || waits_longer(&s->sums[i], &s->sums[best]))) {
            best = i;
        }
    }
    return best;
}

/* The destination that does not take what it is sent: i if it is that one, or
 * the first; n when there is none. */
static size_t unwilling(const struct status *s, size_t i)
{
    for (size_t k = 0; k < s->n; k++) {
        size_t at = (i + k) % s->n;
        const int64_t *by = s->sums[at].by_state;
        if (by[EVENT_RETRYING] + by[EVENT_UNCERTAIN] > 0) {
            return at;
        }
    }
    return s->n;
}

int64_t status_next(const struct status *s, size_t i)
{
    return s->d[i].state == DESTINATION_HELD ? s->d[i].next_probe_at
           : s->sums[i].waiting > 0          ? s->sums[i].next_at
                                             : 0;
}

/* ---- the verdict ---- */

void status_since(const struct status *s, size_t i, char out[WHEN_SIZE])
{
    if (s->d[i].since > 0) {
        time_text(s->d[i].since, out);
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
        duration_text(status_age(s, i), age);
        status_since(s, i, since);
        *v = (struct verdict){.word = held ? "STUCK" : "PAUSED",
                              .tone = held ? BAD : WARNING};
        (void)snprintf(v->sentence, sizeof v->sentence,
                       "oldest event %s; %s is %s since %s: %s", age, d->name,
                       destination_state_name(d->state), since,
                       human_words(d->reason, reason, sizeof reason));
        bool gone = strcmp(d->name, DESTINATION_STAND_IN) == 0;
        (void)snprintf(v->next, sizeof v->next,
                       gone   ? "recover"
                       : held ? "why %s"
                              : "resume %s",
                       d->name);
        if (held) {
            return true;
        }
    }
    return v->word != NULL;
}

/* Behind the destination i, which speaks. */
static void tell_unwilling(const struct status *s, size_t i, size_t late,
                           char *out, size_t size)
{
    if (late == s->n) {
        out[0] = '\0';
    } else if (late == i) {
        (void)snprintf(out, size, ", which does not take it");
    } else {
        (void)snprintf(out, size, "; %s does not take what it is sent",
                       s->d[late].name);
    }
}

static bool judge_waiting(const struct status *s, struct verdict *v)
{
    size_t i = oldest(s);
    if (i == s->n) {
        return false;
    }
    const struct sums *sums = &s->sums[i];
    int64_t age = age_of(s, judged_at(sums));
    char age_words[WHEN_SIZE], unwilling_words[DESTINATION_NAME_SIZE + 64];
    duration_text(age, age_words);
    size_t late = unwilling(s, i);
    bool retries = late < s->n;
    tell_unwilling(s, i, late, unwilling_words, sizeof unwilling_words);
    v->word = retries ? "LATE" : "WAITING";
    v->tone = WARNING;
    (void)snprintf(v->sentence, sizeof v->sentence,
                   "oldest event %s%s, at %s%s%s",
                   sums->oldest_at < judged_at(sums) ? "that is not held " : "",
                   age_words, s->d[i].name, unwilling_words,
                   s->flusher_pid == 0 ? "; no flusher runs" : "");
    (void)snprintf(v->next, sizeof v->next,
                   s->flusher_pid == 0 ? "flush %s" : "why %s",
                   s->d[retries ? late : i].name);
    /* A moment old and on its way, or where it is to be. */
    if (!retries && s->flusher_pid != 0 && (age < 10000 || only_held(sums))) {
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
            (void)snprintf(v->next, sizeof v->next, "limits");
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
        (void)snprintf(v->next, sizeof v->next, "recover");
    }
}

void status_judge(const struct status *s, struct verdict *v)
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
                       "destination add NAME --url URL");
    } else if (!judge_stopped(s, v) && !judge_waiting(s, v)) {
        v->word = dead > 0 ? "DEAD" : "OK";
        v->tone = dead > 0 ? WARNING : GOOD;
        char count[HUMAN_SIZE];
        (void)snprintf(v->sentence, sizeof v->sentence,
                       dead > 0 ? "%s set aside, nothing else waits"
                                : "nothing waits",
                       human_events(dead, count));
        (void)snprintf(v->next, sizeof v->next, "%s",
                       dead > 0 ? "ls --state dead" : "");
    }
    judge_full(s, v);
    judge_aside(s, v);
}
