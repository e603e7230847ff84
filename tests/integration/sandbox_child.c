#include "integration/sandbox_child.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define OPTIONS_MAX 32

extern char **environ;

/* Starts the program; what it writes comes out of *words. */
static pid_t spawn(const char *const *options, int *words)
{
    static char program[] = SANDBOX_PROGRAM;
    char *argv[OPTIONS_MAX + 2] = {program};
    for (size_t i = 0; options != NULL && options[i] != NULL; i++) {
        assert_true(i < OPTIONS_MAX);
        argv[i + 1] = strdup(options[i]);
        assert_non_null(argv[i + 1]);
    }
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    posix_spawn_file_actions_t actions;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    (void)posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    (void)posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    (void)posix_spawn_file_actions_addclose(&actions, ends[0]);
    (void)posix_spawn_file_actions_addclose(&actions, ends[1]);
    pid_t pid = 0;
    assert_int_equal(posix_spawn(&pid, program, &actions, NULL, argv, environ),
                     0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    for (size_t i = 1; argv[i] != NULL; i++) {
        free(argv[i]);
    }
    *words = ends[0];
    return pid;
}

/* Reads up to a byte or the end; NUL-terminates. */
static void read_words(int fd, char last, char *out, size_t size)
{
    size_t n = 0;
    ssize_t got = 1;
    while (n + 1 < size && got > 0 && (n == 0 || out[n - 1] != last)) {
        got = read(fd, out + n, 1);
        n += got > 0 ? 1 : 0;
    }
    out[n] = '\0';
}

static int wait_for(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void sandbox_child_start(struct sandbox_child *c, const char *const *options)
{
    const char *all[OPTIONS_MAX + 1] = {"--port", "0", "--seconds", "120"};
    for (size_t i = 0; options != NULL && options[i] != NULL; i++) {
        assert_true(i + 4 < OPTIONS_MAX);
        all[i + 4] = options[i];
    }
    c->pid = spawn(all, &c->words);
    char line[512];
    read_words(c->words, '\n', line, sizeof line);
    const char *colon = strrchr(line, ':');
    assert_non_null(strstr(line, "listening on http://127.0.0.1:"));
    c->port = (unsigned)strtoul(colon + 1, NULL, 10);
    assert_true(c->port > 0 && c->port < 65536);
}

int sandbox_child_stop(struct sandbox_child *c, char *words, size_t size)
{
    assert_int_equal(kill(c->pid, SIGTERM), 0);
    return sandbox_child_wait(c, words, size);
}

int sandbox_child_wait(struct sandbox_child *c, char *words, size_t size)
{
    char ignored[4096];
    read_words(c->words, '\0', words != NULL ? words : ignored,
               words != NULL ? size : sizeof ignored);
    (void)close(c->words);
    return wait_for(c->pid);
}

int sandbox_child_run(const char *const *options, char *out, size_t size)
{
    int words;
    pid_t pid = spawn(options, &words);
    read_words(words, '\0', out, size);
    (void)close(words);
    return wait_for(pid);
}

int sandbox_child_connect(const struct sandbox_child *c)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)c->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct timeval limit = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address),
                     0);
    return fd;
}

void wire_send(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
            return; /* the sandbox may close early; reading will tell */
        }
        assert_true(n > 0);
        text += n;
        len -= (size_t)n;
    }
}

/* Reads once more. False at the end or when the text is full. */
static bool read_more(int fd, struct wire *wire, size_t most)
{
    size_t room = sizeof wire->text - 1 - wire->len;
    ssize_t n = recv(fd, wire->text + wire->len, room < most ? room : most, 0);
    if (n < 0 && errno == ECONNRESET) {
        wire->end = WIRE_RESET;
        return false;
    }
    assert_true(n >= 0); /* also fails when ten seconds are over */
    if (n == 0 && room > 0) {
        wire->end = WIRE_CLOSED;
    }
    wire->len += (size_t)n;
    wire->text[wire->len] = '\0';
    return n > 0;
}

static void wire_init(struct wire *wire)
{
    wire->end = WIRE_OPEN;
    wire->len = 0;
    wire->text[0] = '\0';
}

void wire_read(int fd, struct wire *wire)
{
    wire_init(wire);
    while (wire->len < sizeof wire->text - 1 &&
           read_more(fd, wire, sizeof wire->text)) {
    }
}

const char *wire_body(const struct wire *wire)
{
    const char *end = strstr(wire->text, "\r\n\r\n");
    return end != NULL ? end + 4 : "";
}

void wire_read_answer(int fd, struct wire *wire)
{
    wire_init(wire);
    while (strstr(wire->text, "\r\n\r\n") == NULL && read_more(fd, wire, 1)) {
    }
    const char *length = strstr(wire->text, "Content-Length: ");
    size_t left = length != NULL ? strtoul(length + 16, NULL, 10) : 0;
    size_t end = wire->len + left;
    while (wire->len < end && read_more(fd, wire, end - wire->len)) {
    }
}

void sandbox_child_ask(const struct sandbox_child *c, const char *target,
                       const char *headers, const char *body, struct wire *wire)
{
    /* All in one piece: a reset between two would be seen by the second send
     * and not by the reading. */
    size_t size = strlen(target) + strlen(headers) + strlen(body) + 256;
    char *request = malloc(size);
    assert_non_null(request);
    int n = snprintf(request, size,
                     "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                     "Content-Length: %zu\r\n%s\r\n%s",
                     target, strlen(body), headers, body);
    assert_true(n > 0 && (size_t)n < size);
    int fd = sandbox_child_connect(c);
    wire_send(fd, request);
    wire_read(fd, wire);
    (void)close(fd);
    free(request);
}

long sandbox_child_count(const struct sandbox_child *c, const char *name)
{
    static struct wire wire;
    char quoted[64];
    (void)snprintf(quoted, sizeof quoted, "\"%s\":", name);
    sandbox_child_ask(c, "GET /sandbox/stats", "", "", &wire);
    const char *at = strstr(wire_body(&wire), quoted);
    assert_non_null(at);
    return strtol(at + strlen(quoted), NULL, 10);
}

void sandbox_child_set_faults(const struct sandbox_child *c, const char *specs)
{
    static struct wire wire;
    sandbox_child_ask(c, "POST /sandbox/faults", "", specs, &wire);
    if (strncmp(wire.text, "HTTP/1.1 200", 12) != 0) {
        fail_msg("%s", wire_body(&wire));
    }
}
