/* A flusher on the caller's loop, in a thread of its own, or in the
 * foreground: three ways to run the same one. */
#include "spool/flusher.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "base/error.h"
#include "base/signals.h"
#include "delivery/flusher.h"
#include "outbox/inspect.h"
#include "outbox/recover.h"
#include "outbox/retain.h"
#include "spool/answers.h"
#include "spool/handle.h"

#define STOP_GRACE_MS 5000

/* A foreground flush without a time limit gives up after this long without a
 * delivery. */
#define PATIENCE_MS 30000

#define IDLE_CONNECTION_S 60

/* Steps of retention behind a foreground flush: some two million events. */
#define TIDY_STEPS 5000

struct spool_flusher {
    struct flusher *flusher;
    pid_t process; /* that started it */
    struct spool_flusher_options options;
    /* Of its own thread only. */
    bool threaded;
    pthread_t thread;
    uv_loop_t loop;
    uv_async_t stop;
};

void spool_flusher_options_default(struct spool_flusher_options *options)
{
    *options = (struct spool_flusher_options){.connect_timeout_ms = 10000,
                                              .request_timeout_ms = 30000,
                                              .keep_ms = -1};
}

static struct flusher_options options_for(struct spool *spool,
                                          const struct spool_flusher_options *o)
{
    return (struct flusher_options){
        .box = spool_outbox(spool),
        .loop = o->loop,
        .sender = &sender_http,
        .report = o->report,
        .arg = o->arg,
        .landed = answers_land,
        .landed_arg = spool_answers(spool),
        .http = {.connect_timeout_ms = (long)o->connect_timeout_ms,
                 .total_timeout_ms = (long)o->request_timeout_ms,
                 .idle_max_s = IDLE_CONNECTION_S},
        .stop_grace_ms = STOP_GRACE_MS,
        .keep_ms = o->keep_ms,
    };
}

/* ---- its own thread ---- */

static void *run_thread(void *arg)
{
    struct spool_flusher *s = arg;
    (void)uv_run(&s->loop, UV_RUN_DEFAULT);
    return NULL;
}

static void stop_asked(uv_async_t *async)
{
    struct spool_flusher *s = async->data;
    uv_close((uv_handle_t *)async, NULL);
    flusher_stop(s->flusher, NULL, NULL);
}

static void close_loop(uv_loop_t *loop)
{
    (void)uv_run(loop, UV_RUN_DEFAULT);
    int rc = uv_loop_close(loop);
    assert(rc == 0);
    (void)rc;
}

static enum spool_status start_thread(struct spool *spool,
                                      struct spool_flusher *s,
                                      struct spool_error *err)
{
    if (uv_loop_init(&s->loop) != 0) {
        return failed(err, SPOOL_NO_MEMORY, "cannot make an event loop");
    }
    s->options.loop = &s->loop;
    struct flusher_options o = options_for(spool, &s->options);
    enum spool_status status = flusher_start(&o, &s->flusher, err);
    if (status != SPOOL_OK) {
        close_loop(&s->loop);
        return status;
    }
    (void)uv_async_init(&s->loop, &s->stop, stop_asked);
    s->stop.data = s;
    s->threaded = true;
    if (pthread_create(&s->thread, NULL, run_thread, s) != 0) {
        stop_asked(&s->stop);
        close_loop(&s->loop);
        return failed(err, SPOOL_NO_MEMORY, "cannot start a thread");
    }
    return SPOOL_OK;
}

enum spool_status
spool_flusher_start(struct spool *spool,
                    const struct spool_flusher_options *options,
                    struct spool_flusher **out, struct spool_error *err)
{
    enum spool_status status = http_global_init(err);
    if (status != SPOOL_OK) {
        return status;
    }
    struct spool_flusher *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return failed(err, SPOOL_NO_MEMORY, "out of memory for a flusher");
    }
    s->process = getpid();
    spool_flusher_options_default(&s->options);
    if (options != NULL) {
        s->options = *options;
    }
    sigset_t before;
    signals_block(&before); /* in libuv's pool too, if it is made for us */
    if (s->options.loop == NULL) {
        status = start_thread(spool, s, err);
    } else {
        struct flusher_options o = options_for(spool, &s->options);
        status = flusher_start(&o, &s->flusher, err);
    }
    signals_restore(&before);
    if (status != SPOOL_OK) {
        free(s);
        return status;
    }
    *out = s;
    return SPOOL_OK;
}

void spool_flusher_stop(struct spool_flusher *flusher,
                        void (*stopped)(void *arg), void *arg)
{
    /* In a child that was forked the thread, or the loop's turns, are not. */
    if (flusher == NULL || flusher->process != getpid()) {
        return;
    }
    if (flusher->threaded) {
        (void)uv_async_send(&flusher->stop);
        (void)pthread_join(flusher->thread, NULL);
        close_loop(&flusher->loop);
        if (stopped != NULL) {
            stopped(arg);
        }
    } else {
        flusher_stop(flusher->flusher, stopped, arg);
    }
    free(flusher);
}

/* ---- the foreground ---- */

struct foreground {
    struct flusher *flusher;
    const struct spool_flusher_options *options;
    uv_timer_t timer;
    uv_signal_t signals[2];
    bool taken[2];              /* of them */
    struct sigaction before[2]; /* the program's own, where it was taken */
    bool patient;               /* the timer starts anew with each delivery */
    bool over;
    bool called_off;            /* by a signal */
    struct spool_error failure; /* status OK unless the flusher failed */
};

static const int end_signals[2] = {SIGINT, SIGTERM};

/* libuv leaves the default behind, at once: none may come before the program's
 * handlers are back. */
static void give_signals_back(struct foreground *g)
{
    sigset_t before;
    signals_block(&before);
    for (int i = 0; i < 2; i++) {
        uv_close((uv_handle_t *)&g->signals[i], NULL);
        if (g->taken[i]) {
            (void)sigaction(end_signals[i], &g->before[i], NULL);
        }
    }
    signals_restore(&before);
}

static void end(struct foreground *g)
{
    if (!g->over) {
        g->over = true;
        uv_close((uv_handle_t *)&g->timer, NULL);
        give_signals_back(g);
        flusher_stop(g->flusher, NULL, NULL);
    }
}

static void signal_came(uv_signal_t *handle, int number)
{
    struct foreground *g = handle->data;
    (void)number;
    g->called_off = true;
    end(g);
}

/* Those that are ignored stay so: the shell does that for what runs in the
 * background of a script. */
static void listen_to_signals(struct foreground *g, uv_loop_t *loop)
{
    for (int i = 0; i < 2; i++) {
        (void)uv_signal_init(loop, &g->signals[i]);
        g->signals[i].data = g;
        g->taken[i] =
            g->options->end_on_signals &&
            sigaction(end_signals[i], NULL, &g->before[i]) == 0 &&
            g->before[i].sa_handler != SIG_IGN &&
            uv_signal_start(&g->signals[i], signal_came, end_signals[i]) == 0;
    }
}

static void end_later(uv_timer_t *timer)
{
    end(timer->data);
}

/* Called from inside the flusher, which must not be stopped there. */
static void nothing_to_do(void *arg)
{
    struct foreground *g = arg;
    if (!g->over) {
        (void)uv_timer_start(&g->timer, end_later, 0, 0);
        g->patient = false;
    }
}

static void foreground_report(void *arg, const struct spool_report *report)
{
    struct foreground *g = arg;
    if (g->options->report != NULL) {
        g->options->report(g->options->arg, report);
    }
    if (report->kind == SPOOL_REPORT_STOPPED) {
        (void)failed(&g->failure, SPOOL_IO, "%s", report->reason);
        nothing_to_do(g);
    } else if (report->kind == SPOOL_REPORT_DELIVERED && g->patient &&
               !g->over) {
        (void)uv_timer_start(&g->timer, end_later, PATIENCE_MS, 0);
    }
}

static enum spool_status run_foreground(struct spool *spool, uv_loop_t *loop,
                                        const char *name, int64_t timeout_ms,
                                        const struct spool_flusher_options *o,
                                        bool *called_off,
                                        struct spool_error *err)
{
    struct foreground g = {.options = o, .patient = timeout_ms < 0};
    struct flusher_options options = options_for(spool, o);
    options.loop = loop;
    options.only = name;
    options.foreground = true;
    options.idle = nothing_to_do;
    options.report = foreground_report;
    options.arg = &g;
    sigset_t before;
    signals_block(&before); /* as in spool_flusher_start */
    enum spool_status status = flusher_start(&options, &g.flusher, err);
    signals_restore(&before);
    if (status != SPOOL_OK) {
        return status;
    }
    (void)uv_timer_init(loop, &g.timer);
    g.timer.data = &g;
    (void)uv_timer_start(&g.timer, end_later,
                         (uint64_t)(g.patient ? PATIENCE_MS : timeout_ms), 0);
    listen_to_signals(&g, loop);
    (void)uv_run(loop, UV_RUN_DEFAULT);
    *called_off = g.called_off;
    if (g.failure.status != SPOOL_OK) {
        return failed(err, g.failure.status, "%s", g.failure.message);
    }
    return SPOOL_OK;
}

/* A program that only ever flushes in the foreground tidies as well; not for
 * ever, should much have to go. */
static enum spool_status tidy(struct spool *spool, int64_t keep_ms,
                              struct spool_error *err)
{
    struct retention r = retention_default;
    bool more = true;
    enum spool_status status = SPOOL_OK;
    r.keep_ms = keep_ms >= 0 ? keep_ms : r.keep_ms;
    for (int i = 0; status == SPOOL_OK && more && i < TIDY_STEPS; i++) {
        status = retain_step(spool_outbox(spool), &r, &more, err);
    }
    return status;
}

/* What is left, in one sentence for the first destination that has something.
 */
static enum spool_status what_is_left(struct spool *spool, const char *name,
                                      struct spool_error *err)
{
    struct outbox *box = spool_outbox(spool);
    size_t n = 0;
    struct destination *all;
    enum spool_status status = destination_list(box, NULL, &all, &n, err);
    if (status == SPOOL_OK && n == 0) {
        int64_t last;
        status = inspect_last_id(box, &last, err);
        if (status == SPOOL_OK && last > 0) {
            status = failed(err, SPOOL_UNFINISHED,
                            "there is no destination to deliver to; add one "
                            "with spoolctl destination add");
        }
    }
    for (size_t i = 0; status == SPOOL_OK && i < n; i++) {
        struct sums s;
        if (name != NULL && strcmp(name, all[i].name) != 0) {
            continue;
        }
        status = inspect_sums(box, &all[i], &s, err);
        int64_t dead = s.by_state[EVENT_DEAD];
        if (status == SPOOL_OK && (s.waiting > 0 || dead > 0)) {
            status =
                failed(err, SPOOL_UNFINISHED,
                       "%s: %lld events wait and %lld are dead%s%s",
                       all[i].name, (long long)s.waiting, (long long)dead,
                       all[i].reason[0] != '\0' ? "; " : "", all[i].reason);
        }
    }
    free(all);
    if (status == SPOOL_OK) {
        char file[ASIDE_PATH_SIZE];
        status = recover_waiting(box, file, err);
        if (status == SPOOL_OK && file[0] != '\0') {
            status = failed(err, SPOOL_UNFINISHED,
                            "the outbox was damaged, and what it held has not "
                            "been put back; run spoolctl recover");
        }
    }
    return status;
}

enum spool_status spool_flush(struct spool *spool, const char *name,
                              int64_t timeout_ms,
                              const struct spool_flusher_options *options,
                              struct spool_error *err)
{
    uv_loop_t loop;
    struct spool_flusher_options defaults;
    struct destination d;
    enum spool_status status = http_global_init(err);
    if (status == SPOOL_OK && name != NULL) {
        status = destination_find(spool_outbox(spool), name, &d, err);
    }
    if (status != SPOOL_OK) {
        return status;
    }
    if (options == NULL) {
        spool_flusher_options_default(&defaults);
        options = &defaults;
    }
    if (uv_loop_init(&loop) != 0) {
        return failed(err, SPOOL_NO_MEMORY, "cannot make an event loop");
    }
    bool called_off = false;
    status = run_foreground(spool, &loop, name, timeout_ms, options,
                            &called_off, err);
    close_loop(&loop);
    if (status == SPOOL_OK && !called_off) {
        status = tidy(spool, options->keep_ms, err);
    }
    return status == SPOOL_OK ? what_is_left(spool, name, err) : status;
}
