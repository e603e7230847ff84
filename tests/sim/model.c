#include "sim/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)

void model_fail(struct model *m, const char *format, ...)
{
    va_list args;
    if (m->failed) {
        return;
    }
    m->failed = true;
    va_start(args, format);
    (void)vsnprintf(m->why, sizeof m->why, format, args);
    va_end(args);
}

static bool is_for(const struct model_place *p, const struct model_event *e)
{
    return e->id > p->base && (!p->filtered || e->odd);
}

bool model_takes(const struct model_place *p, const struct model_event *e)
{
    return p->there && is_for(p, e);
}

void model_clock(struct model *m, int64_t now)
{
    for (size_t i = 1; i <= m->n; i++) {
        struct model_event *e = &m->events[i];
        if (e->until > 0 && (now >= e->until || e->until > now + DAY_MS)) {
            e->may_go = true;
        }
    }
}

void model_page(struct model *m, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct model_event *e = &m->events[i];
        if (e->until > 0 && e->page == 0 && e->part == m->events[n].part) {
            e->page = n;
            e->may_go = true;
        }
    }
}

static bool keeps_its_place(const struct model_place *p,
                            const struct model_event *e, size_t i)
{
    return model_takes(p, e) && !e->quarantined && !e->poison &&
           !p->seen[i].late && !p->seen[i].purged;
}

/* All of its session that must be there before it. */
static void check_order(struct model *m, size_t place, size_t n)
{
    const struct model_place *p = &m->places[place];
    const struct model_event *e = &m->events[n];
    if (e->until > 0 || p->seen[n].late) {
        return;
    }
    for (size_t i = 1; i < n; i++) {
        const struct model_event *b = &m->events[i];
        bool before = b->until == 0 || b->page == n;
        if (b->part == e->part && before && keeps_its_place(p, b, i) &&
            p->seen[i].stored == 0) {
            model_fail(m, "order: place %zu got %zu before %zu", place, n, i);
        }
    }
}

void model_check_removed(struct model *m, size_t place, int lane, size_t n)
{
    struct model_place *p = &m->places[place];
    if (p->there || n == 0 || n > m->n) {
        return;
    }
    if (!p->seen[n].taken) {
        model_fail(m, "removed: place %zu was sent %zu, not taken before",
                   place, n);
    }
    if (p->gone[lane] > 0 && p->gone[lane]++ > 1) {
        model_fail(m, "removed: place %zu was sent %zu when it was known gone",
                   place, n);
    }
}

void model_store(struct model *m, size_t place, size_t n, const char *body,
                 size_t len)
{
    if (n == 0 || n > m->n) {
        model_fail(m, "origin: place %zu got %zu, never accepted", place, n);
        return;
    }
    struct model_place *p = &m->places[place];
    const struct model_event *e = &m->events[n];
    struct model_seen *s = &p->seen[n];
    if (len != e->len || memcmp(body, e->body, len) != 0) {
        model_fail(m, "bytes: place %zu got %zu changed", place, n);
    }
    if (!is_for(p, e) || s->purged || e->quarantined ||
        (e->until > 0 && !e->may_go)) {
        model_fail(m, "place %zu got %zu, which is not for it%s%s%s", place, n,
                   s->purged ? ": purged" : "",
                   e->quarantined ? ": quarantined" : "",
                   e->until > 0 && !e->may_go ? ": held" : "");
    }
    if (s->stored == 0) {
        check_order(m, place, n);
    } else if (s->stored > s->explained) {
        model_fail(m, "duplicate: place %zu got %zu %d times, explained %d",
                   place, n, s->stored + 1, s->explained);
    }
    s->stored++;
}

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

void model_check_state(struct model *m, size_t place, size_t n,
                       const char *state)
{
    const struct model_place *p = &m->places[place];
    const struct model_event *e = &m->events[n];
    const struct model_seen *s = &p->seen[n];
    bool good = true;
    if (s->purged || is(state, "purged")) {
        good = s->purged && is(state, "purged");
    } else if (s->settled || is(state, "delivered")) {
        good = s->settled && is(state, "delivered") && s->answered &&
               s->stored > 0;
    } else if (is(state, "dead")) {
        /* Let go at one place, it stays dead where it was cut before. */
        good = e->quarantined || e->let_go || (e->poison && s->refused);
    } else if (is(state, "held")) {
        good = e->until > 0 && e->page == 0;
    } else if (is(state, "uncertain")) {
        good = s->ambiguous > 0;
    } else {
        good = !e->quarantined && (e->until == 0 || e->may_go);
    }
    if (!good) {
        model_fail(m,
                   "state: %zu is %s at place %zu; stored %d answered %d "
                   "settled %d refused %d purged %d ambiguous %d",
                   n, state, place, s->stored, s->answered, s->settled,
                   s->refused, s->purged, s->ambiguous);
    }
}

void model_check_gone(struct model *m, size_t n)
{
    for (size_t i = 0; i < MODEL_PLACES; i++) {
        const struct model_place *p = &m->places[i];
        const struct model_seen *s = &p->seen[n];
        if (model_takes(p, &m->events[n]) && !s->settled && !s->purged) {
            model_fail(m, "lost: %zu is gone, place %zu never got it", n, i);
        }
    }
}
