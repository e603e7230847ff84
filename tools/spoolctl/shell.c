#include "shell.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define PLAIN                                                                  \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"           \
    "%+,-./:@_"

/* A terminal would not show it as it is. */
static bool is_shown(const char *text)
{
    size_t n = strlen(text);
    char clean[4200];
    text_clean(clean, sizeof clean, text, n);
    return strcmp(clean, text) == 0;
}

/* In quotes everything is itself but for a quote. */
static size_t add_quoted(char *out, char c)
{
    static const char quote[] = "'\\''";
    if (c != '\'') {
        *out = c;
        return 1;
    }
    memcpy(out, quote, sizeof quote - 1);
    return sizeof quote - 1;
}

static size_t add_octal(char *out, char c)
{
    if (strchr(PLAIN, c) != NULL) {
        *out = c;
        return 1;
    }
    return (size_t)snprintf(out, 5, "\\%03o", (unsigned char)c);
}

void shell_word(const char *text, char *out)
{
    size_t n = 0;
    bool shown = is_shown(text);
    if (text[0] != '\0' && text[strspn(text, PLAIN)] == '\0') {
        memcpy(out, text, strlen(text) + 1);
        return;
    }
    out[n++] = shown ? '\'' : '$';
    if (!shown) {
        out[n++] = '\'';
    }
    for (const char *p = text; *p != '\0'; p++) {
        n += shown ? add_quoted(out + n, *p) : add_octal(out + n, *p);
    }
    out[n++] = '\'';
    out[n] = '\0';
}
