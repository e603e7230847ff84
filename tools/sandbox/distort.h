/* Answers that are wrong as HTTP, or none at all: what each such fault does to
 * the bytes. */
#ifndef SANDBOX_DISTORT_H
#define SANDBOX_DISTORT_H

#include "answer.h"

/* Faults that leave no answer, or nothing that is one. False: the fault is
 * none of those, and the plan is untouched. */
bool distort_deed(const struct fault *fault, struct plan *plan);

/* plan->bytes holds the head but for its end; adds the rest in the fault's own
 * way, for which it may change body. False, with nothing changed: the fault
 * has no way of its own. */
bool distort_answer(const struct fault *fault, const struct answer *a,
                    struct buffer *body, struct plan *plan);

#endif
