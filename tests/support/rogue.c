#include "support/rogue.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_REQUESTS 64
#define DRIP_MS       5

struct request {
    char *bytes; /* NUL-terminated */
    size_t len;
    size_t connection;
};

struct rogue {
    struct rogue_script scripts[MOST_REQUESTS];
    size_t script_count;
    int listener;
    int port;
    int stop[2]; /* closing the second end stops the thread */
    int news[2];
    pthread_t thread;
    bool running;
    int kept; /* the connection the next request may come on, or -1 */
    int stalled[MOST_REQUESTS];
    size_t stalled_count;
    size_t connections;
    struct request requests[MOST_REQUESTS];
    size_t request_count;
};

/* False when it is time to stop. */
static bool wait_for(struct rogue *r, int fd, short events)
{
    struct pollfd fds[] = {{r->stop[0], POLLIN, 0}, {fd, events, 0}};
    (void)poll(fds, 2, -1);
    return fds[0].revents == 0;
}

static void stall(struct rogue *r, int fd)
{
    assert(r->stalled_count < MOST_REQUESTS);
    r->stalled[r->stalled_count++] = fd;
}

/* A new connection; one that was kept stays open but is not heard again. */
static int take_connection(struct rogue *r)
{
    if (r->kept >= 0) {
        stall(r, r->kept);
        r->kept = -1;
    }
    r->connections++;
    return accept(r->listener, NULL, NULL);
}

/* The kept connection, unless its client has gone: then -1. */
static int reuse_connection(struct rogue *r)
{
    int fd = r->kept;
    char byte;
    r->kept = -1;
    if (recv(fd, &byte, 1, MSG_PEEK) == 1) {
        return fd;
    }
    (void)close(fd);
    return -1;
}

/* The connection on which the next request comes; -1 when it is time to stop.
 */
static int next_connection(struct rogue *r)
{
    int fd = -1;
    while (fd < 0) {
        struct pollfd fds[] = {{r->stop[0], POLLIN, 0},
                               {r->listener, POLLIN, 0},
                               {r->kept, POLLIN, 0}};
        (void)poll(fds, 3, -1);
        if (fds[0].revents != 0) {
            return -1;
        }
        if (fds[2].revents != 0) {
            fd = reuse_connection(r);
        } else if (fds[1].revents != 0) {
            fd = take_connection(r);
        }
    }
    return fd;
}

static bool read_byte(struct rogue *r, int fd, struct request *request)
{
    char byte;
    if (!wait_for(r, fd, POLLIN) || recv(fd, &byte, 1, 0) != 1) {
        return false;
    }
    if ((request->len & (request->len + 1)) == 0) {
        request->bytes = realloc(request->bytes, 2 * request->len + 2);
        assert(request->bytes != NULL);
    }
    request->bytes[request->len++] = byte;
    request->bytes[request->len] = '\0';
    return true;
}

static size_t content_length(const char *header)
{
    static const char name[] = "\r\nContent-Length:";
    for (const char *p = header; *p != '\0'; p++) {
        if (strncasecmp(p, name, sizeof name - 1) == 0) {
            return strtoul(p + sizeof name - 1, NULL, 10);
        }
    }
    return 0;
}

static bool read_request(struct rogue *r, int fd, enum rogue_reads reads)
{
    assert(r->request_count < MOST_REQUESTS);
    struct request *request = &r->requests[r->request_count];
    char byte;
    /* A connection on which nothing comes is no request. */
    if (!wait_for(r, fd, POLLIN) || recv(fd, &byte, 1, MSG_PEEK) != 1) {
        return false;
    }
    r->request_count++;
    request->connection = r->connections - 1;
    if (reads == ROGUE_NOTHING) {
        return true;
    }
    do {
        if (!read_byte(r, fd, request)) {
            return false;
        }
    } while (request->len < 4 ||
             memcmp(request->bytes + request->len - 4, "\r\n\r\n", 4) != 0);
    size_t body = content_length(request->bytes);
    size_t left = reads == ROGUE_ALL    ? body
                  : reads == ROGUE_HALF ? body / 2
                                        : 0;
    while (left-- > 0) {
        if (!read_byte(r, fd, request)) {
            return false;
        }
    }
    return true;
}

static bool send_all(struct rogue *r, int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        if (!wait_for(r, fd, POLLOUT)) {
            return false;
        }
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            return false;
        }
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static bool drip(struct rogue *r, int fd, const char *bytes)
{
    for (; *bytes != '\0'; bytes++) {
        struct pollfd stop = {r->stop[0], POLLIN, 0};
        if (poll(&stop, 1, DRIP_MS) != 0 || !send_all(r, fd, bytes, 1)) {
            return false;
        }
    }
    return true;
}

static void answer(struct rogue *r, int fd, const struct rogue_script *script)
{
    if (script->answer != NULL) {
        bool sent = script->drip ? drip(r, fd, script->answer)
                                 : send_all(r, fd, script->answer,
                                            strlen(script->answer));
        if (!sent) {
            return;
        }
    }
    while (script->endless != NULL &&
           send_all(r, fd, script->endless, strlen(script->endless))) {
    }
}

static void end(struct rogue *r, int fd, enum rogue_ends ends)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    switch (ends) {
    case ROGUE_KEEP:
        r->kept = fd;
        return;
    case ROGUE_STALL:
        stall(r, fd);
        return;
    case ROGUE_RESET:
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        break;
    case ROGUE_CLOSE:
        break;
    }
    (void)close(fd);
}

static void tell(struct rogue *r)
{
    ssize_t told = write(r->news[1], "!", 1);
    assert(told == 1);
}

static void *serve(void *arg)
{
    static const struct rogue_script silent = {.ends = ROGUE_CLOSE};
    struct rogue *r = arg;
    int fd;
    while ((fd = next_connection(r)) >= 0) {
        const struct rogue_script *script = r->request_count < r->script_count
                                                ? &r->scripts[r->request_count]
                                                : &silent;
        if (!read_request(r, fd, script->reads)) {
            (void)close(fd);
            continue;
        }
        tell(r);
        answer(r, fd, script);
        end(r, fd, script->ends);
        tell(r);
    }
    return NULL;
}

struct rogue *rogue_start(const struct rogue_script *scripts, size_t count)
{
    struct rogue *r = calloc(1, sizeof *r);
    assert(r != NULL);
    assert(count <= MOST_REQUESTS);
    if (count > 0) {
        memcpy(r->scripts, scripts, count * sizeof *scripts);
    }
    r->script_count = count;
    r->kept = -1;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    /* Little room, so that a client soon notices who does not read. */
    int room = 16384;
    r->listener = socket(AF_INET, SOCK_STREAM, 0);
    int failures =
        setsockopt(r->listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof room) |
        bind(r->listener, (struct sockaddr *)&address, size) |
        listen(r->listener, MOST_REQUESTS) |
        getsockname(r->listener, (struct sockaddr *)&address, &size) |
        pipe(r->stop) | pipe(r->news) |
        pthread_create(&r->thread, NULL, serve, r);
    assert(failures == 0);
    r->port = ntohs(address.sin_port);
    r->running = true;
    return r;
}

int rogue_port(const struct rogue *r)
{
    return r->port;
}

int rogue_news(const struct rogue *r)
{
    return r->news[0];
}

void rogue_stop(struct rogue *r)
{
    if (!r->running) {
        return;
    }
    r->running = false;
    (void)close(r->stop[1]);
    (void)pthread_join(r->thread, NULL);
    (void)close(r->stop[0]);
    (void)close(r->listener);
    if (r->kept >= 0) {
        (void)close(r->kept);
    }
    for (size_t i = 0; i < r->stalled_count; i++) {
        (void)close(r->stalled[i]);
    }
}

size_t rogue_requests(const struct rogue *r)
{
    assert(!r->running);
    return r->request_count;
}

const char *rogue_request(const struct rogue *r, size_t i, size_t *len)
{
    assert(!r->running && i < r->request_count);
    if (len != NULL) {
        *len = r->requests[i].len;
    }
    return r->requests[i].bytes != NULL ? r->requests[i].bytes : "";
}

size_t rogue_connection(const struct rogue *r, size_t i)
{
    assert(!r->running && i < r->request_count);
    return r->requests[i].connection;
}

void rogue_free(struct rogue *r)
{
    if (r == NULL) {
        return;
    }
    rogue_stop(r);
    (void)close(r->news[0]);
    (void)close(r->news[1]);
    for (size_t i = 0; i < r->request_count; i++) {
        free(r->requests[i].bytes);
    }
    free(r);
}
