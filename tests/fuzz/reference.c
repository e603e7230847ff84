#include "reference.h"

#include <stdint.h>
#include <string.h>

/* What is left of the text. */
struct in {
    const unsigned char *p;
    size_t n;
};

static bool value(struct in *in);

static bool take(struct in *in, int low, int high)
{
    if (in->n == 0 || in->p[0] < low || in->p[0] > high) {
        return false;
    }
    in->p++;
    in->n--;
    return true;
}

static bool mark(struct in *in, int c)
{
    return take(in, c, c);
}

static bool word(struct in *in, const char *w)
{
    size_t n = strlen(w);
    if (in->n < n || memcmp(in->p, w, n) != 0) {
        return false;
    }
    in->p += n;
    in->n -= n;
    return true;
}

static void space(struct in *in)
{
    while (mark(in, ' ') || mark(in, '\t') || mark(in, '\n') ||
           mark(in, '\r')) {
    }
}

static bool digits(struct in *in)
{
    bool any = false;
    while (take(in, '0', '9')) {
        any = true;
    }
    return any;
}

static bool number(struct in *in)
{
    (void)mark(in, '-');
    if (mark(in, '0')) {
        /* Nothing may follow a leading zero but a point or an exponent: a
         * digit here makes the number, not its neighbour, wrong. */
        if (in->n > 0 && in->p[0] >= '0' && in->p[0] <= '9') {
            return false;
        }
    } else if (!digits(in)) {
        return false;
    }
    if (mark(in, '.') && !digits(in)) {
        return false;
    }
    if (mark(in, 'e') || mark(in, 'E')) {
        if (!mark(in, '+')) {
            (void)mark(in, '-');
        }
        return digits(in);
    }
    return true;
}

static bool hex4(struct in *in, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++) {
        unsigned c = in->n > 0 ? in->p[0] : 0;
        if (take(in, '0', '9')) {
            *code = *code << 4 | (c - '0');
        } else if (take(in, 'a', 'f')) {
            *code = *code << 4 | (c - 'a' + 10);
        } else if (take(in, 'A', 'F')) {
            *code = *code << 4 | (c - 'A' + 10);
        } else {
            return false;
        }
    }
    return true;
}

static bool escape(struct in *in)
{
    uint32_t high;
    uint32_t low;
    if (!mark(in, 'u')) {
        return in->n > 0 && in->p[0] != 0 &&
               strchr("\"\\/bfnrt", in->p[0]) != NULL && take(in, 0, 255);
    }
    if (!hex4(in, &high)) {
        return false;
    }
    if (high >> 10 == 0xD800 >> 10) {
        return word(in, "\\u") && hex4(in, &low) && low >> 10 == 0xDC00 >> 10;
    }
    return high >> 10 != 0xDC00 >> 10;
}

/* By the code point, not by ranges of bytes. */
static bool character(struct in *in)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned first = in->p[0];
    unsigned size = first < 0xC0   ? 0
                    : first < 0xE0 ? 2
                    : first < 0xF0 ? 3
                    : first < 0xF8 ? 4
                                   : 0;
    if (size == 0 || in->n < size) {
        return false;
    }
    uint32_t code = first & (0x7FU >> size);
    for (unsigned i = 1; i < size; i++) {
        if ((in->p[i] & 0xC0) != 0x80) {
            return false;
        }
        code = code << 6 | (in->p[i] & 0x3F);
    }
    in->p += size;
    in->n -= size;
    return code >= least[size] && code <= 0x10FFFF && code >> 11 != 0x1B;
}

static bool string(struct in *in)
{
    if (!mark(in, '"')) {
        return false;
    }
    while (!mark(in, '"')) {
        if (in->n == 0) {
            return false;
        }
        if (mark(in, '\\')) {
            if (!escape(in)) {
                return false;
            }
        } else if (!take(in, 0x20, 0x7F) &&
                   (in->p[0] < 0x80 || !character(in))) {
            return false;
        }
    }
    return true;
}

static bool member(struct in *in)
{
    space(in);
    if (!string(in)) {
        return false;
    }
    space(in);
    return mark(in, ':') && value(in);
}

static bool list(struct in *in, int close, bool (*item)(struct in *))
{
    space(in);
    if (mark(in, close)) {
        return true;
    }
    do {
        if (!item(in)) {
            return false;
        }
        space(in);
    } while (mark(in, ','));
    return mark(in, close);
}

static bool value(struct in *in)
{
    space(in);
    if (mark(in, '{')) {
        return list(in, '}', member);
    }
    if (mark(in, '[')) {
        return list(in, ']', value);
    }
    if (in->n > 0 && in->p[0] == '"') {
        return string(in);
    }
    return word(in, "true") || word(in, "false") || word(in, "null") ||
           number(in);
}

bool reference_value(const char *text, size_t len, size_t *end)
{
    struct in in = {(const unsigned char *)text, len};
    bool good = value(&in);
    *end = len - in.n;
    return good;
}
