/* A flight: one request for one batch, from the post to what the reply means
 * for the batch. */
#ifndef DELIVERY_FLIGHT_H
#define DELIVERY_FLIGHT_H

#include "base/random.h"
#include "delivery/flusher.h"
#include "delivery/verdict.h"

struct flight {
    struct batch batch; /* owned; n is 0 when there is no flight */
    bool landed;        /* s says what became of it */
    struct settlement s;
    struct judgement judgement;
    char answer[2048];
    int64_t wait_ms; /* until the next try, to report */
    /* While it flies. */
    const struct flusher_options *options;
    struct rng *rng;
    const struct destination *destination; /* the lane's: as it is now */
    struct http_post *post;
    char *secrets; /* of the request, not to be kept from an answer */
    int64_t sent_at;
    void (*done)(void *arg);
    void *arg;
};

/* Takes over the batch and sends it; d is borrowed until it has landed and may
 * change meanwhile; done is called once it has landed, never
 * from inside this call. If it cannot even be tried it has landed when this
 * returns false: its destination is to be held, with the reason, since that is
 * where the cause lies. */
bool flight_start(struct flight *f, const struct flusher_options *options,
                  struct http *http, struct rng *rng,
                  const struct destination *d, struct batch *batch,
                  void (*done)(void *arg), void *arg);

/* Ends it without an answer, landed as uncertain; done is not called. */
void flight_abort(struct flight *f, struct http *http);

/* Frees the batch; there is no flight then. Safe twice. */
void flight_finish(struct flight *f);

#endif
