/* Answers: what the endpoint said to an event, for the producer that waits for
 * it in the process that also runs the flusher.
 *
 * The events API answers a batch with a list of recommendations and campaigns
 * for each event. Whoever wants those of an event puts it with spool_put_wait.
 */
#ifndef SPOOL_ANSWER_H
#define SPOOL_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "spool/error.h"
#include "spool/spool.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The event's part of the endpoint's answer to its batch: JSON arrays, as the
 * bytes that the endpoint wrote, NUL-terminated. NULL: the answer has none. */
struct spool_answer {
    char *responses;
    char *campaigns;
    char *search;
    /* "" or the endpoint's words about an event that it did not take. */
    char code[64];
    /* A sentence: why there is no answer though the event was delivered, or
     * what became of it instead; else "". */
    char reason[400];
};

/* Puts an event as spool_put does, then waits until the named destination has
 * delivered it, but no longer than timeout_ms behind the put. The event is on
 * disk before it is waited for, and *receipt says what became of the put,
 * whatever this returns:
 *
 *   SPOOL_OK          delivered. *answer holds its part of the answer. That is
 *                     empty, and reason says why, when another process's
 *                     flusher delivered it, when it was a duplicate of an event
 *                     delivered before, when the answer was longer than the 64
 *                     KiB that are kept of one (smaller batches give shorter
 *                     ones), and when it does not hold one list for each event.
 *   SPOOL_TIMEOUT     not delivered yet: it will be, like any other event.
 *   SPOOL_UNFINISHED  it will not be: it is dead (code and reason are the
 *                     endpoint's), an operator purged it, the destination
 *                     does not take such events, or it is a duplicate of an
 *                     event that was settled so long ago that it is no longer
 *                     kept (spool_order tells of a purchase).
 *   SPOOL_NOT_FOUND   there is no such destination; nothing was put.
 *   SPOOL_MISUSE      timeout_ms is negative; nothing was put.
 *   any other         as spool_put: it was not accepted, or that is unknown.
 *
 * A duplicate of an event that waits is waited for like a new one. The answer
 * comes as soon as the endpoint has given it; what spool_stats and the spool's
 * other readers see follows with the flusher's next commit.
 *
 * options, receipt and err may be NULL. *answer is overwritten, and to be
 * finished whatever is returned. Any thread and any number of them, but never
 * the one whose loop the flusher runs on: it would wait for itself. A batch
 * that is not full waits for more events before it leaves, so timeout_ms should
 * be well above the destination's batch age. */
SPOOL_EXPORT SPOOL_MUST_CHECK enum spool_status
spool_put_wait(struct spool *spool, const char *json, size_t len,
               const struct spool_put_options *options, const char *destination,
               int64_t timeout_ms, struct spool_receipt *receipt,
               struct spool_answer *answer, struct spool_error *err);

/* Frees the texts and empties it. Safe twice. */
SPOOL_EXPORT void spool_answer_finish(struct spool_answer *answer);

#ifdef __cplusplus
}
#endif

#endif
