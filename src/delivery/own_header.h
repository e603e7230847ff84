/* The headers that an operator adds to a destination's requests: lines of
 * "Name: value", kept with the destination when they are no secret, else in a
 * file that is read at each request. No message here tells a value. */
#ifndef DELIVERY_OWN_HEADER_H
#define DELIVERY_OWN_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "spool/error.h"

#define OWN_HEADERS     16
#define OWN_HEADERS_LEN 8192

/* Zeroed is none. Holds secrets: overwrite it when the request is handed on. */
struct own_headers {
    char text[OWN_HEADERS_LEN];
    size_t len;
    const char *lines[OWN_HEADERS]; /* into text: do not copy the struct */
    size_t n;
    size_t open_n; /* so many of them, the first, are in no file */
};

/* Adds each line that is not empty. where is named in a complaint. SPOOL_MISUSE
 * for what is no header, a header that is spool's own business (Host,
 * Content-Length, Idempotency-Key ...) and one too many. */
enum spool_status own_headers_add(struct own_headers *h, const char *lines,
                                  const char *where, struct spool_error *err);

/* Likewise of a file; SPOOL_IO when it cannot be read. */
enum spool_status own_headers_read(struct own_headers *h, const char *path,
                                   struct spool_error *err);

bool own_headers_have(const struct own_headers *h, const char *name);

/* Whether its name says that the value is a secret, which must not be kept in
 * the spool or stand in an argument list. */
bool own_header_is_secret(const char *line);

#endif
