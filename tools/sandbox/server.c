#include "server.h"

#include <stdlib.h>
#include <uv.h>

#include "base/error.h"
#include "connection.h"

#define BACKLOG 512

struct server {
    uv_tcp_t listener;
    struct sandbox *sandbox;
    struct connections connections;
};

static void on_connection(uv_stream_t *listener, int status)
{
    struct server *s = listener->data;
    if (status == 0) {
        connection_accept(listener, s->sandbox, &s->connections);
    }
}

static int listen_on(struct server *s, unsigned port, unsigned *bound)
{
    struct sockaddr_in address;
    int rc = uv_ip4_addr("127.0.0.1", (int)port, &address);
    if (rc == 0) {
        rc = uv_tcp_bind(&s->listener, (const struct sockaddr *)&address, 0);
    }
    if (rc == 0) {
        rc = uv_listen((uv_stream_t *)&s->listener, BACKLOG, on_connection);
    }
    int len = sizeof address;
    if (rc == 0) {
        rc =
            uv_tcp_getsockname(&s->listener, (struct sockaddr *)&address, &len);
    }
    *bound = ntohs(address.sin_port);
    return rc;
}

enum spool_status server_start(struct uv_loop_s *loop, struct sandbox *sandbox,
                               unsigned port, struct server **out,
                               unsigned *bound, struct spool_error *err)
{
    struct server *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return failed(err, SPOOL_NO_MEMORY, "out of memory");
    }
    s->sandbox = sandbox;
    s->listener.data = s;
    int rc = uv_tcp_init(loop, &s->listener);
    if (rc != 0) {
        free(s);
        return failed(err, SPOOL_IO, "cannot make a socket: %s",
                      uv_strerror(rc));
    }
    *out = s; /* from here on server_stop and server_free take it down */
    rc = listen_on(s, port, bound);
    if (rc != 0) {
        return failed(err, SPOOL_IO, "cannot listen on 127.0.0.1:%u: %s", port,
                      uv_strerror(rc));
    }
    return SPOOL_OK;
}

void server_stop(struct server *s)
{
    if (s != NULL && !uv_is_closing((uv_handle_t *)&s->listener)) {
        uv_close((uv_handle_t *)&s->listener, NULL);
        connections_close(&s->connections);
    }
}

void server_free(struct server *s)
{
    free(s);
}
