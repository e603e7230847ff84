#include "events/judge.h"

#include <stdio.h>
#include <string.h>

/* An object being held against a table. */
struct hearing {
    struct judge *judge;
    const struct table *table;
    const struct seen *seen;
    struct json_text object;
    int product; /* its index in productList; -1: the event itself */
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
    j->event.has = (struct ids){{0}};
    j->product.has = (struct ids){{0}};
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
    const char *meant = depth == 1 ? catalogue_similar(path) : NULL;
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

/* The JSON Pointer of a member, or of a basket product if member is empty. No
 * name here needs escaping. */
static void write_path(char path[EVENT_PATH_SIZE], int product,
                       const char *member, int len)
{
    char parent[32] = "";
    if (product >= 0) {
        (void)snprintf(parent, sizeof parent, "/productList/%d", product);
    }
    (void)snprintf(path, EVENT_PATH_SIZE, "%s%s%.*s", parent,
                   len > 0 ? "/" : "", len, member);
}

static void report(const struct hearing *h, const struct rule *rule,
                   enum event_fault fault, const struct json_member *value)
{
    struct event_finding *finding = h->finding;
    finding->fault = fault;
    finding->offset = value != NULL ? offset_of(h->judge, value)
                                    : (size_t)(h->object.at - h->judge->text);
    write_path(finding->path, h->product, rule->member,
               (int)strlen(rule->member));
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
    }
    if (fit == FITS_NOT && (h->table->newer || (*fault == EVENT_MISSING &&
                                                rule->need == EXPECTED))) {
        fit = FITS_RELAXED;
    }
    return fit;
}

static bool judge_value(const struct hearing *h, const struct rule *rule,
                        const struct json_member *value)
{
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

static inline bool keeps_rule(const struct hearing *h, const struct rule *rule)
{
    const struct json_member *value = seen_member(h->seen, rule->id);
    return (value == NULL && rule->need == OPTIONAL) ||
           judge_value(h, rule, value);
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
    write_path(h->finding->path, h->product, "", 0);
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
        .product = j->products,
        .finding = &j->products_finding,
    };
    if (product->kind != JSON_OBJECT) {
        product_is_no_object(&h, product);
    } else if (keeps_table(&h)) {
        j->products_finding.fault = EVENT_OK; /* was used for warnings */
    }
}

static bool in_product_list(const struct json_member *path)
{
    static const struct json_text name = {.at = "productList", .len = 11};
    return path[0].kind == JSON_ARRAY && json_equal(path[0].name, name);
}

static void remember(struct seen *seen, const struct json_member *member)
{
    if (member->name.at == NULL) {
        return;
    }
    uint8_t id = catalogue_member(member);
    ids_add(&seen->has, id);
    struct json_member *kept = &seen->member[id];
    kept->kind = member->kind;
    kept->value.at = member->value.at;
    kept->value.len = member->value.len;
    kept->value.escaped = member->value.escaped;
}

void judge_member(void *arg, const struct json_member *path, unsigned depth)
{
    struct judge *j = arg;
    if (depth == 1) {
        remember(&j->event, path);
    } else if (j->checks->mode < EVENT_OFF && in_product_list(path)) {
        if (depth == 3 && path[1].kind == JSON_OBJECT) {
            remember(&j->product, &path[2]);
        } else if (depth == 2) {
            judge_product(j, &path[1]);
            j->products++;
            j->product.has = (struct ids){{0}};
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
        .product = -1,
        .finding = finding,
    };
    const struct table *tables;
    size_t count;
    if (j->checks->mode == EVENT_JSON) {
        return true;
    }
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

static void warn_of_spelling(struct judge *j, int product,
                             const struct json_member *member)
{
    const char *meant = catalogue_similar(member);
    if (meant == NULL) {
        return;
    }
    struct event_finding finding = {
        .fault = EVENT_MISSING,
        .offset = (size_t)(member->name.at - j->text) - 1,
    };
    int len = (int)member->name.len;
    write_path(finding.path, product, member->name.at, len);
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
        warn_of_spelling(j, -1, path);
    } else if (j->products_asked && in_product_list(path)) {
        if (depth == 3) {
            warn_of_spelling(j, j->products, &path[2]);
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
