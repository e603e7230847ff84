/* Reading an HTTP/1.1 request: a small strict parser of our own, since a
 * server library would neither let the sandbox misbehave nor refuse what RFC
 * 9112 tells a server to refuse. Pure: no socket, no allocation. */
#ifndef SANDBOX_REQUEST_H
#define SANDBOX_REQUEST_H

#include <stdint.h>

#include "base/buffer.h"
#include "text.h"

#define REQUEST_HEAD_LIMIT ((size_t)64 * 1024)
#define REQUEST_BODY_LIMIT ((size_t)16 * 1024 * 1024)

/* Everything points into the bytes that were parsed. */
struct request {
    struct text method;
    struct text path;  /* from its last leading slash on: //add is /add */
    struct text query; /* behind the '?'; empty when there is none */
    struct text host;
    struct text api_key; /* X-Sfy-Api-Key */
    struct text origin;
    struct text idempotency_key;
    size_t head_len; /* bytes up to and including the empty line */
    size_t body_len; /* Content-Length; 0 when there is none */
    bool has_length;
    bool chunked;
    bool keep_alive;
    bool wants_continue; /* Expect: 100-continue */
};

enum parsed { PARSED_PARTLY, PARSED_WHOLE, PARSED_BAD };

/* Why a request was not HTTP as it should be. */
struct complaint {
    int http;        /* status to answer with before closing */
    const char *why; /* static sentence */
};

/* Looks for a whole head in the first len bytes. *scanned (0 for a new
 * request) remembers how far earlier calls came. Only PARSED_WHOLE fills *out;
 * only PARSED_BAD fills *complaint. */
enum parsed request_parse(const char *data, size_t len, size_t *scanned,
                          struct request *out, struct complaint *complaint);

/* The value of a query parameter, percent-decoded into out (NUL-terminated).
 * False when it is absent, does not fit or is not well encoded. */
bool request_parameter(const struct request *r, const char *name, char *out,
                       size_t size);

/* A chunked body on its way. Zeroed is ready. */
struct chunked {
    enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_END, CHUNK_TRAILER } state;
    uint64_t left;   /* of the chunk being read */
    size_t line_len; /* of the line being read */
    bool digits;     /* the size line has begun with a digit */
    bool extension;  /* past the digits of the size line */
    bool cr;         /* the last byte was a CR */
};

/* Decodes into body (whose limit is the caller's) and says in *used how many
 * bytes belonged to the body. */
enum parsed chunked_decode(struct chunked *c, const char *data, size_t len,
                           size_t *used, struct buffer *body,
                           struct complaint *complaint);

#endif
