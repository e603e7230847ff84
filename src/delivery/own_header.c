#define _GNU_SOURCE /* strcasestr, explicit_bzero */
#include "delivery/own_header.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/secret_file.h"

/* What frames the request, and what a resend is known by. */
static const char *const reserved[] = {
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Expect",
    "TE",
    "Trailer",
    "Upgrade",
    "Content-Encoding",
    "Keep-Alive",
    "Idempotency-Key",
    "Proxy-Authorization",
    "Accept-Encoding",
};

/* RFC 9110 5.6.2 */
static size_t token_length(const char *text)
{
    return strspn(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

static bool has_name(const char *line, const char *name)
{
    size_t n = strlen(name);
    return token_length(line) == n && strncasecmp(line, name, n) == 0;
}

bool own_headers_have(const struct own_headers *h, const char *name)
{
    for (size_t i = 0; i < h->n; i++) {
        if (has_name(h->lines[i], name)) {
            return true;
        }
    }
    return false;
}

bool own_header_is_secret(const char *line)
{
    static const char *const signs[] = {"auth",  "cookie", "key",
                                        "token", "secret", "pass"};
    char name[128];
    (void)snprintf(name, sizeof name, "%.*s", (int)token_length(line), line);
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        if (strcasestr(name, signs[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static bool is_value(const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c < ' ' && c != '\t') || c == 0x7F) {
            return false;
        }
    }
    return true;
}

static enum spool_status check(const struct own_headers *h, const char *line,
                               const char *where, struct spool_error *err)
{
    size_t n = token_length(line);
    if (n == 0 || line[n] != ':' || !is_value(line + n)) {
        return failed(err, SPOOL_MISUSE,
                      "%s must hold headers like \"Name: value\", one a line, "
                      "without control characters",
                      where);
    }
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (has_name(line, reserved[i])) {
            return failed(err, SPOOL_MISUSE,
                          "%s: the header %s is set by spool itself", where,
                          reserved[i]);
        }
    }
    if (h->n == OWN_HEADERS) {
        return failed(err, SPOOL_MISUSE, "%s: more than %d headers", where,
                      OWN_HEADERS);
    }
    return SPOOL_OK;
}

enum spool_status own_headers_add(struct own_headers *h, const char *lines,
                                  const char *where, struct spool_error *err)
{
    while (*lines != '\0') {
        size_t n = strcspn(lines, "\r\n");
        char *line = h->text + h->len;
        if (n >= sizeof h->text - h->len) {
            return failed(err, SPOOL_MISUSE,
                          "%s: the headers are longer than %d bytes", where,
                          OWN_HEADERS_LEN);
        }
        memcpy(line, lines, n);
        line[n] = '\0';
        lines += n;
        lines += strspn(lines, "\r\n");
        if (n == 0) {
            continue;
        }
        enum spool_status status = check(h, line, where, err);
        if (status != SPOOL_OK) {
            return status;
        }
        h->lines[h->n++] = line;
        h->len += n + 1;
    }
    return SPOOL_OK;
}

enum spool_status own_headers_read(struct own_headers *h, const char *path,
                                   struct spool_error *err)
{
    char text[OWN_HEADERS_LEN];
    size_t len = 0;
    enum spool_status status =
        secret_file_read(path, "the headers", text, sizeof text, &len, err);
    if (status == SPOOL_OK &&
        (len == sizeof text || memchr(text, '\0', len) != NULL)) {
        status =
            failed(err, SPOOL_MISUSE, "%s is longer than %d bytes or no text",
                   path, OWN_HEADERS_LEN - 1);
    }
    if (status == SPOOL_OK) {
        text[len] = '\0';
        status = own_headers_add(h, text, path, err);
    }
    explicit_bzero(text, sizeof text);
    return status;
}
