#include "fault.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/random.h"

struct fault {
    enum fault_id id;
    char *spec;   /* as given */
    char *text;   /* VALUE, or NULL */
    char *needle; /* if=TEXT, or NULL */
    uint64_t number;
    uint64_t every; /* 0: not given, here and below */
    uint64_t first;
    uint64_t after;
    double rate; /* percent; negative: not given */
    uint64_t seed;
    uint64_t seen;
    uint64_t struck;
};

static const struct {
    const char *name;
    enum fault_stage stage;
    enum fault_value value;
    uint64_t least;
    uint64_t most;
    bool keeps;
    const char *help;
} table[] = {
#define FAULT_ROW(id, name, stage, value, least, most, keeps, help)            \
    [FAULT_##id] = {name, stage, value, least, most, keeps, help},
    FAULT_MAP(FAULT_ROW)
#undef FAULT_ROW
};

#define HUGE_MIB     8
#define DEFAULT_SEED 1

static bool parse_number(const char *text, uint64_t least, uint64_t most,
                         uint64_t *out)
{
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || n < least || n > most) {
        return false;
    }
    *out = n;
    return true;
}

static bool parse_percent(const char *text, double *out)
{
    char *end;
    double d = strtod(text, &end);
    if (end == text || *end != '\0' || !(d >= 0 && d <= 100)) {
        return false;
    }
    *out = d;
    return true;
}

/* The ':' that begins the next WHEN: one followed by letters and '='. The
 * colons of URLs, times and JSON are not. */
static char *find_when(char *at)
{
    for (; (at = strchr(at, ':')) != NULL; at++) {
        size_t n = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz");
        if (n > 0 && at[1 + n] == '=') {
            return at;
        }
    }
    return NULL;
}

static enum spool_status take_if(struct fault *f, const char *text,
                                 struct spool_error *err)
{
    if (table[f->id].stage < STAGE_ANSWER) {
        return failed(err, SPOOL_MISUSE,
                      "%s cannot have if=: it strikes before the body is read",
                      table[f->id].name);
    }
    if (text[0] == '\0') {
        return failed(err, SPOOL_MISUSE, "if= takes the text to look for");
    }
    free(f->needle);
    f->needle = strdup(text);
    return f->needle != NULL ? SPOOL_OK
                             : failed(err, SPOOL_NO_MEMORY, "out of memory");
}

static enum spool_status take_count(const char *value, uint64_t *out,
                                    struct spool_error *err)
{
    if (!parse_number(value, 1, UINT64_MAX, out)) {
        return failed(err, SPOOL_MISUSE,
                      "a condition takes a number of 1 or more, not '%s'",
                      value);
    }
    return SPOOL_OK;
}

/* when has an '='. */
static enum spool_status take_when(struct fault *f, const char *when,
                                   struct spool_error *err)
{
    const char *value = strchr(when, '=') + 1;
    struct text name = {when, (size_t)(value - when) - 1};
    if (text_is(name, "every")) {
        return take_count(value, &f->every, err);
    }
    if (text_is(name, "first")) {
        return take_count(value, &f->first, err);
    }
    if (text_is(name, "after")) {
        return take_count(value, &f->after, err);
    }
    if (text_is(name, "seed")) {
        return take_count(value, &f->seed, err);
    }
    if (text_is(name, "if")) {
        return take_if(f, value, err);
    }
    if (!text_is(name, "rate")) {
        return failed(err, SPOOL_MISUSE,
                      "':%s' is no condition; there are every=, first=, "
                      "after=, rate=, seed= and if=",
                      when);
    }
    if (!parse_percent(value, &f->rate)) {
        return failed(err, SPOOL_MISUSE,
                      "rate= takes a percentage from 0 to 100, not '%s'",
                      value);
    }
    return SPOOL_OK;
}

static enum spool_status take_text(struct fault *f, const char *value,
                                   struct spool_error *err)
{
    const char *name = table[f->id].name;
    if (value == NULL || value[0] == '\0') {
        return failed(err, SPOOL_MISUSE, "%s needs a text: %s=TEXT", name,
                      name);
    }
    for (const char *p = value; *p != '\0'; p++) {
        if ((unsigned char)*p < ' ' || *p == 127) {
            return failed(err, SPOOL_MISUSE, "%s cannot hold a control byte",
                          name);
        }
    }
    f->text = strdup(value);
    return f->text != NULL ? SPOOL_OK
                           : failed(err, SPOOL_NO_MEMORY, "out of memory");
}

/* value is NULL when there is none. */
static enum spool_status take_value(struct fault *f, const char *value,
                                    struct spool_error *err)
{
    const char *name = table[f->id].name;
    switch (table[f->id].value) {
    case VALUE_TEXT:
        return take_text(f, value, err);
    case VALUE_NONE:
        return value == NULL
                   ? SPOOL_OK
                   : failed(err, SPOOL_MISUSE, "%s takes no value", name);
    case VALUE_OPTIONAL:
        f->number = HUGE_MIB;
        if (value == NULL) {
            return SPOOL_OK;
        }
        break;
    case VALUE_NUMBER:
        break;
    }
    if (value == NULL || !parse_number(value, table[f->id].least,
                                       table[f->id].most, &f->number)) {
        return failed(err, SPOOL_MISUSE,
                      "%s takes a number from %llu to %llu: %s=N", name,
                      (unsigned long long)table[f->id].least,
                      (unsigned long long)table[f->id].most, name);
    }
    return SPOOL_OK;
}

/* words is a copy of the SPEC that may be taken apart. */
static enum spool_status parse(struct fault *f, char *words,
                               struct spool_error *err)
{
    char *when = find_when(words);
    char *value = strchr(words, '=');
    if (when != NULL) {
        *when = '\0';
        value = value != NULL && value < when ? value : NULL;
    }
    if (value != NULL) {
        *value++ = '\0';
    }
    size_t id = 0;
    while (id < FAULT_COUNT && strcmp(words, table[id].name) != 0) {
        id++;
    }
    if (id == FAULT_COUNT) {
        return failed(err, SPOOL_MISUSE,
                      "there is no fault '%s'; --help lists them", words);
    }
    f->id = (enum fault_id)id;
    enum spool_status status = take_value(f, value, err);
    while (status == SPOOL_OK && when != NULL) {
        char *next = find_when(when + 1);
        if (next != NULL) {
            *next = '\0';
        }
        status = take_when(f, when + 1, err);
        when = next;
    }
    if (status == SPOOL_OK && f->id == FAULT_BAD_INPUT_IF) {
        free(f->needle);
        f->needle = f->text;
        f->text = NULL;
    }
    return status;
}

static void fault_finish(struct fault *f)
{
    free(f->spec);
    free(f->text);
    free(f->needle);
}

enum spool_status faults_add(struct faults *f, const char *spec,
                             struct spool_error *err)
{
    struct fault *list = realloc(f->list, (f->count + 1) * sizeof *list);
    char *words = strdup(spec);
    if (list == NULL || words == NULL) {
        f->list = list != NULL ? list : f->list;
        free(words);
        return failed(err, SPOOL_NO_MEMORY, "out of memory");
    }
    f->list = list;
    struct fault *added = &list[f->count];
    *added = (struct fault){.rate = -1, .seed = DEFAULT_SEED};
    added->spec = strdup(spec);
    struct spool_error why = {SPOOL_NO_MEMORY, "out of memory"};
    enum spool_status status =
        added->spec != NULL ? parse(added, words, &why) : SPOOL_NO_MEMORY;
    free(words);
    if (status != SPOOL_OK) {
        fault_finish(added);
        return failed(err, status, "the fault '%s' is wrong: %s", spec,
                      why.message);
    }
    f->count++;
    return SPOOL_OK;
}

static enum spool_status add_line(struct faults *f, struct text line,
                                  struct spool_error *err)
{
    while (line.len > 0 && strchr("\r \t", line.at[line.len - 1]) != NULL) {
        line.len--;
    }
    if (line.len == 0 || line.at[0] == '#') {
        return SPOOL_OK;
    }
    char *spec = strndup(line.at, line.len);
    if (spec == NULL) {
        return failed(err, SPOOL_NO_MEMORY, "out of memory");
    }
    enum spool_status status = faults_add(f, spec, err);
    free(spec);
    return status;
}

enum spool_status faults_replace(struct faults *f, struct text text,
                                 struct spool_error *err)
{
    struct faults fresh = {0};
    enum spool_status status = SPOOL_OK;
    while (text.len > 0 && status == SPOOL_OK) {
        const char *eol = memchr(text.at, '\n', text.len);
        size_t n = eol != NULL ? (size_t)(eol - text.at) : text.len;
        status = add_line(&fresh, (struct text){text.at, n}, err);
        n = eol != NULL ? n + 1 : n;
        text.at += n;
        text.len -= n;
    }
    if (status != SPOOL_OK) {
        faults_finish(&fresh);
        return status;
    }
    faults_finish(f);
    *f = fresh;
    return SPOOL_OK;
}

void faults_finish(struct faults *f)
{
    for (size_t i = 0; i < f->count; i++) {
        fault_finish(&f->list[i]);
    }
    free(f->list);
    *f = (struct faults){0};
}

/* POSIX has no memmem. */
static bool contains(struct text body, const char *needle)
{
    size_t n = strlen(needle);
    const char *at = body.at;
    const char *end = body.at + body.len;
    while (at != NULL && (size_t)(end - at) >= n) {
        at = memchr(at, needle[0], (size_t)(end - at) - n + 1);
        if (at == NULL) {
            return false;
        }
        if (memcmp(at, needle, n) == 0) {
            return true;
        }
        at++;
    }
    return false;
}

static bool is_drawn(const struct fault *f)
{
    if (f->rate < 0) {
        return true;
    }
    struct rng draw = {f->seed * 0xD1342543DE82EF95U + f->seen};
    return (double)(rng_next(&draw) >> 11) * 0x1p-53 * 100 < f->rate;
}

/* Counts the request and says whether the fault strikes it. */
static bool is_due(struct fault *f, struct text body)
{
    if (f->needle != NULL && !contains(body, f->needle)) {
        return false;
    }
    f->seen++;
    return (f->every == 0 || f->seen % f->every == 0) &&
           (f->first == 0 || f->seen <= f->first) && f->seen > f->after &&
           is_drawn(f);
}

static void strike_with(struct strike *out, struct fault *f, bool as_manner)
{
    if (as_manner) {
        f->struck += out->manner[f->id] == NULL;
        out->manner[f->id] = f;
    } else if (out->outcome == NULL) {
        f->struck++;
        out->outcome = f;
    }
}

const struct fault *faults_at_connect(struct faults *f)
{
    struct strike strike = {0};
    for (size_t i = 0; i < f->count; i++) {
        if (table[f->list[i].id].stage == STAGE_CONNECT &&
            is_due(&f->list[i], (struct text){"", 0})) {
            strike_with(&strike, &f->list[i], false);
        }
    }
    return strike.outcome;
}

void faults_at_head(struct faults *f, bool reused, struct strike *out)
{
    *out = (struct strike){0};
    for (size_t i = 0; i < f->count; i++) {
        struct fault *fault = &f->list[i];
        if (table[fault->id].stage == STAGE_HEAD &&
            (reused || fault->id != FAULT_CLOSE_IDLE) &&
            is_due(fault, (struct text){"", 0})) {
            strike_with(out, fault, fault->id == FAULT_NO_CONTINUE);
        }
    }
}

void faults_at_answer(struct faults *f, struct text body, struct strike *out)
{
    *out = (struct strike){0};
    for (size_t i = 0; i < f->count; i++) {
        struct fault *fault = &f->list[i];
        if (table[fault->id].stage >= STAGE_ANSWER && is_due(fault, body)) {
            strike_with(out, fault, table[fault->id].stage == STAGE_MANNER);
        }
    }
}

enum fault_id fault_id(const struct fault *fault)
{
    return fault->id;
}

uint64_t fault_number(const struct fault *fault)
{
    return fault->number;
}

const char *fault_text(const struct fault *fault)
{
    return fault->text != NULL ? fault->text : "";
}

bool fault_keeps(const struct fault *fault)
{
    if (fault->id == FAULT_STATUS) {
        return fault->number / 100 == 2;
    }
    return table[fault->id].keeps;
}

void strike_names(const struct strike *strike, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    if (strike->outcome != NULL) {
        n = (size_t)snprintf(out, size, "%s", table[strike->outcome->id].name);
    }
    for (size_t id = 0; id < FAULT_COUNT && n < size; id++) {
        if (strike->manner[id] != NULL) {
            n += (size_t)snprintf(out + n, size - n, "%s%s", n > 0 ? "+" : "",
                                  table[id].name);
        }
    }
}

void faults_each(const struct faults *f,
                 void (*visit)(void *arg, const char *spec, uint64_t seen,
                               uint64_t struck),
                 void *arg)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct fault *fault = &f->list[i];
        visit(arg, fault->spec, fault->seen, fault->struck);
    }
}

void faults_print(FILE *out)
{
    for (size_t id = 0; id < FAULT_COUNT; id++) {
        bool value = strchr("=[", table[id].help[0]) != NULL;
        const char *space = strchr(table[id].help, ' ');
        int n = value ? (int)(space - table[id].help) : 0;
        char name[64];
        (void)snprintf(name, sizeof name, "%s%.*s", table[id].name, n,
                       table[id].help);
        (void)fprintf(out, "  %-22s %s\n", name,
                      value ? space + 1 : table[id].help);
    }
}
