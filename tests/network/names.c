#include "network/names.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "network/realm.h"

#define DNS_PORT 53
#define HEADER   12
#define TYPE_A   1
#define TYPE_V6  28

enum rcode { NO_ERROR = 0, SERVFAIL = 2, NO_SUCH_NAME = 3 };

struct names {
    int socket;
    int stop[2]; /* closed: stop */
    pthread_t thread;
    pthread_mutex_t lock; /* over asked */
    size_t asked;
};

static bool begins(const unsigned char *label, const char *with)
{
    return label[0] >= strlen(with) &&
           memcmp(label + 1, with, strlen(with)) == 0;
}

/* Where the question ends: behind its labels, type and class; 0: it is none. */
static size_t question_end(const unsigned char *q, size_t len)
{
    size_t at = HEADER;
    while (at < len && q[at] != 0) {
        at += q[at] + 1U;
    }
    at += 5;
    return at <= len ? at : 0;
}

/* The address that a question of this type gets, into out; its length. */
static size_t address_of(const unsigned char *label, unsigned type,
                         unsigned char *out)
{
    if (type == TYPE_A) {
        const char *to = begins(label, "dead") ? REALM_SINK4 : "127.0.0.1";
        (void)inet_pton(AF_INET, to, out);
        return 4;
    }
    if (type == TYPE_V6 && begins(label, "dual")) {
        (void)inet_pton(AF_INET6, REALM_SINK6, out);
        return 16;
    }
    return 0;
}

/* Makes the answer out of the question, in place; its length. */
static size_t make_answer(unsigned char *q, size_t end)
{
    static const unsigned char same_name_in[] = {0xc0, HEADER, 0, 0, 0,
                                                 1,    0,      0, 0, 0};
    const unsigned char *label = q + HEADER;
    enum rcode rcode = begins(label, "none")   ? NO_SUCH_NAME
                       : begins(label, "fail") ? SERVFAIL
                                               : NO_ERROR;
    unsigned char *at = q + end;
    size_t n = rcode == NO_ERROR ? address_of(label, q[end - 3], at + 12) : 0;
    q[2] = 0x81; /* an answer; recursion was desired, */
    q[3] = (unsigned char)(0x80 | rcode); /* and is available */
    memset(q + 4, 0, HEADER - 4);
    q[5] = 1;
    if (n == 0) {
        return end;
    }
    q[7] = 1;
    memcpy(at, same_name_in, sizeof same_name_in);
    at[3] = q[end - 3];
    at[10] = 0;
    at[11] = (unsigned char)n;
    return end + 12 + n;
}

static void answer_one(struct names *n)
{
    unsigned char q[512 + 64];
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    ssize_t len =
        recvfrom(n->socket, q, 512, 0, (struct sockaddr *)&from, &size);
    size_t end = len > HEADER ? question_end(q, (size_t)len) : 0;
    if (end == 0) {
        return;
    }
    (void)pthread_mutex_lock(&n->lock);
    n->asked++;
    (void)pthread_mutex_unlock(&n->lock);
    if (!begins(q + HEADER, "mute")) {
        size_t bytes = make_answer(q, end);
        (void)sendto(n->socket, q, bytes, 0, (struct sockaddr *)&from, size);
    }
}

static void *serve(void *arg)
{
    struct names *n = arg;
    for (;;) {
        struct pollfd fds[] = {{n->stop[0], 0, 0}, {n->socket, POLLIN, 0}};
        (void)poll(fds, 2, -1);
        if (fds[0].revents != 0) {
            return NULL;
        }
        answer_one(n);
    }
}

struct names *names_start(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(DNS_PORT)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct names *n = calloc(1, sizeof *n);
    if (n == NULL) {
        return NULL;
    }
    n->socket = socket(AF_INET, SOCK_DGRAM, 0);
    (void)pthread_mutex_init(&n->lock, NULL);
    if (bind(n->socket, (struct sockaddr *)&a, sizeof a) != 0 ||
        pipe(n->stop) != 0) {
        (void)close(n->socket);
        free(n);
        return NULL;
    }
    if (pthread_create(&n->thread, NULL, serve, n) != 0) {
        abort();
    }
    return n;
}

size_t names_asked(struct names *n)
{
    if (n == NULL) {
        return 0;
    }
    (void)pthread_mutex_lock(&n->lock);
    size_t asked = n->asked;
    (void)pthread_mutex_unlock(&n->lock);
    return asked;
}

void names_stop(struct names *n)
{
    if (n == NULL) {
        return;
    }
    (void)close(n->stop[1]);
    (void)pthread_join(n->thread, NULL);
    (void)close(n->stop[0]);
    (void)close(n->socket);
    (void)pthread_mutex_destroy(&n->lock);
    free(n);
}
