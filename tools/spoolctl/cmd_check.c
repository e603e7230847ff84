#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "human.h"
#include "input.h"
#include "json_line.h"

/* Warnings kept of one event; more are only counted by nobody. */
#define WARNINGS 16

struct check {
    struct ctl *ctl;
    struct event_finding warnings[WARNINGS];
    size_t warnings_n;
    int64_t valid, invalid;
};

/* An event that reached over the end of a block is looked at again. */
static void warn(void *arg, const struct event_finding *w)
{
    struct check *c = arg;
    for (size_t i = 0; i < c->warnings_n; i++) {
        if (c->warnings[i].offset == w->offset &&
            strcmp(c->warnings[i].message, w->message) == 0) {
            return;
        }
    }
    if (c->warnings_n < WARNINGS) {
        c->warnings[c->warnings_n++] = *w;
    }
}

static void add_finding(struct json_object *o, const struct event_finding *f)
{
    json_add_text(o, "class", event_fault_name(f->fault));
    json_add_text(o, "path", f->path);
    json_add_text(o, "message", f->message);
}

static void print_json(const struct check *c, const char *file, uint64_t index,
                       const struct event_item *item)
{
    static const struct event_finding none = {.fault = EVENT_OK};
    bool valid = item->status == SPOOL_OK;
    struct json_object *o = json_make();
    json_add_number(o, "index", (int64_t)index);
    json_add_bool(o, "valid", valid);
    add_finding(o, valid ? &none : &item->finding);
    json_add_text(o, "file", file);
    json_add_number(o, "offset",
                    (int64_t)(valid ? item->offset : item->finding.offset));
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < c->warnings_n; i++) {
        struct json_object *w = json_make();
        add_finding(w, &c->warnings[i]);
        json_add_number(w, "offset",
                        (int64_t)(item->offset + c->warnings[i].offset));
        (void)json_object_array_add(list, w);
    }
    json_add(o, "warnings", list);
    json_print(o);
}

static void print_finding(const char *file, uint64_t index, const char *kind,
                          uint64_t offset, const struct event_finding *f)
{
    char name[HUMAN_PATH_SIZE], path[EVENT_PATH_SIZE];
    (void)printf("%s: event %llu%s at byte %llu%s%s: %s\n",
                 human_words(file, name, sizeof name),
                 (unsigned long long)index, kind, (unsigned long long)offset,
                 f->path[0] != '\0' ? ", " : "",
                 human_words(f->path, path, sizeof path), f->message);
}

static bool take(void *arg, const char *file, uint64_t index,
                 const struct event_item *item)
{
    struct check *c = arg;
    bool valid = item->status == SPOOL_OK;
    *(valid ? &c->valid : &c->invalid) += 1;
    if (c->ctl->json) {
        print_json(c, file, index, item);
    } else {
        if (!valid) {
            print_finding(file, index, "", item->finding.offset,
                          &item->finding);
        }
        for (size_t i = 0; i < c->warnings_n && !c->ctl->quiet; i++) {
            print_finding(file, index, " (warning)",
                          item->offset + c->warnings[i].offset,
                          &c->warnings[i]);
        }
    }
    c->warnings_n = 0;
    return ctl_can_print();
}

enum ending cmd_check(struct ctl *ctl)
{
    struct check c = {.ctl = ctl};
    struct input_user user = {
        .checks = {.mode = EVENT_STRICT, .warn = warn, .arg = &c},
        .item = take,
        .arg = &c,
    };
    enum ending ending = input_mode(ctl, &user.checks.mode);
    if (ending == DONE) {
        ending = input_read(ctl, &user);
        ctl_say(ctl, "%lld valid, %lld invalid", (long long)c.valid,
                (long long)c.invalid);
    }
    return ending == DONE && c.invalid > 0 ? PARTLY : ending;
}
