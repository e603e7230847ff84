#define _GNU_SOURCE /* explicit_bzero */
#include "delivery/secrets.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECRET_MIN 6

/* ---- which there are ---- */

static size_t add_secret(char *out, size_t n, const char *text, size_t len)
{
    if (len >= SECRET_MIN) {
        memcpy(out + n, text, len);
        n += len;
        out[n++] = '\0';
    }
    return n;
}

static const char *header_value(const char *line)
{
    const char *colon = strchr(line, ':');
    const char *value = colon == NULL ? line : colon + 1;
    return value + strspn(value, " \t");
}

/* Authorization, Proxy-Authorization. */
static bool has_scheme(const char *line)
{
    static const char name[] = "Authorization";
    size_t n = strcspn(line, ":"), len = sizeof name - 1;
    return n >= len && strncasecmp(line + n - len, name, len) == 0;
}

static const char word_ends[] = " \t;,=\"";

/* A = that nothing follows is the end of Base64. */
static bool is_name(const char *end)
{
    return end[0] == '=' && end[1] != '\0' &&
           (end[1] == '"' || strchr(word_ends, end[1]) == NULL);
}

/* An endpoint may say one of them back alone. */
static size_t add_words(char *out, size_t n, const char *line)
{
    bool first = has_scheme(line);
    const char *at = header_value(line);
    for (at += strspn(at, word_ends); *at != '\0';) {
        const char *end = at + strcspn(at, word_ends);
        const char *next = end + strspn(end, word_ends);
        bool scheme = first && *end == ' ' && *next != '\0';
        if (!scheme && !is_name(end)) {
            n = add_secret(out, n, at, (size_t)(end - at));
        }
        first = false;
        at = next;
    }
    return n;
}

char *secrets_of(const struct profile_request *r)
{
    char *out = malloc(strlen(r->key) + 2 * (r->own.len + r->own.n) + 2);
    if (out == NULL) {
        return NULL;
    }
    size_t n = add_secret(out, 0, r->key, strlen(r->key));
    for (size_t i = r->own.open_n; i < r->own.n; i++) {
        const char *value = header_value(r->own.lines[i]);
        n = add_secret(out, n, value, strlen(value));
        n = add_words(out, n, r->own.lines[i]);
    }
    out[n] = '\0';
    return out;
}

void secrets_free(char *secrets)
{
    for (char *s = secrets; s != NULL && *s != '\0';) {
        size_t len = strlen(s);
        explicit_bzero(s, len);
        s += len + 1;
    }
    free(secrets);
}

/* ---- finding them ---- */

enum spelling { SPELLED_PLAIN, SPELLED_JSON, SPELLED_URL, SPELLINGS };

/* How long form is if text begins with it, whatever the case; else 0. *cut when
 * text ends too early to tell. */
static size_t begins(const char *text, const char *form, bool *cut)
{
    size_t n = 0;
    while (form[n] != '\0' &&
           tolower((unsigned char)text[n]) == tolower((unsigned char)form[n])) {
        n++;
    }
    *cut = *cut || (form[n] != '\0' && text[n] == '\0');
    return form[n] == '\0' ? n : 0;
}

/* How many bytes of text stand for c; 0 when it begins with another. */
static size_t spelled(enum spelling how, const char *text, char c, bool *cut)
{
    char form[8];
    static const char signs[SPELLINGS] = {
        [SPELLED_JSON] = '\\', [SPELLED_URL] = '%'};
    if (text[0] == '\0' || text[0] != signs[how]) {
        *cut = *cut || text[0] == '\0';
        return text[0] == c;
    }
    (void)snprintf(form, sizeof form,
                   how == SPELLED_JSON ? "\\u%04x" : "%%%02x",
                   (unsigned)(unsigned char)c);
    size_t n = begins(text, form, cut);
    if (n == 0 && how == SPELLED_JSON && strchr("\"\\/", c) != NULL) {
        (void)snprintf(form, sizeof form, "\\%c", c);
        n = begins(text, form, cut);
    }
    return n;
}

/* How many bytes at the beginning of text are the secret, or all there is of it
 * in a text that was cut off. */
static size_t match(enum spelling how, const char *text, const char *secret,
                    bool may_be_cut)
{
    size_t at = 0;
    bool cut = false;
    for (; *secret != '\0'; secret++) {
        size_t n = spelled(how, text + at, *secret, &cut);
        if (n == 0) {
            at += cut ? strlen(text + at) : 0;
            return cut && may_be_cut && at >= 3 ? at : 0;
        }
        at += n;
    }
    return at;
}

static size_t longest_match(const char *secrets, const char *text,
                            bool may_be_cut)
{
    size_t longest = 0;
    for (const char *s = secrets; *s != '\0'; s += strlen(s) + 1) {
        for (int how = 0; how < SPELLINGS; how++) {
            size_t n = match((enum spelling)how, text, s, may_be_cut);
            longest = n > longest ? n : longest;
        }
    }
    return longest;
}

void secrets_conceal(const char *secrets, char *text, size_t size)
{
    if (secrets == NULL) {
        text[0] = '\0';
        return;
    }
    bool cut = strlen(text) + 4 >= size; /* a character may be left out */
    for (char *at = text; *at != '\0'; at++) {
        size_t n = longest_match(secrets, at, cut);
        if (n > 0) {
            memcpy(at, "***", 3);
            memmove(at + 3, at + n, strlen(at + n) + 1);
            at += 2;
        }
    }
}
