/* The listening socket and its connections on a libuv loop. */
#ifndef SANDBOX_SERVER_H
#define SANDBOX_SERVER_H

#include "sandbox.h"
#include "spool/error.h"

struct uv_loop_s;
struct server;

/* Listens on 127.0.0.1; port 0 means any free one. *bound is the port it got.
 * The sandbox is borrowed until the server has stopped. */
enum spool_status server_start(struct uv_loop_s *loop, struct sandbox *sandbox,
                               unsigned port, struct server **out,
                               unsigned *bound,
                               struct spool_error *err) SPOOL_MUST_CHECK;

/* Closes everything; the loop runs out of the server's handles by itself. Then
 * the server may be freed. A second call does nothing. */
void server_stop(struct server *s);

/* Only when the loop has run out. NULL is allowed. */
void server_free(struct server *s);

#endif
