#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "human.h"
#include "json_line.h"
#include "limits.h"
#include "size.h"
#include "spool/limits.h"
#include "table.h"

struct shown {
    struct spool_limits l;
    struct spool_usage u;
};

static enum ending look(struct ctl *ctl, struct shown *s)
{
    struct spool_error err;
    enum spool_status status = spool_get_limits(ctl->spool, &s->l, &err);
    if (status == SPOOL_OK) {
        status = spool_usage(ctl->spool, &s->u, &err);
    }
    return status == SPOOL_OK ? DONE : ctl_failed(&err);
}

/* ---- JSON ---- */

static struct json_object *toll_json(const struct spool_toll *t)
{
    struct json_object *o = json_make();
    json_add_number(o, "events", t->events);
    json_add_number(o, "bytes", t->bytes);
    json_add_number(o, "disk", t->disk);
    return o;
}

static void add_limit(struct json_object *o, const char *name, int64_t n)
{
    json_add(o, name, n > 0 ? json_object_new_int64(n) : NULL);
}

static void print_json(const struct ctl *ctl, const struct shown *s)
{
    struct json_object *o = json_make(), *list = json_object_new_array();
    json_add_text(o, "spool", outbox_path(ctl->box));
    add_limit(o, "max_events", s->l.max_events);
    add_limit(o, "max_bytes", s->l.max_bytes);
    add_limit(o, "free_disk_bytes", s->l.free_disk_bytes);
    json_add_number(o, "events", s->u.events);
    json_add_number(o, "bytes", s->u.bytes);
    json_add_number(o, "disk_free_bytes", s->u.disk_free_bytes);
    json_add_number(o, "disk_kept_bytes", s->u.disk_kept_bytes);
    json_add_number(o, "full_percent", limits_full(&s->l, &s->u));
    for (int c = SPOOL_CLASSES - 1; c >= 0; c--) {
        struct json_object *k = json_make();
        json_add_text(k, "class", spool_class_name((enum spool_class)c));
        json_add_number(k, "share", s->l.classes[c].share);
        json_add_text(k, "policy", s->l.classes[c].shed ? "shed" : "refuse");
        json_add(k, "refused", toll_json(&s->u.refused[c]));
        json_add(k, "shed", toll_json(&s->u.shed[c]));
        (void)json_object_array_add(list, k);
    }
    json_add(o, "classes", list);
    json_print(o);
}

/* ---- text ---- */

static void percent(int64_t part, int64_t whole, char out[HUMAN_SIZE])
{
    if (whole > 0) {
        (void)snprintf(out, HUMAN_SIZE, "%.0f%%",
                       (double)part * 100 / (double)whole);
    } else {
        (void)snprintf(out, HUMAN_SIZE, "-");
    }
}

static void print_usage(const struct shown *s)
{
    static const struct table_column columns[] = {{"LIMIT", LEFT, 0},
                                                  {"NOW", RIGHT, 0},
                                                  {"AT MOST", RIGHT, 0},
                                                  {"FULL", RIGHT, 0}};
    char now[HUMAN_SIZE], most[HUMAN_SIZE], full[HUMAN_SIZE];
    struct table *t = table_create(columns, 4);
    const char *events[] = {
        "events", human_count(s->u.events, now),
        s->l.max_events > 0 ? human_count(s->l.max_events, most) : "none",
        full};
    percent(s->u.events, s->l.max_events, full);
    table_add(t, events, PLAIN);
    const char *bytes[] = {
        "bytes", human_bytes(s->u.bytes, now),
        s->l.max_bytes > 0 ? human_bytes(s->l.max_bytes, most) : "none", full};
    percent(s->u.bytes, s->l.max_bytes, full);
    table_add(t, bytes, PLAIN);
    table_finish(t);
    (void)printf("disk: %s free, %s of that stay free\n\n",
                 s->u.disk_free_bytes < INT64_MAX
                     ? human_bytes(s->u.disk_free_bytes, now)
                     : "unknown how much",
                 human_bytes(s->u.disk_kept_bytes, most));
}

static void print_classes(const struct shown *s)
{
    static const struct table_column columns[] = {{"CLASS", LEFT, 0},
                                                  {"MAY FILL", RIGHT, 0},
                                                  {"THEN", LEFT, 0},
                                                  {"REFUSED", RIGHT, 0},
                                                  {"SHED", RIGHT, 0}};
    struct table *t = table_create(columns, 5);
    for (int c = SPOOL_CLASSES - 1; c >= 0; c--) {
        char share[HUMAN_SIZE], refused[HUMAN_SIZE], shed[HUMAN_SIZE];
        int64_t r = toll_sum(&s->u.refused[c]), d = toll_sum(&s->u.shed[c]);
        (void)snprintf(share, sizeof share, "%d%%", s->l.classes[c].share);
        const char *cells[] = {spool_class_name((enum spool_class)c), share,
                               s->l.classes[c].shed ? "shed" : "refuse",
                               human_count(r, refused), human_count(d, shed)};
        table_add(t, cells, r + d > 0 ? WARNING : PLAIN);
    }
    table_finish(t);
}

static enum ending print(struct ctl *ctl)
{
    struct shown s;
    enum ending ending = look(ctl, &s);
    if (ending != DONE) {
        return ending;
    }
    if (ctl->json) {
        print_json(ctl, &s);
        return DONE;
    }
    print_usage(&s);
    print_classes(&s);
    if (limits_full(&s.l, &s.u) >= LIMITS_NEARLY_FULL) {
        (void)printf("\nnext  %s status says why events stay; purge some, "
                     "raise the limit, or free space where it is the disk's\n",
                     ctl->self);
    }
    return DONE;
}

enum ending cmd_limits(struct ctl *ctl)
{
    enum ending ending = ctl_open(ctl, false);
    return ending == DONE ? print(ctl) : ending;
}

/* ---- set ---- */

static enum ending read_size(const struct ctl *ctl, enum option_id id,
                             int64_t *out)
{
    const char *text = ctl_value(ctl, id);
    if (text == NULL || size_parse(text, out)) {
        return DONE;
    }
    return ctl_misuse(ctl,
                      "--%s takes a size like 500M or 2G, or 'none', not '%s'",
                      option_rules[id].name, text);
}

static struct spool_class_limit *find_class(struct spool_limits *l,
                                            const char *name, size_t len)
{
    for (int c = 0; c < SPOOL_CLASSES; c++) {
        const char *known = spool_class_name((enum spool_class)c);
        if (strlen(known) == len && strncmp(known, name, len) == 0) {
            return &l->classes[c];
        }
    }
    return NULL;
}

/* refuse, shed or a percentage. */
static bool read_word(const char *word, size_t len, struct spool_class_limit *k)
{
    char text[8], *end;
    if (len == 0 || len >= sizeof text) {
        return false;
    }
    memcpy(text, word, len);
    text[len] = '\0';
    if (strcmp(text, "refuse") == 0 || strcmp(text, "shed") == 0) {
        k->shed = text[0] == 's';
        return true;
    }
    long share = strtol(text, &end, 10);
    bool whole = text[0] >= '0' && text[0] <= '9' &&
                 (*end == '\0' || strcmp(end, "%") == 0);
    k->share = whole && share <= 100 ? (int)share : 0;
    return k->share > 0;
}

static enum ending read_class(const struct ctl *ctl, const char *value,
                              struct spool_limits *l)
{
    size_t name = strcspn(value, "=");
    struct spool_class_limit *k = find_class(l, value, name);
    bool known = k != NULL && value[name] == '=';
    for (const char *w = value + name; known && *w != '\0';) {
        size_t len = strcspn(++w, ",");
        known = read_word(w, len, k);
        w += len;
    }
    return known ? DONE
                 : ctl_misuse(ctl,
                              "--class takes CLASS=WHAT, as in view=80%%, "
                              "view=shed or view=80%%,refuse; CLASS is view, "
                              "interaction, basket, checkout or purchase, not "
                              "'%s'",
                              value);
}

static enum ending read_limits(const struct ctl *ctl, struct spool_limits *l)
{
    const char *events = ctl_value(ctl, OPTION_MAX_EVENTS);
    enum ending ending = DONE;
    if (events != NULL && strcmp(events, "none") == 0) {
        l->max_events = 0;
    } else if (events != NULL && events[strspn(events, "0")] == '\0') {
        return ctl_misuse(ctl, "--max-events 0 would take nothing; no limit is "
                               "--max-events none");
    } else {
        ending = ctl_number(ctl, OPTION_MAX_EVENTS, 1, (int64_t)1 << 53,
                            &l->max_events);
    }
    if (ending == DONE) {
        ending = read_size(ctl, OPTION_MAX_BYTES, &l->max_bytes);
    }
    if (ending == DONE) {
        ending = read_size(ctl, OPTION_FREE_DISK, &l->free_disk_bytes);
    }
    for (size_t i = 0; ending == DONE && i < ctl->given_n; i++) {
        if (ctl->given[i].id == OPTION_CLASS) {
            ending = read_class(ctl, ctl->given[i].value, l);
        }
    }
    return ending;
}

enum ending cmd_limits_set(struct ctl *ctl)
{
    struct spool_limits l;
    struct spool_error err;
    if (ctl->given_n == 0) {
        return ctl_misuse(ctl, "nothing to change was given");
    }
    enum ending ending = ctl_open(ctl, false);
    if (ending != DONE) {
        return ending;
    }
    if (spool_get_limits(ctl->spool, &l, &err) != SPOOL_OK) {
        return ctl_failed(&err);
    }
    ending = read_limits(ctl, &l);
    if (ending != DONE) {
        return ending;
    }
    enum spool_status status = spool_set_limits(ctl->spool, &l, &err);
    if (status == SPOOL_MISUSE) {
        return ctl_misuse(ctl, "%s", err.message);
    }
    return status == SPOOL_OK ? print(ctl) : ctl_failed(&err);
}
