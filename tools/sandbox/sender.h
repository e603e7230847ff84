/* Sending a plan's bytes: at once, in drips, or without an end. */
#ifndef SANDBOX_SENDER_H
#define SANDBOX_SENDER_H

#include <uv.h>

#include "answer.h"

enum sending { SENDING_DONE, SENDING_GOES_ON, SENDING_FAILED };

/* The handles are the connection's, which also closes them. */
struct sender {
    uv_stream_t *stream;
    uv_timer_t *timer; /* its data is this sender while sending goes on */
    /* Called once, and only after SENDING_GOES_ON: DONE or FAILED. May come
     * after the stream was closed. */
    void (*finished)(struct sender *s, enum sending how);

    const struct plan *plan;
    size_t sent;
    struct buffer endless; /* plan->forever, repeated */
    uv_write_t write;
};

/* The plan must stay as it is until sending is over. */
enum sending sender_start(struct sender *s, const struct plan *plan);

/* Once the stream is closed. */
void sender_finish(struct sender *s);

#endif
