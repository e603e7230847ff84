/* Flushers: deliver what was put.
 *
 * A flusher takes batches out of the spool and sends them to each destination
 * until it is stopped. There is one a spool at a time, over all processes, by a
 * kernel lock. It uses libuv's thread pool and has one thread that reads ahead
 * of what is sent, installs no signal handler and prints nothing: it reports.
 *
 * The threads it starts take no signal of the program's. On a loop or a thread
 * of the caller's the program must ignore SIGPIPE, which a TLS library may
 * raise.
 *
 * Once a flusher or a flush has run in a process, a child that is forked from
 * it ends with _exit or an exec: exit, or a return from main, has libuv wait
 * there for its pool's threads, which the child does not have, and crashes. */
#ifndef SPOOL_FLUSHER_H
#define SPOOL_FLUSHER_H

#include <stdint.h>

#include "spool/error.h"
#include "spool/spool.h"

#ifdef __cplusplus
extern "C" {
#endif

struct uv_loop_s;
struct spool_flusher;

enum spool_report_kind {
    SPOOL_REPORT_DELIVERED, /* a batch arrived */
    SPOOL_REPORT_RETRY,     /* it did not; again in wait_ms */
    SPOOL_REPORT_UNCERTAIN, /* it may have; again in wait_ms, same bytes, same
                               Idempotency-Key */
    SPOOL_REPORT_SPLIT,     /* it was refused and waits as two halves */
    SPOOL_REPORT_DEAD,      /* its one event was refused and is set aside */
    SPOOL_REPORT_HELD,      /* the endpoint or the account is at fault; nothing
                               was consumed, probe in wait_ms */
    SPOOL_REPORT_RESUMED,   /* a held destination runs again */
    SPOOL_REPORT_DAMAGED,   /* rows whose checksum is wrong were set aside */
    SPOOL_REPORT_TROUBLE,   /* the spool file could not be used; again in
                               wait_ms */
    SPOOL_REPORT_STOPPED    /* the flusher ended by itself: reason says why */
};

/* Borrowed for the call. Texts are "" when there is nothing to say. */
struct spool_report {
    enum spool_report_kind kind;
    const char *destination;
    int64_t first_id, last_id; /* of the batch, 0 when none is meant */
    int64_t events;
    int http;           /* status, 0 without a response */
    const char *code;   /* short: HTTP 503, BAD_INPUT, TLS ... */
    const char *reason; /* a sentence */
    int64_t wait_ms;    /* until the next try; -1 when none is set */
};

struct spool_flusher_options {
    /* The caller's loop, on whose thread the flusher then runs; NULL: a thread
     * of its own. */
    struct uv_loop_s *loop;
    /* Called on the flusher's thread; must not block, must not call back into
     * the flusher. NULL: nobody wants to know. */
    void (*report)(void *arg, const struct spool_report *report);
    void *arg;
    int64_t connect_timeout_ms; /* both more than 0 */
    int64_t request_timeout_ms; /* whole request, answer included */
    /* How long events stay in the file once every destination has delivered
     * them (or they were purged): to be looked at, and replayed. -1: a day. */
    int64_t keep_ms;
    /* Of spool_flush: 1: SIGINT and SIGTERM, unless they are ignored, end it as
     * its timeout does. From then on they do what they did before: a second one
     * is not held up. */
    int end_on_signals;
};

/* What options that are NULL stand for, and what own ones begin with: on a
 * thread of its own, 10 s to connect, 30 s for a request, a day. */
SPOOL_EXPORT void
spool_flusher_options_default(struct spool_flusher_options *options);

/* Starts delivering to all destinations, those included that are added later.
 * The spool must stay open until the flusher has stopped. Call once before
 * other threads are started in the process: it initialises libcurl.
 * SPOOL_HELD names the process that flushes this spool already.
 *
 * With a loop of the caller's, call on its thread; it returns at once and the
 * work is done while the loop runs. */
SPOOL_EXPORT SPOOL_MUST_CHECK enum spool_status
spool_flusher_start(struct spool *spool,
                    const struct spool_flusher_options *options,
                    struct spool_flusher **out, struct spool_error *err);

/* Stops after the requests under way, which have five seconds; what has no
 * answer then is uncertain and goes out again at the next start. Frees the
 * flusher. NULL is a no-op, and so is the whole call in a forked child.
 *
 * With a thread of its own: blocks until it has ended; stopped (NULL allowed)
 * is called before it returns. With a loop of the caller's: returns at once, on
 * the loop's thread, and stopped is called from the loop when nothing of the
 * flusher is left in it. */
SPOOL_EXPORT void spool_flusher_stop(struct spool_flusher *flusher,
                                     void (*stopped)(void *arg), void *arg);

/* Delivers in the foreground, on this thread, until nothing is deliverable:
 * everything has arrived, or is dead, or its destination is paused. What waits
 * for a retry or is held by a fault is tried at once and then waited for until
 * timeout_ms is over; a negative timeout means until nothing has been
 * delivered for 30 s. name NULL: all destinations.
 *
 * SPOOL_OK when everything accepted is delivered (or purged), SPOOL_UNFINISHED
 * with a sentence when something is left: dead events included, and those of a
 * damaged file that spoolctl recover has not put back. */
SPOOL_EXPORT SPOOL_MUST_CHECK enum spool_status
spool_flush(struct spool *spool, const char *name, int64_t timeout_ms,
            const struct spool_flusher_options *options,
            struct spool_error *err);

#ifdef __cplusplus
}
#endif

#endif
