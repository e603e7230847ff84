/* The bounds of a request: what libcurl may do for it, for how long, and with
 * whom. With http.c and multi.c the only file that knows libcurl. */
#ifndef DELIVERY_BOUNDS_H
#define DELIVERY_BOUNDS_H

#include <stdbool.h>

#include <curl/curl.h>

#include "delivery/http.h"

/* Refuses what libcurl would only find out later, and what it would let
 * through: a login in the URL, a header that is two. SPOOL_MISUSE. */
enum spool_status bounds_check(const struct http_request *request,
                               struct spool_error *err);

/* Protocols, times, and that certificates are verified; false without memory.
 * What is not set there stays off by itself: cookies, .netrc, decompression of
 * answers. */
bool bounds_set(CURL *easy, const struct http_options *o);

/* Whom to trust, who we are, and by which proxy. */
bool bounds_set_peer(CURL *easy, const struct http_request *r);

#endif
