/* A mistake for the endpoint test to notice: what got no answer is sent once
 * more without telling anybody. */
#ifndef NETWORK_RESENDER_H
#define NETWORK_RESENDER_H

#include "delivery/flusher.h"

/* A request that was sent again cannot be cancelled. */
extern const struct sender_ops sender_resending;

#endif
