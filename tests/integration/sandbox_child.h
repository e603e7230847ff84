/* spool-sandbox as a child process, and plain sockets to talk to it byte by
 * byte. All of this fails the test when it cannot do what it says; nothing
 * waits longer than ten seconds. */
#ifndef INTEGRATION_SANDBOX_CHILD_H
#define INTEGRATION_SANDBOX_CHILD_H

#include <stddef.h>
#include <sys/types.h>

struct sandbox_child {
    pid_t pid;
    unsigned port;
    int words; /* its stderr */
};

/* Starts it on a free port with the options given, which end with NULL (NULL:
 * none), and returns once it listens. It ends by itself after two minutes. */
void sandbox_child_start(struct sandbox_child *c, const char *const *options);

/* Ends it with SIGTERM and gives back its exit status. Its last words, the
 * summary, go into words if that is not NULL. */
int sandbox_child_stop(struct sandbox_child *c, char *words, size_t size);

/* The same for one that ends by itself. */
int sandbox_child_wait(struct sandbox_child *c, char *words, size_t size);

/* Runs it with these options alone to its end, for wrong usage and the like:
 * its exit status, and what it wrote to stdout and stderr together. */
int sandbox_child_run(const char *const *options, char *out, size_t size);

/* A new connection. The caller's to close. */
int sandbox_child_connect(const struct sandbox_child *c);

enum wire_end {
    WIRE_OPEN, /* asked for no more than there was */
    WIRE_CLOSED,
    WIRE_RESET
};

/* What came back. */
struct wire {
    enum wire_end end;
    size_t len;
    char text[1024 * 1024]; /* NUL-terminated; the first so many bytes */
};

void wire_send(int fd, const char *text);

/* Everything until the connection ends or wire->text is full. */
void wire_read(int fd, struct wire *wire);

/* One answer, by its Content-Length; the connection stays. */
void wire_read_answer(int fd, struct wire *wire);

/* Behind the head: "" if there is none. */
const char *wire_body(const struct wire *wire);

/* Sends a request over a connection of its own that asks to be closed, and
 * reads everything. target holds method and path, "GET /get/key"; headers end
 * each in CR LF. */
void sandbox_child_ask(const struct sandbox_child *c, const char *target,
                       const char *headers, const char *body,
                       struct wire *wire);

/* The number of that name in the answer to /sandbox/stats. */
long sandbox_child_count(const struct sandbox_child *c, const char *name);

/* Replaces the faults: one SPEC a line. */
void sandbox_child_set_faults(const struct sandbox_child *c, const char *specs);

#endif
