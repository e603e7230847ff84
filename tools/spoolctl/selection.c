#include "selection.h"

#include <stdio.h>
#include <string.h>

#include "when.h"

static bool find_state(const char *word, size_t len, unsigned *bits)
{
    static const char waiting[] = "waiting";
    for (int i = 0; i < EVENT_STATES; i++) {
        const char *name = event_state_name((enum event_state)i);
        if (strlen(name) == len && strncmp(name, word, len) == 0) {
            *bits = 1U << i;
            return true;
        }
    }
    if (sizeof waiting - 1 == len && strncmp(waiting, word, len) == 0) {
        *bits = STATES_WAITING;
        return true;
    }
    return false;
}

bool selection_states(const char *words, unsigned *states)
{
    for (const char *p = words;; p++) {
        size_t len = strcspn(p, ",");
        unsigned bits;
        if (!find_state(p, len, &bits)) {
            return false;
        }
        *states |= bits;
        p += len;
        if (*p == '\0') {
            return true;
        }
    }
}

static enum ending parse_states(const struct ctl *ctl, struct selection *s)
{
    for (size_t i = 0; i < ctl->given_n; i++) {
        if (ctl->given[i].id == OPTION_STATE &&
            !selection_states(ctl->given[i].value, &s->states)) {
            return ctl_misuse(ctl,
                              "there is no state '%s'; there are held, "
                              "pending, sending, retrying, uncertain, "
                              "delivered, dead and purged (and waiting, the "
                              "first five)",
                              ctl->given[i].value);
        }
    }
    return DONE;
}

static enum ending parse_ids(const struct ctl *ctl, struct selection *s)
{
    for (size_t i = 0; i < ctl->arguments_n; i++) {
        struct spool_error err;
        int64_t id;
        s->by_id = true;
        if (strcmp(ctl->arguments[i], "-") == 0) {
            if (picked_read(&s->ids, stdin, &err) != SPOOL_OK) {
                return ctl_failed(&err);
            }
        } else if (!picked_parse(ctl->arguments[i], &id)) {
            return ctl_misuse(ctl, "'%s' is no event id", ctl->arguments[i]);
        } else if (!picked_add(&s->ids, id)) {
            ctl_warn("out of memory for the ids");
            return FAILED;
        }
    }
    picked_sort(&s->ids);
    return DONE;
}

enum ending selection_parse(struct ctl *ctl, bool ids, struct selection *out)
{
    *out = (struct selection){
        .destination = ctl_value(ctl, OPTION_DESTINATION),
        .limit = INT64_MAX,
        .name = ctl_value(ctl, OPTION_NAME),
        .user = ctl_value(ctl, OPTION_USER),
        .session = ctl_value(ctl, OPTION_SESSION),
        .key = ctl_value(ctl, OPTION_KEY),
        .order = ctl_value(ctl, OPTION_ORDER),
        .reason = ctl_value(ctl, OPTION_REASON),
        .all = ctl_has(ctl, OPTION_ALL),
        .filtered = ctl_has(ctl, OPTION_STATE) || ctl_has(ctl, OPTION_NAME) ||
                    ctl_has(ctl, OPTION_USER) || ctl_has(ctl, OPTION_SESSION) ||
                    ctl_has(ctl, OPTION_KEY) || ctl_has(ctl, OPTION_ORDER) ||
                    ctl_has(ctl, OPTION_REASON) || ctl_has(ctl, OPTION_SINCE) ||
                    ctl_has(ctl, OPTION_UNTIL),
    };
    enum ending ending = parse_states(ctl, out);
    if (ending == DONE) {
        ending = ctl_time(ctl, OPTION_SINCE, &out->since);
    }
    if (ending == DONE) {
        ending = ctl_time(ctl, OPTION_UNTIL, &out->until);
    }
    if (ending == DONE) {
        ending = ctl_number(ctl, OPTION_LIMIT, 1, INT64_MAX, &out->limit);
    }
    return ending == DONE && ids ? parse_ids(ctl, out) : ending;
}

void selection_finish(struct selection *s)
{
    picked_finish(&s->ids);
}

static bool equals(const char *want, struct json_text have)
{
    return want == NULL || (have.at != NULL && json_equals(have, want));
}

bool selection_takes(const struct selection *s, const struct event_record *e,
                     const struct event_facts *facts)
{
    static const struct event_facts none = {0};
    const struct event_facts *f = facts != NULL ? facts : &none;
    return equals(s->name, f->name) && equals(s->user, f->user_id) &&
           equals(s->session, f->session_id) && equals(s->key, f->key) &&
           equals(s->order, f->order_no) &&
           (s->reason == NULL || strstr(e->reason, s->reason) != NULL ||
            strstr(e->code, s->reason) != NULL);
}

void selection_words(const struct ctl *ctl, char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "spoolctl %s", ctl->command->name);
    if (ctl->arguments_n > 0 && n < size) {
        n += (size_t)snprintf(out + n, size - n, " by ids");
    }
    for (size_t i = 0; i < ctl->given_n && n < size; i++) {
        const struct given *g = &ctl->given[i];
        bool personal = g->id == OPTION_USER || g->id == OPTION_SESSION ||
                        g->id == OPTION_KEY || g->id == OPTION_ORDER;
        if (g->id == OPTION_YES) {
            continue;
        }
        n += (size_t)snprintf(out + n, size - n, " --%s%s%s",
                              option_rules[g->id].name,
                              g->value != NULL ? " " : "",
                              g->value == NULL ? ""
                              : personal       ? "..."
                                               : g->value);
    }
}
