#define _GNU_SOURCE /* explicit_bzero, strcasestr */
#include "delivery/profile.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/secret_file.h"
#include "delivery/success.h"

#define KEY_SIZE PROFILE_KEY_SIZE

/* The guide's path for events. */
static const char events_path[] = "/add/events/v1.json";

enum spool_status profile_find(const char *name, enum profile *out,
                               struct spool_error *err)
{
    if (strcmp(name, "segmentify") == 0) {
        *out = PROFILE_SEGMENTIFY;
    } else if (strcmp(name, "json") == 0) {
        *out = PROFILE_JSON;
    } else {
        return failed(err, SPOOL_MISUSE,
                      "there is no profile %s; there are segmentify and json",
                      name);
    }
    return SPOOL_OK;
}

static bool is_loopback(const char *host, size_t len)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i]) == len && strncmp(names[i], host, len) == 0) {
            return true;
        }
    }
    return len > 4 && strncmp(host, "127.", 4) == 0 &&
           strspn(host, "0123456789.") == len;
}

/* What stands behind the host: nothing, or a port. */
static bool is_port(const char *text, size_t len)
{
    if (len == 0 || (len == 1 && text[0] == ':')) {
        return true;
    }
    unsigned long port = strtoul(text + 1, NULL, 10);
    return text[0] == ':' && len <= 6 &&
           strspn(text + 1, "0123456789") == len - 1 && port > 0 &&
           port <= 65535;
}

enum spool_status profile_check_url(enum profile profile, const char *url,
                                    struct spool_error *err)
{
    char shown[PROFILE_URL_SIZE];
    profile_redact(url, shown, sizeof shown);
    bool tls = strncmp(url, "https://", 8) == 0;
    if (!tls && strncmp(url, "http://", 7) != 0) {
        return failed(err, SPOOL_MISUSE,
                      "the URL %s must begin with https:// or http://", shown);
    }
    for (const char *p = url; *p != '\0'; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7F || *p == '#') {
            return failed(err, SPOOL_MISUSE,
                          "the URL %s must have no spaces, control characters "
                          "or #",
                          shown);
        }
    }
    const char *host = url + (tls ? 8 : 7);
    size_t authority = strcspn(host, "/?");
    if (memchr(host, '@', authority) != NULL) {
        return failed(err, SPOOL_MISUSE,
                      "the URL %s has a user name in it; give the key with "
                      "--api-key-file",
                      shown);
    }
    size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?");
    if (len == 0 || len > authority) {
        return failed(err, SPOOL_MISUSE, "the URL %s names no host", shown);
    }
    if (!is_port(host + len, authority - len)) {
        return failed(err, SPOOL_MISUSE,
                      "the URL %s has no port from 1 to 65535 behind its host",
                      shown);
    }
    if (!tls && !is_loopback(host, len)) {
        return failed(err, SPOOL_MISUSE,
                      "the URL %s would send keys and personal data in clear; "
                      "use https:// (http:// is for this machine alone)",
                      shown);
    }
    if (strchr(url, '?') != NULL &&
        (profile == PROFILE_SEGMENTIFY || strcasestr(url, "key=") != NULL)) {
        return failed(err, SPOOL_MISUSE,
                      "the URL %s has a query, which would be kept in the "
                      "spool; name the endpoint alone and give the key with "
                      "--api-key-file",
                      shown);
    }
    return SPOOL_OK;
}

enum spool_status profile_check_proxy(const char *proxy, const char *url,
                                      struct spool_error *err)
{
    size_t scheme = strncmp(proxy, "http://", 7) == 0       ? 7
                    : strncmp(proxy, "socks5h://", 10) == 0 ? 10
                                                            : 0;
    const char *host = proxy + scheme;
    size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
    if (scheme == 0 || len == 0 || strpbrk(proxy, "@ \t\r\n#?") != NULL) {
        return failed(err, SPOOL_MISUSE,
                      "a proxy is http://HOST:PORT or socks5h://HOST:PORT, "
                      "without a login");
    }
    if (strncmp(url, "https://", 8) != 0 && !is_loopback(host, len)) {
        return failed(err, SPOOL_MISUSE,
                      "through a proxy elsewhere an http:// URL would send "
                      "keys and personal data in clear; use https://");
    }
    return SPOOL_OK;
}

/* The first line of the key's file. */
static enum spool_status read_key(const char *path, char key[KEY_SIZE],
                                  struct spool_error *err)
{
    size_t n = 0;
    enum spool_status status =
        secret_file_read(path, "the API key", key, KEY_SIZE - 1, &n, err);
    key[n] = '\0';
    size_t len = strcspn(key, "\r\n");
    key[len] = '\0';
    if (status == SPOOL_OK && (len == 0 || len == KEY_SIZE - 1)) {
        return failed(err, SPOOL_IO,
                      "%s holds no API key: it must be the file's first line, "
                      "of at most %d characters",
                      path, KEY_SIZE - 2);
    }
    for (size_t i = 0; status == SPOOL_OK && i < len; i++) {
        if ((unsigned char)key[i] <= ' ' || (unsigned char)key[i] > '~') {
            return failed(err, SPOOL_IO,
                          "the API key in %s has a blank or a control "
                          "character in it",
                          path);
        }
    }
    return status;
}

static enum spool_status check_content(enum profile profile,
                                       const struct destination *d,
                                       struct spool_error *err)
{
    if (profile == PROFILE_SEGMENTIFY &&
        (d->body != BODY_ARRAY || d->success[0] != '\0')) {
        return failed(err, SPOOL_MISUSE,
                      "the profile segmentify has its own body and its own "
                      "rule for success; --body and --success go with "
                      "--profile json");
    }
    return success_check(d->success, err);
}

enum spool_status profile_check(enum profile profile,
                                const struct destination *d,
                                struct spool_error *err)
{
    struct own_headers own = {0};
    enum spool_status status = profile_check_url(profile, d->url, err);
    if (status == SPOOL_OK) {
        status = check_content(profile, d, err);
    }
    if (status == SPOOL_OK) {
        status = own_headers_add(&own, d->headers, "--header", err);
    }
    for (size_t i = 0; status == SPOOL_OK && i < own.n; i++) {
        if (own_header_is_secret(own.lines[i])) {
            return failed(
                err, SPOOL_MISUSE,
                "--header: the header %.*s looks like a secret, which "
                "the spool does not keep; give it in --header-file",
                (int)strcspn(own.lines[i], ":"), own.lines[i]);
        }
    }
    if (status == SPOOL_OK && d->proxy[0] != '\0') {
        status = profile_check_proxy(d->proxy, d->url, err);
    }
    if (status == SPOOL_OK && d->client_key[0] != '\0' &&
        d->client_cert[0] == '\0') {
        return failed(err, SPOOL_MISUSE,
                      "a client key is nothing without its certificate; give "
                      "--client-cert");
    }
    return status;
}

/* Appends percent-encoded, as RFC 3986 2.3 leaves unreserved characters. */
static bool add_encoded(char *out, size_t size, const char *text)
{
    size_t n = strlen(out);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
        if (n + 4 > size) {
            return false;
        }
        n += (size_t)snprintf(out + n, size - n, plain ? "%c" : "%%%02X", c);
    }
    return true;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static enum spool_status
prepare_url(enum profile profile, const struct destination *d, const char *key,
            struct profile_request *out, struct spool_error *err)
{
    (void)snprintf(out->url, sizeof out->url, "%s", d->url);
    if (profile == PROFILE_JSON) {
        return SPOOL_OK;
    }
    size_t n = strlen(out->url);
    while (n > 0 && out->url[n - 1] == '/') {
        out->url[--n] = '\0';
    }
    if (!ends_with(out->url, events_path)) {
        n += (size_t)snprintf(out->url + n, sizeof out->url - n, "%s",
                              events_path);
    }
    if (key[0] != '\0') {
        (void)snprintf(out->url + n, sizeof out->url - n, "?apiKey=");
        if (!add_encoded(out->url, sizeof out->url, key)) {
            return failed(err, SPOOL_MISUSE,
                          "URL and key of %s are too long together", d->name);
        }
    }
    return SPOOL_OK;
}

static void add_header(struct profile_request *r, size_t *n, const char *name,
                       const char *value)
{
    (void)snprintf(r->text[*n], PROFILE_HEADER_SIZE, "%s: %s", name, value);
    r->headers[*n] = r->text[*n];
    r->headers[++*n] = NULL;
}

/* Unless the operator has set it. */
static void add_default(struct profile_request *r, size_t *n, const char *name,
                        const char *value)
{
    if (!own_headers_have(&r->own, name)) {
        add_header(r, n, name, value);
    }
}

static enum spool_status read_own(const struct destination *d,
                                  struct own_headers *own,
                                  struct spool_error *err)
{
    *own = (struct own_headers){0};
    enum spool_status status =
        own_headers_add(own, d->headers, "--header", err);
    own->open_n = own->n;
    if (status == SPOOL_OK && d->header_file[0] != '\0') {
        status = own_headers_read(own, d->header_file, err);
    }
    return status;
}

enum spool_status profile_check_files(const struct destination *d,
                                      struct spool_error *err)
{
    const struct {
        const char *path, *what;
    } files[] = {
        {d->api_key_file, "the API key"},
        {d->header_file, "the headers"},
        {d->ca_file, "the authorities' certificates"},
        {d->client_cert, "the client certificate"},
        {d->client_key, "the client certificate's key"},
    };
    enum spool_status status = SPOOL_OK;
    for (size_t i = 0; status == SPOOL_OK && i < sizeof files / sizeof *files;
         i++) {
        if (files[i].path[0] != '\0') {
            status = secret_file_check(files[i].path, files[i].what, err);
        }
    }
    return status;
}

enum spool_status profile_prepare(enum profile profile,
                                  const struct destination *d,
                                  const struct batch *b,
                                  struct profile_request *out,
                                  struct spool_error *err)
{
    char *key = out->key;
    enum spool_status status = profile_check_files(d, err);
    key[0] = '\0';
    if (status == SPOOL_OK && d->api_key_file[0] != '\0') {
        status = read_key(d->api_key_file, key, err);
    }
    if (status == SPOOL_OK) {
        status = prepare_url(profile, d, key, out, err);
    }
    if (status == SPOOL_OK) {
        status = read_own(d, &out->own, err);
    }
    size_t n = 0;
    out->headers[0] = NULL;
    if (status == SPOOL_OK) {
        add_default(out, &n, "Content-Type",
                    d->body == BODY_NDJSON ? "application/x-ndjson"
                                           : "application/json");
        add_default(out, &n, "Accept", "application/json");
        /* Else any coding would do (RFC 9110 12.5.3), and none is read. */
        add_default(out, &n, "Accept-Encoding", "identity");
        add_default(out, &n, "User-Agent", "spool");
        add_header(out, &n, "Idempotency-Key", b->key);
    }
    if (status == SPOOL_OK && d->origin[0] != '\0') {
        add_default(out, &n, "Origin", d->origin);
    }
    if (status == SPOOL_OK && profile == PROFILE_JSON && key[0] != '\0') {
        char value[KEY_SIZE + 8];
        (void)snprintf(value, sizeof value, "Bearer %s", key);
        add_default(out, &n, "Authorization", value);
        explicit_bzero(value, sizeof value);
    }
    for (size_t i = 0; status == SPOOL_OK && i < out->own.n; i++) {
        out->headers[n++] = out->own.lines[i];
        out->headers[n] = NULL;
    }
    return status;
}

void profile_forget(struct profile_request *r)
{
    explicit_bzero(r, sizeof *r);
}

void profile_redact(const char *url, char *out, size_t size)
{
    size_t n = 0;
    bool value = false;
    const char *scheme = strstr(url, "://");
    const char *host = scheme == NULL ? url : scheme + 3;
    size_t authority = strcspn(host, "/?#");
    const char *at = NULL;
    for (const char *p = host; p < host + authority; p++) {
        at = *p == '@' ? p : at;
    }
    for (const char *p = url; *p != '\0' && n + 4 < size; p++) {
        if (at != NULL && p == host) {
            n += (size_t)snprintf(out + n, size - n, "***");
            p = at;
        }
        if (value && *p != '&' && *p != '#') {
            continue;
        }
        value = false;
        out[n++] = *p;
        if (*p == '=' && memchr(url, '?', (size_t)(p - url)) != NULL) {
            n += (size_t)snprintf(out + n, size - n, "***");
            value = true;
        }
    }
    out[n] = '\0';
}
