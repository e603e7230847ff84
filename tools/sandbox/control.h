/* /sandbox/...: looking at the sandbox and changing its faults while it runs.
 * These requests are neither numbered nor logged, and no fault strikes them. */
#ifndef SANDBOX_CONTROL_H
#define SANDBOX_CONTROL_H

#include "state.h"

void control_request(struct sandbox *s, const struct request *r,
                     struct text body, struct plan *plan);

#endif
