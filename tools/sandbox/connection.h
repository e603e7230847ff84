/* One client's connection: reads requests, has the sandbox judge them, carries
 * out the plans. Frees itself once it is closed. */
#ifndef SANDBOX_CONNECTION_H
#define SANDBOX_CONNECTION_H

#include <uv.h>

#include "sandbox.h"

struct connection;

/* The connections that are open. */
struct connections {
    struct connection *first;
};

/* Accepts the connection that waits at listener. A failure is the client's
 * problem alone. */
void connection_accept(uv_stream_t *listener, struct sandbox *sandbox,
                       struct connections *all);

void connections_close(struct connections *all);

#endif
