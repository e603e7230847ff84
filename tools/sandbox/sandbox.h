/* The endpoint itself: takes requests as the parser delivers them and says
 * what is to be done, by the API's rules and the faults that are set. Knows no
 * socket. One thread. */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdint.h>

#include "answer.h"
#include "base/clock.h"
#include "request.h"

struct sandbox;

struct sandbox_options {
    const char *api_key; /* NULL: any key will do; borrowed */
    const char *origin;  /* NULL: any Origin will do; borrowed */
    const char *log;     /* path of the journal, or NULL; borrowed */
    bool dedupe;         /* honour Idempotency-Key */
    const struct clock *clock;
};

/* Where a request has come from. */
struct arrival {
    uint64_t connection;    /* number of the connection, from 1 */
    uint64_t on_connection; /* number of the request on it, from 1 */
};

/* What to do once a request's head is there. */
enum sandbox_step {
    STEP_READ_BODY,
    STEP_READ_HALF, /* carry out the plan after half the body */
    STEP_ACT        /* carry out the plan at once; the body stays unread */
};

/* Takes over faults, which is empty afterwards. */
enum spool_status sandbox_create(const struct sandbox_options *options,
                                 struct faults *faults, struct sandbox **out,
                                 struct spool_error *err) SPOOL_MUST_CHECK;
void sandbox_destroy(struct sandbox *s);

/* A connection was accepted: DEED_ANSWER to go on with it, or DEED_CLOSE or
 * DEED_RESET. *number is the connection's, from 1. */
enum deed sandbox_connected(struct sandbox *s, uint64_t *number);

/* The plan is filled unless the step is STEP_READ_BODY. *hold_continue: do not
 * send 100 Continue. */
enum sandbox_step sandbox_head(struct sandbox *s, const struct request *r,
                               const struct arrival *arrival, struct plan *plan,
                               bool *hold_continue);

/* The whole request is there. */
void sandbox_request(struct sandbox *s, const struct request *r,
                     struct text body, const struct arrival *arrival,
                     struct plan *plan);

/* What came was not HTTP; r is NULL when it was the head. */
void sandbox_broken(struct sandbox *s, const struct request *r,
                    const struct complaint *complaint,
                    const struct arrival *arrival, struct plan *plan);

/* The client left before its body was whole. */
void sandbox_abandoned(struct sandbox *s, const struct request *r,
                       const struct arrival *arrival);

/* One line on what has been done, without a line break. */
void sandbox_summary(const struct sandbox *s, char *out, size_t size);

/* Whether a line of the journal could not be written: time to give up. */
bool sandbox_failed(const struct sandbox *s, struct spool_error *why);

#endif
