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

/* Behind a backslash: what stands for the byte, 'u' for a number in hex, 0 for
 * a byte that needs none. */
static const char escapes[' '] = {
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b', 't', 'n',
    'u', 'f', 'r', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
};

static char escape_of(unsigned char c, unsigned above)
{
    if (c < ' ') {
        return escapes[c];
    }
    if (c == '"' || c == '\\') {
        return (char)c;
    }
    return c >= above ? 'u' : '\0';
}

/* Room for 6 * n bytes is there. */
static char *quote(char *to, const char *from, size_t n, unsigned above)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)from[i];
        char escape = escape_of(c, above);
        if (escape == '\0') {
            *to++ = from[i];
            continue;
        }
        *to++ = '\\';
        *to++ = escape;
        if (escape == 'u') {
            *to++ = '0';
            *to++ = '0';
            *to++ = digits[c >> 4];
            *to++ = digits[c & 15];
        }
    }
    return to;
}

/* Bytes from above on are escaped, as are those that JSON wants escaped. */
static void print_quoted(struct buffer *b, struct text t, unsigned above)
{
    print_bytes(b, "\"", 1);
    for (size_t at = 0; at < t.len;) {
        size_t n = t.len - at < 4096 ? t.len - at : 4096;
        need(b, 6 * n);
        char *end = quote(b->data + b->len, t.at + at, n, above);
        b->len = (size_t)(end - b->data);
        at += n;
    }
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
