/* The two mistakes of a flusher that the crash test must notice, made on the
 * way to the network. */
#ifndef CRASH_SENDER_H
#define CRASH_SENDER_H

#include "delivery/flusher.h"

/* Calls a batch delivered before its answer has come. */
extern const struct sender_ops sender_hasty;

/* Sends every batch two times over, as a client library may by itself. */
extern const struct sender_ops sender_twice;

#endif
