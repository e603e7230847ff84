#define _DEFAULT_SOURCE /* setgroups */
#include "places/visit.h"

#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <spool/flusher.h>
#include <spool/spool.h>
#include <uv.h>

#include "outbox/outbox.h"
#include "places/eyes.h"
#include "spool/handle.h"

/* A visit that takes longer hangs; a machine with other things to do may need
 * some of it. */
#define PATIENCE_S 60

static void die(const char *what)
{
    perror(what);
    exit(2);
}

static void become_nobody(mode_t mask)
{
    const gid_t group = NOBODY;
    if (setgroups(1, &group) != 0 || setgid(NOBODY) != 0 ||
        setuid(NOBODY) != 0) {
        die("nobody");
    }
    (void)umask(mask);
    (void)alarm(PATIENCE_S);
}

struct use {
    uv_loop_t loop;
    struct spool_flusher *flusher;
    struct outcome *o;
};

/* The first report tells whether anything could be sent. */
static void note_report(void *arg, const struct spool_report *report)
{
    struct use *u = arg;
    if (report->kind == SPOOL_REPORT_HELD) {
        u->o->status = SPOOL_HELD;
        (void)snprintf(u->o->message, sizeof u->o->message, "%s",
                       report->reason);
    }
    uv_stop(&u->loop);
}

static enum spool_status deliver(struct spool *spool, struct outcome *o,
                                 struct spool_error *err)
{
    struct use u = {.o = o};
    struct spool_flusher_options flush;
    (void)uv_loop_init(&u.loop);
    spool_flusher_options_default(&flush);
    flush.loop = &u.loop;
    flush.report = note_report;
    flush.arg = &u;
    enum spool_status status =
        spool_flusher_start(spool, &flush, &u.flusher, err);
    if (status == SPOOL_OK) {
        (void)uv_run(&u.loop, UV_RUN_DEFAULT);
        spool_flusher_stop(u.flusher, NULL, NULL);
        flush.report = NULL;
        (void)uv_run(&u.loop, UV_RUN_DEFAULT);
    }
    (void)uv_loop_close(&u.loop);
    return status;
}

static void note_place(void *arg, const char *sentence)
{
    struct outcome *o = arg;
    size_t n = strlen(o->message);
    (void)snprintf(o->message + n, sizeof o->message - n, "%s\n", sentence);
}

/* Puts an event and tries to deliver it; nobody listens there. */
static void use_spool(const struct scene *s, bool delivers, struct outcome *o)
{
    static const char event[] =
        "{\"name\":\"A\",\"userId\":\"u\",\"sessionId\":\"s\"}";
    struct spool *spool = NULL;
    struct spool_error err;
    struct spool_options options;
    struct spool_destination shop = {.name = "shop",
                                     .url = "https://127.0.0.1:1/",
                                     .api_key_file = s->key,
                                     .ca_file = s->trust,
                                     .client_cert = s->certificate,
                                     .client_key = s->own_key};
    spool_options_default(&options);
    options.path = s->outbox;
    options.check = SPOOL_CHECK_OFF;
    o->status = spool_open(&options, &spool, &err);
    if (o->status == SPOOL_OK) {
        o->status = spool_add_destination(spool, &shop, &err);
        o->status = o->status == SPOOL_EXISTS ? SPOOL_OK : o->status;
    }
    if (o->status == SPOOL_OK) {
        o->status = spool_put(spool, event, strlen(event), NULL, NULL, &err);
    }
    if (o->status == SPOOL_OK && delivers) {
        enum spool_status status = deliver(spool, o, &err);
        o->status = status == SPOOL_OK ? o->status : status;
    }
    if (o->status == SPOOL_OK) {
        outbox_place_notices(spool_outbox(spool), note_place, o);
    } else if (o->status != SPOOL_HELD) {
        (void)snprintf(o->message, sizeof o->message, "%s", err.message);
    }
    spool_close(spool);
}

struct outcome visit_as_nobody(const struct scene *s, mode_t mask,
                               bool delivers, bool blind)
{
    struct outcome o = {.ended = false};
    int told[2], status;
    if (pipe(told) != 0) {
        die("pipe");
    }
    pid_t child = fork();
    if (child == 0) {
        become_nobody(mask);
        if (blind) {
            eyes_shut();
        }
        use_spool(s, delivers, &o);
        o.ended = true;
        _exit(write(told[1], &o, sizeof o) == (ssize_t)sizeof o ? 0 : 2);
    }
    (void)close(told[1]);
    if (read(told[0], &o, sizeof o) != (ssize_t)sizeof o) {
        o.ended = false;
    }
    (void)close(told[0]);
    (void)waitpid(child, &status, 0);
    return o;
}
