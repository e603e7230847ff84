#include "place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "outbox/limits.h"
#include "outbox/recover.h"

static bool keep_event(void *arg, const struct event_record *e)
{
    struct places *p = arg;
    p->body = malloc(e->len + 1);
    if (p->body != NULL) {
        memcpy(p->body, e->body, e->len);
        p->len = e->len;
        p->id = e->id;
        p->at = e->at;
        p->part = e->part;
        p->whole = e->whole;
    }
    return false;
}

static bool keep_place(void *arg, const struct event_record *e)
{
    struct place *p = arg;
    p->kind = PLACE_IN_LOG;
    p->state = e->state;
    p->attempts = e->attempts;
    p->uncertain = e->uncertain;
    p->next_at = e->next_at;
    (void)snprintf(p->key, sizeof p->key, "%s", e->key);
    (void)snprintf(p->code, sizeof p->code, "%s", e->code);
    (void)snprintf(p->reason, sizeof p->reason, "%s", e->reason);
    return false;
}

static enum ending say_missing(struct ctl *ctl, int64_t id)
{
    struct spool_error err;
    int64_t last;
    bool shed = false, lost = false;
    char file[ASIDE_PATH_SIZE];
    if (inspect_last_id(ctl->box, &last, &err) != SPOOL_OK ||
        limits_was_shed(ctl->box, id, &shed, &err) != SPOOL_OK ||
        recover_was_lost(ctl->box, id, &lost, &err) != SPOOL_OK ||
        recover_waiting(ctl->box, file, &err) != SPOOL_OK) {
        return ctl_failed(&err);
    }
    if (lost) {
        ctl_warn("event %lld is lost, the file was damaged; %s verify and "
                 "audit tell of it",
                 (long long)id, ctl->self);
    } else if (file[0] != '\0' && id <= last) {
        ctl_warn("event %lld is not to be found until %s recover has put back "
                 "what the damaged file held",
                 (long long)id, ctl->self);
    } else if (shed) {
        ctl_warn("event %lld gave way when a limit of the spool was reached "
                 "and is no longer kept; %s limits tells how many did",
                 (long long)id, ctl->self);
    } else if (id <= last) {
        ctl_warn("event %lld is no longer kept: it was settled at every "
                 "destination and dropped",
                 (long long)id);
    } else {
        ctl_warn("there is no event %lld; the last one is %lld", (long long)id,
                 (long long)last);
    }
    return NOTHING;
}

static enum ending look_at(struct ctl *ctl, struct places *p,
                           const struct event_range *range)
{
    struct spool_error err;
    enum spool_status status = SPOOL_OK;
    for (size_t i = 0; status == SPOOL_OK && i < p->n; i++) {
        struct place *place = &p->places[i];
        place->kind = p->id <= place->d.base ? PLACE_BEFORE : PLACE_PASSED;
        status =
            inspect_events(ctl->box, &place->d, range, keep_place, place, &err);
    }
    return status == SPOOL_OK ? DONE : ctl_failed(&err);
}

enum ending places_find(struct ctl *ctl, int64_t id, const char *destination,
                        struct places *out)
{
    struct event_range range = {.lo = id, .hi = id};
    struct destination *all = NULL;
    struct spool_error err;
    if (inspect_events(ctl->box, NULL, &range, keep_event, out, &err) !=
        SPOOL_OK) {
        return ctl_failed(&err);
    }
    if (out->body == NULL) {
        return say_missing(ctl, id);
    }
    enum ending ending = ctl_destinations(ctl, destination, &all, &out->n);
    if (ending != DONE) {
        return ending;
    }
    out->places = calloc(out->n + 1, sizeof *out->places);
    if (out->places == NULL) {
        free(all);
        ctl_warn("out of memory");
        return FAILED;
    }
    for (size_t i = 0; i < out->n; i++) {
        out->places[i].d = all[i];
    }
    free(all);
    return look_at(ctl, out, &range);
}

void places_finish(struct places *p)
{
    free(p->body);
    free(p->places);
    *p = (struct places){0};
}

const char *place_state(const struct place *p)
{
    switch (p->kind) {
    case PLACE_IN_LOG:
        return event_state_name(p->state);
    case PLACE_PASSED:
        return "passed";
    case PLACE_BEFORE:
        return "before";
    }
    return "";
}
