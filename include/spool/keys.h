/* Keys: names for visitors and their sessions (userId, sessionId), from the
 * endpoint or made here.
 *
 * The events API gives them out at GET /get/key. A till that cannot reach it
 * makes its own, of the same form, and goes on: either kind does for a user as
 * for a session, and no two keys are alike. */
#ifndef SPOOL_KEYS_H
#define SPOOL_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "spool/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SPOOL_KEY_SIZE 65   /* of a key, its NUL included */
#define SPOOL_KEYS_MAX 1000 /* of one request */

/* Makes a key as the endpoint does: a 64-bit number with its sign in decimal,
 * never 0, which nobody can guess. Any thread. SPOOL_IO, with out untouched,
 * when the kernel gives no random bytes. */
SPOOL_EXPORT SPOOL_MUST_CHECK enum spool_status
spool_make_key(char out[SPOOL_KEY_SIZE]);

/* Asks the endpoint for n keys, 1 to SPOOL_KEYS_MAX. url is that of its data
 * center, or a destination's, for which the same rules hold; origin is sent as
 * the Origin header, NULL or "": none. Each key is of 1 to 64 visible ASCII
 * characters other than " and \, so it stands in JSON as it is.
 *
 * Blocks for at most timeout_ms, more than 0; runs a loop of its own, so any
 * thread may call it. The first call in a process must come before other
 * threads are started: it initialises libcurl, as spool_flusher_start does.
 *
 * SPOOL_IO when the endpoint was not reached in that time or did not answer
 * with n keys: the sentence says which, and spool_make_key is the way on.
 * SPOOL_MISUSE for a wrong url, origin, n or time. out is filled with SPOOL_OK
 * only. */
SPOOL_EXPORT SPOOL_MUST_CHECK enum spool_status
spool_fetch_keys(const char *url, const char *origin, size_t n,
                 char (*out)[SPOOL_KEY_SIZE], int64_t timeout_ms,
                 struct spool_error *err);

#ifdef __cplusplus
}
#endif

#endif
