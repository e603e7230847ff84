/* HTTP requests over libcurl on a libuv loop: with multi.c and bounds.c the
 * only file that knows libcurl.
 *
 * libcurl sends a POST again by itself when a reused connection dies before
 * the answer. Here the body goes through a read callback without a seek
 * callback, so that such a resend fails instead (CURLE_SEND_FAIL_REWIND) and
 * is reported as TRANSPORT_LOST: the body of one http_post leaves at most once.
 *
 * An answer is bounded in time, header (64 KiB) and body (HTTP_BODY_LIMIT); it
 * is never decompressed and no redirect, proxy variable, cookie or .netrc is
 * heeded. Certificates are always verified. What the environment says about
 * proxies and about writing TLS secrets to a file (SSLKEYLOGFILE) counts for
 * nothing.
 *
 * Everything runs on the loop's thread; nothing here may be called from
 * another. The program ignores SIGPIPE: a TLS library may raise it. */
#ifndef DELIVERY_HTTP_H
#define DELIVERY_HTTP_H

#include "delivery/verdict.h"
#include "spool/error.h"

#define HTTP_BODY_LIMIT ((size_t)64 * 1024)

struct uv_loop_s;
struct http;      /* a pool of connections on one loop */
struct http_post; /* one request under way */

struct http_options {
    long connect_timeout_ms;
    long total_timeout_ms; /* from start to the last byte of the answer */
    long idle_max_s;       /* a kept-alive connection older than this is not
                              used again */
    long trust_max_s;      /* how long a certificate store, or a connection in
                              constant use, may live on; 0: five minutes */
};

struct http_request {
    const char *url;            /* whole, key included; copied */
    const char *const *headers; /* "Name: value", NULL-terminated; copied */
    const void *body;           /* borrowed until the callback; NULL: a GET,
                                   which has none and changes nothing there,
                                   so that it is never TRANSPORT_LOST */
    size_t body_len;            /* more than 0, unless it is a GET */
    /* NULL: the system's, or none. Copied. */
    const char *ca_file;
    const char *client_cert; /* PEM */
    const char *client_key;  /* PEM; NULL: it is in client_cert */
    const char *proxy;       /* http://HOST:PORT or socks5h://HOST:PORT */
};

/* reply and all it points to is valid during the call only. The post is over:
 * it must not be cancelled any more. Anything else is allowed here, starting a
 * request and http_destroy included. */
typedef void http_done(void *arg, const struct reply *reply);

/* Call once, before any thread is started (curl_global_init). The environment
 * is changed during the call, and afterwards as it was. */
enum spool_status http_global_init(struct spool_error *err);

enum spool_status http_create(struct uv_loop_s *loop,
                              const struct http_options *options,
                              struct http **out, struct spool_error *err);

/* Either fails at once and never calls back, or returns OK and calls done
 * exactly once, later, never from inside this call. SPOOL_MISUSE: the URL is
 * none of http or https, or holds a login; a header holds a line break; the
 * body is there but empty. out may be NULL. */
enum spool_status http_post(struct http *h, const struct http_request *request,
                            http_done *done, void *arg, struct http_post **out,
                            struct spool_error *err);

/* Ends the request and its connection; done is never called. The body is the
 * caller's again. */
void http_cancel(struct http *h, struct http_post *post);

/* Cancels what is under way and closes; closed (NULL allowed) is called once
 * the loop holds nothing of it any more, and h is freed by then. */
void http_destroy(struct http *h, void (*closed)(void *arg), void *arg);

#endif
