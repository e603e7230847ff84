#include "delivery/multi.h"

#include <assert.h>
#include <stdlib.h>

#include <uv.h>

#include "base/signals.h"

struct multi {
    uv_loop_t *loop;
    CURLM *curl;
    multi_finished *finished;
    uv_timer_t timer;
    unsigned handles; /* of libuv, not closed yet */
    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* A socket of libcurl's that the loop watches. */
struct watch {
    uv_poll_t poll;
    struct multi *m;
    curl_socket_t socket;
};

static void finish_closing(struct multi *m)
{
    if (--m->handles > 0) {
        return;
    }
    void (*closed)(void *) = m->closed;
    void *arg = m->closed_arg;
    free(m);
    if (closed != NULL) {
        closed(arg);
    }
}

static void timer_closed(uv_handle_t *handle)
{
    finish_closing(handle->data);
}

static void watch_closed(uv_handle_t *handle)
{
    struct watch *w = handle->data;
    struct multi *m = w->m;
    free(w);
    finish_closing(m);
}

static void collect_finished(struct multi *m)
{
    CURLMsg *message;
    int left;
    /* The callback may destroy m; its memory stays until the loop's turn. */
    while (!m->closing &&
           (message = curl_multi_info_read(m->curl, &left)) != NULL) {
        CURLcode result = message->data.result;
        CURL *easy = message->easy_handle; /* message ends with the removal */
        (void)curl_multi_remove_handle(m->curl, easy);
        m->finished(easy, result);
    }
}

/* Every call into the machine may finish transfers, also the one that leaves
 * others running. */
static void run_transfers(struct multi *m, curl_socket_t socket, int events)
{
    int running;
    sigset_t before;
    signals_block(&before); /* in libcurl's threads, which look up names */
    (void)curl_multi_socket_action(m->curl, socket, events, &running);
    signals_restore(&before);
    collect_finished(m);
}

static void timer_fired(uv_timer_t *timer)
{
    run_transfers(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void socket_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    int ready = 0;
    if (status < 0) {
        /* libuv has stopped watching a socket with an error. An answer may
         * still be waiting in it: curl reads what there is, then fails. */
        ready = CURL_CSELECT_ERR | CURL_CSELECT_IN | CURL_CSELECT_OUT;
    }
    ready |= (events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0;
    ready |= (events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
    run_transfers(w->m, w->socket, ready);
}

static struct watch *watch_socket(struct multi *m, curl_socket_t socket)
{
    struct watch *w = calloc(1, sizeof *w);
    if (w == NULL || uv_poll_init_socket(m->loop, &w->poll, socket) != 0) {
        free(w);
        return NULL;
    }
    w->m = m;
    w->socket = socket;
    w->poll.data = w;
    m->handles++;
    (void)curl_multi_assign(m->curl, socket, w);
    return w;
}

static int socket_wanted(CURL *easy, curl_socket_t socket, int what, void *arg,
                         void *socket_arg)
{
    (void)easy;
    struct multi *m = arg;
    struct watch *w = socket_arg;
    if (what == CURL_POLL_REMOVE) {
        if (w != NULL) {
            uv_close((uv_handle_t *)&w->poll, watch_closed);
        }
        return 0;
    }
    if (w == NULL) {
        w = watch_socket(m, socket);
    }
    /* Without a watch the one transfer runs into its timeout; an error from
     * here would end all transfers for good. */
    if (w != NULL) {
        int events = ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
                     ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);
        (void)uv_poll_start(&w->poll, events, socket_ready);
    }
    return 0;
}

/* Calling curl back from here is forbidden: even 0 ms waits for the loop. */
static int timer_wanted(CURLM *curl, long timeout_ms, void *arg)
{
    (void)curl;
    struct multi *m = arg;
    if (timeout_ms < 0) {
        (void)uv_timer_stop(&m->timer);
    } else {
        (void)uv_timer_start(&m->timer, timer_fired, (uint64_t)timeout_ms, 0);
    }
    return 0;
}

bool multi_add(struct multi *m, CURL *easy)
{
    return curl_multi_add_handle(m->curl, easy) == CURLM_OK;
}

void multi_remove(struct multi *m, CURL *easy)
{
    (void)curl_multi_remove_handle(m->curl, easy);
}

static bool set_callbacks(struct multi *m)
{
    return curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, socket_wanted) ==
               CURLM_OK &&
           curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m) == CURLM_OK &&
           curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, timer_wanted) ==
               CURLM_OK &&
           curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m) == CURLM_OK;
}

struct multi *multi_create(struct uv_loop_s *loop, multi_finished *finished)
{
    struct multi *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return NULL;
    }
    m->loop = loop;
    m->finished = finished;
    m->curl = curl_multi_init();
    if (m->curl == NULL || !set_callbacks(m)) {
        (void)curl_multi_cleanup(m->curl);
        free(m);
        return NULL;
    }
    (void)uv_timer_init(loop, &m->timer);
    m->timer.data = m;
    m->handles = 1;
    return m;
}

void multi_destroy(struct multi *m, void (*closed)(void *arg), void *arg)
{
    assert(!m->closing);
    m->closing = true;
    m->closed = closed;
    m->closed_arg = arg;
    (void)curl_multi_cleanup(m->curl);
    uv_close((uv_handle_t *)&m->timer, timer_closed);
}
