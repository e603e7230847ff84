/* Bytes that grow up to a hard cap. A zeroed buffer with a limit is ready. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct buffer {
    char *data; /* NULL while empty; not NUL-terminated */
    size_t len;
    size_t cap;
    size_t limit; /* most bytes it may hold; 0 means no cap but memory */
};

/* Adds n bytes. False, with the buffer unchanged, past the limit or without
 * memory. */
bool buffer_add(struct buffer *b, const void *bytes, size_t n);

/* Makes room for n more bytes without adding any; false as above. */
bool buffer_reserve(struct buffer *b, size_t n);

/* Frees the bytes, keeps the limit; safe twice. */
void buffer_finish(struct buffer *b);

#endif
