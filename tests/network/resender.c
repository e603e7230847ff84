#include "network/resender.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS_MAX 32

struct again {
    struct http *h;
    struct http_request request;
    char *url;
    char *headers[HEADERS_MAX + 1];
    http_done *done;
    void *arg;
};

static void free_again(struct again *a)
{
    for (size_t i = 0; a->headers[i] != NULL; i++) {
        free(a->headers[i]);
    }
    free(a->url);
    free(a);
}

static void second_reply(void *arg, const struct reply *reply)
{
    struct again *a = arg;
    a->done(a->arg, reply);
    free_again(a);
}

static void first_reply(void *arg, const struct reply *reply)
{
    struct again *a = arg;
    if (reply->transport != TRANSPORT_LOST ||
        http_post(a->h, &a->request, second_reply, a, NULL, NULL) != SPOOL_OK) {
        second_reply(arg, reply);
    }
}

static enum spool_status post(struct http *h,
                              const struct http_request *request,
                              http_done *done, void *arg,
                              struct http_post **out, struct spool_error *err)
{
    struct again *a = calloc(1, sizeof *a);
    assert(a != NULL);
    a->h = h;
    a->request = *request;
    a->url = strdup(request->url);
    for (size_t i = 0; request->headers[i] != NULL; i++) {
        assert(i < HEADERS_MAX);
        a->headers[i] = strdup(request->headers[i]);
    }
    a->request.url = a->url;
    a->request.headers = (const char *const *)a->headers;
    a->done = done;
    a->arg = arg;
    enum spool_status status = http_post(h, request, first_reply, a, out, err);
    if (status != SPOOL_OK) {
        free_again(a);
    }
    return status;
}

const struct sender_ops sender_resending = {http_create, post, http_cancel,
                                            http_destroy};
