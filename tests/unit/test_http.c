#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "support/client.h"
#include "support/rogue.h"

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct fixture {
    struct client client;
    struct rogue *rogue;
};

static struct fixture fixture;

static int set_up(void **state)
{
    fixture.rogue = NULL;
    client_init(&fixture.client);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    client_finish(&f->client);
    rogue_free(f->rogue);
    return 0;
}

static void serve(struct fixture *f, const struct rogue_script *scripts,
                  size_t count)
{
    rogue_free(f->rogue);
    f->rogue = rogue_start(scripts, count);
    client_aim(&f->client, "http", "127.0.0.1", rogue_port(f->rogue));
}

static void assert_body(const struct reply *reply, const char *body)
{
    assert_int_equal(reply->body_len, strlen(body));
    assert_memory_equal(reply->body, body, reply->body_len);
}

static void a_request_carries_the_body_and_no_more_headers(void **state)
{
    struct fixture *f = *state;
    const struct rogue_script scripts[] = {{.answer = OK_ANSWER}};
    serve(f, scripts, 1);
    assert_int_equal(client_ask(&f->client, "[{\"a\":1}]")->http, 200);
    rogue_stop(f->rogue);
    char want[512];
    (void)snprintf(want, sizeof want,
                   "POST /add/events/v1.json?apiKey=" CLIENT_KEY " HTTP/1.1\r\n"
                   "Host: 127.0.0.1:%d\r\n"
                   "Accept: */*\r\n"
                   "Content-Type: application/json\r\n"
                   "Idempotency-Key: k1\r\n"
                   "Content-Length: 9\r\n\r\n[{\"a\":1}]",
                   rogue_port(f->rogue));
    assert_int_equal(rogue_requests(f->rogue), 1);
    assert_string_equal(rogue_request(f->rogue, 0, NULL), want);
}

/* Sockets of this process that lead there; passed on: to what is exec'd. */
static int count_connections(int port, bool passed_on)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++) {
        struct sockaddr_in peer = {0};
        socklen_t size = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0 &&
            peer.sin_family == AF_INET && ntohs(peer.sin_port) == port) {
            bool goes = (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
            n += goes == passed_on;
        }
    }
    return n;
}

static void no_connection_is_passed_on_to_another_program(void **state)
{
    struct fixture *f = *state;
    const struct rogue_script scripts[] = {{.answer = OK_ANSWER}};
    serve(f, scripts, 1);
    assert_int_equal(client_ask(&f->client, "[]")->http, 200);
    int port = rogue_port(f->rogue);
    assert_int_equal(count_connections(port, true), 0);
    assert_int_equal(count_connections(port, false), 1);
}

static void without_a_body_it_is_a_get(void **state)
{
    struct fixture *f = *state;
    const struct rogue_script scripts[] = {
        {.answer = OK_ANSWER},
        {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{",
         .ends = ROGUE_CLOSE},
        {.ends = ROGUE_CLOSE}};
    char want[512];
    serve(f, scripts, 3);
    (void)client_start(&f->client, NULL, 0);
    client_wait(&f->client, 1);
    assert_int_equal(f->client.reply.transport, TRANSPORT_OK);
    assert_body(&f->client.reply, "{}");
    /* Nothing can have been done there, so nothing is lost. */
    (void)client_start(&f->client, NULL, 0);
    client_wait(&f->client, 2);
    assert_int_equal(f->client.reply.transport, TRANSPORT_UNSENT);
    assert_int_equal(f->client.reply.http, 200);
    (void)client_start(&f->client, NULL, 0);
    client_wait(&f->client, 3);
    assert_int_equal(f->client.reply.transport, TRANSPORT_UNSENT);
    rogue_stop(f->rogue);
    (void)snprintf(want, sizeof want,
                   "GET /add/events/v1.json?apiKey=" CLIENT_KEY " HTTP/1.1\r\n"
                   "Host: 127.0.0.1:%d\r\n"
                   "Accept: */*\r\n"
                   "Content-Type: application/json\r\n"
                   "Idempotency-Key: k1\r\n\r\n",
                   rogue_port(f->rogue));
    assert_string_equal(rogue_request(f->rogue, 0, NULL), want);
}

static void an_answer_arrives_whole(void **state)
{
    struct fixture *f = *state;
    const struct rogue_script scripts[] = {
        {.answer = "HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n"
                   "HTTP/1.1 503 Service Unavailable\r\n"
                   "Content-Type: application/json; charset=utf-8\r\n"
                   "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                   "retry-after:  120 \r\n"
                   "Content-Length: 9\r\n\r\n{\"a\":\"b\"}",
         .ends = ROGUE_CLOSE}};
    serve(f, scripts, 1);
    const struct reply *r = client_ask(&f->client, "[]");
    assert_int_equal(r->transport, TRANSPORT_OK);
    assert_int_equal(r->curl, 0);
    assert_int_equal(r->http, 503);
    assert_string_equal(r->content_type, "application/json; charset=utf-8");
    assert_string_equal(r->retry_after, "120");
    assert_string_equal(r->date, "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_string_equal(r->error, "");
    assert_body(r, "{\"a\":\"b\"}");
    assert_false(r->body_cut);
    assert_true(r->duration_ms >= 0 && r->duration_ms < 60000);
}

static void every_framing_of_an_answer_is_read(void **state)
{
    static const struct {
        const char *answer;
        int http;
        const char *body;
    } cases[] = {
        {"HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, ""},
        {"HTTP/1.1 200 OK\r\n\r\nto the end", 200, "to the end"},
        {"HTTP/1.0 200 OK\r\n\r\nold", 200, "old"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         "3\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n",
         200, "abcde"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n"
         "Content-Length: 1\r\n\r\nx",
         201, "x"},
        /* Never unpacked: a few bytes could become gigabytes. */
        {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
         "Content-Length: 3\r\n\r\nabc",
         200, "abc"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct rogue_script script = {.answer = cases[i].answer,
                                            .ends = ROGUE_CLOSE};
        serve(f, &script, 1);
        const struct reply *r = client_ask(&f->client, "[]");
        assert_int_equal(r->transport, TRANSPORT_OK);
        assert_int_equal(r->http, cases[i].http);
        assert_body(r, cases[i].body);
        assert_string_equal(r->content_type, "");
        assert_null(r->retry_after);
        assert_null(r->date);
    }
}

static void a_header_that_comes_twice_counts_as_none(void **state)
{
    struct fixture *f = *state;
    const struct rogue_script scripts[] = {
        {.answer = "HTTP/1.1 429 Slow Down\r\nRetry-After: 1\r\n"
                   "Retry-After: 600\r\nContent-Length: 0\r\n\r\n"}};
    serve(f, scripts, 1);
    assert_null(client_ask(&f->client, "[]")->retry_after);
}

static void requests_share_a_connection(void **state)
{
    struct fixture *f = *state;
    const struct rogue_script scripts[] = {
        {.answer = OK_ANSWER}, {.answer = OK_ANSWER}, {.answer = OK_ANSWER}};
    serve(f, scripts, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(client_ask(&f->client, "[]")->http, 200);
    }
    rogue_stop(f->rogue);
    assert_int_equal(rogue_requests(f->rogue), 3);
    assert_int_equal(rogue_connection(f->rogue, 2), 0);
}

static void without_a_connection_nothing_was_sent(void **state)
{
    struct fixture *f = *state;
    serve(f, NULL, 0);
    rogue_stop(f->rogue); /* the port is free again */
    const struct reply *r = client_ask(&f->client, "[]");
    assert_int_equal(r->transport, TRANSPORT_UNSENT);
    assert_int_equal(r->curl, CURLE_COULDNT_CONNECT);
    assert_int_equal(r->http, 0);
    assert_string_not_equal(r->error, "");
}

static void a_request_without_an_answer_is_lost(void **state)
{
    static const struct rogue_script scripts[] = {
        {.reads = ROGUE_HALF, .ends = ROGUE_CLOSE},
        {.reads = ROGUE_HALF, .ends = ROGUE_RESET},
        {.reads = ROGUE_ALL, .ends = ROGUE_CLOSE},
        {.reads = ROGUE_ALL, .ends = ROGUE_RESET},
        {.answer = "HTTP/1.1 200 OK\r\nX: ", .ends = ROGUE_CLOSE},
        {.answer = "HTTP/1.1 200 OK\r\nX: y\r\n", .ends = ROGUE_RESET},
        {.answer = "HTTP/1.1 100 Continue\r\n\r\n", .ends = ROGUE_CLOSE},
        {.answer = "no HTTP at all\r\n\r\n", .ends = ROGUE_CLOSE},
        {.answer = "\x16\x03\x01", .ends = ROGUE_CLOSE},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(scripts); i++) {
        serve(f, &scripts[i], 1);
        const struct reply *r = client_ask(&f->client, "[{},{},{},{}]");
        assert_int_equal(r->transport, TRANSPORT_LOST);
        assert_int_equal(r->http, 0);
        assert_string_not_equal(r->error, "");
        rogue_stop(f->rogue);
        assert_int_equal(rogue_requests(f->rogue), 1);
    }
}

/* Whether a byte of the body left before the end is chance here; that the
 * batch is not taken for delivered is not. */
static void a_connection_that_ends_early_delivers_nothing(void **state)
{
    static const struct rogue_script scripts[] = {
        {.reads = ROGUE_NOTHING, .ends = ROGUE_CLOSE},
        {.reads = ROGUE_NOTHING, .ends = ROGUE_RESET},
        {.reads = ROGUE_HEADER, .ends = ROGUE_CLOSE},
        {.reads = ROGUE_HEADER, .ends = ROGUE_RESET},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(scripts); i++) {
        serve(f, &scripts[i], 1);
        const struct reply *r = client_ask(&f->client, "[{},{},{},{}]");
        assert_true(r->transport == TRANSPORT_LOST ||
                    r->transport == TRANSPORT_UNSENT);
        assert_int_equal(r->http, 0);
    }
}

static void a_request_is_never_sent_twice(void **state)
{
    struct fixture *f = *state;
    for (int reset = 0; reset < 2; reset++) {
        const struct rogue_script scripts[] = {
            {.answer = OK_ANSWER},
            {.ends = reset ? ROGUE_RESET : ROGUE_CLOSE},
            {.answer = OK_ANSWER}};
        serve(f, scripts, 3);
        assert_int_equal(client_ask(&f->client, "[1]")->http, 200);
        const struct reply *r = client_ask(&f->client, "[\"second\"]");
        assert_int_equal(r->transport, TRANSPORT_LOST);
        assert_int_equal(r->http, 0);
        assert_string_not_equal(r->error, "");
        rogue_stop(f->rogue);
        assert_int_equal(rogue_requests(f->rogue), 2);
        assert_int_equal(rogue_connection(f->rogue, 1), 0);
        assert_non_null(
            strstr(rogue_request(f->rogue, 1, NULL), "\r\n\r\n[\"second\"]"));
    }
}

/* The control to the test above: what libcurl does if it is let. */
static void libcurl_left_to_itself_sends_twice(void **state)
{
    struct fixture *f = *state;
    const struct rogue_script scripts[] = {
        {.answer = OK_ANSWER}, {.ends = ROGUE_CLOSE}, {.answer = OK_ANSWER}};
    serve(f, scripts, 3);
    CURL *easy = curl_easy_init();
    FILE *nowhere = fopen("/dev/null", "w");
    assert_true(easy != NULL && nowhere != NULL);
    (void)curl_easy_setopt(easy, CURLOPT_URL, f->client.url);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "[2]");
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, nowhere);
    assert_int_equal(curl_easy_perform(easy), CURLE_OK);
    CURLcode second = curl_easy_perform(easy);
    curl_easy_cleanup(easy);
    (void)fclose(nowhere);
    rogue_stop(f->rogue);
    if (second != CURLE_OK) {
        print_message("skipped: this libcurl does not send twice\n");
        skip();
    }
    assert_int_equal(rogue_requests(f->rogue), 3);
}

static void an_answer_that_breaks_off_keeps_its_status(void **state)
{
    static const struct {
        const char *answer;
        enum rogue_ends ends;
        int http;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"res", ROGUE_CLOSE,
         200},
        {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"res", ROGUE_RESET,
         200},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         "5\r\n{\"res\r\n",
         ROGUE_CLOSE, 200},
        {"HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n"
         "Retry-After: 7\r\n\r\n{\"res",
         ROGUE_CLOSE, 503},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct rogue_script script = {.answer = cases[i].answer,
                                            .ends = cases[i].ends};
        serve(f, &script, 1);
        const struct reply *r = client_ask(&f->client, "[]");
        assert_int_equal(r->transport, TRANSPORT_LOST);
        assert_int_equal(r->http, cases[i].http);
        assert_body(r, "{\"res");
        assert_false(r->body_cut);
        if (r->http == 503) {
            assert_string_equal(r->retry_after, "7");
        }
    }
}

static void a_long_answer_is_cut_at_the_limit(void **state)
{
    struct fixture *f = *state;
    const struct rogue_script endless = {.answer = "HTTP/1.1 200 OK\r\n\r\n",
                                         .endless = "0123456789abcdef",
                                         .ends = ROGUE_CLOSE};
    serve(f, &endless, 1);
    const struct reply *r = client_ask(&f->client, "[]");
    assert_int_equal(r->transport, TRANSPORT_OK);
    assert_int_equal(r->http, 200);
    assert_true(r->body_cut);
    assert_int_equal(r->body_len, HTTP_BODY_LIMIT);
    assert_memory_equal(r->body + HTTP_BODY_LIMIT - 16, "0123456789abcdef", 16);
    assert_string_equal(r->error, "");
}

static void an_answer_of_just_the_limit_is_whole(void **state)
{
    struct fixture *f = *state;
    static char answer[HTTP_BODY_LIMIT + 64];
    int n = snprintf(answer, sizeof answer,
                     "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                     HTTP_BODY_LIMIT);
    memset(answer + n, 'x', HTTP_BODY_LIMIT);
    const struct rogue_script script = {.answer = answer};
    serve(f, &script, 1);
    const struct reply *r = client_ask(&f->client, "[]");
    assert_int_equal(r->transport, TRANSPORT_OK);
    assert_int_equal(r->body_len, HTTP_BODY_LIMIT);
    assert_false(r->body_cut);
}

static void an_endless_header_is_stopped(void **state)
{
    static const struct rogue_script scripts[] = {
        {.answer = "HTTP/1.1 200 OK\r\n", .endless = "X-Filler: 0123456\r\n"},
        {.endless = "HTTP/1.1 102 Processing\r\n\r\n"},
        {.answer = "HTTP/1.1 200 OK\r\nX: ", .endless = "0123456789abcdef"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(scripts); i++) {
        serve(f, &scripts[i], 1);
        const struct reply *r = client_ask(&f->client, "[]");
        assert_int_equal(r->transport, TRANSPORT_LOST);
        assert_int_not_equal(r->curl, CURLE_OPERATION_TIMEDOUT);
        assert_int_equal(r->http, 0);
        assert_true(i == 2 || strstr(r->error, "64 KiB") != NULL);
    }
}

static void a_redirect_is_not_followed(void **state)
{
    static const int statuses[] = {301, 302, 303, 307, 308};
    struct fixture *f = *state;
    const struct rogue_script other = {.answer = OK_ANSWER};
    struct rogue *elsewhere = rogue_start(&other, 1);
    for (size_t i = 0; i < COUNT(statuses); i++) {
        char answer[128];
        (void)snprintf(answer, sizeof answer,
                       "HTTP/1.1 %d Elsewhere\r\nContent-Length: 0\r\n"
                       "Location: http://127.0.0.1:%d/\r\n\r\n",
                       statuses[i], rogue_port(elsewhere));
        const struct rogue_script script = {.answer = answer};
        serve(f, &script, 1);
        const struct reply *r = client_ask(&f->client, "[]");
        assert_int_equal(r->transport, TRANSPORT_OK);
        assert_int_equal(r->http, statuses[i]);
        rogue_stop(f->rogue);
    }
    rogue_stop(elsewhere);
    assert_int_equal(rogue_requests(elsewhere), 0);
    rogue_free(elsewhere);
}

/* The loop does not turn until answer and reset are both there. */
static void a_reset_behind_a_whole_answer_spoils_nothing(void **state)
{
    struct fixture *f = *state;
    static char answer[40000];
    int n = snprintf(answer, sizeof answer,
                     "HTTP/1.1 413 Too Large\r\nContent-Length: 39000\r\n\r\n");
    memset(answer + n, 'x', 39000);
    const struct rogue_script script = {.answer = answer, .ends = ROGUE_RESET};
    serve(f, &script, 1);
    (void)client_start(&f->client, "[]", 2);
    client_wait_for_fd(&f->client, rogue_news(f->rogue));
    for (int news = 0; news < 2; news++) {
        char byte;
        assert_int_equal(read(rogue_news(f->rogue), &byte, 1), 1);
    }
    client_wait(&f->client, 1);
    assert_int_equal(f->client.reply.transport, TRANSPORT_OK);
    assert_int_equal(f->client.reply.http, 413);
    assert_int_equal(f->client.reply.body_len, 39000);
}

static void an_early_no_is_heard_while_the_body_is_being_sent(void **state)
{
    struct fixture *f = *state;
    const size_t len = (size_t)16 << 20; /* more than all buffers between */
    char *body = calloc(1, len);
    const struct rogue_script script = {
        .reads = ROGUE_HEADER,
        .answer = "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n",
        .ends = ROGUE_STALL};
    serve(f, &script, 1);
    (void)client_start(&f->client, body, len);
    client_wait(&f->client, 1);
    free(body);
    assert_int_equal(f->client.reply.transport, TRANSPORT_OK);
    assert_int_equal(f->client.reply.http, 413);
}

static void the_deadline_covers_everything(void **state)
{
    static const struct {
        struct rogue_script script;
        size_t body_len;
    } cases[] = {
        {{.ends = ROGUE_STALL}, 4},
        {{.reads = ROGUE_HEADER, .ends = ROGUE_STALL}, (size_t)16 << 20},
        {{.answer = "HTTP/1.1 200 OK\r\nX-Slow: 0123456789abcdef0123456789"
                    "0123456789abcdef0123456789abcdef\r\n\r\n",
          .drip = true},
         4},
        {{.answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
          .ends = ROGUE_STALL},
         4},
    };
    struct fixture *f = *state;
    char *body = calloc(1, (size_t)16 << 20);
    f->client.options.total_timeout_ms = 150;
    for (size_t i = 0; i < COUNT(cases); i++) {
        serve(f, &cases[i].script, 1);
        (void)client_start(&f->client, body, cases[i].body_len);
        client_wait(&f->client, (int)i + 1);
        assert_int_equal(f->client.reply.transport, TRANSPORT_LOST);
        assert_int_equal(f->client.reply.curl, CURLE_OPERATION_TIMEDOUT);
        assert_int_equal(f->client.reply.http, i == 3 ? 200 : 0);
    }
    free(body);
}

static void a_cancelled_request_is_never_answered(void **state)
{
    struct fixture *f = *state;
    const struct rogue_script scripts[] = {
        {.ends = ROGUE_STALL}, {.answer = OK_ANSWER}, {.answer = OK_ANSWER}};
    serve(f, scripts, 3);
    /* Before it began, and when it is with the endpoint. */
    http_cancel(f->client.http, client_start(&f->client, "[0]", 3));
    struct http_post *post = client_start(&f->client, "[1]", 3);
    client_wait_for_fd(&f->client, rogue_news(f->rogue));
    http_cancel(f->client.http, post);
    assert_int_equal(f->client.replies, 0);
    assert_int_equal(client_ask(&f->client, "[2]")->http, 200);
    assert_int_equal(f->client.replies, 1);
    rogue_stop(f->rogue);
    assert_int_equal(rogue_requests(f->rogue), 2);
    assert_int_equal(rogue_connection(f->rogue, 1), 1);
}

static void destroying_ends_what_is_under_way(void **state)
{
    struct fixture *f = *state;
    const struct rogue_script scripts[] = {
        {.ends = ROGUE_STALL}, {.ends = ROGUE_STALL}, {.answer = OK_ANSWER}};
    serve(f, scripts, 3);
    (void)client_start(&f->client, "[1]", 3);
    client_wait_for_fd(&f->client, rogue_news(f->rogue));
    (void)client_start(&f->client, "[2]", 3);
    (void)client_start(&f->client, "[3]", 3);
    /* The fixture's end destroys, and checks that the loop is empty. */
}

struct chain {
    struct fixture *f;
    int left; /* requests to start from inside callbacks */
    int closings;
};

static void count_closing(void *arg)
{
    struct chain *chain = arg;
    chain->closings++;
}

static void ask_again(void *arg, const struct reply *reply)
{
    static const char *const headers[] = {NULL};
    struct chain *chain = arg;
    struct client *c = &chain->f->client;
    struct http_request request = {
        .url = c->url, .headers = headers, .body = "[]", .body_len = 2};
    assert_int_equal(reply->http, 200);
    if (chain->left-- > 0) {
        assert_int_equal(
            http_post(c->http, &request, ask_again, chain, NULL, NULL),
            SPOOL_OK);
        return;
    }
    http_destroy(c->http, count_closing, chain);
    c->http = NULL;
}

static void a_reply_may_start_a_request_or_destroy(void **state)
{
    struct fixture *f = *state;
    const struct rogue_script scripts[] = {
        {.answer = OK_ANSWER}, {.answer = OK_ANSWER}, {.answer = OK_ANSWER}};
    serve(f, scripts, 3);
    assert_int_equal(client_ask(&f->client, "[]")->http, 200);
    struct chain chain = {f, 1, 0};
    ask_again(&chain, &f->client.reply);
    (void)uv_run(&f->client.loop, UV_RUN_DEFAULT);
    assert_int_equal(chain.closings, 1);
    rogue_stop(f->rogue);
    assert_int_equal(rogue_requests(f->rogue), 2);
}

static void a_wrong_request_fails_at_once_and_shows_no_key(void **state)
{
    static const char *const none[] = {NULL};
    static const char *const split[] = {"Origin: a\r\nX-Evil: b", NULL};
    static const struct {
        const char *url;
        const char *const *headers;
        size_t len;
    } cases[] = {
        {"", none, 2},
        {"?apiKey=" CLIENT_KEY, none, 2},
        {"127.0.0.1/?apiKey=" CLIENT_KEY, none, 2},
        {"http://127.0.0.1:99999/?apiKey=" CLIENT_KEY, none, 2},
        {"http://127.0.0.1:1x/?apiKey=" CLIENT_KEY, none, 2},
        {"http://127.0.0.1/a b?apiKey=" CLIENT_KEY, none, 2},
        {"http:///?apiKey=" CLIENT_KEY, none, 2},
        {"ftp://127.0.0.1/?apiKey=" CLIENT_KEY, none, 2},
        {"file:///etc/passwd?apiKey=" CLIENT_KEY, none, 2},
        {"http://me:" CLIENT_KEY "@127.0.0.1/", none, 2},
        {"http://127.0.0.1:1/?apiKey=" CLIENT_KEY, split, 2},
        {"http://127.0.0.1:1/?apiKey=" CLIENT_KEY, none, 0},
    };
    struct fixture *f = *state;
    struct client *c = &f->client;
    struct spool_error err;
    assert_int_equal(http_create(&c->loop, &c->options, &c->http, &err),
                     SPOOL_OK);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_request request = {.url = cases[i].url,
                                       .headers = cases[i].headers,
                                       .body = "[]",
                                       .body_len = cases[i].len};
        enum spool_status got =
            http_post(c->http, &request, ask_again, NULL, NULL, &err);
        if (got != SPOOL_MISUSE) {
            print_error("%s was let through\n", cases[i].url);
        }
        assert_int_equal(got, SPOOL_MISUSE);
        assert_null(strstr(err.message, CLIENT_KEY));
    }
}

static void the_environment_names_no_proxy(void **state)
{
    struct fixture *f = *state;
    const struct rogue_script script = {.answer = OK_ANSWER};
    serve(f, &script, 1);
    (void)setenv("http_proxy", "http://127.0.0.1:1", 1);
    (void)setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    assert_int_equal(client_ask(&f->client, "[]")->http, 200);
    (void)unsetenv("http_proxy");
    (void)unsetenv("ALL_PROXY");
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(a_request_carries_the_body_and_no_more_headers),
        FACT(no_connection_is_passed_on_to_another_program),
        FACT(without_a_body_it_is_a_get),
        FACT(an_answer_arrives_whole),
        FACT(every_framing_of_an_answer_is_read),
        FACT(a_header_that_comes_twice_counts_as_none),
        FACT(requests_share_a_connection),
        FACT(without_a_connection_nothing_was_sent),
        FACT(a_request_without_an_answer_is_lost),
        FACT(a_connection_that_ends_early_delivers_nothing),
        FACT(a_request_is_never_sent_twice),
        FACT(libcurl_left_to_itself_sends_twice),
        FACT(an_answer_that_breaks_off_keeps_its_status),
        FACT(a_long_answer_is_cut_at_the_limit),
        FACT(an_answer_of_just_the_limit_is_whole),
        FACT(an_endless_header_is_stopped),
        FACT(a_redirect_is_not_followed),
        FACT(a_reset_behind_a_whole_answer_spoils_nothing),
        FACT(an_early_no_is_heard_while_the_body_is_being_sent),
        FACT(the_deadline_covers_everything),
        FACT(a_cancelled_request_is_never_answered),
        FACT(destroying_ends_what_is_under_way),
        FACT(a_reply_may_start_a_request_or_destroy),
        FACT(a_wrong_request_fails_at_once_and_shows_no_key),
        FACT(the_environment_names_no_proxy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
