#include "events/filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "events/json.h"

struct word {
    struct json_text text; /* inside the filter's copy of the expression */
    bool quoted;
};

struct filter {
    struct term {
        struct word member;
        struct word value;
    } term[FILTER_TERMS_MAX];
    size_t terms;
    char expression[]; /* NUL-terminated copy */
};

/* Compiling. */

struct compiler {
    struct filter *filter;
    const char *at;
    struct spool_error *err;
};

static enum spool_status complain(const struct compiler *c, const char *what)
{
    return failed(c->err, SPOOL_MISUSE,
                  "filter: %s at character %zu; write MEMBER = VALUE, joined "
                  "by and",
                  what, (size_t)(c->at - c->filter->expression) + 1);
}

static void skip_blanks(struct compiler *c)
{
    c->at += json_space(c->at, strlen(c->at));
}

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || (unsigned char)c >= 0x80 ||
           (c != '\0' && strchr("_-.:~/+", c) != NULL);
}

static enum spool_status read_quoted(struct compiler *c, struct word *word)
{
    struct json_end end;
    enum json_result result = json_scan(c->at, strlen(c->at), NULL, NULL, &end);
    if (result == JSON_INCOMPLETE) {
        return complain(c, "a quote is not closed");
    }
    if (result != JSON_OK) {
        c->at += end.offset;
        return complain(c, end.sentence);
    }
    word->quoted = true;
    word->text.at = c->at + 1;
    word->text.len = end.offset - 2;
    word->text.escaped = memchr(c->at, '\\', end.offset) != NULL;
    c->at += end.offset;
    return SPOOL_OK;
}

static enum spool_status read_word(struct compiler *c, struct word *word,
                                   const char *wanted)
{
    skip_blanks(c);
    if (*c->at == '"') {
        return read_quoted(c, word);
    }
    word->quoted = false;
    word->text = (struct json_text){.at = c->at};
    while (is_word_byte(*c->at)) {
        c->at++;
    }
    word->text.len = (size_t)(c->at - word->text.at);
    return word->text.len > 0 ? SPOOL_OK : complain(c, wanted);
}

static enum spool_status read_term(struct compiler *c, struct term *term)
{
    enum spool_status status =
        read_word(c, &term->member, "a member is missing");
    if (status != SPOOL_OK) {
        return status;
    }
    skip_blanks(c);
    if (*c->at != '=') {
        return complain(c, "= is missing");
    }
    c->at++;
    return read_word(c, &term->value, "a value is missing");
}

/* True behind an "and"; false at the end, or with *status set on a fault. */
static bool read_and(struct compiler *c, enum spool_status *status)
{
    skip_blanks(c);
    if (*c->at == '\0') {
        return false;
    }
    const char *at = c->at;
    struct word word = {.quoted = false};
    if (*at == '"' || read_word(c, &word, "") != SPOOL_OK ||
        !json_equals(word.text, "and")) {
        c->at = at;
        *status = complain(c, "and is missing");
        return false;
    }
    return true;
}

static enum spool_status compile(struct compiler *c)
{
    struct filter *f = c->filter;
    enum spool_status status = SPOOL_OK;
    skip_blanks(c);
    if (*c->at == '\0') {
        return SPOOL_OK;
    }
    do {
        if (f->terms == FILTER_TERMS_MAX) {
            return complain(c, "there are more than 16 terms");
        }
        status = read_term(c, &f->term[f->terms]);
        if (status != SPOOL_OK) {
            return status;
        }
        f->terms++;
    } while (read_and(c, &status));
    return status;
}

enum spool_status filter_create(const char *expression, struct filter **filter,
                                struct spool_error *err)
{
    size_t size = strlen(expression) + 1;
    struct filter *f = calloc(1, sizeof *f + size);
    if (f == NULL) {
        return failed(err, SPOOL_NO_MEMORY, "no memory for a filter");
    }
    memcpy(f->expression, expression, size);
    struct compiler c = {.filter = f, .at = f->expression, .err = err};
    enum spool_status status = compile(&c);
    if (status != SPOOL_OK) {
        free(f);
        return status;
    }
    *filter = f;
    return SPOOL_OK;
}

void filter_destroy(struct filter *filter)
{
    free(filter);
}

/* Taking. */

struct match {
    const struct filter *filter;
    unsigned met; /* bit i: term i */
};

static bool equals(const struct word *word, const struct json_member *member)
{
    switch (member->kind) {
    case JSON_STRING:
        return json_equal(word->text, member->value);
    case JSON_NUMBER:
    case JSON_TRUE:
    case JSON_FALSE:
        return !word->quoted && json_equal(word->text, member->value);
    case JSON_NONE:
    case JSON_OBJECT:
    case JSON_ARRAY:
    case JSON_NULL:
        break;
    }
    return false;
}

static void match_member(void *arg, const struct json_member *path,
                         unsigned depth)
{
    struct match *match = arg;
    if (depth != 1 || path->name.at == NULL) {
        return;
    }
    for (size_t i = 0; i < match->filter->terms; i++) {
        const struct term *term = &match->filter->term[i];
        if (json_equal(term->member.text, path->name) &&
            equals(&term->value, path)) {
            match->met |= 1U << i;
        }
    }
}

bool filter_takes(const struct filter *filter, const char *json, size_t len)
{
    if (filter == NULL || filter->terms == 0) {
        return true;
    }
    struct match match = {.filter = filter};
    struct json_end end;
    return json_scan(json, len, match_member, &match, &end) == JSON_OK &&
           end.kind == JSON_OBJECT && match.met == (1U << filter->terms) - 1;
}
