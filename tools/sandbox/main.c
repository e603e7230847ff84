/* spool-sandbox: the program around the sandbox. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/error.h"
#include "options.h"
#include "sandbox.h"
#include "server.h"

struct program {
    uv_loop_t loop;
    uv_signal_t signals[2]; /* SIGTERM, SIGINT */
    uv_timer_t limit;       /* --seconds */
    struct sandbox *sandbox;
    struct server *server;
};

static void stop(struct program *p)
{
    server_stop(p->server);
    uv_handle_t *own[] = {(uv_handle_t *)&p->signals[0],
                          (uv_handle_t *)&p->signals[1],
                          (uv_handle_t *)&p->limit};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (!uv_is_closing(own[i])) {
            uv_close(own[i], NULL);
        }
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    stop(handle->data);
}

static void on_limit(uv_timer_t *handle)
{
    stop(handle->data);
}

static void prepare(struct program *p, const struct options *o)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    bool good =
        uv_loop_init(&p->loop) == 0 && uv_timer_init(&p->loop, &p->limit) == 0;
    p->limit.data = p;
    for (size_t i = 0; i < 2 && good; i++) {
        p->signals[i].data = p;
        good = uv_signal_init(&p->loop, &p->signals[i]) == 0 &&
               uv_signal_start(&p->signals[i], on_signal, numbers[i]) == 0;
    }
    if (good && o->seconds > 0) {
        good = uv_timer_start(&p->limit, on_limit, o->seconds * 1000, 0) == 0;
    }
    if (!good) {
        (void)fputs("spool-sandbox: cannot set up the event loop\n", stderr);
        exit(1);
    }
}

/* Written under another name first, so that a reader finds it whole. */
static enum spool_status write_port_file(const char *path, unsigned port,
                                         struct spool_error *err)
{
    if (path == NULL) {
        return SPOOL_OK;
    }
    char temporary[4096];
    int n =
        snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof temporary) {
        return failed(err, SPOOL_MISUSE,
                      "the path of the port file is too "
                      "long");
    }
    FILE *file = fopen(temporary, "w");
    if (file == NULL) {
        return failed_errno(err, "cannot write %s", temporary);
    }
    bool good = fprintf(file, "%u\n", port) > 0;
    good = fclose(file) == 0 && good;
    if (!good || rename(temporary, path) != 0) {
        enum spool_status status = failed_errno(err, "cannot write %s", path);
        (void)unlink(temporary);
        return status;
    }
    return SPOOL_OK;
}

static enum spool_status start(struct program *p, struct options *o,
                               struct spool_error *err)
{
    unsigned port = 0;
    o->sandbox.clock = &clock_system;
    enum spool_status status =
        sandbox_create(&o->sandbox, &o->faults, &p->sandbox, err);
    if (status == SPOOL_OK) {
        status =
            server_start(&p->loop, p->sandbox, o->port, &p->server, &port, err);
    }
    if (status == SPOOL_OK) {
        status = write_port_file(o->port_file, port, err);
    }
    if (status == SPOOL_OK) {
        (void)fprintf(
            stderr, "spool-sandbox: listening on http://127.0.0.1:%u\n", port);
    }
    return status;
}

static int run(struct options *o)
{
    struct program p = {0};
    struct spool_error err;
    prepare(&p, o);
    enum spool_status status = start(&p, o, &err);
    if (status == SPOOL_OK) {
        (void)uv_run(&p.loop, UV_RUN_DEFAULT);
        char words[256];
        sandbox_summary(p.sandbox, words, sizeof words);
        (void)fprintf(stderr, "spool-sandbox: %s\n", words);
    }
    stop(&p);
    (void)uv_run(&p.loop, UV_RUN_DEFAULT);
    if (p.sandbox != NULL && sandbox_failed(p.sandbox, &err)) {
        status = err.status;
    }
    if (status != SPOOL_OK) {
        (void)fprintf(stderr, "spool-sandbox: %s\n", err.message);
    }
    server_free(p.server);
    sandbox_destroy(p.sandbox);
    (void)uv_loop_close(&p.loop);
    return status == SPOOL_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct options o;
    struct spool_error err;
    int code = 0;
    (void)signal(SIGPIPE, SIG_IGN);
    if (options_parse(argc, argv, &o, &err) != SPOOL_OK) {
        (void)fprintf(stderr,
                      "spool-sandbox: %s\nspool-sandbox --help says more\n",
                      err.message);
        code = 2;
    } else if (o.help) {
        options_print_help(stdout);
    } else if (o.version) {
        (void)printf("spool-sandbox %s\n", SPOOL_VERSION);
    } else {
        code = run(&o);
    }
    faults_finish(&o.faults);
    return code;
}
