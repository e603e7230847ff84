#include "connection.h"

#include <assert.h>
#include <stdlib.h>

/* The head of a request, and as much again for what comes behind it. */
#define INPUT_SIZE (2 * REQUEST_HEAD_LIMIT)

/* How long a client may take to notice that its connection is closed. */
#define LINGER_MS 1000

/* Dripping goes in ticks of this length, unless a byte takes longer. */
#define TICK_MS 50

/* How much of something endless goes into one write. */
#define ENDLESS_BYTES 16384

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
    uv_write_t write;
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
    size_t sent;           /* of the plan's bytes */
    struct buffer endless; /* the plan's forever, repeated */
    bool paused;           /* input is full: not reading */
    size_t input_len;
    char input[INPUT_SIZE];
};

static void on_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;
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
    buffer_finish(&c->endless);
    free(c);
}

static void close_now(struct connection *c)
{
    if (c->phase != CLOSING) {
        c->phase = CLOSING;
        uv_close((uv_handle_t *)&c->tcp, on_closed);
        uv_close((uv_handle_t *)&c->timer, on_closed);
    }
}

static void reset_now(struct connection *c)
{
    if (c->phase == CLOSING) {
        return;
    }
    if (uv_tcp_close_reset(&c->tcp, on_closed) != 0) {
        close_now(c);
        return;
    }
    c->phase = CLOSING;
    uv_close((uv_handle_t *)&c->timer, on_closed);
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

/* The next bytes to send, at most max: the plan's, then its endless ones. */
static uv_buf_t piece(struct connection *c, size_t max)
{
    struct buffer *bytes = &c->plan.bytes;
    if (c->sent < bytes->len) {
        size_t n = bytes->len - c->sent;
        return uv_buf_init(bytes->data + c->sent,
                           (unsigned)(n < max ? n : max));
    }
    if (c->plan.forever == NULL) {
        return uv_buf_init(NULL, 0);
    }
    size_t at = (c->sent - bytes->len) % strlen(c->plan.forever);
    size_t n = c->endless.len - at;
    return uv_buf_init(c->endless.data + at, (unsigned)(n < max ? n : max));
}

static void on_written(uv_write_t *write, int status);

/* Everything that is left. One write() does it, unless the client is slow. */
static void write_on(struct connection *c)
{
    uv_buf_t buf = piece(c, SIZE_MAX);
    while (buf.len > 0) {
        int n = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
        if (n < 0 && n != UV_EAGAIN) {
            close_now(c);
            return;
        }
        c->sent += n > 0 ? (size_t)n : 0;
        if (n < 0 || (size_t)n < buf.len || c->plan.forever != NULL) {
            break;
        }
        buf = piece(c, SIZE_MAX);
    }
    buf = piece(c, SIZE_MAX);
    if (buf.len == 0) {
        answered(c);
        return;
    }
    c->write.data = c;
    c->sent += buf.len;
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_written) != 0) {
        close_now(c);
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct connection *c = write->data;
    if (status < 0) {
        close_now(c);
    } else if (c->phase == WRITING) {
        write_on(c);
        step(c);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct connection *c = timer->data;
    uint64_t n = c->plan.drip * TICK_MS / 1000;
    uv_buf_t buf = piece(c, n > 0 ? (size_t)n : 1);
    int done = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
    if (done < 0 && done != UV_EAGAIN) {
        close_now(c);
        return;
    }
    c->sent += done > 0 ? (size_t)done : 0;
    if (c->sent >= c->plan.bytes.len && c->plan.forever == NULL) {
        (void)uv_timer_stop(timer);
        answered(c);
        step(c);
    }
}

static void write_slowly(struct connection *c)
{
    uint64_t ms = 1000 / c->plan.drip;
    ms = ms < TICK_MS ? TICK_MS : ms;
    if (uv_timer_start(&c->timer, on_tick, ms, ms) != 0) {
        close_now(c);
    }
}

static void begin_writing(struct connection *c)
{
    c->phase = WRITING;
    c->sent = 0;
    c->endless.len = 0;
    size_t unit = c->plan.forever != NULL ? strlen(c->plan.forever) : 0;
    while (unit > 0 && c->endless.len < ENDLESS_BYTES) {
        if (!buffer_add(&c->endless, c->plan.forever, unit)) {
            close_now(c);
            return;
        }
    }
    if (c->plan.drip > 0) {
        write_slowly(c);
    } else {
        write_on(c);
    }
}

static void do_deed(struct connection *c)
{
    switch (c->plan.deed) {
    case DEED_ANSWER:
        begin_writing(c);
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
    c->timer.data = c;
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
