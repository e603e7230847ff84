#include "delivery/http.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/buffer.h"
#include "base/error.h"
#include "delivery/alert.h"
#include "delivery/bounds.h"
#include "delivery/multi.h"

#define HEADER_LIMIT ((size_t)64 * 1024)

/* How long an old certificate store or an old address may live on, in the
 * cache or in a connection that is never idle. */
#define TRUST_MAX_S 300L

/* Handles kept for the next requests: each has the buffers of the last one. */
#define SPARES_MAX 4

struct http {
    CURL *spares[SPARES_MAX];
    size_t spare_n;
    struct multi *multi;
    struct http_options options;
    struct http_post *posts; /* under way */
    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

struct http_post {
    struct http *h;
    struct http_post *next, **link;
    CURL *easy;
    struct curl_slist *headers;
    const char *body;
    size_t body_len;
    size_t sent; /* bytes of the body libcurl has taken */
    int status;  /* once the whole final header is here */
    size_t header_bytes;
    struct buffer answer;
    bool body_cut;
    char words[CURL_ERROR_SIZE]; /* libcurl's about a failure */
    http_done *done;
    void *arg;
};

/* --------------------------------------------------- one request's callbacks
 */

static size_t give_body(char *to, size_t size, size_t count, void *arg)
{
    struct http_post *post = arg;
    size_t left = post->body_len - post->sent;
    size_t n = size * count < left ? size * count : left;
    memcpy(to, post->body + post->sent, n);
    post->sent += n;
    return n;
}

/* Called before a request's first byte on a connection. The read callback
 * cannot rewind, so a second request could only carry a part of the body. */
static int allow_request(void *arg, char *peer_ip, char *own_ip, int peer_port,
                         int own_port)
{
    (void)peer_ip, (void)own_ip, (void)peer_port, (void)own_port;
    const struct http_post *post = arg;
    return post->sent == 0 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

/* libcurl keeps the first words of a request only, and those would be about
 * the end of a kept connection, one that it closes or that was dead when it
 * was to be used, and not about the new one that takes its place. So it is
 * heard no sooner than when it turns to a new one, */
static int connection_begun(void *arg, curl_socket_t socket,
                            curlsocktype purpose)
{
    struct http_post *post = arg;
    (void)socket, (void)purpose;
    (void)curl_easy_setopt(post->easy, CURLOPT_ERRORBUFFER, post->words);
    return CURL_SOCKOPT_OK;
}

/* or looks up a name for it. */
static int name_sought(void *resolver, void *reserved, void *arg)
{
    (void)resolver, (void)reserved;
    return connection_begun(arg, CURL_SOCKET_BAD, CURLSOCKTYPE_IPCXN);
}

static size_t take_header(char *line, size_t size, size_t count, void *arg)
{
    struct http_post *post = arg;
    size_t len = size * count;
    post->header_bytes += len;
    if (post->header_bytes > HEADER_LIMIT) {
        return 0;
    }
    if (len <= 2 && (line[0] == '\r' || line[0] == '\n')) {
        long status = 0;
        (void)curl_easy_getinfo(post->easy, CURLINFO_RESPONSE_CODE, &status);
        post->status = status >= 200 ? (int)status : 0;
    }
    return len;
}

static size_t take_answer(char *bytes, size_t size, size_t count, void *arg)
{
    struct http_post *post = arg;
    size_t len = size * count;
    size_t room = HTTP_BODY_LIMIT - post->answer.len;
    size_t n = len < room ? len : room;
    if (!buffer_add(&post->answer, bytes, n)) {
        return 0;
    }
    post->body_cut = n < len;
    return n;
}

/* -------------------------------------------------------- the end of a request
 */

static void unlink_post(struct http_post *post)
{
    *post->link = post->next;
    if (post->next != NULL) {
        post->next->link = post->link;
    }
}

static CURL *take_handle(struct http *h)
{
    return h->spare_n > 0 ? h->spares[--h->spare_n] : curl_easy_init();
}

static void keep_handle(struct http *h, CURL *easy)
{
    if (easy != NULL && h->spare_n < SPARES_MAX) {
        curl_easy_reset(easy); /* forgets the URL, and the key in it */
        h->spares[h->spare_n++] = easy;
    } else {
        curl_easy_cleanup(easy);
    }
}

static void free_post(struct http_post *post)
{
    keep_handle(post->h, post->easy);
    curl_slist_free_all(post->headers);
    buffer_finish(&post->answer);
    free(post);
}

/* The peer is not who it should be, or the file that says whom to trust cannot
 * be used. */
static bool is_untrusted(CURLcode result)
{
    return result == CURLE_PEER_FAILED_VERIFICATION ||
           result == CURLE_SSL_CACERT_BADFILE ||
           result == CURLE_SSL_ISSUER_ERROR ||
           result == CURLE_SSL_INVALIDCERTSTATUS;
}

/* A peer that refuses us instead of answering processed nothing, whatever had
 * left: until it accepts the client it is within its handshake and reads no
 * request. A kept connection's peer had accepted us, and one that has begun an
 * answer has read the request: what either says later is no such refusal. */
static bool is_turned_away(const struct http_post *post)
{
    long connections = 0;
    (void)curl_easy_getinfo(post->easy, CURLINFO_NUM_CONNECTS, &connections);
    return connections > 0 && post->header_bytes == 0 &&
           alert_refuses_us(post->words);
}

static enum transport transport_of(const struct http_post *post,
                                   CURLcode result)
{
    /* libcurl is content with a header that ends with the connection. */
    if ((result == CURLE_OK && post->status != 0) || post->body_cut) {
        return TRANSPORT_OK;
    }
    if (is_turned_away(post)) {
        return TRANSPORT_TURNED_AWAY;
    }
    if (post->sent > 0) {
        return TRANSPORT_LOST;
    }
    if (result == CURLE_SSL_CERTPROBLEM) {
        return TRANSPORT_UNNAMED;
    }
    return is_untrusted(result) ? TRANSPORT_UNTRUSTED : TRANSPORT_UNSENT;
}

static bool shows_query(const char *words, CURL *easy)
{
    const char *url = NULL;
    (void)curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
    const char *query = url != NULL ? strchr(url, '?') : NULL;
    return strchr(words, '?') != NULL || (query != NULL && query[1] != '\0' &&
                                          strstr(words, query + 1) != NULL);
}

static const char *words_for(const struct http_post *post, CURLcode result)
{
    if (transport_of(post, result) == TRANSPORT_OK) {
        return "";
    }
    if (post->header_bytes > HEADER_LIMIT) {
        return "the answer's header did not end within 64 KiB";
    }
    if (result == CURLE_SEND_FAIL_REWIND ||
        result == CURLE_ABORTED_BY_CALLBACK) {
        return "the kept connection closed before the answer";
    }
    if (result == CURLE_OK) {
        return "the answer broke off in its header";
    }
    if (post->words[0] == '\0' || shows_query(post->words, post->easy)) {
        return curl_easy_strerror(result);
    }
    return post->words;
}

/* A header that came twice with two values is like one that cannot be read. */
static const char *header_of(CURL *easy, const char *name)
{
    struct curl_header *header;
    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) !=
            CURLHE_OK ||
        header->amount > 1) {
        return NULL;
    }
    return header->value;
}

static void report(struct http_post *post, CURLcode result)
{
    curl_off_t total_us = 0;
    (void)curl_easy_getinfo(post->easy, CURLINFO_TOTAL_TIME_T, &total_us);
    struct reply reply = {
        .transport = transport_of(post, result),
        .curl = (int)result,
        .http = post->status,
        .content_type = "",
        .body = post->answer.len > 0 ? post->answer.data : "",
        .body_len = post->answer.len,
        .body_cut = post->body_cut,
        .error = words_for(post, result),
        .duration_ms = (int64_t)total_us / 1000,
    };
    if (post->status != 0) {
        const char *type = header_of(post->easy, "Content-Type");
        reply.content_type = type != NULL ? type : "";
        reply.retry_after = header_of(post->easy, "Retry-After");
        reply.date = header_of(post->easy, "Date");
    }
    post->done(post->arg, &reply);
}

static void transfer_finished(CURL *easy, CURLcode result)
{
    struct http_post *post = NULL;
    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &post);
    unlink_post(post);
    report(post, result);
    free_post(post);
}

/* ------------------------------------------------------- the start of a
 * request */

static bool copy_headers(struct http_post *post, const char *const *lines)
{
    /* Without "Expect: 100-continue", which costs a second at a server that
     * does not know it. */
    post->headers = curl_slist_append(NULL, "Expect:");
    bool ok = post->headers != NULL;
    for (; ok && *lines != NULL; lines++) {
        ok = curl_slist_append(post->headers, *lines) != NULL;
    }
    return ok;
}

#define SET(option, value)                                                     \
    (curl_easy_setopt(post->easy, CURLOPT_##option, value) == CURLE_OK)

/* A body that fits goes out in one write instead of one a turn of the loop. */
static long upload_buffer(size_t body_len)
{
    const size_t least = (size_t)64 * 1024, most = (size_t)2 * 1024 * 1024;
    size_t want = body_len < least ? least : body_len > most ? most : body_len;
    return (long)want;
}

static bool set_method(struct http_post *post)
{
    if (post->body == NULL) {
        return SET(HTTPGET, 1L);
    }
    return SET(POST, 1L) &&
           SET(POSTFIELDSIZE_LARGE, (curl_off_t)post->body_len) &&
           SET(UPLOAD_BUFFERSIZE, upload_buffer(post->body_len)) &&
           /* No seek callback: see http.h. */
           SET(READFUNCTION, give_body) && SET(READDATA, post);
}

static bool set_request(struct http_post *post, const char *url)
{
    return SET(URL, url) && SET(HTTPHEADER, post->headers) &&
           set_method(post) && SET(PREREQFUNCTION, allow_request) &&
           SET(PREREQDATA, post) && SET(SOCKOPTFUNCTION, connection_begun) &&
           SET(SOCKOPTDATA, post) &&
           SET(RESOLVER_START_FUNCTION, name_sought) &&
           SET(RESOLVER_START_DATA, post) && SET(HEADERFUNCTION, take_header) &&
           SET(HEADERDATA, post) && SET(WRITEFUNCTION, take_answer) &&
           SET(WRITEDATA, post) && SET(PRIVATE, post);
}

static void link_post(struct http *h, struct http_post *post)
{
    post->next = h->posts;
    post->link = &h->posts;
    if (post->next != NULL) {
        post->next->link = &post->next;
    }
    h->posts = post;
}

enum spool_status http_post(struct http *h, const struct http_request *request,
                            http_done *done, void *arg, struct http_post **out,
                            struct spool_error *err)
{
    assert(!h->closing);
    enum spool_status status = bounds_check(request, err);
    if (status != SPOOL_OK) {
        return status;
    }
    struct http_post *post = calloc(1, sizeof *post);
    if (post == NULL) {
        return failed(err, SPOOL_NO_MEMORY, "no memory for a request");
    }
    *post = (struct http_post){.h = h,
                               .body = request->body,
                               .body_len = request->body_len,
                               .answer.limit = HTTP_BODY_LIMIT,
                               .done = done,
                               .arg = arg};
    post->easy = take_handle(h);
    if (post->easy == NULL || !copy_headers(post, request->headers) ||
        !set_request(post, request->url) ||
        !bounds_set(post->easy, &h->options) ||
        !bounds_set_peer(post->easy, request) ||
        !multi_add(h->multi, post->easy)) {
        free_post(post);
        return failed(err, SPOOL_NO_MEMORY, "libcurl cannot start a request");
    }
    link_post(h, post);
    if (out != NULL) {
        *out = post;
    }
    return SPOOL_OK;
}

void http_cancel(struct http *h, struct http_post *post)
{
    multi_remove(h->multi, post->easy);
    unlink_post(post);
    free_post(post);
}

/* ------------------------------------------------------------ life of a pool
 */

static const char keylog[] = "SSLKEYLOGFILE";

enum spool_status http_global_init(struct spool_error *err)
{
    /* libcurl would write the secrets of every connection to that file. */
    const char *value = getenv(keylog);
    char *kept = value != NULL ? strdup(value) : NULL;
    (void)unsetenv(keylog);
    CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (kept != NULL) {
        (void)setenv(keylog, kept, 1);
        free(kept);
    }
    if (result != CURLE_OK) {
        return failed(err, SPOOL_IO, "libcurl does not start: %s",
                      curl_easy_strerror(result));
    }
    return SPOOL_OK;
}

static void free_http(struct http *h)
{
    while (h->spare_n > 0) {
        curl_easy_cleanup(h->spares[--h->spare_n]);
    }
    free(h);
}

enum spool_status http_create(struct uv_loop_s *loop,
                              const struct http_options *options,
                              struct http **out, struct spool_error *err)
{
    if (options->connect_timeout_ms <= 0 || options->total_timeout_ms <= 0 ||
        options->idle_max_s <= 0) {
        return failed(err, SPOOL_MISUSE,
                      "the timeouts of requests must be more than zero");
    }
    struct http *h = calloc(1, sizeof *h);
    if (h == NULL) {
        return failed(err, SPOOL_NO_MEMORY, "no memory for HTTP requests");
    }
    h->options = *options;
    if (h->options.trust_max_s <= 0) {
        h->options.trust_max_s = TRUST_MAX_S;
    }
    h->multi = multi_create(loop, transfer_finished);
    if (h->multi == NULL) {
        free_http(h);
        return failed(err, SPOOL_NO_MEMORY, "no memory for HTTP requests");
    }
    *out = h;
    return SPOOL_OK;
}

static void multi_closed(void *arg)
{
    struct http *h = arg;
    void (*closed)(void *) = h->closed;
    void *closed_arg = h->closed_arg;
    free_http(h);
    if (closed != NULL) {
        closed(closed_arg);
    }
}

void http_destroy(struct http *h, void (*closed)(void *arg), void *arg)
{
    assert(!h->closing);
    h->closing = true;
    h->closed = closed;
    h->closed_arg = arg;
    while (h->posts != NULL) {
        http_cancel(h, h->posts);
    }
    multi_destroy(h->multi, multi_closed, h);
}
