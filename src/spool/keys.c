#define _DEFAULT_SOURCE /* getentropy */
#include "spool/keys.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "base/error.h"
#include "delivery/http.h"
#include "delivery/profile.h"
#include "events/json.h"

#define CONNECT_MAX_MS 10000

enum spool_status spool_make_key(char out[SPOOL_KEY_SIZE])
{
    int64_t number = 0;
    while (number == 0) {
        if (getentropy(&number, sizeof number) != 0) {
            return SPOOL_IO;
        }
    }
    (void)snprintf(out, SPOOL_KEY_SIZE, "%" PRId64, number);
    return SPOOL_OK;
}

/* ---- the request ---- */

struct question {
    char url[PROFILE_URL_SIZE + 64];
    char shown[PROFILE_URL_SIZE]; /* the data center, for people */
    char origin[PROFILE_HEADER_SIZE];
    const char *headers[4];
};

static size_t without_slashes(const char *url, size_t len)
{
    while (len > 0 && url[len - 1] == '/') {
        len--;
    }
    return len;
}

/* The data center of a URL, which may be that of its events. */
static size_t base_len(const char *url)
{
    static const char events[] = "/add/events/v1.json";
    size_t len = without_slashes(url, strlen(url));
    size_t tail = sizeof events - 1;
    if (len > tail && memcmp(url + len - tail, events, tail) == 0) {
        len = without_slashes(url, len - tail);
    }
    return len;
}

static enum spool_status put_question(struct question *q, const char *url,
                                      const char *origin, size_t n,
                                      struct spool_error *err)
{
    if (n == 0 || n > SPOOL_KEYS_MAX) {
        return failed(err, SPOOL_MISUSE,
                      "%zu keys cannot be asked for at once, only 1 to %d", n,
                      SPOOL_KEYS_MAX);
    }
    enum spool_status status = profile_check_url(PROFILE_SEGMENTIFY, url, err);
    if (status != SPOOL_OK) {
        return status;
    }
    size_t len = base_len(url);
    bool has_origin = origin != NULL && origin[0] != '\0';
    if (len >= PROFILE_URL_SIZE ||
        (has_origin && strlen(origin) + sizeof "Origin: " > sizeof q->origin)) {
        return failed(err, SPOOL_MISUSE,
                      "the endpoint's URL or the origin is too long");
    }
    (void)snprintf(q->url, sizeof q->url, "%.*s/get/key?count=%zu", (int)len,
                   url, n);
    (void)snprintf(q->shown, sizeof q->shown, "%.*s", (int)len, url);
    (void)snprintf(q->origin, sizeof q->origin, "Origin: %s",
                   has_origin ? origin : "");
    q->headers[0] = "Accept: application/json";
    q->headers[1] = "User-Agent: spool";
    q->headers[2] = has_origin ? q->origin : NULL;
    q->headers[3] = NULL;
    return SPOOL_OK;
}

/* ---- the answer ---- */

struct harvest {
    char (*out)[SPOOL_KEY_SIZE];
    size_t n, found;
    bool odd; /* something that is no key */
};

static bool is_key(const struct json_member *element)
{
    struct json_text text = element->value;
    if (element->kind != JSON_STRING || text.escaped || text.len == 0 ||
        text.len >= SPOOL_KEY_SIZE) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] <= ' ' || text.at[i] > '~') {
            return false;
        }
    }
    return true;
}

static void take_element(void *arg, const struct json_member *path,
                         unsigned depth)
{
    struct harvest *h = arg;
    if (depth != 1 || !is_key(&path[0])) {
        h->odd = true;
        return;
    }
    if (h->out != NULL && h->found < h->n) {
        memcpy(h->out[h->found], path[0].value.at, path[0].value.len);
        h->out[h->found][path[0].value.len] = '\0';
    }
    h->found++;
}

/* Whether body is an array of just n keys; copies them, if out is given. */
static bool read_keys(const struct reply *reply, struct harvest *h,
                      struct json_end *end)
{
    h->found = 0;
    h->odd = false;
    return json_scan(reply->body, reply->body_len, take_element, h, end) ==
               JSON_OK &&
           end->offset + json_space(reply->body + end->offset,
                                    reply->body_len - end->offset) ==
               reply->body_len &&
           end->kind == JSON_ARRAY && !h->odd && h->found == h->n;
}

struct asking {
    const struct question *question;
    size_t n;
    char (*out)[SPOOL_KEY_SIZE];
    struct http *http;
    enum spool_status status;
    struct spool_error *err;
};

static enum spool_status judge_answer(const struct asking *a,
                                      const struct reply *reply)
{
    const char *from = a->question->shown;
    struct harvest h = {.n = a->n};
    struct json_end end;
    if (reply->transport != TRANSPORT_OK) {
        return failed(a->err, SPOOL_IO, "no keys came from %s: %s", from,
                      reply->error);
    }
    if (reply->http != 200) {
        return failed(a->err, SPOOL_IO,
                      "%s answered HTTP %d when asked for keys; check the URL",
                      from, reply->http);
    }
    if (reply->body_cut) {
        return failed(a->err, SPOOL_IO,
                      "%s answered with more than 64 KiB when asked for keys",
                      from);
    }
    if (!read_keys(reply, &h, &end)) {
        return failed(a->err, SPOOL_IO,
                      "%s answered something else than an array of %zu keys; "
                      "check the URL",
                      from, a->n);
    }
    h.out = a->out;
    (void)read_keys(reply, &h, &end);
    return SPOOL_OK;
}

static void reply_arrived(void *arg, const struct reply *reply)
{
    struct asking *a = arg;
    a->status = judge_answer(a, reply);
    http_destroy(a->http, NULL, NULL);
}

static enum spool_status ask(struct uv_loop_s *loop, struct asking *a,
                             int64_t timeout_ms)
{
    struct http_options options = {
        .connect_timeout_ms =
            (long)(timeout_ms < CONNECT_MAX_MS ? timeout_ms : CONNECT_MAX_MS),
        .total_timeout_ms = (long)timeout_ms,
        .idle_max_s = 1,
    };
    struct http_request request = {.url = a->question->url,
                                   .headers = a->question->headers};
    enum spool_status status = http_create(loop, &options, &a->http, a->err);
    if (status != SPOOL_OK) {
        return status;
    }
    status = http_post(a->http, &request, reply_arrived, a, NULL, a->err);
    if (status != SPOOL_OK) {
        http_destroy(a->http, NULL, NULL);
    }
    (void)uv_run(loop, UV_RUN_DEFAULT);
    return status == SPOOL_OK ? a->status : status;
}

enum spool_status spool_fetch_keys(const char *url, const char *origin,
                                   size_t n, char (*out)[SPOOL_KEY_SIZE],
                                   int64_t timeout_ms, struct spool_error *err)
{
    struct question question;
    struct asking a = {.question = &question, .n = n, .out = out, .err = err};
    uv_loop_t loop;
    enum spool_status status = put_question(&question, url, origin, n, err);
    if (status == SPOOL_OK && (timeout_ms <= 0 || timeout_ms > INT32_MAX)) {
        status = failed(err, SPOOL_MISUSE,
                        "the time for keys must be more than 0 ms and less "
                        "than 24 days");
    }
    if (status == SPOOL_OK) {
        status = http_global_init(err);
    }
    if (status != SPOOL_OK) {
        return status;
    }
    if (uv_loop_init(&loop) != 0) {
        return failed(err, SPOOL_NO_MEMORY, "cannot make an event loop");
    }
    status = ask(&loop, &a, timeout_ms);
    int rc = uv_loop_close(&loop);
    assert(rc == 0);
    (void)rc;
    return status;
}
