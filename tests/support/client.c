#include "support/client.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *keep(char *to, size_t size, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    (void)snprintf(to, size, "%s", text);
    return to;
}

static void keep_reply(void *arg, const struct reply *reply)
{
    struct client *c = arg;
    c->replies++;
    c->reply = *reply;
    c->reply.content_type =
        keep(c->content_type, sizeof c->content_type, reply->content_type);
    c->reply.retry_after =
        keep(c->retry_after, sizeof c->retry_after, reply->retry_after);
    c->reply.date = keep(c->date, sizeof c->date, reply->date);
    c->reply.error = keep(c->error, sizeof c->error, reply->error);
    assert_true(reply->body_len <= sizeof c->body);
    memcpy(c->body, reply->body, reply->body_len);
    c->reply.body = c->body;
    assert_null(strstr(reply->error, CLIENT_KEY));
}

void client_init(struct client *c)
{
    memset(c, 0, sizeof *c);
    assert_int_equal(uv_loop_init(&c->loop), 0);
    assert_int_equal(http_global_init(NULL), SPOOL_OK);
    c->options = (struct http_options){.connect_timeout_ms = 60000,
                                       .total_timeout_ms = 60000,
                                       .idle_max_s = 60};
}

void client_aim(struct client *c, const char *scheme, const char *host,
                int port)
{
    (void)snprintf(c->url, sizeof c->url,
                   "%s://%s:%d/add/events/v1.json?apiKey=" CLIENT_KEY, scheme,
                   host, port);
}

struct http_post *client_start(struct client *c, const void *body, size_t len)
{
    static const char *const headers[] = {"Content-Type: application/json",
                                          "Idempotency-Key: k1", NULL};
    struct http_request request = {.url = c->url,
                                   .headers = headers,
                                   .body = body,
                                   .body_len = len,
                                   .ca_file = c->ca_file,
                                   .client_cert = c->client_cert,
                                   .client_key = c->client_key,
                                   .proxy = c->proxy};
    struct http_post *post = NULL;
    int before = c->replies;
    struct spool_error err;
    if (c->http == NULL) {
        assert_int_equal(http_create(&c->loop, &c->options, &c->http, &err),
                         SPOOL_OK);
    }
    assert_int_equal(http_post(c->http, &request, keep_reply, c, &post, &err),
                     SPOOL_OK);
    assert_int_equal(c->replies, before); /* never from inside the call */
    return post;
}

void client_wait(struct client *c, int n)
{
    while (c->replies < n) {
        (void)uv_run(&c->loop, UV_RUN_ONCE);
    }
}

const struct reply *client_ask(struct client *c, const char *body)
{
    int wanted = c->replies + 1;
    (void)client_start(c, body, strlen(body));
    client_wait(c, wanted);
    assert_int_equal(c->replies, wanted);
    return &c->reply;
}

void client_wait_for_fd(struct client *c, int fd)
{
    struct pollfd wanted = {fd, POLLIN, 0};
    while (poll(&wanted, 1, 1) == 0) {
        (void)uv_run(&c->loop, UV_RUN_NOWAIT);
    }
}

static void count_closing(void *arg)
{
    struct client *c = arg;
    c->closings++;
}

void client_finish(struct client *c)
{
    if (c->http != NULL) {
        http_destroy(c->http, count_closing, c);
        c->http = NULL;
        assert_int_equal(c->closings, 0);
        (void)uv_run(&c->loop, UV_RUN_DEFAULT);
        assert_int_equal(c->closings, 1);
    }
    assert_int_equal(uv_loop_close(&c->loop), 0);
}
