/* A misbehaving HTTP server for tests: one thread, one script a request, on a
 * port of the loopback that the system chooses. What it received is kept.
 *
 * Scripts are used up in the order in which requests come, whatever connection
 * they come on. A request past the last script is recorded whole and its
 * connection closed without an answer. Trouble of its own ends the test. */
#ifndef SUPPORT_ROGUE_H
#define SUPPORT_ROGUE_H

#include <stdbool.h>
#include <stddef.h>

enum rogue_reads {
    ROGUE_ALL,    /* the whole request, by its Content-Length */
    ROGUE_HALF,   /* header and half the body */
    ROGUE_HEADER, /* nothing behind the header */
    ROGUE_NOTHING /* answers as soon as there is something to read */
};

enum rogue_ends {
    ROGUE_KEEP,  /* the connection stays for the next script */
    ROGUE_CLOSE, /* an orderly end, unless something is left unread */
    ROGUE_RESET,
    ROGUE_STALL /* neither reads nor closes before rogue_stop */
};

struct rogue_script {
    enum rogue_reads reads;
    const char *answer;  /* bytes on the wire; NULL: none */
    const char *endless; /* after them, again and again till the client goes */
    bool drip;           /* a byte of the answer every few milliseconds */
    enum rogue_ends ends;
};

struct rogue;

/* Copies the scripts; the texts in them are borrowed until rogue_stop. */
struct rogue *rogue_start(const struct rogue_script *scripts, size_t count);
int rogue_port(const struct rogue *r);

/* Readable, with one byte for each request that was read as far as its script
 * says, and one more once its script has ended. The rogue's to close. */
int rogue_news(const struct rogue *r);

/* Ends the thread and all connections; safe twice. */
void rogue_stop(struct rogue *r);

/* After rogue_stop: the requests as far as they were read, in order, and the
 * number of the connection each came on (the first is 0). */
size_t rogue_requests(const struct rogue *r);
const char *rogue_request(const struct rogue *r, size_t i, size_t *len);
size_t rogue_connection(const struct rogue *r, size_t i);

/* Stops it if need be; NULL is a no-op. */
void rogue_free(struct rogue *r);

#endif
