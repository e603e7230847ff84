#define _GNU_SOURCE /* memmem, strcasestr */
#include "bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUFFER ((size_t)1 << 20)

static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    "Content-Length: 24\r\n\r\n{\"statusCode\":\"SUCCESS\"}";

/* Requests of one connection, each answered when its body is whole. */
static void *serve(void *arg)
{
    int fd = *(int *)arg;
    size_t have = 0;
    char *buf = malloc(BUFFER);
    free(arg);
    while (buf != NULL) {
        char *end = memmem(buf, have, "\r\n\r\n", 4);
        size_t need = BUFFER;
        if (end != NULL) {
            *end = '\0';
            const char *length = strcasestr(buf, "content-length:");
            size_t head = (size_t)(end - buf) + 4;
            *end = '\r';
            need =
                head +
                (length == NULL ? 0 : (size_t)strtoul(length + 15, NULL, 10));
        }
        if (have >= need) {
            have -= need;
            memmove(buf, buf + need, have);
            if (write(fd, answer, sizeof answer - 1) < 0) {
                break;
            }
            continue;
        }
        ssize_t n = read(fd, buf + have, BUFFER - have);
        if (n <= 0) {
            break;
        }
        have += (size_t)n;
    }
    free(buf);
    (void)close(fd);
    return NULL;
}

static void run(int listener)
{
    for (;;) {
        int *fd = malloc(sizeof *fd);
        pthread_t thread = 0;
        bench_must(fd != NULL, "memory for the sink");
        *fd = accept(listener, NULL, NULL);
        int on = 1;
        (void)setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        bench_must(*fd >= 0 && pthread_create(&thread, NULL, serve, fd) == 0,
                   "a thread for the sink");
        (void)pthread_detach(thread);
    }
}

struct sink sink_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bench_must(fd >= 0 &&
                   bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                   listen(fd, 16) == 0 &&
                   getsockname(fd, (struct sockaddr *)&address, &size) == 0,
               "a listening socket");
    struct sink s = {.pid = fork(), .port = ntohs(address.sin_port)};
    bench_must(s.pid >= 0, "a process for the sink");
    if (s.pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        run(fd);
    }
    (void)close(fd);
    return s;
}

void sink_stop(struct sink *s)
{
    (void)kill(s->pid, SIGKILL);
    (void)waitpid(s->pid, NULL, 0);
}
