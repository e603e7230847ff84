#include "events/rule.h"

#include <stdio.h>
#include <string.h>

/* Longest value a rule can list, and longest string it is worth decoding for
 * a comparison. */
#define VALUE_MAX 32

static char lower(char c)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz";
    if (c >= 'A' && c <= 'Z') {
        c = alphabet[c - 'A'];
    }
    return c;
}

static bool same(const char *a, const char *b, size_t n, bool any_case)
{
    if (!any_case) {
        return memcmp(a, b, n) == 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (lower(a[i]) != lower(b[i])) {
            return false;
        }
    }
    return true;
}

/* The characters of text as plain bytes: text itself, or decoded into room.
 * Longer text than any rule asks about keeps a length no value has. */
static struct json_text plain(struct json_text text, char room[VALUE_MAX])
{
    if (!text.escaped) {
        return text;
    }
    size_t len = json_decode(text, room, VALUE_MAX);
    return (struct json_text){.at = room, .len = len};
}

bool rule_lists(const char *values, struct json_text text, bool any_case)
{
    if (values == NULL) {
        return false;
    }
    char room[VALUE_MAX];
    text = plain(text, room);
    for (;;) {
        const char *bar = strchr(values, '|');
        size_t len = bar != NULL ? (size_t)(bar - values) : strlen(values);
        if (len == text.len && same(values, text.at, len, any_case)) {
            return true;
        }
        if (bar == NULL) {
            return false;
        }
        values = bar + 1;
    }
}

static bool all_between(struct json_text text, char low, char high)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < low || text.at[i] > high) {
            return false;
        }
    }
    return true;
}

static bool all_letters(struct json_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (lower(text.at[i]) < 'a' || lower(text.at[i]) > 'z') {
            return false;
        }
    }
    return true;
}

static enum fit fit_one_of(const struct rule *rule, struct json_text text)
{
    if (rule_lists(rule->values, text, false)) {
        return FITS;
    }
    if (rule->type == HINT || rule_lists(rule->values, text, true) ||
        rule_lists(rule->also, text, true)) {
        return FITS_RELAXED;
    }
    return FITS_NOT;
}

static enum fit fit_language(const struct rule *rule, struct json_text text)
{
    char room[VALUE_MAX];
    text = plain(text, room);
    /* "Contact us for other languages": the list is not closed. */
    if (rule_lists(rule->values, text, false) ||
        (text.len == 2 && all_between(text, 'A', 'Z'))) {
        return FITS;
    }
    return FITS_RELAXED;
}

static enum fit fit_currency(struct json_text text)
{
    char room[VALUE_MAX];
    text = plain(text, room);
    if (text.len == 3 && all_between(text, 'A', 'Z')) {
        return FITS;
    }
    return text.len == 0 || (text.len == 3 && all_letters(text)) ? FITS_RELAXED
                                                                 : FITS_NOT;
}

static int number_at(const char *digits, size_t n)
{
    int number = 0;
    for (size_t i = 0; i < n; i++) {
        number = number * 10 + (digits[i] - '0');
    }
    return number;
}

static bool day_exists(int day, int month, int year)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1 || month < 1 || month > 12 || day < 1) {
        return false;
    }
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= days[month - 1] + (leap && month == 2 ? 1 : 0);
}

static enum fit fit_date(struct json_text text)
{
    char room[VALUE_MAX];
    text = plain(text, room);
    if (text.len != 10) {
        return FITS_NOT;
    }
    for (size_t i = 0; i < 10; i++) {
        bool digit = text.at[i] >= '0' && text.at[i] <= '9';
        bool dot = i == 2 || i == 5;
        if (dot ? text.at[i] != '.' : !digit) {
            return FITS_NOT;
        }
    }
    return day_exists(number_at(text.at, 2), number_at(text.at + 3, 2),
                      number_at(text.at + 6, 4))
               ? FITS
               : FITS_NOT;
}

static bool is_number_text(struct json_text text)
{
    struct json_end end;
    return json_scan(text.at, text.len, NULL, NULL, &end) == JSON_OK &&
           end.kind == JSON_NUMBER && end.offset == text.len;
}

static enum fit fit_string(const struct rule *rule, struct json_text text,
                           enum event_fault *fault)
{
    switch (rule->type) {
    case TEXT:
        return FITS;
    case ID:
    case NAME:
        *fault = EVENT_MISSING;
        return text.len > 0 ? FITS : FITS_NOT;
    case ONE_OF:
    case HINT:
        *fault = EVENT_ENUM;
        return fit_one_of(rule, text);
    case LANGUAGE:
        *fault = EVENT_ENUM;
        return fit_language(rule, text);
    case FLAG:
        *fault = EVENT_ENUM;
        return rule_lists("true|false", text, false) ? FITS : FITS_NOT;
    case DATE:
        *fault = EVENT_FORMAT;
        return fit_date(text);
    case CURRENCY:
        *fault = EVENT_FORMAT;
        return fit_currency(text);
    case NUMBER:
        *fault = EVENT_TYPE;
        return is_number_text(text) ? FITS_RELAXED : FITS_NOT;
    case MAP:
    case LIST:
    case PRODUCTS:
        break;
    }
    *fault = EVENT_TYPE;
    return FITS_NOT;
}

enum fit rule_fit(const struct rule *rule, const struct json_member *value,
                  enum event_fault *fault)
{
    bool fits = false;
    switch (value->kind) {
    case JSON_STRING:
        return fit_string(rule, value->value, fault);
    case JSON_OBJECT:
        fits = rule->type == MAP;
        break;
    case JSON_ARRAY:
        fits = rule->type == LIST || rule->type == PRODUCTS;
        break;
    case JSON_NUMBER:
        fits = rule->type == NUMBER;
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        fits = rule->type == FLAG;
        break;
    case JSON_NULL:
        /* Browsers that may not track send null for what they leave out. */
        *fault = EVENT_TYPE;
        return rule->need == MANDATORY ? FITS_NOT : FITS_RELAXED;
    case JSON_NONE:
        break;
    }
    *fault = EVENT_TYPE;
    return fits ? FITS : FITS_NOT;
}

static const char *kind_text(enum json_kind kind)
{
    static const char *const texts[] = {
        [JSON_NONE] = "nothing",    [JSON_OBJECT] = "an object",
        [JSON_ARRAY] = "an array",  [JSON_STRING] = "a string",
        [JSON_NUMBER] = "a number", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",     [JSON_NULL] = "null",
    };
    return texts[kind];
}

static const char *type_text(enum rule_type type)
{
    static const char *const texts[] = {
        [TEXT] = "a string",
        [ID] = "a string",
        [NAME] = "a string",
        [ONE_OF] = "a string",
        [HINT] = "a string",
        [LANGUAGE] = "a string",
        [FLAG] = "true or false",
        [NUMBER] = "a number",
        [DATE] = "a string",
        [CURRENCY] = "a string",
        [MAP] = "an object",
        [LIST] = "an array",
        [PRODUCTS] = "an array of basket products",
    };
    return texts[type];
}

/* values with " or " and commas for the bars. */
static void list_values(const char *values, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    while (values != NULL && len + 1 < size) {
        const char *bar = strchr(values, '|');
        int n = bar != NULL ? (int)(bar - values) : (int)strlen(values);
        const char *joint = len == 0 ? "" : bar == NULL ? " or " : ", ";
        int wrote = snprintf(out + len, size - len, "%s%.*s", joint, n, values);
        len += wrote > 0 ? (size_t)wrote : 0;
        values = bar != NULL ? bar + 1 : NULL;
    }
}

static void explain_value(const struct rule *rule, char *out, size_t size)
{
    char values[160];
    switch (rule->type) {
    case NAME:
        (void)snprintf(out, size, "name is no event of the guide");
        return;
    case DATE:
        (void)snprintf(out, size,
                       "%s must be a day that exists, written DD.MM.YYYY",
                       rule->member);
        return;
    case CURRENCY:
        (void)snprintf(out, size,
                       "%s must be a code of three capital letters, like EUR",
                       rule->member);
        return;
    case LANGUAGE:
        list_values(rule->values, values, sizeof values);
        (void)snprintf(out, size,
                       "%s must be %s, or another code of two capital letters",
                       rule->member, values);
        return;
    case TEXT:
    case ID:
    case ONE_OF:
    case HINT:
    case FLAG:
    case NUMBER:
    case MAP:
    case LIST:
    case PRODUCTS:
        break;
    }
    list_values(rule->type == FLAG ? "true|false" : rule->values, values,
                sizeof values);
    (void)snprintf(out, size, "%s must be %s, written exactly so", rule->member,
                   values);
}

void rule_explain(const struct rule *rule, enum event_fault fault,
                  const struct json_member *value, char *out, size_t size)
{
    switch (fault) {
    case EVENT_MISSING:
        (void)snprintf(out, size, "%s is mandatory and %s", rule->member,
                       value == NULL ? "missing" : "empty");
        return;
    case EVENT_TYPE:
        (void)snprintf(out, size, "%s must be %s, not %s", rule->member,
                       type_text(rule->type), kind_text(value->kind));
        return;
    case EVENT_ENUM:
    case EVENT_FORMAT:
        explain_value(rule, out, size);
        return;
    case EVENT_OK:
    case EVENT_SYNTAX:
    case EVENT_LIMIT:
        break;
    }
    (void)snprintf(out, size, "%s is wrong", rule->member);
}
