#include "column.h"

#include <string.h>

#include "base/error.h"

enum ended { BY_SEPARATOR, BY_LINE, BY_FILE };

static bool is_blank(int c)
{
    return c == ' ' || c == '\t';
}

/* Letters of ASCII alone: what a locale thinks of I does not matter here. */
static bool same_word(const char *a, const char *b)
{
    for (;; a++, b++) {
        char x = *a >= 'A' && *a <= 'Z' ? (char)(*a + 32) : *a;
        char y = *b >= 'A' && *b <= 'Z' ? (char)(*b + 32) : *b;
        if (x != y || x == '\0') {
            return x == y;
        }
    }
}

/* ---- bytes ---- */

/* EOF at the end of the file, and when it cannot be read. */
static int peek(struct column *c)
{
    if (c->next == c->there) {
        c->next = 0;
        c->there = fread(c->block, 1, sizeof c->block, c->in);
    }
    return c->next < c->there ? c->block[c->next] : EOF;
}

static int take(struct column *c)
{
    int byte = peek(c);
    c->next += byte != EOF ? 1 : 0;
    return byte;
}

/* Outside of quotes a CR ends a line, with the LF behind it or alone. */
static int take_plain(struct column *c)
{
    int byte = take(c);
    if (byte == '\r' && peek(c) == '\n') {
        (void)take(c);
    }
    return byte == '\r' ? '\n' : byte;
}

static void keep(struct column *c, int byte)
{
    if (c->len == COLUMN_VALUE_MAX) {
        c->too_long = true;
    } else {
        c->field[c->len++] = (char)byte;
    }
}

static enum spool_status broken(const struct column *c, const char *what,
                                struct spool_error *err)
{
    return failed(err, SPOOL_INVALID, "%s, line %lld: %s", c->file,
                  (long long)c->line, what);
}

/* ---- a field ---- */

static enum spool_status read_quoted(struct column *c, struct spool_error *err)
{
    int64_t opened = c->line;
    (void)take(c);
    c->quoted = true;
    for (int byte = take(c); byte != EOF; byte = take(c)) {
        if (byte == '"' && peek(c) != '"') {
            return SPOOL_OK;
        }
        if (byte == '"') {
            (void)take(c);
        }
        c->line += byte == '\n' || (byte == '\r' && peek(c) != '\n') ? 1 : 0;
        keep(c, byte);
    }
    c->line = opened;
    return broken(c, "a quote is opened here and never closed", err);
}

static bool separates(struct column *c, int byte)
{
    if (c->separator == '\0' && (byte == ',' || byte == ';' || byte == '\t')) {
        c->separator = (char)byte;
    }
    return byte != EOF && byte == c->separator;
}

static void trim(struct column *c)
{
    size_t from = 0;
    while (c->len > 0 && is_blank(c->field[c->len - 1])) {
        c->len--;
    }
    while (from < c->len && is_blank(c->field[from])) {
        from++;
    }
    c->len -= from;
    memmove(c->field, c->field + from, c->len);
    c->field[c->len] = '\0';
}

static enum spool_status read_field(struct column *c, enum ended *ended,
                                    struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    c->len = 0;
    c->too_long = false;
    c->quoted = false;
    if (peek(c) == '"') {
        status = read_quoted(c, err);
    }
    int byte = status == SPOOL_OK ? take_plain(c) : EOF;
    while (byte != EOF && byte != '\n' && !separates(c, byte)) {
        if (!c->quoted) {
            keep(c, byte);
        } else if (!is_blank(byte)) {
            return broken(c, "something stands behind a closing quote", err);
        }
        byte = take_plain(c);
    }
    if (ferror(c->in) != 0) {
        return failed_errno(err, "cannot read %s", c->file);
    }
    if (status == SPOOL_OK && memchr(c->field, '\0', c->len) != NULL) {
        return broken(
            c, "it holds a zero byte; is the file saved as UTF-8 text?", err);
    }
    c->field[c->len] = '\0';
    *ended = byte == EOF ? BY_FILE : byte == '\n' ? BY_LINE : BY_SEPARATOR;
    return status;
}

/* ---- a row ---- */

/* What the first row tells of a header. */
struct first_row {
    bool by_name; /* the wanted column is looked for by its name */
    bool found;
    bool header;
};

static void look_at_head(struct column *c, size_t i, struct first_row *first)
{
    if (first->by_name) {
        if (!first->found && same_word(c->field, c->wanted)) {
            first->found = true;
            c->at = i;
        }
        return;
    }
    for (const char *const *head = c->heads; *head != NULL; head++) {
        if ((i == 0 || i == c->at) && same_word(c->field, *head)) {
            first->header = true;
        }
    }
}

static enum spool_status keep_value(struct column *c, struct spool_error *err)
{
    if (c->too_long) {
        return broken(c,
                      "its value is longer than 1,024 bytes; is a quote "
                      "left open?",
                      err);
    }
    memcpy(c->given, c->field, c->len + 1);
    trim(c);
    memcpy(c->value, c->field, c->len + 1);
    return SPOOL_OK;
}

static void skip_empty_lines(struct column *c)
{
    while (peek(c) == '\n' || peek(c) == '\r') {
        (void)take_plain(c);
        c->line++;
    }
}

/* Leaves the wanted value, or "", in value. SPOOL_NOT_FOUND at the end. first
 * is NULL but for the first row. */
static enum spool_status read_row(struct column *c, struct first_row *first,
                                  struct spool_error *err)
{
    enum ended ended = BY_SEPARATOR;
    enum spool_status status = SPOOL_OK;
    skip_empty_lines(c);
    if (peek(c) == EOF && ferror(c->in) == 0) {
        return SPOOL_NOT_FOUND;
    }
    c->row_line = c->line;
    c->value[0] = '\0';
    for (size_t i = 0; status == SPOOL_OK && ended == BY_SEPARATOR; i++) {
        status = read_field(c, &ended, err);
        if (status == SPOOL_OK && i == c->at) {
            status = keep_value(c, err);
        }
        if (status == SPOOL_OK && first != NULL) {
            trim(c);
            look_at_head(c, i, first);
        }
    }
    c->line++;
    return status;
}

/* ---- the column ---- */

/* A place, from 1, into c->at; or it is a name. */
static enum spool_status read_wanted(struct column *c, bool *by_name,
                                     struct spool_error *err)
{
    const char *p = c->wanted != NULL ? c->wanted : "1";
    size_t place = 0;
    for (; *p >= '0' && *p <= '9' && place < 10000; p++) {
        place = place * 10 + (size_t)(*p - '0');
    }
    *by_name = *p != '\0';
    if (!*by_name && place == 0) {
        return failed(err, SPOOL_MISUSE, "columns are counted from 1");
    }
    c->at = *by_name ? 0 : place - 1;
    return SPOOL_OK;
}

enum spool_status column_start(struct column *c, struct spool_error *err)
{
    struct first_row first = {0};
    enum spool_status status = read_wanted(c, &first.by_name, err);
    if (status != SPOOL_OK) {
        return status;
    }
    c->line = 1;
    (void)peek(c);
    if (c->there >= 3 && memcmp(c->block, "\xEF\xBB\xBF", 3) == 0) {
        c->next = 3;
    }
    status = read_row(c, &first, err);
    if (status == SPOOL_OK && first.by_name && !first.found) {
        return failed(err, SPOOL_MISUSE,
                      "%s has no column '%s' in its first row", c->file,
                      c->wanted);
    }
    if (c->separator == '\0') {
        c->separator = '\n'; /* one column: a later comma is part of a value */
    }
    c->waiting = status == SPOOL_OK && !first.by_name && !first.header;
    return status == SPOOL_NOT_FOUND ? SPOOL_OK : status;
}

enum spool_status column_next(struct column *c, struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    do {
        if (!c->waiting) {
            status = read_row(c, NULL, err);
        }
        c->waiting = false;
        c->blank += status == SPOOL_OK && c->value[0] == '\0' ? 1 : 0;
    } while (status == SPOOL_OK && c->value[0] == '\0');
    return status;
}
