#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "cmd.h"
#include "human.h"
#include "json_line.h"
#include "outbox/aside.h"
#include "outbox/lock.h"
#include "outbox/recover.h"

static const char *kind_name(enum recover_kind kind)
{
    switch (kind) {
    case RECOVER_LOST:
        return "lost";
    case RECOVER_TWICE:
        return "twice";
    }
    return "";
}

static const char *kind_words(enum recover_kind kind)
{
    switch (kind) {
    case RECOVER_LOST:
        return "lost";
    case RECOVER_TWICE:
        return "put back, may arrive twice";
    }
    return "";
}

static void print_range(void *arg, enum recover_kind kind,
                        const char *destination, int64_t lo, int64_t hi)
{
    const struct ctl *ctl = arg;
    if (ctl->json) {
        struct json_object *o = json_make();
        json_add_text(o, "what", kind_name(kind));
        json_add_number(o, "first", lo);
        json_add_number(o, "last", hi);
        if (destination != NULL) {
            json_add_text(o, "destination", destination);
        }
        json_print(o);
        return;
    }
    (void)printf("events %lld to %lld: %s%s%s\n", (long long)lo, (long long)hi,
                 kind_words(kind), destination != NULL ? " at " : "",
                 destination != NULL ? destination : "");
}

static void print_order(void *arg, enum recover_kind kind, const char *number,
                        int64_t event)
{
    const struct ctl *ctl = arg;
    char clean[300];
    if (ctl->json) {
        struct json_object *o = json_make();
        json_add_text(o, "what", kind_name(kind));
        json_add_text(o, "order", number);
        json_add_number(o, "event", event);
        json_print(o);
        return;
    }
    (void)printf("order %s (event %lld): %s\n",
                 human_words(number, clean, sizeof clean), (long long)event,
                 kind_words(kind));
}

static void print_sums(const struct ctl *ctl, const char *file,
                       const struct recover_report *r, bool dry)
{
    if (ctl->json) {
        struct json_object *o = json_make();
        json_add_text(o, "file", file);
        json_add_number(o, "readable", r->readable);
        json_add_number(o, "lost", r->lost);
        json_add_number(o, "twice", r->twice);
        json_add_number(o, "again", r->again);
        json_add_bool(o, "state_whole", r->state_whole);
        json_add_bool(o, "done_before", r->done_before);
        json_add_bool(o, "dry_run", dry);
        json_print(o);
        return;
    }
    char clean[HUMAN_PATH_SIZE];
    (void)human_words(file, clean, sizeof clean);
    if (r->done_before) {
        (void)printf("%s: was put back before, or nothing is missing\n", clean);
        return;
    }
    (void)printf(
        "%s: events %lld to %lld: %lld readable, %lld lost, %lld may "
        "arrive twice%s\n",
        clean, (long long)r->behind + 1, (long long)r->to,
        (long long)r->readable, (long long)r->lost, (long long)r->twice,
        r->state_whole ? "" : "; not all of its other tables can be read");
    if (r->again > 0) {
        (void)printf("%lld dedupe keys or orders were put again while the "
                     "spool did not know them: both events stay and arrive; "
                     "from now on they are known\n",
                     (long long)r->again);
    }
}

static enum ending run_once(struct ctl *ctl, const char *file, bool dry,
                            struct recover_report *r)
{
    struct spool_error err;
    *r = (struct recover_report){.arg = ctl};
    if (dry) {
        r->range = print_range;
        r->order = print_order;
    }
    if (recover(ctl->box, file, dry, r, &err) != SPOOL_OK) {
        return ctl_failed(&err);
    }
    return DONE;
}

/* The plan, the question, the deed. */
static enum ending recover_file(struct ctl *ctl, const char *file)
{
    struct recover_report r;
    enum ending ending = run_once(ctl, file, true, &r);
    if (ending != DONE) {
        return ending;
    }
    print_sums(ctl, file, &r, true);
    if (ctl_has(ctl, OPTION_DRY_RUN) || r.done_before) {
        return DONE;
    }
    ending = ask(ctl, "Put back what is readable?", 0);
    if (ending == DONE) {
        ending = run_once(ctl, file, false, &r);
    }
    if (ending == DONE) {
        print_sums(ctl, file, &r, false);
        ctl_say(ctl, "%s is kept as it was; delete it when nobody needs it",
                file);
    }
    return ending == DONE && r.lost > 0 ? PARTLY : ending;
}

static enum ending recover_each(struct ctl *ctl)
{
    char file[ASIDE_PATH_SIZE], before[ASIDE_PATH_SIZE] = "";
    enum ending worst = NOTHING;
    if (ctl->arguments_n > 0) {
        return recover_file(ctl, ctl->arguments[0]);
    }
    while (
        aside_newest(outbox_path(ctl->box), before[0] ? before : NULL, file)) {
        enum ending ending = recover_file(ctl, file);
        if (ending != DONE && ending != PARTLY) {
            return ending;
        }
        worst = worst == PARTLY ? PARTLY : ending;
        (void)snprintf(before, sizeof before, "%s", file);
    }
    if (worst == NOTHING) {
        ctl_say(ctl, "no damaged file lies beside %s", outbox_path(ctl->box));
    }
    return worst;
}

enum ending cmd_recover(struct ctl *ctl)
{
    struct spool_error err;
    struct flusher_lock lock;
    enum ending ending = ctl_open(ctl, false);
    if (ending != DONE) {
        return ending;
    }
    /* The rows are put back first, and retention must not meet them yet. */
    if (flusher_lock_take(&lock, outbox_path(ctl->box), &err) != SPOOL_OK) {
        return ctl_failed(&err);
    }
    ending = recover_each(ctl);
    flusher_lock_drop(&lock);
    return ending;
}
