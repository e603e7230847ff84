#include "print.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void need(struct buffer *b, size_t n)
{
    if (!buffer_reserve(b, n)) {
        (void)fputs("spool-sandbox: out of memory\n", stderr);
        abort();
    }
}

void print_bytes(struct buffer *b, const void *bytes, size_t n)
{
    need(b, n);
    if (n > 0) {
        memcpy(b->data + b->len, bytes, n);
        b->len += n;
    }
}

void print(struct buffer *b, const char *format, ...)
{
    need(b, 1024);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(b->data + b->len, 1024, format, args);
    va_end(args);
    assert(n >= 0 && n < 1024);
    b->len += (size_t)n;
}

void print_fill(struct buffer *b, char c, size_t n)
{
    need(b, n + 1); /* memset must not see NULL */
    memset(b->data + b->len, c, n);
    b->len += n;
}

static void print_escape(struct buffer *b, unsigned char c)
{
    static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (size_t i = 0; i + 1 < sizeof shorts; i += 2) {
        if ((unsigned char)shorts[i] == c) {
            print(b, "\\%c", shorts[i + 1]);
            return;
        }
    }
    print(b, "\\u%04x", c);
}

/* Bytes from above on are escaped, as are those that JSON wants escaped. */
static void print_quoted(struct buffer *b, struct text t, unsigned above)
{
    print_bytes(b, "\"", 1);
    size_t from = 0;
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.at[i];
        if (c < ' ' || c == '"' || c == '\\' || c >= above) {
            print_bytes(b, t.at + from, i - from);
            print_escape(b, c);
            from = i + 1;
        }
    }
    print_bytes(b, t.at + from, t.len - from);
    print_bytes(b, "\"", 1);
}

void print_string(struct buffer *b, struct text utf8)
{
    print_quoted(b, utf8, 256);
}

void print_latin1(struct buffer *b, struct text bytes)
{
    if (bytes.at == NULL) {
        print_bytes(b, "null", 4);
        return;
    }
    print_quoted(b, bytes, 127);
}
