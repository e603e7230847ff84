#include "events/json_text.h"

#include <stdint.h>
#include <string.h>

#include "events/json_hash.h"

const char *json_fail(struct json_fault *fault, enum json_result result,
                      const char *at, const char *sentence)
{
    *fault = (struct json_fault){result, at, sentence};
    return NULL;
}

const char *json_cut(struct json_fault *fault, const char *end)
{
    return json_fail(fault, JSON_INCOMPLETE, end,
                     "the text ends before the value is complete");
}

/* Reading. */

/* The well-formed sequences of RFC 3629: by the first byte, how many follow and
 * what the second one may be; all others are 80..BF. */
static int utf8_tail(unsigned char first, unsigned char *low,
                     unsigned char *high)
{
    *low = 0x80;
    *high = 0xBF;
    if (first >= 0xC2 && first <= 0xDF) {
        return 1;
    }
    if (first >= 0xE0 && first <= 0xEF) {
        *low = first == 0xE0 ? 0xA0 : 0x80;
        *high = first == 0xED ? 0x9F : 0xBF;
        return 2;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        *low = first == 0xF0 ? 0x90 : 0x80;
        *high = first == 0xF4 ? 0x8F : 0xBF;
        return 3;
    }
    return 0;
}

const char *json_read_utf8(const char *p, const char *end,
                           struct json_fault *fault)
{
    unsigned char low;
    unsigned char high;
    int tail = utf8_tail((unsigned char)*p, &low, &high);
    if (tail == 0) {
        return json_fail(fault, JSON_BROKEN, p,
                         "a string has bytes that are not UTF-8");
    }
    for (int i = 1; i <= tail; i++) {
        if (p + i == end) {
            return json_cut(fault, end);
        }
        unsigned char c = (unsigned char)p[i];
        if (c < low || c > high) {
            return json_fail(fault, JSON_BROKEN, p,
                             "a string has bytes that are not UTF-8");
        }
        low = 0x80;
        high = 0xBF;
    }
    return p + tail + 1;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* Four hexadecimal digits at p. */
static const char *read_unit(const char *p, const char *end,
                             struct json_fault *fault, unsigned *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++, p++) {
        if (p == end) {
            return json_cut(fault, end);
        }
        int digit = hex_value(*p);
        if (digit < 0) {
            return json_fail(fault, JSON_BROKEN, p,
                             "\\u needs four hexadecimal digits");
        }
        *unit = *unit * 16 + (unsigned)digit;
    }
    return p;
}

/* Behind "\u". A character beyond the first 65,536 is written as two halves,
 * and neither stands alone. */
static const char *read_unicode_escape(const char *p, const char *end,
                                       struct json_fault *fault)
{
    static const char lone[] = "an escape is half of a surrogate pair";
    const char *escape = p - 2;
    unsigned unit;
    p = read_unit(p, end, fault, &unit);
    if (p == NULL || unit < 0xD800 || unit > 0xDFFF) {
        return p;
    }
    if (unit >= 0xDC00) {
        return json_fail(fault, JSON_BROKEN, escape, lone);
    }
    for (int i = 0; i < 2; i++, p++) {
        if (p == end) {
            return json_cut(fault, end);
        }
        if (*p != "\\u"[i]) {
            return json_fail(fault, JSON_BROKEN, escape, lone);
        }
    }
    p = read_unit(p, end, fault, &unit);
    if (p != NULL && (unit < 0xDC00 || unit > 0xDFFF)) {
        return json_fail(fault, JSON_BROKEN, escape, lone);
    }
    return p;
}

const char *json_read_escape(const char *p, const char *end,
                             struct json_fault *fault)
{
    if (p + 1 == end) {
        return json_cut(fault, end);
    }
    switch (p[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return p + 2;
    case 'u':
        return read_unicode_escape(p + 2, end, fault);
    default:
        return json_fail(fault, JSON_BROKEN, p,
                         "a backslash is followed by no JSON escape");
    }
}

/* Decoding: of strings that were read before, so nothing is checked again. */

static unsigned unit_at(const char *p)
{
    unsigned unit = 0;
    for (int i = 0; i < 4; i++) {
        unsigned c = (unsigned char)p[i];
        unit = unit * 16 + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return unit;
}

static size_t put_utf8(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t tail = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};
    for (size_t i = tail; i > 0; i--, c >>= 6) {
        out[i] = (char)(0x80 | (c & 0x3F));
    }
    out[0] = (char)(lead[tail] | c);
    return tail + 1;
}

/* text begins behind "\u". */
static size_t next_unicode(struct json_text *text, char out[4])
{
    uint32_t c = unit_at(text->at);
    size_t used = 4;
    if (c >= 0xD800 && c <= 0xDBFF) {
        c = 0x10000 + ((c - 0xD800) << 10) + (unit_at(text->at + 6) - 0xDC00);
        used = 10;
    }
    text->at += used;
    text->len -= used;
    return put_utf8(c, out);
}

static char plain_escape(char c)
{
    static const char names[] = "bfnrt";
    static const char values[] = "\b\f\n\r\t";
    const char *found = strchr(names, c);
    if (found != NULL) {
        c = values[found - names];
    }
    return c;
}

size_t json_next(struct json_text *text, char out[4])
{
    if (text->len == 0) {
        return 0;
    }
    unsigned char first = (unsigned char)text->at[0];
    if (first == '\\') {
        char kind = text->at[1];
        text->at += 2;
        text->len -= 2;
        if (kind == 'u') {
            return next_unicode(text, out);
        }
        out[0] = plain_escape(kind);
        return 1;
    }
    size_t n = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    memcpy(out, text->at, n);
    text->at += n;
    text->len -= n;
    return n;
}

size_t json_decode(struct json_text text, char *out, size_t cap)
{
    size_t len = 0;
    char c[4];
    for (size_t n; (n = json_next(&text, c)) > 0 && n <= cap - len; len += n) {
        memcpy(out + len, c, n);
    }
    return len;
}

bool json_equal_decoded(struct json_text a, struct json_text b)
{
    char c[4];
    char d[4];
    for (;;) {
        size_t n = json_next(&a, c);
        if (n != json_next(&b, d) || memcmp(c, d, n) != 0) {
            return false;
        }
        if (n == 0) {
            return true;
        }
    }
}

struct digest {
    uint64_t hash;
    uint64_t word;
    size_t len;
};

static void digest_byte(struct digest *d, char c)
{
    d->word |= (uint64_t)(unsigned char)c << (d->len % 8 * 8);
    d->len++;
    if (d->len % 8 == 0) {
        d->hash = json_mix(d->hash, d->word);
        d->word = 0;
    }
}

uint32_t json_hash_decoded(struct json_text text)
{
    struct digest d = {0};
    char c[4];
    for (size_t n; (n = json_next(&text, c)) > 0;) {
        for (size_t i = 0; i < n; i++) {
            digest_byte(&d, c[i]);
        }
    }
    return (uint32_t)json_mix(json_mix(d.hash, d.word), d.len);
}

uint32_t json_hash(struct json_text text)
{
    return json_hash_within(text, text.at + text.len);
}
