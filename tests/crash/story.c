#include "crash/story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spool/handle.h"
#include "support/box.h"

#define WORDS_MAX 24

const char *const story_names[STEPS] = {
    [END] = "end",     [MAKE] = "init",      [ADD] = "add",
    [PUT] = "put",     [FLUSH] = "flush",    [REPLAY] = "replay",
    [PURGE] = "purge", [UPGRADE] = "upgrade"};

void story_finds(struct story *l, const char *what)
{
    if (l->wrong++ == 0) {
        (void)snprintf(l->why, sizeof l->why, "%s", what);
    }
}

static void give_up(const char *what)
{
    perror(what);
    exit(1);
}

static void write_events(struct story *l)
{
    static const char *const users[STORY_EVENTS] = {"u1", "u2", "culprit", "u1",
                                                    "u3"};
    FILE *file = fopen(l->events, "we");
    l->puts++;
    for (int i = 0; i < STORY_EVENTS; i++) {
        (void)snprintf(l->bodies[i], sizeof l->bodies[i],
                       "{\"name\":\"PAGE_VIEW\",\"userId\":\"%s\","
                       "\"sessionId\":\"s\",\"mark\":\"~%s.%d-%d~\"}",
                       users[i], users[i], l->puts, i);
        checker_attempt(l->checker, l->bodies[i], strlen(l->bodies[i]));
        if (file == NULL || fprintf(file, "%s\n", l->bodies[i]) < 0) {
            give_up(l->events);
        }
    }
    if (fclose(file) != 0) {
        give_up(l->events);
    }
}

/* A line that breaks off was not told. */
static void read_ids(struct story *l)
{
    char line[64], mark[64];
    FILE *file = fopen(l->ids, "re");
    for (int i = 0;
         file != NULL && i < STORY_EVENTS &&
         fgets(line, sizeof line, file) != NULL && strchr(line, '\n') != NULL;
         i++) {
        if (checker_mark(l->bodies[i], strlen(l->bodies[i]), mark,
                         sizeof mark)) {
            checker_answer(l->checker, mark, CHECKER_ACCEPTED,
                           strtoll(line, NULL, 10));
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

/* There may be one already, or none left. A flush tells of dead events. */
static bool may_fail(enum story_step step)
{
    return step == ADD || step == FLUSH || step == REPLAY || step == PURGE;
}

bool story_step(struct story *l, enum story_step step, const struct strike *s,
                long *count)
{
#define CTL SPOOLCTL, "-q", "-s", l->path
    const char *const words[STEPS][WORDS_MAX] = {
        [MAKE] = {CTL, "init"},
        [ADD] = {CTL, "destination", "add", "shop", "--url", l->url,
                 "--api-key-file", l->key, "--backoff-ms", "5:20",
                 "--batch-events", "2", "--spread", "0"},
        [PUT] = {CTL, "put", "--check-off", l->events},
        [FLUSH] = {CTL, "flush", "--timeout", "20s"},
        [REPLAY] = {CTL, "replay", "--state", "dead", "--yes"},
        [PURGE] = {CTL, "purge", "--state", "pending", "--yes"},
        [UPGRADE] = {CTL, "init"},
    };
#undef CTL
    bool killed = false;
    int code = 0;
    if (step == PUT) {
        write_events(l);
    } else if (step == REPLAY) {
        sandbox_child_set_faults(&l->sandbox, "");
    }
    if (count != NULL) {
        strike_count(words[step], l->ids, l->trace, count);
    } else {
        killed = strike_run(s, words[step], l->ids, STORY_HANG_S, &code);
    }
    if (step == PUT) {
        read_ids(l);
    }
    if (code == 124) {
        story_finds(l, "a command hangs");
    } else if (!killed && code != 0 && !may_fail(step)) {
        char what[64];
        (void)snprintf(what, sizeof what, "%s exits with %d", story_names[step],
                       code);
        story_finds(l, what);
    }
    return killed;
}

void story_begin(struct story *l, const char *fault)
{
    const char *options[] = {"--log", l->log, "--fault", fault, NULL};
    *l = (struct story){.checker = checker_create()};
    fixture_make_folder(l->folder);
    (void)snprintf(l->path, sizeof l->path, "%s/outbox.db", l->folder);
    (void)snprintf(l->log, sizeof l->log, "%s/log", l->folder);
    (void)snprintf(l->key, sizeof l->key, "%s/key", l->folder);
    (void)snprintf(l->events, sizeof l->events, "%s/events", l->folder);
    (void)snprintf(l->ids, sizeof l->ids, "%s/ids", l->folder);
    (void)snprintf(l->trace, sizeof l->trace, "%s/trace", l->folder);
    FILE *key = fopen(l->key, "we");
    if (key == NULL || fputs("KEY\n", key) < 0 || fclose(key) != 0) {
        give_up(l->key);
    }
    sandbox_child_start(&l->sandbox, options);
    (void)snprintf(l->url, sizeof l->url, "http://127.0.0.1:%u",
                   l->sandbox.port);
}

void story_finish(struct story *l)
{
    (void)sandbox_child_stop(&l->sandbox, NULL, 0);
    checker_destroy(l->checker);
    fixture_remove_folder(l->folder);
}

static void verify_found(void *arg, const char *sentence)
{
    story_finds(arg, sentence);
}

void story_judge(struct story *l, struct checker_report *r)
{
    struct spool *spool = NULL;
    struct spool_options options;
    struct destination d;
    struct spool_error err = {0};
    int64_t findings = 0;
    spool_options_default(&options);
    options.path = l->path;
    if (spool_open(&options, &spool, &err) != SPOOL_OK ||
        destination_find(spool_outbox(spool), "shop", &d, &err) != SPOOL_OK ||
        verify(spool_outbox(spool), verify_found, l, &findings, &err) !=
            SPOOL_OK) {
        story_finds(l, err.message);
    } else {
        checker_read_log(l->checker, l->log);
        checker_read_spool(l->checker, spool_outbox(spool), &d);
        checker_judge(l->checker, r);
    }
    if (spool != NULL) {
        spool_close(spool);
    }
}
