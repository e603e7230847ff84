/* Writing text into a buffer. Running out of memory ends the program: a
 * stand-in that answers half a sentence would only mislead. */
#ifndef SANDBOX_PRINT_H
#define SANDBOX_PRINT_H

#include "base/buffer.h"
#include "text.h"

void print_bytes(struct buffer *b, const void *bytes, size_t n);

static inline void print_text(struct buffer *b, struct text t)
{
    print_bytes(b, t.at, t.len);
}

/* One formatted piece of at most 1 KiB. */
void print(struct buffer *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* n times the byte c. */
void print_fill(struct buffer *b, char c, size_t n);

/* A JSON string of valid UTF-8. */
void print_string(struct buffer *b, struct text utf8);

/* A JSON string of a header's or a path's bytes, whatever they are: those
 * beyond ASCII are taken as Latin-1. null when the text is absent. */
void print_latin1(struct buffer *b, struct text bytes);

#endif
