#include "request.h"

#include <stdlib.h>
#include <strings.h>

/* Most bytes of a chunk's size line or of a trailer's. */
#define CHUNK_LINE_MAX 4096

static enum parsed bad(struct complaint *c, int http, const char *why)
{
    c->http = http;
    c->why = why;
    return PARSED_BAD;
}

/* RFC 9110, 5.6.2 */
static bool is_token(struct text t)
{
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.at[i];
        if (c <= ' ' || c >= 127 || strchr("\"(),/:;<=>?@[\\]{}", c) != NULL) {
            return false;
        }
    }
    return t.len > 0;
}

static bool is_same(struct text t, const char *word)
{
    return t.len == strlen(word) && strncasecmp(t.at, word, t.len) == 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct text trim(struct text t)
{
    while (t.len > 0 && is_blank(t.at[0])) {
        t.at++;
        t.len--;
    }
    while (t.len > 0 && is_blank(t.at[t.len - 1])) {
        t.len--;
    }
    return t;
}

/* Whether a comma-separated list names the word. */
static bool lists(struct text t, const char *word)
{
    while (t.len > 0) {
        const char *comma = memchr(t.at, ',', t.len);
        size_t n = comma != NULL ? (size_t)(comma - t.at) : t.len;
        struct text item = {t.at, n};
        if (is_same(trim(item), word)) {
            return true;
        }
        n = comma != NULL ? n + 1 : n;
        t.at += n;
        t.len -= n;
    }
    return false;
}

static bool parse_target(struct text target, struct request *out)
{
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.at[i];
        if (c <= ' ' || c >= 127) {
            return false;
        }
    }
    if (target.len == 0 || (target.at[0] != '/' && !text_is(target, "*"))) {
        return false;
    }
    const char *mark = memchr(target.at, '?', target.len);
    size_t path_len = mark != NULL ? (size_t)(mark - target.at) : target.len;
    out->path = (struct text){target.at, path_len};
    out->query = (struct text){target.at + path_len, 0};
    if (mark != NULL) {
        out->query = (struct text){mark + 1, target.len - path_len - 1};
    }
    while (out->path.len > 1 && memcmp(out->path.at, "//", 2) == 0) {
        out->path.at++;
        out->path.len--;
    }
    return true;
}

static enum parsed parse_first_line(struct text line, struct request *out,
                                    struct complaint *c)
{
    const char *space = memchr(line.at, ' ', line.len);
    if (space == NULL) {
        return bad(c, 400, "The first line is not a request line.");
    }
    out->method = (struct text){line.at, (size_t)(space - line.at)};
    struct text rest = {space + 1, line.len - out->method.len - 1};
    space = memchr(rest.at, ' ', rest.len);
    if (space == NULL || !is_token(out->method)) {
        return bad(c, 400, "The first line is not a request line.");
    }
    struct text target = {rest.at, (size_t)(space - rest.at)};
    struct text version = {space + 1, rest.len - target.len - 1};
    if (!parse_target(target, out)) {
        return bad(c, 400, "The request's target is not a path.");
    }
    if (text_is(version, "HTTP/1.1")) {
        out->keep_alive = true;
    } else if (!text_is(version, "HTTP/1.0")) {
        return bad(c, 505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
    }
    return PARSED_WHOLE;
}

static enum parsed take_length(struct text value, struct request *out,
                               struct complaint *c)
{
    size_t n = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < '0' || value.at[i] > '9') {
            return bad(c, 400, "Content-Length is not a number.");
        }
        if (n <= REQUEST_BODY_LIMIT) {
            n = n * 10 + (size_t)(value.at[i] - '0');
        }
    }
    if (value.len == 0 || out->has_length) {
        return bad(c, 400, "Content-Length must be there once.");
    }
    if (n > REQUEST_BODY_LIMIT) {
        return bad(c, 413, "The body is longer than 16 MiB.");
    }
    out->has_length = true;
    out->body_len = n;
    return PARSED_WHOLE;
}

static enum parsed take_header(struct text name, struct text value,
                               struct request *out, struct complaint *c)
{
    if (is_same(name, "content-length")) {
        return take_length(value, out, c);
    }
    if (is_same(name, "transfer-encoding")) {
        if (out->chunked || !is_same(value, "chunked")) {
            return bad(c, 501, "The only transfer coding known is chunked.");
        }
        out->chunked = true;
    } else if (is_same(name, "connection")) {
        if (lists(value, "close")) {
            out->keep_alive = false;
        } else if (lists(value, "keep-alive")) {
            out->keep_alive = true;
        }
    } else if (is_same(name, "expect")) {
        out->wants_continue = is_same(value, "100-continue");
    } else if (is_same(name, "host")) {
        if (out->host.at != NULL) {
            return bad(c, 400, "Host must be there once.");
        }
        out->host = value;
    } else if (is_same(name, "x-sfy-api-key")) {
        out->api_key = value;
    } else if (is_same(name, "origin")) {
        out->origin = value;
    } else if (is_same(name, "idempotency-key")) {
        out->idempotency_key = value;
    }
    return PARSED_WHOLE;
}

static enum parsed parse_header(struct text line, struct request *out,
                                struct complaint *c)
{
    const char *colon = memchr(line.at, ':', line.len);
    struct text name = {line.at, colon ? (size_t)(colon - line.at) : 0};
    if (!is_token(name)) {
        return bad(c, 400, "A header line does not begin with a name.");
    }
    struct text value = {colon + 1, line.len - name.len - 1};
    for (size_t i = 0; i < value.len; i++) {
        unsigned char b = (unsigned char)value.at[i];
        if ((b < ' ' && b != '\t') || b == 127) {
            return bad(c, 400, "A header's value has a control byte in it.");
        }
    }
    return take_header(name, trim(value), out, c);
}

static enum parsed parse_lines(const char *data, size_t head_len,
                               struct request *out, struct complaint *c)
{
    *out = (struct request){.head_len = head_len};
    const char *at = data;
    const char *end = data + head_len - 2; /* without the empty line */
    for (bool first = true; at < end; first = false) {
        const char *eol = memchr(at, '\n', (size_t)(end - at));
        if (eol == NULL || eol == at || eol[-1] != '\r') {
            return bad(c, 400, "A line of the head does not end in CR LF.");
        }
        struct text line = {at, (size_t)(eol - at) - 1};
        enum parsed p =
            first ? parse_first_line(line, out, c) : parse_header(line, out, c);
        if (p == PARSED_BAD) {
            return p;
        }
        at = eol + 1;
    }
    if (out->chunked && out->has_length) {
        return bad(c, 400, "Content-Length and chunked exclude each other.");
    }
    if (out->host.at == NULL && out->keep_alive) {
        return bad(c, 400, "The Host header is missing.");
    }
    return PARSED_WHOLE;
}

enum parsed request_parse(const char *data, size_t len, size_t *scanned,
                          struct request *out, struct complaint *complaint)
{
    size_t at = *scanned;
    const char *eol;
    while (at < len && (eol = memchr(data + at, '\n', len - at)) != NULL) {
        size_t n = (size_t)(eol - data) + 1;
        if (n > REQUEST_HEAD_LIMIT) {
            break;
        }
        if (n >= 3 && memcmp(eol - 2, "\n\r\n", 3) == 0) {
            *scanned = 0;
            return parse_lines(data, n, out, complaint);
        }
        at = n;
    }
    *scanned = at < len ? len : at;
    if (len > REQUEST_HEAD_LIMIT) {
        return bad(complaint, 431, "The head is longer than 64 KiB.");
    }
    /* A line without its CR could hide the end of the head for ever. */
    if (at > 1 && data[at - 1] == '\n' && data[at - 2] != '\r') {
        return bad(complaint, 400, "A line of the head does not end in CR LF.");
    }
    return PARSED_PARTLY;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool percent_decode(struct text t, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < t.len; i++) {
        char c = t.at[i];
        if (c == '%') {
            if (i + 2 >= t.len || hex(t.at[i + 1]) < 0 ||
                hex(t.at[i + 2]) < 0) {
                return false;
            }
            c = (char)(hex(t.at[i + 1]) * 16 + hex(t.at[i + 2]));
            i += 2;
        }
        if (n + 1 >= size || c == '\0') {
            return false;
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
}

bool request_parameter(const struct request *r, const char *name, char *out,
                       size_t size)
{
    struct text rest = r->query;
    size_t name_len = strlen(name);
    while (rest.len > 0) {
        const char *amp = memchr(rest.at, '&', rest.len);
        size_t n = amp != NULL ? (size_t)(amp - rest.at) : rest.len;
        if (n > name_len && rest.at[name_len] == '=' &&
            memcmp(rest.at, name, name_len) == 0) {
            struct text value = {rest.at + name_len + 1, n - name_len - 1};
            return percent_decode(value, out, size);
        }
        n = amp != NULL ? n + 1 : n;
        rest.at += n;
        rest.len -= n;
    }
    return false;
}

/* At the end of a size line, of a chunk's data or of a line of the trailer.
 * PARSED_WHOLE: that was the body's end. */
static enum parsed end_chunk_line(struct chunked *c,
                                  struct complaint *complaint)
{
    switch (c->state) {
    case CHUNK_SIZE:
        if (!c->digits) {
            return bad(complaint, 400, "A chunk has no size.");
        }
        c->state = c->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
        break;
    case CHUNK_END:
        c->state = CHUNK_SIZE;
        break;
    case CHUNK_TRAILER:
        if (c->line_len == 0) {
            return PARSED_WHOLE;
        }
        break;
    case CHUNK_DATA:
        break;
    }
    c->line_len = 0;
    c->digits = false;
    c->extension = false;
    return PARSED_PARTLY;
}

static enum parsed take_size_byte(struct chunked *c, char byte,
                                  struct complaint *complaint)
{
    int digit = hex(byte);
    if (c->extension || (c->digits && (byte == ';' || is_blank(byte)))) {
        c->extension = true;
    } else if (digit < 0) {
        return bad(complaint, 400, "A chunk's size is not a number.");
    } else if (c->left > REQUEST_BODY_LIMIT) {
        return bad(complaint, 413, "The body is longer than 16 MiB.");
    } else {
        c->digits = true;
        c->left = c->left * 16 + (uint64_t)digit;
    }
    return PARSED_PARTLY;
}

/* One byte of all that is not a chunk's data. */
static enum parsed chunk_line_byte(struct chunked *c, char byte,
                                   struct complaint *complaint)
{
    bool was_cr = c->cr;
    c->cr = byte == '\r';
    if (was_cr != (byte == '\n')) {
        return bad(complaint, 400, "A line of the body does not end in CR LF.");
    }
    if (byte == '\n') {
        return end_chunk_line(c, complaint);
    }
    if (byte == '\r') {
        return PARSED_PARTLY;
    }
    if (c->state == CHUNK_END || ++c->line_len > CHUNK_LINE_MAX) {
        return bad(complaint, 400, "A chunk does not end where it should.");
    }
    return c->state == CHUNK_SIZE ? take_size_byte(c, byte, complaint)
                                  : PARSED_PARTLY;
}

enum parsed chunked_decode(struct chunked *c, const char *data, size_t len,
                           size_t *used, struct buffer *body,
                           struct complaint *complaint)
{
    size_t at = 0;
    enum parsed p = PARSED_PARTLY;
    while (at < len && p == PARSED_PARTLY) {
        if (c->state != CHUNK_DATA) {
            p = chunk_line_byte(c, data[at], complaint);
            at++;
            continue;
        }
        size_t n = len - at < c->left ? len - at : (size_t)c->left;
        if (!buffer_add(body, data + at, n)) {
            p = bad(complaint, 413, "The body is longer than 16 MiB.");
        }
        at += n;
        c->left -= n;
        if (c->left == 0) {
            c->state = CHUNK_END;
        }
    }
    *used = at;
    return p;
}
