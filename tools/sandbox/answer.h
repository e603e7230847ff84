/* The bytes of an answer, as they should be or as a fault wants them. */
#ifndef SANDBOX_ANSWER_H
#define SANDBOX_ANSWER_H

#include <stdint.h>

#include "base/buffer.h"
#include "fault.h"
#include "text.h"

enum deed {
    DEED_ANSWER, /* send the bytes */
    DEED_CLOSE,  /* close without a word */
    DEED_RESET,  /* the same with a TCP reset */
    DEED_HANG,   /* keep the connection and say nothing */
    DEED_STALL   /* the same, and read nothing more */
};

/* What a connection has to do about a request. */
struct plan {
    enum deed deed;
    struct buffer bytes; /* to be sent; its memory is used again */
    const char *forever; /* then this over and over; NULL: nothing */
    bool is_http;        /* the bytes begin with the answer's status line */
    bool close;          /* behind the bytes */
    uint64_t delay_ms;   /* before the deed */
    uint64_t drip;       /* bytes a second; 0: all at once */
};

enum answer_body {
    ANSWER_EMPTY,
    ANSWER_SUCCESS, /* the API's, with a list per event */
    ANSWER_ERROR,   /* the API's, with code */
    ANSWER_WORDS,   /* text/plain, one sentence */
    ANSWER_PAGE,    /* text/html */
    ANSWER_JSON     /* the text, as it is */
};

struct answer {
    int http;
    enum answer_body body;
    const char *code; /* statusCode, or NULL */
    struct text text; /* of ANSWER_WORDS and ANSWER_JSON */
    size_t events;    /* in the request */
    uint64_t n;       /* number of the request */
    int64_t at_ms;
    bool keep_alive;
    bool no_body; /* the answer to a HEAD request */
};

/* Puts the answer into plan->bytes and sets all other members of the plan.
 * strike may be NULL. body is scratch. */
void answer_write(const struct answer *a, const struct strike *strike,
                  struct buffer *body, struct plan *plan);

/* Ends a head with Content-Length and the empty line, and adds the body. */
void answer_frame(struct buffer *out, const struct buffer *body,
                  const struct answer *a);

#endif
