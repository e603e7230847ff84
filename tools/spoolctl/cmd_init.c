#include <errno.h>
#include <sys/stat.h>

#include "cmd.h"
#include "json_line.h"
#include "outbox/lock.h"

static enum ending adopt(struct ctl *ctl)
{
    struct flusher_lock lock;
    struct spool_error err;
    bool was_copy = false;
    int64_t lost = 0;
    enum spool_status status =
        flusher_lock_take(&lock, outbox_path(ctl->box), &err);
    if (status == SPOOL_OK) {
        status = outbox_adopt(ctl->box, &was_copy, &lost, &err);
        flusher_lock_drop(&lock);
    }
    if (status != SPOOL_OK) {
        return ctl_failed(&err);
    }
    if (ctl->json) {
        struct json_object *o = json_make();
        json_add_text(o, "spool", outbox_path(ctl->box));
        json_add_text(o, "store_id", outbox_store_id(ctl->box));
        json_add_bool(o, "was_copy", was_copy);
        json_add_number(o, "lost", lost);
        json_print(o);
        return DONE;
    }
    if (was_copy) {
        ctl_say(ctl, "%s is a spool of its own from now on: %s",
                outbox_path(ctl->box), outbox_store_id(ctl->box));
    }
    if (lost > 0) {
        ctl_say(ctl, "%lld lost events are known of", (long long)lost);
    }
    if (!was_copy && lost == 0) {
        ctl_say(ctl, "%s needs no adoption", outbox_path(ctl->box));
    }
    return DONE;
}

enum ending cmd_init(struct ctl *ctl)
{
    struct stat st;
    bool made = stat(ctl->spool_path, &st) != 0 && errno == ENOENT;
    enum ending ending = ctl_open(ctl, !ctl_has(ctl, OPTION_ADOPT));
    if (ending != DONE) {
        return ending;
    }
    ctl_warn_of_place(ctl);
    if (ctl_has(ctl, OPTION_ADOPT)) {
        return adopt(ctl);
    }
    const char *path = outbox_path(ctl->box);
    if (ctl->json) {
        struct json_object *o = json_make();
        json_add_text(o, "spool", path);
        json_add_text(o, "store_id", outbox_store_id(ctl->box));
        json_add_bool(o, "created", made);
        json_print(o);
    } else if (made) {
        ctl_say(ctl, "%s is created", path);
        ctl_next(ctl, "destination add NAME --url URL");
    } else {
        ctl_say(ctl, "%s exists already and is left as it is", path);
    }
    return DONE;
}
