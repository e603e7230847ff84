/* A strict reader of JSON text (RFC 8259): one pass over the bytes, no tree, no
 * allocation. It is the judge of every event, so it takes nothing the RFC does
 * not: no NaN, comments, single quotes, trailing commas, raw control
 * characters, byte order mark, broken UTF-8 or lone surrogate escapes; and no
 * two members of one name in an object, because two readers would disagree
 * about which one counts. Names are compared as decoded.
 *
 * All functions are pure and may be called from any thread. */
#ifndef EVENTS_JSON_H
#define EVENTS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Most objects and arrays inside one another; the outermost one counts. */
#define JSON_DEPTH_MAX 64

/* Most members of an object, together with those that precede it in the
 * objects around it: all that must be remembered to refuse a second one. */
#define JSON_NAMES_MAX 1024

enum json_kind {
    JSON_NONE, /* no value */
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

enum json_result {
    JSON_OK,
    JSON_INCOMPLETE, /* no fault so far, but the bytes end inside the value */
    JSON_BROKEN,     /* this is no JSON */
    JSON_TOO_MUCH,   /* deeper or with more members than the limits above, or
                        with names chosen to waste our time */
};

/* Bytes of the text, as written. Of a string: what is between its quotes. */
struct json_text {
    const char *at;
    size_t len;
    bool escaped; /* has backslash escapes: decode before comparing */
};

struct json_member {
    struct json_text name; /* at is NULL for an element of an array */
    struct json_text value;
    enum json_kind kind;
    uint32_t hash; /* json_hash of the name; undefined without one */
};

/* How deep json_member_fn looks: a member of an object in an array that is a
 * member of the outermost object. */
#define JSON_TELL_DEPTH 3

/* Called for each member of the outermost object, each element of the outermost
 * array, and those inside them down to depth JSON_TELL_DEPTH (1: of the
 * outermost), when its value has been read to the end. path[depth - 1] is the
 * member; those before it are the ones around it, whose value.len is not known
 * yet. */
typedef void json_member_fn(void *arg, const struct json_member *path,
                            unsigned depth);

struct json_end {
    enum json_kind kind;  /* of the outermost value, as far as it is known */
    size_t offset;        /* behind the value; else of the byte at fault */
    const char *sentence; /* static; what is wrong; NULL with JSON_OK */
};

/* Reads the one value that begins text, white space before it allowed, and
 * stops right behind it. A number that reaches the end of the text is taken as
 * complete. member may be NULL; when the result is not JSON_OK it has been
 * called for the members before the fault. */
enum json_result json_scan(const char *text, size_t len, json_member_fn *member,
                           void *arg, struct json_end *end);

/* How many bytes of white space begin text. */
size_t json_space(const char *text, size_t len);

/* The functions below take strings that json_scan has passed. */

/* Decodes the next character of *text into out, as UTF-8, and moves on. The
 * number of bytes; 0 at the end. */
size_t json_next(struct json_text *text, char out[4]);

/* Decodes text into out, at most cap bytes, cut at a character. No NUL is
 * added, and decoded text may contain one. The number of bytes put there. */
size_t json_decode(struct json_text text, char *out, size_t cap);

/* A hash of the decoded text. Not one an attacker could not collide. */
uint32_t json_hash(struct json_text text);

/* Are the texts equal once decoded? json_equal takes the short way if neither
 * has escapes. */
bool json_equal_decoded(struct json_text a, struct json_text b);

static inline bool json_equal(struct json_text a, struct json_text b)
{
    if (a.escaped || b.escaped) {
        return json_equal_decoded(a, b);
    }
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool json_equals(struct json_text text, const char *literal)
{
    return json_equal(text,
                      (struct json_text){literal, strlen(literal), false});
}

#endif
