/* libcurl's multi interface on a libuv loop: which sockets to watch, when to
 * wake, which transfers have ended. With http.c and bounds.c the only
 * file that knows libcurl. Everything runs on the loop's thread. */
#ifndef DELIVERY_MULTI_H
#define DELIVERY_MULTI_H

#include <stdbool.h>

#include <curl/curl.h>

struct uv_loop_s;
struct multi;

/* A transfer has ended and is out of the pool; easy is its owner's again. Runs
 * on the loop, never inside a call of libcurl or of the owner's, and may do
 * anything here, multi_destroy included. */
typedef void multi_finished(CURL *easy, CURLcode result);

/* NULL without memory. */
struct multi *multi_create(struct uv_loop_s *loop, multi_finished *finished);

/* Starts a transfer; false if libcurl does not take it, finished is not called
 * then. */
bool multi_add(struct multi *m, CURL *easy);

/* Takes a transfer out; one that has not ended loses its connection, and
 * finished is not called for it. */
void multi_remove(struct multi *m, CURL *easy);

/* Closes the pooled connections. No transfer may be left in it. closed is
 * called once the loop holds nothing of m any more; m is freed by then. */
void multi_destroy(struct multi *m, void (*closed)(void *arg), void *arg);

#endif
