/* Before something is done that cannot be undone. */
#ifndef SPOOLCTL_ASK_H
#define SPOOLCTL_ASK_H

#include "ctl.h"

/* Up to this many events a y will do; above, the number is typed. */
#define ASK_YES_MAX 1000

/* DONE: go on. On a terminal the answer decides (FAILED: no), elsewhere --yes
 * must have been given (USAGE). number: what must be typed; 0: y. */
enum ending ask(const struct ctl *ctl, const char *question, int64_t number);

#endif
