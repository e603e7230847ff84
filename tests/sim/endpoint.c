/* The network and what is behind it: answers are drawn, what is stored goes to
 * the model. Here too are the mistakes that the model must find, those in the
 * flusher's calls of the outbox among them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "outbox/overtake.h"
#include "sim/loop.h"
#include "sim/world.h"

struct http_post {
    struct request_seen *seen;
    http_done *done;
    void *arg;
    const char *body; /* the flusher's, until it is told */
    size_t len;
};

struct http {
    void (*closed)(void *arg);
    void *arg;
};

struct world *world;

/* What is behind the event's number in its bytes. */
static size_t number_of(const char *event)
{
    return (size_t)strtoul(event + strlen("{\"n\":"), NULL, 10);
}

/* Calls each for the events of a JSON array of flat objects. */
static void each_event(const char *body, size_t len,
                       void (*each)(void *arg, const char *event, size_t n),
                       void *arg)
{
    const char *end = body + len;
    while (body < end) {
        const char *open = memchr(body, '{', (size_t)(end - body));
        const char *shut =
            open == NULL ? NULL : memchr(open, '}', (size_t)(end - open));
        if (shut == NULL) {
            return;
        }
        each(arg, open, (size_t)(shut + 1 - open));
        body = shut + 1;
    }
}

static void note_event(void *arg, const char *event, size_t len)
{
    struct request_seen *r = arg;
    (void)len;
    if (r->n < 64) {
        r->events[r->n++] = number_of(event);
    }
}

static void store_event(void *arg, const char *event, size_t len)
{
    const struct request_seen *r = arg;
    char copy[MODEL_BODY];
    if (len < sizeof copy) {
        memcpy(copy, event, len);
        if (world->plant == PLANT_FLIPS && world_draw(world, 20) == 0) {
            copy[len - 2] ^= 1;
        }
        model_store(&world->m, r->place, number_of(event), copy, len);
    }
}

static void store(struct http_post *post)
{
    struct request_seen *r = post->seen;
    struct model *m = &world->m;
    model_clock(m, world_wall(world));
    r->stored = true;
    if (world->plant == PLANT_REVERSES && r->n > 1) {
        for (size_t i = r->n; i-- > 0;) {
            const struct model_event *e = &m->events[r->events[i]];
            model_store(m, r->place, r->events[i], e->body, e->len);
        }
        return;
    }
    each_event(post->body, post->len, store_event, r);
    if (world->plant == PLANT_SENDS_TWICE && world_draw(world, 10) == 0) {
        each_event(post->body, post->len, store_event, r);
    }
}

static void may_come_again(struct request_seen *r)
{
    struct model_place *p = &world->m.places[r->place];
    world->counts.ambiguous++;
    for (size_t i = 0; i < r->n; i++) {
        p->seen[r->events[i]].explained++;
        p->seen[r->events[i]].ambiguous++;
    }
}

static enum answer draw_answer(struct world *w)
{
    static const enum answer bad[] = {BUSY_503, SLOW_DOWN_429, LOST,
                                      LOST,     UNSENT,        FAULT_401};
    return world_draw(w, 100) < w->fault_percent ? bad[world_draw(w, 6)] : YES;
}

static bool has_poison(const struct request_seen *r)
{
    for (size_t i = 0; i < r->n; i++) {
        size_t n = r->events[i];
        if (n <= world->m.n && world->m.events[n].poison) {
            return true;
        }
    }
    return false;
}

/* The longest that failures may take for a row of them is none of ours; the
 * least is: a tenth of the first wait each, whatever the clocks do. */
static void check_stampede(struct request_seen *r)
{
    int lane = r->lane;
    int64_t *at = &world->fail_row_at[r->place][lane];
    int *n = &world->fail_row[r->place][lane];
    if (r->answer == YES || r->answer == FAULT_401) {
        *n = 0;
        return;
    }
    if ((*n)++ == 0) {
        *at = r->at;
    }
    if (*n > 3 && r->at - *at < (*n - 3) * 100) {
        model_fail(&world->m, "stampede: place %zu was asked %d times in %d ms",
                   r->place, *n, (int)(r->at - *at));
    }
}

static void learn(struct request_seen *r)
{
    struct model_place *p = &world->m.places[r->place];
    r->answered = true;
    if (r->answer == LOST) {
        may_come_again(r);
    }
    for (size_t i = 0; i < r->n; i++) {
        struct model_seen *s = &p->seen[r->events[i]];
        s->answered = s->answered || (r->answer == YES && !r->refused);
        s->refused = s->refused || (r->refused && r->n == 1);
    }
    world->counts.refusals += r->refused ? 1 : 0;
    world->counts.faults += r->answer == YES ? 0 : 1;
}

static void answer(void *arg)
{
    static const struct reply replies[ANSWERS] = {
        [YES] = {.http = 200},
        [BUSY_503] = {.http = 503},
        [SLOW_DOWN_429] = {.http = 429},
        [LOST] = {.transport = TRANSPORT_LOST, .error = "lost"},
        [UNSENT] = {.transport = TRANSPORT_UNSENT, .error = "refused"},
        [FAULT_401] = {.http = 401},
    };
    struct http_post *post = arg;
    struct request_seen *r = post->seen;
    char seconds[16];
    struct reply reply = replies[r->answer];
    reply.body = "";
    reply.content_type = "application/json";
    reply.error = reply.error == NULL ? "" : reply.error;
    if (r->answer == YES && r->refused) {
        reply.http = 400;
    } else if (r->answer == YES && !r->stored && !world->ghost) {
        store(post);
    }
    if (r->answer == SLOW_DOWN_429) {
        (void)snprintf(seconds, sizeof seconds, "%d", world_draw(world, 600));
        reply.retry_after = seconds;
    }
    if (!world->ghost) {
        learn(r);
    }
    http_done *done = post->done;
    void *of = post->arg;
    free(post);
    done(of, &reply);
}

/* Everything that can be told from a request alone. */
static void check_request(struct request_seen *r)
{
    struct model *m = &world->m;
    struct model_place *p = &m->places[r->place];
    r->lane = r->n > 0 && r->events[0] <= m->n && p->lanes > 0
                  ? (int)(m->events[r->events[0]].part % (unsigned)p->lanes)
                  : 0;
    model_check_removed(m, r->place, r->lane, r->n > 0 ? r->events[0] : 0);
    for (size_t i = world->request_n; i-- > 0;) {
        const struct request_seen *b = &world->requests[i];
        if (b->place != r->place || b->dead_to_us) {
            continue;
        }
        if (!b->answered && b->lane == r->lane) {
            model_fail(m, "two requests at a time in a lane of place %zu",
                       r->place);
        }
        if (strcmp(b->key, r->key) == 0 && b->digest != r->digest) {
            model_fail(m, "key: other bytes under the same key");
        }
        bool again = b->n == r->n && r->n > 0 && b->events[0] == r->events[0];
        if (again && (b->answer == LOST || b->answer == BUSY_503) &&
            i >= world->touched_at[r->place]) {
            world->counts.resends++;
            if (strcmp(b->key, r->key) != 0) {
                model_fail(m, "key: place %zu got a resend under a new key",
                           r->place);
            }
        }
    }
}

static size_t place_of(const char *url)
{
    const char *slash = strrchr(url, '/');
    return (size_t)strtoul(slash + 1, NULL, 10) % MODEL_PLACES;
}

static void read_request(struct request_seen *r,
                         const struct http_request *request)
{
    *r = (struct request_seen){.place = place_of(request->url),
                               .at = loop_now()};
    r->digest = crc32c(0, request->body, request->body_len);
    for (size_t i = 0; request->headers[i] != NULL; i++) {
        (void)sscanf(request->headers[i], "Idempotency-Key: %36s", r->key);
    }
    if (world->plant == PLANT_REKEYS) {
        (void)snprintf(r->key, sizeof r->key, "%d", (int)world->request_n);
    }
    each_event(request->body, request->body_len, note_event, r);
}

static enum spool_status endpoint_post(struct http *h,
                                       const struct http_request *request,
                                       http_done *done, void *arg,
                                       struct http_post **out,
                                       struct spool_error *err)
{
    static struct request_seen unseen; /* a dead process's */
    struct http_post *post = calloc(1, sizeof *post);
    (void)h;
    if (post == NULL || world->request_n == REQUESTS_MAX) {
        abort();
    }
    struct request_seen *r =
        world->ghost ? &unseen : &world->requests[world->request_n];
    (void)err;
    read_request(r, request);
    *post = (struct http_post){r, done, arg, request->body, request->body_len};
    r->answer = world->ghost ? UNSENT : draw_answer(world);
    r->refused = has_poison(r);
    if (!world->ghost) {
        check_request(r);
        check_stampede(r);
        world->request_n++;
        world->counts.requests++;
        world_note(world, r->key, sizeof r->key);
        world_note(world, &r->digest, sizeof r->digest);
        world_note(world, &r->at, sizeof r->at);
        if (!r->refused &&
            ((r->answer == YES || r->answer == LOST) && world_draw(world, 2))) {
            store(post);
        }
    }
    loop_after(world->ghost ? 0 : 1 + world_draw(world, 300), answer, post);
    *out = post;
    return SPOOL_OK;
}

static enum spool_status endpoint_create(struct uv_loop_s *loop,
                                         const struct http_options *options,
                                         struct http **out,
                                         struct spool_error *err)
{
    (void)loop;
    (void)options;
    (void)err;
    *out = calloc(1, sizeof **out);
    return SPOOL_OK;
}

static void endpoint_cancel(struct http *h, struct http_post *post)
{
    (void)h;
    if (!world->ghost) {
        post->seen->answered = true;
        may_come_again(post->seen);
    }
    loop_forget(post);
    free(post);
}

static void closed(void *arg)
{
    struct http h = *(struct http *)arg;
    free(arg);
    h.closed(h.arg);
}

static void endpoint_destroy(struct http *h, void (*done)(void *arg), void *arg)
{
    *h = (struct http){done, arg};
    loop_after(0, closed, h);
}

const struct sender_ops endpoint_sender = {endpoint_create, endpoint_post,
                                           endpoint_cancel, endpoint_destroy};

void endpoint_forget(struct world *w)
{
    for (size_t i = 0; i < MODEL_PLACES * MODEL_EVENTS; i++) {
        struct model_seen *s =
            &w->m.places[i / MODEL_EVENTS].seen[i % MODEL_EVENTS];
        s->ambiguous += s->taken ? 1 : 0; /* sent or not: nobody knows */
        s->taken = false;
    }
    for (size_t i = 0; i < w->request_n; i++) {
        struct request_seen *r = &w->requests[i];
        if (!r->settled && !r->dead_to_us) {
            r->dead_to_us = true;
            may_come_again(r);
        }
    }
}

/* ---- the outbox as the flusher calls it ---- */

enum spool_status __real_batch_turn(struct outbox *box, int64_t destination,
                                    int lane, const struct order *order,
                                    struct turn *turn, struct spool_error *err);
enum spool_status __wrap_batch_turn(struct outbox *box, int64_t destination,
                                    int lane, const struct order *order,
                                    struct turn *turn, struct spool_error *err);

static void spoil(const struct order *order, struct settlement *spoiled)
{
    for (size_t i = 0; i < order->done_n; i++) {
        spoiled[i] = *order->done[i].s;
        if (world->plant == PLANT_SETTLES &&
            spoiled[i].outcome == OUTCOME_RETRY) {
            spoiled[i].outcome = OUTCOME_DELIVERED;
        }
        if (world->plant == PLANT_BURIES &&
            spoiled[i].outcome == OUTCOME_HOLD) {
            spoiled[i].outcome = OUTCOME_REFUSED;
        }
        order->done[i].s = &spoiled[i];
    }
}

static void note_settled(const char *key, bool delivered)
{
    for (size_t i = world->request_n; i-- > 0;) {
        struct request_seen *r = &world->requests[i];
        if (r->settled ||
            (world->plant != PLANT_REKEYS && strcmp(r->key, key) != 0)) {
            continue;
        }
        r->settled = true;
        for (size_t k = 0; delivered && k < r->n; k++) {
            world->m.places[r->place].seen[r->events[k]].settled = true;
        }
        return;
    }
}

/* Event ids are the model's numbers: it puts nothing that is not stored. */
static void note_taken(const struct batch *b, bool taken)
{
    for (size_t i = 0; i < MODEL_PLACES; i++) {
        struct model_place *p = &world->m.places[i];
        for (size_t k = 0; p->id == b->destination && k < b->n; k++) {
            if (b->events[k].id < MODEL_EVENTS) {
                p->seen[b->events[k].id].taken = taken;
            }
        }
    }
}

static void note_gone(int64_t destination, int lane)
{
    for (size_t i = 0; i < MODEL_PLACES; i++) {
        struct model_place *p = &world->m.places[i];
        if (p->id == destination && p->gone[lane] == 0) {
            p->gone[lane] = 1;
        }
    }
}

static void note_turn(const struct order *order, const struct turn *turn)
{
    for (size_t i = 0; i < order->done_n; i++) {
        note_settled(order->done[i].batch->key,
                     order->done[i].s->outcome == OUTCOME_DELIVERED);
        note_taken(order->done[i].batch, false);
    }
    for (size_t i = 0; i < order->back_n; i++) {
        note_taken(&order->back[i], false);
    }
    world->counts.backlogs += turn->aged ? 1 : 0;
    for (size_t i = 0; i < turn->n; i++) {
        note_taken(&turn->batches[i], true);
        world->counts.overtakes += turn->batches[i].express ? 1 : 0;
    }
}

enum spool_status __wrap_batch_turn(struct outbox *box, int64_t destination,
                                    int lane, const struct order *order,
                                    struct turn *turn, struct spool_error *err)
{
    static const enum spool_status faults[] = {SPOOL_BUSY, SPOOL_FULL, SPOOL_IO,
                                               SPOOL_NO_MEMORY};
    struct settlement spoiled[16];
    if (!world->ghost && world->store_faults > 0 && world_draw(world, 2)) {
        world->store_faults--;
        world->counts.store_faults++;
        err->status = faults[world_draw(world, 4)];
        (void)snprintf(err->message, sizeof err->message, "a fault");
        return err->status;
    }
    if (world->plant != PLANT_NONE) {
        spoil(order, spoiled);
    }
    if (world->plant == PLANT_BLIND && order->take != NULL &&
        order->take->backlog != NULL) {
        memset(order->take->backlog->bits, 0,
               (size_t)(order->take->backlog->mask + 1) / 8);
    }
    enum spool_status status =
        __real_batch_turn(box, destination, lane, order, turn, err);
    if (status == SPOOL_OK && !world->ghost) {
        note_turn(order, turn);
        if (turn->taken == TAKEN_GONE) {
            note_gone(destination, lane);
        }
    }
    return status;
}
