/* The flusher: takes batches out of the outbox and sends them until it is
 * stopped. It knows the outbox by its headers alone, the network by a table of
 * calls and the time by the outbox's clock and the loop's timers.
 *
 * Everything runs on the loop's thread; what blocks on the disk runs on
 * libuv's thread pool, reading ahead on a thread of its own. */
#ifndef DELIVERY_FLUSHER_H
#define DELIVERY_FLUSHER_H

#include "delivery/http.h"
#include "outbox/batch.h"
#include "outbox/outbox.h"
#include "spool/flusher.h"

struct flusher;

/* How requests are made: http.h's functions, or a test's. */
struct sender_ops {
    enum spool_status (*create)(struct uv_loop_s *loop,
                                const struct http_options *options,
                                struct http **out, struct spool_error *err);
    enum spool_status (*post)(struct http *h,
                              const struct http_request *request,
                              http_done *done, void *arg,
                              struct http_post **out, struct spool_error *err);
    void (*cancel)(struct http *h, struct http_post *post);
    void (*destroy)(struct http *h, void (*closed)(void *arg), void *arg);
};

extern const struct sender_ops sender_http;

struct flusher_options {
    struct outbox *box;     /* borrowed until stopped */
    struct uv_loop_s *loop; /* likewise */
    const struct sender_ops *sender;
    const char *only; /* a destination's name; NULL all; copied */
    /* In the foreground it does not wait for batches to fill or age, tries
     * what waits for a retry or a probe at once, and calls idle when it has
     * nothing to do: everything is settled or paused. */
    bool foreground;
    void (*idle)(void *arg);
    void (*report)(void *arg, const struct spool_report *report);
    void *arg;
    /* NULL, or called for each batch that arrived, as soon as the answer is
     * here and before it is settled. On the loop's thread; all is borrowed for
     * the call, which must not block. */
    void (*landed)(void *landed_arg, const struct destination *d,
                   const struct batch *b, const struct reply *reply);
    void *landed_arg;
    struct http_options http;
    int64_t stop_grace_ms; /* for requests under way when it is stopped */
    int64_t keep_ms; /* delivered events stay in the log; -1: the default. In
                        the foreground the caller tidies */
};

/* Takes the flusher's lock. On failure nothing is left of it in the loop. */
enum spool_status flusher_start(const struct flusher_options *options,
                                struct flusher **out, struct spool_error *err);

/* stopped (NULL allowed) is called once the loop holds nothing of it any more
 * and the lock is free; f is freed by then. Also after a REPORT_STOPPED. */
void flusher_stop(struct flusher *f, void (*stopped)(void *arg), void *arg);

#endif
