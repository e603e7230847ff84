#include <pwd.h>
#include <stdio.h>

#include "cmd.h"
#include "human.h"
#include "json_line.h"
#include "outbox/audit.h"
#include "table.h"
#include "when.h"

struct lines {
    struct table *table; /* NULL: JSON */
    int64_t n;
};

/* "" when the system does not know the user any more. */
static const char *user_name(int64_t uid)
{
    const struct passwd *p = getpwuid((uid_t)uid);
    return p != NULL ? p->pw_name : "";
}

static void print_json(const struct audit_record *r)
{
    struct json_object *o = json_make();
    json_add_number(o, "id", r->id);
    json_add_number(o, "at_ms", r->at);
    json_add_number(o, "uid", r->uid);
    json_add_text(o, "user", user_name(r->uid));
    json_add_text(o, "action", r->action);
    json_add_text(o, "destination", r->destination);
    json_add_number(o, "events", r->events);
    json_add_text(o, "detail", r->detail);
    json_add_text(o, "hash", r->hash);
    json_print(o);
}

static void add_row(struct table *t, const struct audit_record *r)
{
    char at[WHEN_SIZE], uid[24], events[HUMAN_SIZE], hash[13];
    const char *user = user_name(r->uid);
    time_text(r->at, at);
    (void)snprintf(uid, sizeof uid, "%lld", (long long)r->uid);
    (void)snprintf(hash, sizeof hash, "%.12s", r->hash);
    const char *cells[] = {at,
                           user[0] != '\0' ? user : uid,
                           r->action,
                           r->destination,
                           human_count(r->events, events),
                           hash,
                           r->detail};
    table_add(t, cells, PLAIN);
}

static bool print(void *arg, const struct audit_record *r)
{
    struct lines *l = arg;
    l->n++;
    if (l->table != NULL) {
        add_row(l->table, r);
    } else {
        print_json(r);
    }
    return ctl_can_print();
}

static enum ending read_range(const struct ctl *ctl, struct audit_range *range)
{
    enum ending ending = ctl_time(ctl, OPTION_SINCE, &range->since);
    if (ending == DONE) {
        ending = ctl_time(ctl, OPTION_UNTIL, &range->until);
    }
    return ending == DONE
               ? ctl_number(ctl, OPTION_LIMIT, 1, INT64_MAX, &range->newest)
               : ending;
}

enum ending cmd_audit(struct ctl *ctl)
{
    static const struct table_column columns[] = {
        {"AT", LEFT, 0},          {"USER", LEFT, 0},    {"ACTION", LEFT, 0},
        {"DESTINATION", LEFT, 0}, {"EVENTS", RIGHT, 0}, {"HASH", LEFT, 0},
        {"DETAIL", CUT, 0},
    };
    struct audit_range range = {0};
    struct lines lines = {0};
    struct spool_error err;
    enum ending ending = read_range(ctl, &range);
    if (ending == DONE) {
        ending = ctl_open(ctl, false);
    }
    if (ending != DONE) {
        return ending;
    }
    lines.table = ctl->json
                      ? NULL
                      : table_create(columns, sizeof columns / sizeof *columns);
    enum spool_status status =
        audit_list(ctl->box, &range, print, &lines, &err);
    if (lines.table != NULL) {
        table_finish(lines.table);
    }
    if (status != SPOOL_OK) {
        return ctl_failed(&err);
    }
    if (lines.n == 0) {
        bool some = range.since > 0 || range.until > 0;
        ctl_say(ctl, some ? "no line of the audit log matches"
                          : "the audit log is empty");
        return some ? NOTHING : DONE;
    }
    return DONE;
}
