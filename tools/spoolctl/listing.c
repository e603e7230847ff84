#include "listing.h"

/* Ids that are no further apart are looked for in one go. */
#define REACH 500

struct walk {
    const struct selection *selection;
    const struct destination *d;
    int64_t *limit;
    size_t next; /* of the ids asked for */
    listing_event *each;
    void *arg;
    bool over;
};

static bool is_asked_for(struct walk *w, int64_t id)
{
    const struct picked *ids = &w->selection->ids;
    while (w->next < ids->n && ids->ids[w->next] < id) {
        w->next++;
    }
    return w->next < ids->n && ids->ids[w->next] == id;
}

static bool look(void *arg, const struct event_record *e)
{
    struct walk *w = arg;
    const struct selection *s = w->selection;
    struct listed l = {.event = e, .destination = w->d};
    /* Without a destination the range's states were not looked at. */
    bool state = s->states == 0 || (s->states & 1U << e->state) != 0;
    if (!state || (s->by_id && !is_asked_for(w, e->id))) {
        return true;
    }
    l.known = e->whole && event_read(e->body, e->len, &l.facts);
    if (selection_takes(s, e, l.known ? &l.facts : NULL)) {
        --*w->limit;
        w->over = !w->each(w->arg, &l) || *w->limit == 0;
    }
    return !w->over;
}

static enum spool_status walk_ids(struct outbox *box, struct walk *w,
                                  struct event_range *range,
                                  struct spool_error *err)
{
    const struct picked *p = &w->selection->ids;
    enum spool_status status = SPOOL_OK;
    for (size_t i = 0, j; status == SPOOL_OK && !w->over && i < p->n; i = j) {
        for (j = i + 1; j < p->n && p->ids[j] - p->ids[j - 1] <= REACH; j++) {
        }
        range->lo = p->ids[i];
        range->hi = p->ids[j - 1];
        status = inspect_events(box, w->d, range, look, w, err);
    }
    return status;
}

enum spool_status listing_walk(struct outbox *box, const struct selection *s,
                               const struct destination *d, int64_t *limit,
                               listing_event *each, void *arg,
                               struct spool_error *err)
{
    struct walk w = {
        .selection = s, .d = d, .limit = limit, .each = each, .arg = arg};
    struct event_range range = {
        .states = s->states, .since = s->since, .until = s->until};
    if (*limit == 0) {
        return SPOOL_OK;
    }
    return s->by_id ? walk_ids(box, &w, &range, err)
                    : inspect_events(box, d, &range, look, &w, err);
}
