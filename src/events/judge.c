#include "events/judge.h"

#include <stdio.h>
#include <string.h>

#define POINTER_SIZE 32

/* An object being held against a table. */
struct hearing {
    struct judge *judge;
    const struct table *table;
    const struct seen *seen;
    struct json_text object;
    char pointer[POINTER_SIZE]; /* JSON Pointer of the object */
    struct event_finding *finding;
};

void judge_init(struct judge *j, const struct event_checks *checks,
                const char *text)
{
    catalogue_prepare();
    j->checks = checks;
    j->text = text;
    j->products = 0;
    j->products_asked = false;
    j->warning = false;
    j->products_finding.fault = EVENT_OK;
    memset(j->event.has, 0, sizeof j->event.has);
    memset(j->product.has, 0, sizeof j->product.has);
}

/* Misspelt members. */

struct similar {
    const char *member;
    struct json_text found;
};

static void look_for_similar(void *arg, const struct json_member *path,
                             unsigned depth)
{
    struct similar *similar = arg;
    const char *meant = depth == 1 ? catalogue_similar(path->name) : NULL;
    if (meant != NULL && strcmp(meant, similar->member) == 0) {
        similar->found = path->name;
    }
}

static void explain_missing(const struct hearing *h, const struct rule *rule,
                            char *out, size_t size)
{
    rule_explain(rule, EVENT_MISSING, NULL, out, size);
    struct similar similar = {.member = rule->member};
    struct json_end end;
    if (json_scan(h->object.at, h->object.len, look_for_similar, &similar,
                  &end) == JSON_OK &&
        similar.found.at != NULL) {
        size_t len = strlen(out);
        (void)snprintf(out + len, size - len, "; %.*s is another member",
                       (int)similar.found.len, similar.found.at);
    }
}

/* Rules. */

static size_t offset_of(const struct judge *j, const struct json_member *value)
{
    size_t offset = (size_t)(value->value.at - j->text);
    return value->kind == JSON_STRING ? offset - 1 : offset;
}

static void report(const struct hearing *h, const struct rule *rule,
                   enum event_fault fault, const struct json_member *value)
{
    struct event_finding *finding = h->finding;
    finding->fault = fault;
    finding->offset = value != NULL ? offset_of(h->judge, value)
                                    : (size_t)(h->object.at - h->judge->text);
    (void)snprintf(finding->path, sizeof finding->path, "%s/%s", h->pointer,
                   rule->member);
    if (value == NULL) {
        explain_missing(h, rule, finding->message, sizeof finding->message);
    } else {
        rule_explain(rule, fault, value, finding->message,
                     sizeof finding->message);
    }
}

static enum fit fit_of(const struct hearing *h, const struct rule *rule,
                       const struct json_member *value, enum event_fault *fault)
{
    enum fit fit = FITS_NOT;
    *fault = EVENT_MISSING;
    if (value != NULL) {
        fit = rule_fit(rule, value, fault);
    } else if (rule->need == OPTIONAL) {
        fit = FITS;
    }
    if (fit == FITS_NOT && (h->table->newer || (*fault == EVENT_MISSING &&
                                                rule->need == EXPECTED))) {
        fit = FITS_RELAXED;
    }
    return fit;
}

static bool keeps_rule(const struct hearing *h, const struct rule *rule)
{
    const struct json_member *value = seen_member(h->seen, rule->id);
    if (value == NULL && rule->need == OPTIONAL) {
        return true;
    }
    enum event_fault fault;
    enum fit fit = fit_of(h, rule, value, &fault);
    if (fit == FITS) {
        return true;
    }
    bool tolerated =
        fit == FITS_RELAXED && h->judge->checks->mode == EVENT_RELAXED;
    if (!tolerated || h->judge->warning) {
        report(h, rule, fault, value);
    }
    if (tolerated && h->judge->warning) {
        h->judge->checks->warn(h->judge->checks->arg, h->finding);
    }
    return tolerated;
}

static bool keeps_table(const struct hearing *h)
{
    for (size_t i = 0; i < h->table->count; i++) {
        if (!keeps_rule(h, &h->table->rules[i])) {
            return false;
        }
    }
    return true;
}

/* Basket products. */

static void product_is_no_object(struct hearing *h,
                                 const struct json_member *product)
{
    h->finding->fault = EVENT_TYPE;
    h->finding->offset = offset_of(h->judge, product);
    (void)snprintf(h->finding->path, sizeof h->finding->path, "%s", h->pointer);
    (void)snprintf(h->finding->message, sizeof h->finding->message,
                   "a basket product must be an object");
}

static void judge_product(struct judge *j, const struct json_member *product)
{
    if (j->products_finding.fault != EVENT_OK) {
        return;
    }
    struct hearing h = {
        .judge = j,
        .table = &catalogue_product,
        .seen = &j->product,
        .object = product->value,
        .finding = &j->products_finding,
    };
    (void)snprintf(h.pointer, sizeof h.pointer, "/productList/%u", j->products);
    if (product->kind != JSON_OBJECT) {
        product_is_no_object(&h, product);
    } else if (keeps_table(&h)) {
        j->products_finding.fault = EVENT_OK; /* was used for warnings */
    }
}

static bool in_product_list(const struct json_member *path)
{
    return path[0].kind == JSON_ARRAY &&
           json_equals(path[0].name, "productList");
}

static void remember(struct seen *seen, const struct json_member *member)
{
    uint8_t id = catalogue_member(member->name);
    seen->has[id] = true;
    seen->member[id] = *member;
}

void judge_member(void *arg, const struct json_member *path, unsigned depth)
{
    struct judge *j = arg;
    if (depth == 1) {
        remember(&j->event, path);
    } else if (j->checks->mode != EVENT_OFF && in_product_list(path)) {
        if (depth == 3 && path[1].kind == JSON_OBJECT) {
            remember(&j->product, &path[2]);
        } else if (depth == 2) {
            judge_product(j, &path[1]);
            j->products++;
            memset(j->product.has, 0, sizeof j->product.has);
        }
    }
}

/* Events. */

static bool is_for_step(const struct table *table, const struct seen *seen)
{
    if (table->steps == NULL) {
        return true;
    }
    const struct json_member *step = seen_member(seen, MEMBER_STEP);
    return step != NULL && step->kind == JSON_STRING &&
           rule_lists(table->steps, step->value, true);
}

/* The rules of the common table up to and without the one at end. */
static bool keeps_common(struct hearing *h, size_t from, size_t end)
{
    h->table = &catalogue_common;
    for (size_t i = from; i < end; i++) {
        if (!keeps_rule(h, &catalogue_common.rules[i])) {
            return false;
        }
    }
    return true;
}

/* Is the event one of the guide's, or of those the clients send besides? */
static bool keeps_name(struct hearing *h, const struct table **tables,
                       size_t *count)
{
    const struct json_member *name = seen_member(h->seen, MEMBER_NAME);
    *tables = catalogue_event(name->value, count);
    if (*tables != NULL && !(*tables)->newer) {
        return true;
    }
    bool tolerated = *tables != NULL && h->judge->checks->mode == EVENT_RELAXED;
    report(h, &catalogue_common.rules[0], EVENT_ENUM, name);
    if (tolerated && h->judge->warning) {
        h->judge->checks->warn(h->judge->checks->arg, h->finding);
    }
    return tolerated;
}

static bool keeps_products(const struct hearing *h, const struct rule *rule)
{
    if (rule->type != PRODUCTS) {
        return true;
    }
    h->judge->products_asked = true;
    if (h->judge->products_finding.fault == EVENT_OK) {
        return true;
    }
    *h->finding = h->judge->products_finding;
    return false;
}

static bool keeps_event_table(struct hearing *h, const struct table *table)
{
    if (!is_for_step(table, h->seen)) {
        return true;
    }
    if (table->newer && h->judge->checks->mode == EVENT_STRICT) {
        return true;
    }
    h->table = table;
    for (size_t i = 0; i < table->count; i++) {
        if (!keeps_rule(h, &table->rules[i]) ||
            !keeps_products(h, &table->rules[i])) {
            return false;
        }
    }
    return true;
}

bool judge_event(struct judge *j, size_t len, struct event_finding *finding)
{
    struct hearing h = {
        .judge = j,
        .seen = &j->event,
        .object = {.at = j->text, .len = len},
        .finding = finding,
    };
    const struct table *tables;
    size_t count;
    if (j->checks->mode == EVENT_OFF) {
        return keeps_common(&h, 0, CATALOGUE_IDS);
    }
    if (!keeps_common(&h, 0, 1) || !keeps_name(&h, &tables, &count) ||
        !keeps_common(&h, 1, catalogue_common.count)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!keeps_event_table(&h, &tables[i])) {
            return false;
        }
    }
    return true;
}

/* Warnings. */

static void warn_of_spelling(struct judge *j, const char *pointer,
                             const struct json_member *member)
{
    const char *meant = catalogue_similar(member->name);
    if (meant == NULL) {
        return;
    }
    struct event_finding finding = {
        .fault = EVENT_MISSING,
        .offset = (size_t)(member->name.at - j->text) - 1,
    };
    int len = (int)member->name.len;
    (void)snprintf(finding.path, sizeof finding.path, "%s/%.*s", pointer, len,
                   member->name.at);
    (void)snprintf(finding.message, sizeof finding.message,
                   "%.*s is no member of the guide; %s is", len,
                   member->name.at, meant);
    j->checks->warn(j->checks->arg, &finding);
}

static void warn_of_member(void *arg, const struct json_member *path,
                           unsigned depth)
{
    struct judge *j = arg;
    if (depth == 1) {
        warn_of_spelling(j, "", path);
    } else if (j->products_asked && in_product_list(path)) {
        char pointer[POINTER_SIZE];
        (void)snprintf(pointer, sizeof pointer, "/productList/%u", j->products);
        if (depth == 3) {
            warn_of_spelling(j, pointer, &path[2]);
        }
        judge_member(j, path, depth);
    }
}

void judge_warn(struct judge *j, size_t len)
{
    struct event_finding scratch;
    struct json_end end;
    j->warning = true;
    j->products = 0;
    (void)judge_event(j, len, &scratch);
    (void)json_scan(j->text, len, warn_of_member, j, &end);
}
