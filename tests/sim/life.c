#include "sim/life.h"

#include <stdio.h>
#include <string.h>

#include "outbox/inspect.h"
#include "outbox/operate.h"
#include "outbox/retain.h"
#include "sim/loop.h"

#define SECOND INT64_C(1000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)
#define YEAR   (365 * DAY)

/* Nothing on disk may make anybody wait for longer, whatever the clocks were:
 * the longest wait there is, and what the last wait takes. */
#define DRAIN_MS (29 * HOUR)

#define HOLD_MS (1800 * SECOND)

static void expect_ok(struct world *w, enum spool_status status,
                      const struct spool_error *err, const char *what)
{
    if (status != SPOOL_OK) {
        model_fail(&w->m, "%s: %s", what, err->message);
    }
}

/* ---- putting ---- */

struct put {
    struct outbox_event e[8];
    char keys[8][16];
    size_t n;
};

/* One more event in the model and in a put. */
static struct model_event *write_event(struct world *w, struct put *p)
{
    struct model *m = &w->m;
    struct model_event *e = &m->events[m->n + 1 + p->n];
    struct outbox_event *out = &p->e[p->n];
    size_t begun = w->crowded ? (m->n + p->n) / 6 : 0;
    *e = (struct model_event){.part =
                                  (uint32_t)begun + (uint32_t)world_draw(w, 5),
                              .odd = world_draw(w, 2) == 0,
                              .poison = world_draw(w, 25) == 0,
                              .quarantined = world_draw(w, 30) == 0};
    int len = snprintf(
        e->body, sizeof e->body, "{\"n\":%zu,\"p\":%u,\"x\":\"%0*d\",\"o\":%d}",
        m->n + 1 + p->n, e->part, 1 + world_draw(w, 30), 7, e->odd ? 1 : 0);
    e->len = (size_t)len;
    *out = (struct outbox_event){.body = e->body,
                                 .len = e->len,
                                 .part = e->part,
                                 .quarantine =
                                     e->quarantined ? "it is bad" : NULL};
    if (world_draw(w, 4) == 0) {
        (void)snprintf(p->keys[p->n], sizeof p->keys[0], "k%zu",
                       m->n + 1 + p->n);
        out->key = p->keys[p->n];
        e->keyed = true;
    }
    p->n++;
    return e;
}

static bool has_room(const struct world *w)
{
    return w->m.n + 9 < MODEL_EVENTS;
}

static void append(struct world *w, struct put *p)
{
    struct spool_error err = {0};
    int64_t last = w->m.n > 0 ? w->m.events[w->m.n].id : 0;
    enum spool_status status = outbox_append(w->box, p->e, p->n, &err);
    expect_ok(w, status, &err, "put");
    for (size_t i = 0; status == SPOOL_OK && i < p->n; i++) {
        struct model_event *e = &w->m.events[++w->m.n];
        e->id = p->e[i].id;
        if (p->e[i].appended != APPENDED || e->id != ++last) {
            model_fail(&w->m, "put: event %zu got id %d", w->m.n, (int)e->id);
        }
        if (p->e[i].opens_page) {
            model_page(&w->m, w->m.n);
        }
        w->counts.accepted++;
    }
    if (world_draw(w, 10) > 0) { /* else the wake is lost */
        loop_notify();
    }
}

static void put(struct world *w, size_t n)
{
    struct put p = {0};
    while (has_room(w) && p.n < n) {
        (void)write_event(w, &p);
    }
    append(w, &p);
}

static void put_held(struct world *w)
{
    struct put p = {0};
    if (has_room(w)) {
        struct model_event *e = write_event(w, &p);
        e->quarantined = e->poison = false;
        e->until = world_wall(w) + HOLD_MS;
        p.e[0].quarantine = NULL;
        p.e[0].hold_until = e->until;
        append(w, &p);
    }
}

static void put_page(struct world *w)
{
    struct put p = {0};
    if (has_room(w)) {
        struct model_event *e = write_event(w, &p);
        e->quarantined = false;
        p.e[0].quarantine = NULL;
        p.e[0].opens_page = true;
        append(w, &p);
    }
}

/* A key that came before: the first event is named, nothing is stored. */
static void put_again(struct world *w)
{
    char key[16];
    struct spool_error err = {0};
    if (w->m.n == 0) {
        return;
    }
    size_t n = 1 + (size_t)world_draw(w, (int)w->m.n);
    const struct model_event *first = &w->m.events[n];
    bool same = world_draw(w, 2) == 0;
    if (!first->keyed || w->counts.jumps > 0) { /* keys are kept 400 days */
        return;
    }
    (void)snprintf(key, sizeof key, "k%zu", n);
    struct outbox_event known = {.body = first->body,
                                 .len = same ? first->len : first->len - 1,
                                 .part = first->part,
                                 .key = key};
    enum spool_status status = outbox_append(w->box, &known, 1, &err);
    expect_ok(w, status, &err, "put again");
    if (known.id != first->id ||
        known.appended != (same ? APPENDED_BEFORE : APPENDED_DIFFERENT)) {
        model_fail(&w->m, "key: %s is event %d, not %d", key, (int)known.id,
                   (int)first->id);
    }
}

/* ---- operators ---- */

static bool find_place(struct world *w, size_t place, struct destination *d)
{
    char name[8];
    struct spool_error err = {0};
    (void)snprintf(name, sizeof name, "d%d", (int)place);
    return w->m.places[place].there &&
           destination_find(w->box, name, d, &err) == SPOOL_OK;
}

static void pause_or_resume(struct world *w)
{
    struct destination d;
    struct spool_error err = {0};
    if (!find_place(w, (size_t)world_draw(w, MODEL_PLACES), &d)) {
        return;
    }
    bool paused = d.state == DESTINATION_PAUSED;
    expect_ok(w,
              paused ? destination_resume(w->box, d.name, &err)
                     : destination_pause(w->box, d.name, &err),
              &err, "pause");
    memset(w->fail_row, 0, sizeof w->fail_row);
}

static void note_replayed(struct world *w, size_t place, size_t n)
{
    struct model_event *e = &w->m.events[n];
    struct model_seen *s = &w->m.places[place].seen[n];
    s->explained += s->stored > 0 ? 1 : 0;
    s->settled = s->answered = s->refused = false;
    s->late = true;
    if (e->quarantined || e->until > 0) { /* let go for everybody */
        e->may_go = true;
        for (size_t i = 0; i < MODEL_PLACES; i++) {
            w->m.places[i].seen[n].late = true;
        }
    }
    e->let_go = e->let_go || e->quarantined;
    e->quarantined = false;
}

static void operate(struct world *w, bool purge)
{
    struct destination d;
    struct operation done;
    struct spool_error err = {0};
    size_t place = (size_t)world_draw(w, MODEL_PLACES);
    for (int i = 0; i < 3 && w->m.n > 0 && find_place(w, place, &d); i++) {
        size_t n = 1 + (size_t)world_draw(w, (int)w->m.n);
        int64_t id = w->m.events[n].id;
        expect_ok(w,
                  purge
                      ? operate_purge(w->box, &d, &id, 1, "sim", &done, &err)
                      : operate_replay(w->box, &d, &id, 1, "sim", &done, &err),
                  &err, purge ? "purge" : "replay");
        if (done.changed == 1 && purge) {
            w->m.places[place].seen[n].purged = true;
        } else if (done.changed == 1) {
            note_replayed(w, place, n);
        }
        w->touched_at[place] = w->request_n;
    }
    memset(w->fail_row, 0, sizeof w->fail_row);
    loop_notify();
}

static void retain(struct world *w)
{
    struct retention r = {.keep_ms = world_draw(w, 2) * SECOND,
                          .keep_keys_ms = 400 * DAY};
    struct spool_error err = {0};
    bool more = true;
    for (int i = 0; more && i < 20; i++) {
        expect_ok(w, retain_step(w->box, &r, &more, &err), &err, "retain");
    }
}

static void add_place(struct world *w, size_t place)
{
    struct destination d;
    struct spool_error err = {0};
    destination_default(&d);
    (void)snprintf(d.name, sizeof d.name, "d%d", (int)place);
    (void)snprintf(d.url, sizeof d.url, "http://127.0.0.1:1/%d", (int)place);
    (void)snprintf(d.profile, sizeof d.profile, "json");
    (void)snprintf(d.filter, sizeof d.filter, "%s",
                   world_draw(w, 3) == 0 ? "odd" : "");
    d.lanes = 1 + world_draw(w, 3);
    d.batch_events = 1 + world_draw(w, 6);
    d.batch_age_ms = world_draw(w, 2) * SECOND;
    d.backoff_base_ms = SECOND;
    d.backoff_cap_ms = 300 * SECOND;
    d.base = world_draw(w, 3) == 0 ? -1 : 0;
    if (w->crowded) {
        d.batch_events = 1 + world_draw(w, 2);
        d.rate = 1 + world_draw(w, 3);
    }
    enum spool_status status = destination_add(w->box, &d, &err);
    expect_ok(w, status, &err, "add");
    struct model_place *p = &w->m.places[place];
    memset(p, 0, sizeof *p);
    *p = (struct model_place){.there = true,
                              .id = d.id,
                              .base = d.base,
                              .lanes = d.lanes,
                              .filtered = d.filter[0] != '\0'};
    for (size_t i = 0; i < w->request_n; i++) { /* of one before it */
        w->requests[i].dead_to_us |= w->requests[i].place == place;
        w->requests[i].settled |= w->requests[i].place == place;
    }
}

static void add_or_remove(struct world *w)
{
    size_t place = (size_t)world_draw(w, MODEL_PLACES);
    struct destination d;
    struct spool_error err = {0};
    int64_t left;
    if (!w->m.places[place].there && w->retired[place] == 0) {
        add_place(w, place);
    } else if (place > 0 && find_place(w, place, &d)) {
        expect_ok(w, destination_remove(w->box, d.name, &left, &err), &err,
                  "remove");
        w->m.places[place].there = false;
        w->retired[place] = 1;
    }
}

/* ---- clocks ---- */

static void set_clock(struct world *w)
{
    static const int64_t by[] = {SECOND,   60 * SECOND, HOUR,      DAY,
                                 30 * DAY, YEAR,        30 * YEAR, 30 * HOUR};
    int64_t step = by[world_draw(w, 8)];
    switch (world_draw(w, 7)) {
    case 0:
        w->wall_ahead = INT64_C(2147483647000) - loop_now(); /* 2038 */
        break;
    case 1:
        w->wall_ahead = -loop_now(); /* 1970 */
        break;
    case 2: /* suspended, the monotonic clock standing still */
        w->wall_ahead += step;
        break;
    case 3: /* or not */
        loop_jump(step < YEAR ? step : YEAR);
        break;
    case 4:
    case 5:
        w->wall_ahead -= step;
        break;
    case 6:
        w->wall_ahead += step;
        break;
    }
    if (world_wall(w) < 0) {
        w->wall_ahead = -loop_now();
    }
    w->counts.jumps++;
    model_clock(&w->m, world_wall(w));
    memset(w->fail_row, 0, sizeof w->fail_row);
}

/* ---- living ---- */

static void run_a_while(struct world *w, int64_t most)
{
    static const int percents[] = {0, 10, 40, 100};
    if (world_draw(w, 4) == 0) {
        w->fault_percent = percents[world_draw(w, 4)];
    }
    if (world_draw(w, 6) == 0) {
        w->store_faults = 1 + world_draw(w, 4);
    }
    int64_t ms = rng_upto(&w->rng, most);
    world_run(w, world_draw(w, 3) == 0 ? ms : ms / 100);
}

/* What dies or is changed under the flusher is that in the middle of its work.
 */
static bool interrupts(enum op op)
{
    return op == OP_CRASH || op == OP_PAUSE || op == OP_REPLAY ||
           op == OP_PURGE || op == OP_PLACE;
}

static void do_op(struct world *w, enum op op, int64_t most)
{
    world_note(w, &op, sizeof op);
    if (interrupts(op)) {
        loop_run_steps(world_draw(w, 12));
    }
    switch (op) {
    case OP_PUT:
        put(w, 1);
        break;
    case OP_PUT_MANY:
        put(w, 1 + (size_t)world_draw(w, 8));
        put_again(w);
        break;
    case OP_PUT_HELD:
        put_held(w);
        break;
    case OP_PUT_PAGE:
        put_page(w);
        break;
    case OP_RUN:
        run_a_while(w, most);
        break;
    case OP_CRASH:
        world_crash(w);
        break;
    case OP_CLOCK:
        set_clock(w);
        break;
    case OP_PAUSE:
        pause_or_resume(w);
        break;
    case OP_REPLAY:
        operate(w, false);
        break;
    case OP_PURGE:
        operate(w, true);
        break;
    case OP_RETAIN:
        retain(w);
        break;
    case OP_PLACE:
        add_or_remove(w);
        break;
    case OPS:
        break;
    }
}

static enum op draw_op(struct world *w, bool clocks)
{
    static const enum op often[] = {OP_PUT, OP_PUT_MANY, OP_RUN, OP_RUN};
    int k = world_draw(w, 3);
    if (k == 0 && clocks) {
        return world_draw(w, 4) == 0 ? OP_CRASH : OP_CLOCK;
    }
    return k < 2 ? often[world_draw(w, 4)] : (enum op)world_draw(w, OPS);
}

static bool is_drained(struct world *w)
{
    struct destination d;
    struct sums s;
    struct spool_error err = {0};
    for (size_t i = 0; i < MODEL_PLACES; i++) {
        if (find_place(w, i, &d) &&
            (inspect_sums(w->box, &d, &s, &err) != SPOOL_OK || s.waiting > 0)) {
            return false;
        }
    }
    return true;
}

static void drain(struct world *w)
{
    struct destination d;
    struct spool_error err = {0};
    w->fault_percent = 0;
    w->store_faults = 0;
    for (size_t i = 0; i < MODEL_PLACES; i++) {
        if (find_place(w, i, &d) && d.state == DESTINATION_PAUSED) {
            expect_ok(w, destination_resume(w->box, d.name, &err), &err,
                      "resume");
        }
    }
    for (int64_t spent = 0, step = SECOND;
         spent < DRAIN_MS && !w->m.failed && !is_drained(w); spent += step) {
        step = spent < 600 * SECOND ? 30 * SECOND : HOUR / 4;
        world_run(w, step);
    }
    if (!w->m.failed && !is_drained(w)) {
        model_fail(&w->m, "progress: not drained when all faults were over");
    }
}

/* Nothing arrives for some minutes. */
static void go_through_outage(struct world *w)
{
    for (int i = 0; i < 20; i++) {
        put(w, 8);
    }
    w->fault_percent = 100;
    world_run(w, 60 * SECOND + world_draw(w, 240) * SECOND);
}

void life_run(struct world *w, const struct life *life)
{
    world_open(w, life->folder, life->seed, life->plant);
    w->fault_percent = 10;
    w->crowded = life->backlog;
    add_place(w, 0);
    if (life->backlog) {
        go_through_outage(w);
        w->fault_percent = 5;
    }
    for (int i = 0; i < life->n && !w->m.failed; i++) {
        enum op op =
            life->ops != NULL ? life->ops[i] : draw_op(w, life->clocks);
        do_op(w, op, life->hour_ms * 6 / life->n);
        world_check(w);
    }
    if (!w->m.failed) {
        drain(w);
        world_check(w);
    }
    world_close(w);
}
