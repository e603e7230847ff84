/* Sizes as people write them: 500M, 2 GiB, 1048576. Pure. */
#ifndef SPOOLCTL_SIZE_H
#define SPOOLCTL_SIZE_H

#include <stdbool.h>
#include <stdint.h>

/* K, M, G and T count in 1024s, with B or iB behind them or not; "none" is 0.
 * False, and *out as it was, when it is no size. */
bool size_parse(const char *text, int64_t *out);

#endif
