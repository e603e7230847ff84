/* A pool of delivery/http.h on a loop of its own, for tests: posts, and keeps
 * a copy of the last reply. */
#ifndef SUPPORT_CLIENT_H
#define SUPPORT_CLIENT_H

#include <uv.h>

#include "delivery/http.h"

/* A secret in each URL that must not come back out. */
#define CLIENT_KEY "S3CRETKEY"

struct client {
    uv_loop_t loop;
    struct http *http; /* NULL once destroyed */
    struct http_options options;
    char url[128];       /* with the key in its query */
    const char *ca_file; /* NULL: the system's */
    const char *client_cert, *client_key, *proxy; /* NULL: none */
    int replies;
    int closings;
    struct reply reply; /* the last; its pointers lead into what follows */
    char content_type[128], retry_after[128], date[128], error[512];
    char body[HTTP_BODY_LIMIT];
};

/* With generous timeouts; change options before the first request. */
void client_init(struct client *c);

/* scheme is "http" or "https". */
void client_aim(struct client *c, const char *scheme, const char *host,
                int port);

/* Starts a request; fails the test if that fails. */
struct http_post *client_start(struct client *c, const void *body, size_t len);

/* Runs the loop until n replies have come in all. */
void client_wait(struct client *c, int n);

/* Starts a request with a text as its body and waits for the reply. */
const struct reply *client_ask(struct client *c, const char *body);

/* Runs the loop until fd is readable, and not once more. */
void client_wait_for_fd(struct client *c, int fd);

/* Destroys the pool and fails the test if it leaves something in the loop. */
void client_finish(struct client *c);

#endif
