#define _DEFAULT_SOURCE /* FIONREAD */
#include "network/hostile.h"

#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "network/arrivals.h"

#define MOST_ARMED   16
#define MOST_REQUEST ((size_t)2 * 1024 * 1024)
#define RESTART_MS   20
#define FILLERS      4

struct hostile {
    pthread_mutex_t lock; /* over what is armed, and the door */
    const struct behaviour *armed[MOST_ARMED];
    size_t armed_n;
    bool keep;
    enum hostile_door door;
    bool open; /* the door, as the thread has turned it */
    size_t fired;
    size_t weak; /* since the last arming: were not what they say */
    int listener, stranger, port, stranger_port;
    int news[2]; /* a byte: the door changed; closed: stop */
    int done[2]; /* a byte: the door is as it was asked for */
    int fillers[FILLERS];
    pthread_t thread;
    int kept; /* connection, or -1 */
    struct arrivals arrivals;
    int strangers;
    char request[MOST_REQUEST + 1];
};

static const struct behaviour good = {
    .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", .keeps = true};
static const struct behaviour good_once = {
    .answer = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
              "Content-Length: 0\r\n\r\n",
    .ends = ENDS_CLOSE,
    .keeps = true};

/* ---- sockets ---- */

static int listen_at(int *port, int backlog)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)*port)};
    socklen_t size = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int bad = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) |
              bind(fd, (struct sockaddr *)&a, size) | listen(fd, backlog) |
              getsockname(fd, (struct sockaddr *)&a, &size);
    assert(bad == 0);
    (void)bad;
    *port = ntohs(a.sin_port);
    return fd;
}

static void reset(int fd)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    (void)close(fd);
}

static void close_kept(struct hostile *h)
{
    if (h->kept >= 0) {
        (void)close(h->kept);
        h->kept = -1;
    }
}

/* Connections that nobody accepts, until the queue has no room. */
static void fill_queue(struct hostile *h)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)h->port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < FILLERS; i++) {
        h->fillers[i] = socket(AF_INET, SOCK_STREAM, 0);
        (void)fcntl(h->fillers[i], F_SETFL, O_NONBLOCK);
        (void)connect(h->fillers[i], (struct sockaddr *)&a, sizeof a);
    }
}

static void turn_door(struct hostile *h)
{
    (void)pthread_mutex_lock(&h->lock);
    enum hostile_door door = h->door;
    h->open = door == DOOR_OPEN;
    (void)pthread_mutex_unlock(&h->lock);
    close_kept(h);
    for (int i = 0; i < FILLERS; i++) {
        if (h->fillers[i] >= 0) {
            reset(h->fillers[i]);
            h->fillers[i] = -1;
        }
    }
    if (h->listener >= 0) {
        (void)close(h->listener);
        h->listener = -1;
    }
    if (door != DOOR_CLOSED) {
        h->listener = listen_at(&h->port, door == DOOR_FULL ? 0 : 64);
    }
    if (door == DOOR_FULL) {
        fill_queue(h);
    }
}

/* ---- a request ---- */

/* Whether fd is ready within ms; false also when it is time to stop. */
static bool ready(struct hostile *h, int fd, short events, int ms)
{
    struct pollfd fds[] = {{h->news[0], 0, 0}, {fd, events, 0}};
    return poll(fds, 2, ms) > 0 && fds[0].revents == 0;
}

static size_t read_some(struct hostile *h, int fd, size_t at, size_t until)
{
    while (at < until && ready(h, fd, POLLIN, 2000)) {
        ssize_t n = recv(fd, h->request + at, until - at, 0);
        if (n <= 0) {
            break;
        }
        at += (size_t)n;
    }
    h->request[at] = '\0';
    return at;
}

static size_t number_after(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at != NULL ? strtoul(at + strlen(name), NULL, 10) : 0;
}

/* Reads as far as b does. False if nothing came. */
static bool read_request(struct hostile *h, int fd, const struct behaviour *b)
{
    char byte;
    if (!ready(h, fd, POLLIN, 2000) || recv(fd, &byte, 1, MSG_PEEK) != 1) {
        return false;
    }
    h->request[0] = '\0';
    size_t n = 0;
    char *end = NULL;
    while (b->reads != READS_NOTHING && end == NULL) {
        size_t got = read_some(h, fd, n, n + 1);
        if (got == n) {
            break;
        }
        n = got;
        end = n >= 4 && memcmp(h->request + n - 4, "\r\n\r\n", 4) == 0
                  ? h->request + n
                  : NULL;
    }
    size_t body =
        end != NULL ? number_after(h->request, "Content-Length: ") : 0;
    size_t want = b->reads == READS_ALL    ? body
                  : b->reads == READS_HALF ? body / 2
                                           : 0;
    assert(n + want <= MOST_REQUEST);
    bool whole = want > 0 && read_some(h, fd, n, n + want) == n + body;
    bool again = b->dedupes && whole && arrivals_have(&h->arrivals, h->request);
    arrivals_note(&h->arrivals, h->request, whole ? end : NULL,
                  (b->keeps || b->dedupes) && !again);
    return true;
}

static bool send_all(struct hostile *h, int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = ready(h, fd, POLLOUT, 2000)
                        ? send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT)
                        : -1;
        if (n < 0) {
            return false;
        }
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static bool send_slowly(struct hostile *h, int fd, const struct behaviour *b,
                        const char *text, size_t len)
{
    if (b->drip_ms == 0) {
        return send_all(h, fd, text, len);
    }
    for (size_t i = 0; i < len; i++) {
        struct pollfd stop = {h->news[0], 0, 0};
        if (poll(&stop, 1, b->drip_ms) != 0 || !send_all(h, fd, text + i, 1)) {
            return false;
        }
    }
    return true;
}

static void answer(struct hostile *h, int fd, const struct behaviour *b)
{
    struct pollfd stop = {h->news[0], 0, 0};
    if (b->delay_ms > 0) {
        (void)poll(&stop, 1, b->delay_ms);
    }
    if (b->answer != NULL) {
        char text[1024];
        const char *port = strstr(b->answer, "%d");
        int n = port == NULL ? snprintf(text, sizeof text, "%s", b->answer)
                             : snprintf(text, sizeof text, "%.*s%d%s",
                                        (int)(port - b->answer), b->answer,
                                        h->stranger_port, port + 2);
        /* \x01 stands for the NUL that no C text can hold. */
        char *nul = strchr(text, '\x01');
        if (nul != NULL) {
            *nul = '\0';
        }
        if (!send_slowly(h, fd, b, text, (size_t)n)) {
            return;
        }
    }
    while (b->endless != NULL &&
           send_slowly(h, fd, b, b->endless, strlen(b->endless))) {
    }
}

/* Reads nothing until the door is turned. If all of the body was in by then,
 * the window has not been in its way. */
static void leave_unread(struct hostile *h, int fd)
{
    struct pollfd news = {h->news[0], POLLIN, 0};
    int waiting = 0;
    size_t body = number_after(h->request, "Content-Length: ");
    (void)poll(&news, 1, 5000);
    (void)ioctl(fd, FIONREAD, &waiting);
    if ((size_t)waiting >= body) {
        (void)pthread_mutex_lock(&h->lock);
        h->weak++;
        (void)pthread_mutex_unlock(&h->lock);
    }
}

static void end(struct hostile *h, int fd, const struct behaviour *b)
{
    char rest[256];
    struct pollfd stop = {h->news[0], 0, 0};
    switch (b->ends) {
    case ENDS_KEEP:
        h->kept = fd;
        return;
    case ENDS_STALL:
        while (ready(h, fd, POLLIN, 2000) &&
               recv(fd, rest, sizeof rest, 0) > 0) {
        }
        break;
    case ENDS_RESET:
        reset(fd);
        return;
    case ENDS_SHUT:
        leave_unread(h, fd);
        reset(fd);
        return;
    case ENDS_RESTART:
        reset(fd);
        (void)close(h->listener);
        (void)poll(&stop, 1, RESTART_MS);
        h->listener = listen_at(&h->port, 64);
        return;
    case ENDS_CLOSE:
        break;
    }
    (void)close(fd);
}

/* The next armed one, taken off. */
static const struct behaviour *next_behaviour(struct hostile *h)
{
    (void)pthread_mutex_lock(&h->lock);
    const struct behaviour *b = h->keep ? &good : &good_once;
    if (h->armed_n > 0) {
        b = h->armed[0];
        h->armed_n--;
        h->fired++;
        memmove(h->armed, h->armed + 1, h->armed_n * sizeof *h->armed);
    }
    (void)pthread_mutex_unlock(&h->lock);
    return b;
}

static void serve_one(struct hostile *h, int fd)
{
    char byte;
    /* A connection on which nothing comes meets no behaviour. */
    if (!ready(h, fd, POLLIN, 2000) || recv(fd, &byte, 1, MSG_PEEK) != 1) {
        (void)close(fd);
        return;
    }
    const struct behaviour *b = next_behaviour(h);
    if (!read_request(h, fd, b)) {
        (void)close(fd);
        return;
    }
    answer(h, fd, b);
    end(h, fd, b);
}

static void *serve(void *arg)
{
    struct hostile *h = arg;
    for (;;) {
        struct pollfd fds[] = {{h->news[0], POLLIN, 0},
                               {h->kept, POLLIN, 0},
                               {h->open ? h->listener : -1, POLLIN, 0},
                               {h->stranger, POLLIN, 0}};
        char byte;
        (void)poll(fds, 4, -1);
        if (fds[0].revents != 0) {
            if (read(h->news[0], &byte, 1) != 1) {
                return NULL;
            }
            turn_door(h);
            (void)!write(h->done[1], "!", 1);
        } else if (fds[1].revents != 0) {
            int fd = h->kept;
            h->kept = -1;
            serve_one(h, fd);
        } else if (fds[3].revents != 0) {
            h->strangers++;
            (void)close(accept(h->stranger, NULL, NULL));
        } else if (fds[2].revents != 0) {
            close_kept(h);
            serve_one(h, accept(h->listener, NULL, NULL));
        }
    }
}

/* ---- from outside ---- */

struct hostile *hostile_start(void)
{
    struct hostile *h = calloc(1, sizeof *h);
    assert(h != NULL);
    h->kept = -1;
    h->open = true;
    for (int i = 0; i < FILLERS; i++) {
        h->fillers[i] = -1;
    }
    (void)pthread_mutex_init(&h->lock, NULL);
    h->listener = listen_at(&h->port, 64);
    h->stranger = listen_at(&h->stranger_port, 64);
    int bad = pipe(h->news) | pipe(h->done) |
              pthread_create(&h->thread, NULL, serve, h);
    assert(bad == 0);
    (void)bad;
    return h;
}

int hostile_port(const struct hostile *h)
{
    return h->port;
}

void hostile_arm(struct hostile *h, const struct behaviour *const *list,
                 size_t n, bool keep)
{
    (void)pthread_mutex_lock(&h->lock);
    h->armed_n = 0;
    h->weak = 0;
    for (size_t i = 0; i < n; i++) {
        int times = list[i]->times > 0 ? list[i]->times : 1;
        for (int k = 0; k < times && h->armed_n < MOST_ARMED; k++) {
            h->armed[h->armed_n++] = list[i];
        }
    }
    h->keep = keep;
    (void)pthread_mutex_unlock(&h->lock);
}

size_t hostile_left(struct hostile *h)
{
    (void)pthread_mutex_lock(&h->lock);
    size_t n = h->armed_n + h->weak;
    (void)pthread_mutex_unlock(&h->lock);
    return n;
}

void hostile_door(struct hostile *h, enum hostile_door door)
{
    char byte;
    (void)pthread_mutex_lock(&h->lock);
    h->door = door;
    (void)pthread_mutex_unlock(&h->lock);
    (void)!write(h->news[1], "!", 1);
    (void)!read(h->done[0], &byte, 1);
}

void hostile_stop(struct hostile *h)
{
    (void)close(h->news[1]);
    (void)pthread_join(h->thread, NULL);
    close_kept(h);
    (void)close(h->news[0]);
    (void)close(h->done[0]);
    (void)close(h->done[1]);
    (void)close(h->listener);
    (void)close(h->stranger);
}

size_t hostile_requests(const struct hostile *h)
{
    return h->arrivals.n;
}

size_t hostile_fired(const struct hostile *h)
{
    return h->fired;
}

int hostile_strangers(const struct hostile *h)
{
    return h->strangers;
}

void hostile_tell(const struct hostile *h, struct checker *c)
{
    arrivals_tell(&h->arrivals, c);
}

void hostile_free(struct hostile *h)
{
    arrivals_finish(&h->arrivals);
    (void)pthread_mutex_destroy(&h->lock);
    free(h);
}
