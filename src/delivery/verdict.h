/* What an endpoint's reply means for the batch that was sent: pure functions,
 * no clock, no socket. The table is in design order: transport, HTTP status,
 * the API's own code in the body. */
#ifndef DELIVERY_VERDICT_H
#define DELIVERY_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the request ended, as far as the network goes. */
enum transport {
    TRANSPORT_OK,          /* a whole response arrived */
    TRANSPORT_UNSENT,      /* no body byte left this process: nothing can have
                              been processed (no connection, DNS, timeout) */
    TRANSPORT_UNTRUSTED,   /* TLS: the peer is not who it should be, or the file
                              that says so cannot be used */
    TRANSPORT_UNNAMED,     /* TLS: what says who we are cannot be used */
    TRANSPORT_TURNED_AWAY, /* TLS: the peer refused us. Under TLS 1.3 body bytes
                              may have left before it did, but it read none */
    TRANSPORT_LOST         /* body bytes went out, no whole usable response came
                              back: the batch may have been processed */
};

/* One response, as http.c hands it over. Borrowed for the call. */
struct reply {
    enum transport transport;
    int curl;                 /* CURLcode, for the record only */
    int http;                 /* final status; 0 unless its whole header came,
                                 whatever became of the body */
    const char *content_type; /* "" when absent */
    const char *retry_after;  /* the header's text, NULL when absent */
    const char *date;         /* the Date header's text, NULL when absent */
    const char *body;         /* at most HTTP_BODY_LIMIT bytes; never NULL */
    size_t body_len;
    bool body_cut;     /* the answer was longer than the limit */
    const char *error; /* words about the transport, "" when none;
                          never holds a URL with a query */
    int64_t duration_ms;
};

enum verdict {
    VERDICT_DELIVERED,
    VERDICT_RETRY,     /* not processed; try again later */
    VERDICT_UNCERTAIN, /* may have been processed; try again later */
    VERDICT_REFUSED,   /* the content was refused: split, or set aside */
    VERDICT_HOLD       /* endpoint or account at fault: hold, probe */
};

enum profile { PROFILE_SEGMENTIFY, PROFILE_JSON };

#define JUDGEMENT_CODE_SIZE   64
#define JUDGEMENT_REASON_SIZE 200

struct judgement {
    enum verdict verdict;
    bool unknown_code;              /* the API answered with a code nobody has
                                       told us of; the caller counts them */
    int64_t retry_after_ms;         /* -1 when the endpoint named no time; else
                                       clamped to 0..24 h */
    char code[JUDGEMENT_CODE_SIZE]; /* API code, "HTTP 503", "TLS", ... */
    char reason[JUDGEMENT_REASON_SIZE]; /* one sentence for the operator,
                                           control bytes replaced */
};

/* A batch may meet an unknown API code this often before it counts as
 * refused. */
#define UNKNOWN_CODE_RETRIES 3

/* Judges the reply to a batch that got an unknown code `unknown_before` times
 * in a row already. wall_ms is now, for Retry-After dates. Any thread.
 *
 * A status other than 2xx decides as soon as its header is whole, even when
 * the rest was lost. With PROFILE_JSON a 2xx is delivered, whatever its body,
 * except a web page. With PROFILE_SEGMENTIFY the body of a 2xx decides:
 *   empty                       delivered: the status is all there is
 *   JSON object                 by its top-level "statusCode"; none, null and
 *                               "SUCCESS" are delivered; one that is no text
 *                               is uncertain
 *   longer than the limit       delivered if it began as a JSON object and no
 *                               other code was in sight: only an answer with
 *                               recommendations grows long, and to call it
 *                               uncertain would resend the batch for ever
 *   a web page                  hold: somebody else answered
 *   anything else               uncertain
 * A 2xx whose body broke off on the way is uncertain in both profiles. */
void judge(enum profile profile, const struct reply *reply,
           unsigned unknown_before, int64_t wall_ms, struct judgement *out);

/* Retry-After in both forms of RFC 9110 10.2.3, clamped to 0..24 h (a date that
 * has passed is 0); -1 when it cannot be read, which a fraction, a sign, an
 * exponent or a list makes it. text has no space around it. date is the
 * response's Date header or NULL: with it an HTTP date is taken relative to the
 * endpoint's clock, not ours. */
int64_t retry_after_ms(const char *text, const char *date, int64_t wall_ms);

#endif
