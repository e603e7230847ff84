#include <stdio.h>
#include <stdlib.h>

#include "cmd.h"
#include "human.h"
#include "json_line.h"
#include "outbox/inspect.h"

struct verification {
    struct json_object *list; /* NULL: text */
};

static void found(void *arg, const char *sentence)
{
    struct verification *v = arg;
    char clean[SPOOL_ERROR_SIZE];
    (void)human_words(sentence, clean, sizeof clean);
    if (v->list != NULL) {
        struct json_object *o = json_make();
        json_add_text(o, "finding", clean);
        (void)json_object_array_add(
            v->list, json_object_get(json_object_object_get(o, "finding")));
        (void)json_object_put(o);
    } else {
        (void)puts(clean);
    }
}

static void report(const struct ctl *ctl, struct verification *v,
                   int64_t findings, int64_t last, size_t destinations)
{
    if (ctl->json) {
        struct json_object *o = json_make();
        json_add_bool(o, "ok", findings == 0);
        json_add_number(o, "findings_count", findings);
        json_add(o, "findings", v->list);
        json_add_number(o, "accepted", last);
        json_add_number(o, "destinations", (int64_t)destinations);
        json_print(o);
        return;
    }
    char count[HUMAN_SIZE];
    if (findings == 0) {
        (void)printf("ok: the file's structure, the checksum of each event up "
                     "to %s, the batches and sums of %zu destination%s\n",
                     human_count(last, count), destinations,
                     destinations == 1 ? "" : "s");
    } else {
        ctl_warn("%s does not add up: %lld finding%s; keep a copy of the file "
                 "before anything else",
                 outbox_path(ctl->box), (long long)findings,
                 findings == 1 ? "" : "s");
    }
}

enum ending cmd_verify(struct ctl *ctl)
{
    struct verification v = {0};
    struct destination *all = NULL;
    struct spool_error err;
    size_t n = 0;
    int64_t findings = 0, last = 0;
    enum ending ending = ctl_open(ctl, false);
    if (ending == DONE) {
        ctl_warn_of_place(ctl);
    }
    if (ending == DONE) {
        ending = ctl_destinations(ctl, NULL, &all, &n);
    }
    if (ending != DONE) {
        return ending;
    }
    free(all);
    v.list = ctl->json ? json_object_new_array() : NULL;
    if (verify(ctl->box, found, &v, &findings, &err) != SPOOL_OK ||
        inspect_last_id(ctl->box, &last, &err) != SPOOL_OK) {
        (void)json_object_put(v.list);
        (void)ctl_failed(&err);
        return FAILED;
    }
    report(ctl, &v, findings, last, n);
    return findings == 0 ? DONE : FAILED;
}
