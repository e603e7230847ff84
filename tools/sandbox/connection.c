#include "connection.h"

#include <stdlib.h>

#include "sender.h"

/* The head of a request, and as much again for what comes behind it. */
#define INPUT_SIZE (2 * REQUEST_HEAD_LIMIT)

/* How long a client may take to notice that its connection is closed. */
#define LINGER_MS 1000

enum phase {
    READING_HEAD,
    READING_BODY,    /* Content-Length: straight into body */
    READING_CHUNKED, /* by way of input */
    WAITING,         /* for the timer, before the deed */
    WRITING,
    HANGING,   /* for ever; what comes in is thrown away */
    LINGERING, /* the answer is out and our side shut down */
    CLOSING
};

struct connection {
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_shutdown_t shutdown;
    int handles; /* still to be closed */
    struct sandbox *sandbox;
    struct connections *all;
    struct connection *next, *previous;
    enum phase phase;
    bool left; /* the client has sent its last byte */
    struct arrival arrival;
    struct request request; /* points into input */
    size_t scanned;
    struct chunked chunked;
    size_t body_end; /* act when so much of the body is there */
    bool half;       /* the plan for that moment is made */
    struct buffer body;
    struct plan plan;
    struct sender sender;
    bool paused; /* input is full: not reading */
    size_t input_len;
    char input[INPUT_SIZE];
};

static void release(struct connection *c)
{
    if (--c->handles > 0) {
        return;
    }
    if (c->previous != NULL) {
        c->previous->next = c->next;
    } else {
        c->all->first = c->next;
    }
    if (c->next != NULL) {
        c->next->previous = c->previous;
    }
    buffer_finish(&c->body);
    buffer_finish(&c->plan.bytes);
    sender_finish(&c->sender);
    free(c);
}

static void on_tcp_closed(uv_handle_t *tcp)
{
    release(tcp->data);
}

static void on_timer_closed(uv_handle_t *timer)
{
    release(timer->data);
}

static void close_timer(struct connection *c)
{
    c->timer.data = c; /* the sender may have had it */
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

static void close_now(struct connection *c)
{
    if (c->phase != CLOSING) {
        c->phase = CLOSING;
        uv_close((uv_handle_t *)&c->tcp, on_tcp_closed);
        close_timer(c);
    }
}

static void reset_now(struct connection *c)
{
    if (c->phase == CLOSING) {
        return;
    }
    if (uv_tcp_close_reset(&c->tcp, on_tcp_closed) != 0) {
        close_now(c);
        return;
    }
    c->phase = CLOSING;
    close_timer(c);
}

static void on_linger_over(uv_timer_t *timer)
{
    close_now(timer->data);
}

static void on_shut_down(uv_shutdown_t *request, int status)
{
    struct connection *c = request->data;
    if (status < 0 || c->left) {
        close_now(c);
    }
}

/* A plain close while the client's bytes lie unread would reset the connection
 * and might take the answer away from under its eyes. */
static void linger(struct connection *c)
{
    c->phase = LINGERING;
    c->shutdown.data = c;
    c->timer.data = c;
    if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shut_down) != 0 ||
        uv_timer_start(&c->timer, on_linger_over, LINGER_MS, 0) != 0) {
        close_now(c);
    }
}

/* The answer is out. Who calls this goes on with step(). */
static void answered(struct connection *c)
{
    if (c->plan.close) {
        linger(c);
    } else {
        c->phase = READING_HEAD;
    }
}

static void step(struct connection *c);
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void go_on(struct connection *c, enum sending how)
{
    switch (how) {
    case SENDING_DONE:
        answered(c);
        return;
    case SENDING_GOES_ON:
        return;
    case SENDING_FAILED:
        close_now(c);
        return;
    }
}

static void on_sent(struct sender *sender, enum sending how)
{
    struct connection *c = sender->stream->data;
    go_on(c, how);
    step(c);
}

static void do_deed(struct connection *c)
{
    switch (c->plan.deed) {
    case DEED_ANSWER:
        c->phase = WRITING;
        go_on(c, sender_start(&c->sender, &c->plan));
        return;
    case DEED_CLOSE:
        close_now(c);
        return;
    case DEED_RESET:
        reset_now(c);
        return;
    case DEED_STALL:
        (void)uv_read_stop((uv_stream_t *)&c->tcp);
        c->phase = HANGING;
        return;
    case DEED_HANG:
        c->phase = HANGING;
        return;
    }
}

static void on_delay_over(uv_timer_t *timer)
{
    struct connection *c = timer->data;
    do_deed(c);
    step(c);
}

static void carry_out(struct connection *c)
{
    if (sandbox_failed(c->sandbox, NULL)) {
        /* What is not in the journal is not answered. */
        close_now(c);
        uv_stop(c->tcp.loop);
    } else if (c->plan.delay_ms == 0) {
        do_deed(c);
    } else {
        c->phase = WAITING;
        c->timer.data = c;
        if (uv_timer_start(&c->timer, on_delay_over, c->plan.delay_ms, 0)) {
            close_now(c);
        }
    }
}

static void refuse(struct connection *c, const struct request *r,
                   const struct complaint *complaint)
{
    c->input_len = 0;
    sandbox_broken(c->sandbox, r, complaint, &c->arrival, &c->plan);
    carry_out(c);
}

/* The body is there as far as it is wanted. */
static void take_request(struct connection *c)
{
    if (!c->half) {
        struct text body = {c->body.len > 0 ? c->body.data : "", c->body.len};
        sandbox_request(c->sandbox, &c->request, body, &c->arrival, &c->plan);
    }
    /* What came behind this request moves to where the next one is read. */
    size_t used = c->request.head_len;
    c->input_len -= used;
    memmove(c->input, c->input + used, c->input_len);
    carry_out(c);
}

static void send_continue(struct connection *c)
{
    static char words[] = "HTTP/1.1 100 Continue\r\n\r\n";
    uv_buf_t buf = uv_buf_init(words, sizeof words - 1);
    /* A fresh answer of 25 bytes always fits into the socket. */
    if (uv_try_write((uv_stream_t *)&c->tcp, &buf, 1) != (int)buf.len) {
        close_now(c);
    }
}

/* Moves what has come behind the head into the body; more is read straight
 * into it. */
static void begin_body(struct connection *c)
{
    const struct request *r = &c->request;
    c->body.len = 0;
    c->body.limit = REQUEST_BODY_LIMIT;
    c->body_end = c->half ? r->body_len / 2 : r->body_len;
    c->chunked = (struct chunked){0};
    c->phase = r->chunked ? READING_CHUNKED : READING_BODY;
    if (r->chunked) {
        return;
    }
    size_t behind = c->input_len - r->head_len;
    size_t n = behind < c->body_end ? behind : c->body_end;
    if (!buffer_reserve(&c->body, c->body_end)) {
        close_now(c);
        return;
    }
    (void)buffer_add(&c->body, c->input + r->head_len, n);
    c->input_len -= n;
    memmove(c->input + r->head_len, c->input + r->head_len + n, behind - n);
}

static void read_head(struct connection *c)
{
    struct complaint complaint;
    switch (request_parse(c->input, c->input_len, &c->scanned, &c->request,
                          &complaint)) {
    case PARSED_PARTLY:
        return;
    case PARSED_BAD:
        c->arrival.on_connection++;
        refuse(c, NULL, &complaint);
        return;
    case PARSED_WHOLE:
        break;
    }
    c->arrival.on_connection++;
    bool hold_continue;
    enum sandbox_step what = sandbox_head(c->sandbox, &c->request, &c->arrival,
                                          &c->plan, &hold_continue);
    if (what == STEP_ACT) {
        carry_out(c);
        return;
    }
    c->half = what == STEP_READ_HALF;
    begin_body(c);
    if (c->request.wants_continue && !hold_continue && c->body.len == 0 &&
        c->phase != CLOSING) {
        send_continue(c);
    }
}

static void read_chunked(struct connection *c)
{
    struct complaint complaint;
    size_t head = c->request.head_len;
    size_t used = 0;
    enum parsed p =
        chunked_decode(&c->chunked, c->input + head, c->input_len - head, &used,
                       &c->body, &complaint);
    c->input_len -= used;
    memmove(c->input + head, c->input + head + used, c->input_len - head);
    if (p == PARSED_BAD) {
        refuse(c, &c->request, &complaint);
    } else if (p == PARSED_WHOLE || (c->half && c->body.len > 0)) {
        take_request(c);
    }
}

static void step_once(struct connection *c)
{
    switch (c->phase) {
    case READING_HEAD:
        read_head(c);
        return;
    case READING_BODY:
        if (c->body.len >= c->body_end) {
            take_request(c);
        }
        return;
    case READING_CHUNKED:
        read_chunked(c);
        return;
    case HANGING:
    case LINGERING:
        c->input_len = 0;
        return;
    case WAITING:
    case WRITING:
    case CLOSING:
        return;
    }
}

/* Goes on as far as the bytes that are there allow. */
static void step(struct connection *c)
{
    enum phase before;
    do {
        before = c->phase;
        step_once(c);
    } while (c->phase != before);
    if (c->paused && c->input_len < INPUT_SIZE && c->phase != CLOSING) {
        c->paused = false;
        (void)uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    } else if (!c->paused && c->input_len == INPUT_SIZE) {
        c->paused = true;
        (void)uv_read_stop((uv_stream_t *)&c->tcp);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct connection *c = handle->data;
    if (c->phase == READING_BODY) {
        *buf = uv_buf_init(c->body.data + c->body.len,
                           (unsigned)(c->body_end - c->body.len));
    } else {
        *buf = uv_buf_init(c->input + c->input_len,
                           (unsigned)(INPUT_SIZE - c->input_len));
    }
}

static void client_left(struct connection *c)
{
    c->left = true;
    switch (c->phase) {
    case READING_BODY:
    case READING_CHUNKED:
        if (!c->half) {
            sandbox_abandoned(c->sandbox, &c->request, &c->arrival);
        }
        close_now(c);
        return;
    case READING_HEAD:
    case HANGING:
    case LINGERING:
        close_now(c);
        return;
    case WAITING:
    case WRITING:
        /* It may still read: the answer goes out, and then the end. */
        c->plan.close = true;
        (void)uv_read_stop((uv_stream_t *)&c->tcp);
        return;
    case CLOSING:
        return;
    }
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    struct connection *c = stream->data;
    if (n < 0) {
        client_left(c);
        return;
    }
    if (c->phase == READING_BODY) {
        c->body.len += (size_t)n;
    } else {
        c->input_len += (size_t)n;
    }
    step(c);
}

static void add_to_list(struct connection *c, struct connections *all)
{
    c->all = all;
    c->next = all->first;
    if (c->next != NULL) {
        c->next->previous = c;
    }
    all->first = c;
}

void connection_accept(uv_stream_t *listener, struct sandbox *sandbox,
                       struct connections *all)
{
    struct connection *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return;
    }
    c->sandbox = sandbox;
    c->tcp.data = c;
    c->sender = (struct sender){.stream = (uv_stream_t *)&c->tcp,
                                .timer = &c->timer,
                                .finished = on_sent};
    c->handles = 2;
    add_to_list(c, all);
    if (uv_timer_init(listener->loop, &c->timer) != 0 ||
        uv_tcp_init(listener->loop, &c->tcp) != 0) {
        abort();
    }
    enum deed deed = DEED_CLOSE;
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) == 0 &&
        uv_tcp_nodelay(&c->tcp, 1) == 0) {
        deed = sandbox_connected(sandbox, &c->arrival.connection);
    }
    if (deed == DEED_RESET) {
        reset_now(c);
    } else if (deed != DEED_ANSWER ||
               uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0) {
        close_now(c);
    }
}

void connections_close(struct connections *all)
{
    for (struct connection *c = all->first; c != NULL; c = c->next) {
        close_now(c);
    }
}
