#include <errno.h>
#include <sys/stat.h>

#include "cmd.h"
#include "json_line.h"

enum ending cmd_init(struct ctl *ctl)
{
    struct stat st;
    bool made = stat(ctl->spool_path, &st) != 0 && errno == ENOENT;
    enum ending ending = ctl_open(ctl, true);
    if (ending != DONE) {
        return ending;
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
        ctl_say(ctl, "next  spoolctl destination add NAME --url URL");
    } else {
        ctl_say(ctl, "%s exists already and is left as it is", path);
    }
    return DONE;
}
