#include "events/skip.h"

/* Deeper brackets are counted, but not told apart. */
#define DEPTH_KNOWN 64

void skip_init(struct skip *s, bool in_array)
{
    *s = (struct skip){.in_array = in_array};
}

static bool is_square(const struct skip *s, unsigned depth)
{
    return depth < DEPTH_KNOWN && (s->brackets >> depth & 1) != 0;
}

static void open_bracket(struct skip *s, char c)
{
    if (s->depth < DEPTH_KNOWN) {
        uint64_t bit = UINT64_C(1) << s->depth;
        s->brackets = c == '[' ? s->brackets | bit : s->brackets & ~bit;
    }
    s->depth++;
}

/* Closes the innermost bracket of this kind and all inside it. False if none is
 * open. */
static bool close_bracket(struct skip *s, char c)
{
    for (unsigned depth = s->depth; depth > 0; depth--) {
        if (depth > DEPTH_KNOWN || is_square(s, depth - 1) == (c == ']')) {
            s->depth = depth - 1;
            return true;
        }
    }
    return false;
}

/* Where a value may not begin, another event does. */
static bool begins_next(const struct skip *s)
{
    if (!s->begun) {
        return false;
    }
    if (s->depth == 0) {
        return true;
    }
    bool value_may_begin = s->last == ':' || s->last == '[' ||
                           (s->last == ',' && (is_square(s, s->depth - 1) ||
                                               s->depth > DEPTH_KNOWN));
    return s->line_start && !value_may_begin;
}

/* One byte outside strings. False if the event ended before it. */
static bool take_mark(struct skip *s, char c)
{
    switch (c) {
    case '{':
    case '[':
        if (begins_next(s)) {
            return false;
        }
        open_bracket(s, c);
        break;
    case '}':
    case ']':
        if (close_bracket(s, c)) {
            s->done = s->depth == 0;
        } else if (c == ']' && s->in_array) {
            return false;
        }
        break;
    case ',':
        if (s->depth == 0 && s->in_array && s->begun) {
            return false;
        }
        break;
    case '"':
        s->in_string = true;
        break;
    case '\n':
        s->done = s->depth == 0;
        break;
    default:
        break;
    }
    return true;
}

static void take_string_byte(struct skip *s, char c)
{
    if (s->escaped) {
        s->escaped = false;
    } else if (c == '\\') {
        s->escaped = true;
    } else if (c == '"') {
        s->in_string = false;
    }
}

/* False if the event ended before c. */
static bool take_byte(struct skip *s, char c)
{
    if (c == '\n') {
        s->in_string = false;
        s->escaped = false;
    }
    if (s->in_string) {
        take_string_byte(s, c);
    } else if (!take_mark(s, c)) {
        s->done = true;
        return false;
    }
    if (c == '\n') {
        s->line_start = true;
    } else if (c != ' ' && c != '\t' && c != '\r') {
        s->line_start = false;
        s->last = c;
    }
    s->begun = true;
    return true;
}

size_t skip_bytes(struct skip *s, const char *text, size_t n)
{
    size_t i = 0;
    while (i < n && !s->done && take_byte(s, text[i])) {
        i++;
    }
    return i;
}
