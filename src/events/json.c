#include "events/json.h"

#include <stdint.h>
#include <string.h>

#include "events/json_hash.h"
#include "events/json_text.h"

/* With 1,024 names the odds against even one are 8,000 to 1. */
#define COLLISIONS_MAX 16

/* Where the scan stands. Roughly 30 KB, on the stack and not initialised: only
 * the part in use is ever touched. */
struct scan {
    const char *end;
    json_member_fn *member;
    void *arg;
    struct json_fault fault;

    /* The outermost value, and the members being read inside it. Each part is
     * written once, where it belongs: copying what was written just before
     * costs more than all the rest. */
    struct json_member path[JSON_DEPTH_MAX + 1];
    unsigned depth;
    bool fresh;      /* the innermost container was opened just now */
    uint64_t arrays; /* bit d - 1: the container at depth d is an array */
    struct level {
        uint64_t seen; /* one bit of each name's hash: a quick "new" */
        unsigned first_name;
    } level[JSON_DEPTH_MAX];

    unsigned collisions;
    unsigned names;
    uint32_t hash[JSON_NAMES_MAX];
    struct json_text name[JSON_NAMES_MAX];
};

/* Faults. */

static const char *broken(struct scan *s, const char *at, const char *sentence)
{
    return json_fail(&s->fault, JSON_BROKEN, at, sentence);
}

static const char *incomplete(struct scan *s)
{
    return json_cut(&s->fault, s->end);
}

/* Strings. */

#define EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (c))

/* The first byte that is a quote, a backslash, a control character or beyond
 * ASCII. In a word the high bit of each such byte is found by subtraction; a
 * borrow can only raise bits behind the first hit. */
static inline const char *skip_plain(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t w = json_load8(p);
        uint64_t hit = (w - EACH_BYTE(0x20)) |
                       ((w ^ EACH_BYTE('"')) - EACH_BYTE(1)) |
                       ((w ^ EACH_BYTE('\\')) - EACH_BYTE(1)) | w;
        hit &= EACH_BYTE(0x80);
        if (hit != 0) {
            return p + __builtin_ctzll(hit) / 8;
        }
        p += 8;
    }
    while (p < end && (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\' &&
           (unsigned char)*p < 0x80) {
        p++;
    }
    return p;
}

/* Behind the opening quote; returns what is behind the closing one. */
static inline const char *read_string(struct scan *s, const char *p,
                                      struct json_text *text)
{
    text->at = p;
    text->escaped = false;
    for (;;) {
        p = skip_plain(p, s->end);
        if (p == s->end) {
            return incomplete(s);
        }
        if (*p == '"') {
            text->len = (size_t)(p - text->at);
            return p + 1;
        }
        if (*p == '\\') {
            text->escaped = true;
            p = json_read_escape(p, s->end, &s->fault);
        } else if ((unsigned char)*p >= 0x80) {
            p = json_read_utf8(p, s->end, &s->fault);
        } else {
            return broken(s, p,
                          "a string has a line break, a tab or another control "
                          "character that must be escaped");
        }
        if (p == NULL) {
            return NULL;
        }
    }
}

/* Numbers and literals. */

static const char *skip_digits(const struct scan *s, const char *p)
{
    while (p < s->end && *p >= '0' && *p <= '9') {
        p++;
    }
    return p;
}

/* At least one digit. */
static const char *read_digits(struct scan *s, const char *p)
{
    const char *end = skip_digits(s, p);
    if (end != p) {
        return end;
    }
    if (p == s->end) {
        return incomplete(s);
    }
    return broken(s, p, "a digit is missing in a number");
}

static const char *read_number(struct scan *s, const char *p)
{
    if (*p == '-') {
        p++;
    }
    const char *whole = p;
    p = read_digits(s, p);
    if (p == NULL) {
        return NULL;
    }
    if (*whole == '0' && p - whole > 1) {
        return broken(s, whole, "a number begins with 0");
    }
    if (p < s->end && *p == '.') {
        p = read_digits(s, p + 1);
    }
    if (p != NULL && p < s->end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < s->end && (*p == '+' || *p == '-')) {
            p++;
        }
        p = read_digits(s, p);
    }
    return p;
}

static const char *read_literal(struct scan *s, const char *p,
                                const char *literal)
{
    for (const char *l = literal; *l != '\0'; l++, p++) {
        if (p == s->end) {
            return incomplete(s);
        }
        if (*p != *l) {
            return broken(s, p, "a word is neither true, false nor null");
        }
    }
    return p;
}

/* Names. */

/* Is there a member of this name before? Names that only share a hash are
 * counted: a few may meet by chance, many are chosen to waste our time. */
static bool is_second(struct scan *s, const struct level *level,
                      const struct json_member *member)
{
    for (unsigned i = level->first_name; i < s->names; i++) {
        if (s->hash[i] != member->hash) {
            continue;
        }
        if (json_equal(s->name[i], member->name)) {
            return true;
        }
        s->collisions++;
    }
    return false;
}

static inline bool remember_name(struct scan *s,
                                 const struct json_member *member)
{
    struct level *level = &s->level[s->depth - 1];
    const char *quote = member->name.at - 1;
    uint64_t bit = UINT64_C(1) << (member->hash & 63);
    if ((level->seen & bit) != 0 && is_second(s, level, member)) {
        (void)broken(s, quote, "a member comes twice in one object");
        return false;
    }
    if (s->collisions > COLLISIONS_MAX) {
        (void)json_fail(&s->fault, JSON_TOO_MUCH, quote,
                        "too many names of members share a hash");
        return false;
    }
    if (s->names == JSON_NAMES_MAX) {
        (void)json_fail(&s->fault, JSON_TOO_MUCH, quote,
                        "an object has more than 1,024 members");
        return false;
    }
    level->seen |= bit;
    s->hash[s->names] = member->hash;
    s->name[s->names].at = member->name.at;
    s->name[s->names].len = member->name.len;
    s->name[s->names].escaped = member->name.escaped;
    s->names++;
    return true;
}

/* Structure. */

static inline const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')) {
        p++;
    }
    return p;
}

static inline bool in_array(const struct scan *s)
{
    return (s->arrays >> (s->depth - 1) & 1) != 0;
}

/* The value of the member being read ends before p. */
static inline void tell(struct scan *s, const char *p)
{
    struct json_member *m = &s->path[s->depth];
    if (m->kind != JSON_STRING) {
        m->value.len = (size_t)(p - m->value.at);
    }
    if (s->member != NULL && s->depth > 0 && s->depth <= JSON_TELL_DEPTH) {
        s->member(s->arg, s->path + 1, s->depth);
    }
}

static const char *open_container(struct scan *s, const char *p)
{
    if (s->depth == JSON_DEPTH_MAX) {
        return json_fail(&s->fault, JSON_TOO_MUCH, p,
                         "objects and arrays are nested deeper than 64");
    }
    uint64_t bit = UINT64_C(1) << s->depth;
    s->arrays = *p == '[' ? s->arrays | bit : s->arrays & ~bit;
    s->level[s->depth].seen = 0;
    s->level[s->depth].first_name = s->names;
    s->depth++;
    s->fresh = true;
    return p + 1;
}

static const char *close_container(struct scan *s, const char *p)
{
    s->depth--;
    s->names = s->level[s->depth].first_name;
    s->fresh = false;
    tell(s, p + 1);
    return p + 1;
}

static enum json_kind kind_of(char first)
{
    switch (first) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return first == '-' || (first >= '0' && first <= '9') ? JSON_NUMBER
                                                              : JSON_NONE;
    }
}

static const char *no_value(struct scan *s, const char *p)
{
    const char *sentence = "a value is missing";
    size_t left = (size_t)(s->end - p);
    bool mark = memcmp(p, "\xEF\xBB\xBF", left < 3 ? left : 3) == 0;
    if (mark && left < 3) {
        return incomplete(s);
    }
    if (*p == '\'') {
        sentence = "single quotes are no JSON quotes";
    } else if (*p == '/') {
        sentence = "JSON has no comments";
    } else if (mark) {
        sentence = "a byte order mark is no part of JSON";
    } else if ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z')) {
        sentence = "a word is neither true, false nor null";
    } else if ((unsigned char)*p >= 0x80) {
        sentence = "a value begins with a character that is no JSON; quotes "
                   "are plain \"";
    }
    return broken(s, p, sentence);
}

/* A scalar as a whole, or the opening bracket of a container. */
static inline const char *read_value(struct scan *s, const char *p)
{
    struct json_member *m = &s->path[s->depth];
    enum json_kind kind = kind_of(*p);
    m->kind = kind;
    m->value.at = p;
    m->value.len = 0;
    m->value.escaped = false;
    switch (kind) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        return open_container(s, p);
    case JSON_STRING:
        p = read_string(s, p + 1, &m->value);
        break;
    case JSON_NUMBER:
        p = read_number(s, p);
        break;
    case JSON_TRUE:
        p = read_literal(s, p, "true");
        break;
    case JSON_FALSE:
        p = read_literal(s, p, "false");
        break;
    case JSON_NULL:
        p = read_literal(s, p, "null");
        break;
    case JSON_NONE:
        return no_value(s, p);
    }
    s->fresh = false;
    if (p != NULL) {
        tell(s, p);
    }
    return p;
}

static inline const char *read_name(struct scan *s, const char *p)
{
    if (*p != '"') {
        return broken(s, p,
                      *p == '}' ? "a comma is followed by no member"
                                : "a member does not begin with a quote");
    }
    struct json_member *m = &s->path[s->depth];
    p = read_string(s, p + 1, &m->name);
    if (p == NULL) {
        return NULL;
    }
    m->hash = json_hash_within(m->name, s->end);
    if (!remember_name(s, m)) {
        return NULL;
    }
    p = skip_space(p, s->end);
    if (p == s->end) {
        return incomplete(s);
    }
    if (*p != ':') {
        return broken(s, p, "a colon is missing behind a member's name");
    }
    return p + 1;
}

/* One member or element, or the closing bracket. */
static inline const char *read_next(struct scan *s, const char *p)
{
    bool array = in_array(s);
    p = skip_space(p, s->end);
    if (p == s->end) {
        return incomplete(s);
    }
    if (*p == (array ? ']' : '}')) {
        return close_container(s, p);
    }
    if (!s->fresh) {
        if (*p != ',') {
            return broken(s, p,
                          array ? "a comma or ] is missing"
                                : "a comma or } is missing");
        }
        p = skip_space(p + 1, s->end);
        if (p == s->end) {
            return incomplete(s);
        }
    }
    if (array) {
        s->path[s->depth].name.at = NULL;
        s->path[s->depth].name.len = 0;
        s->path[s->depth].name.escaped = false;
    } else {
        p = read_name(s, p);
        if (p == NULL) {
            return NULL;
        }
        p = skip_space(p, s->end);
        if (p == s->end) {
            return incomplete(s);
        }
    }
    return read_value(s, p);
}

enum json_result json_scan(const char *text, size_t len, json_member_fn *member,
                           void *arg, struct json_end *end)
{
    struct scan s;
    s.end = text + len;
    s.member = member;
    s.arg = arg;
    s.path[0].kind = JSON_NONE;
    s.fault = (struct json_fault){.result = JSON_OK};
    s.depth = 0;
    s.fresh = false;
    s.arrays = 0;
    s.names = 0;
    s.collisions = 0;

    const char *p = skip_space(text, s.end);
    p = p == s.end ? incomplete(&s) : read_value(&s, p);
    while (p != NULL && s.depth > 0) {
        p = read_next(&s, p);
    }
    end->kind = s.path[0].kind;
    end->offset = (size_t)((p != NULL ? p : s.fault.at) - text);
    end->sentence = s.fault.sentence;
    return s.fault.result;
}

size_t json_space(const char *text, size_t len)
{
    return (size_t)(skip_space(text, text + len) - text);
}
