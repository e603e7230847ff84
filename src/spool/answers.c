#include "spool/answers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What is kept for waits without a name: they last as long as a commit. Whoever
 * comes too late for an answer sees in the spool that its event arrived. */
#define KEPT_BYTES_MAX ((size_t)1024 * 1024)

struct answers {
    pthread_mutex_t lock;
    struct wait *waits;
    size_t nameless;
    struct landing *kept, **kept_end; /* oldest first; none unless nameless */
    size_t kept_bytes;
};

struct answers *answers_create(void)
{
    struct answers *a = calloc(1, sizeof *a);
    if (a != NULL) {
        a->kept_end = &a->kept;
        (void)pthread_mutex_init(&a->lock, NULL); /* cannot fail on Linux */
    }
    return a;
}

void answers_destroy(struct answers *a)
{
    if (a != NULL) {
        assert(a->waits == NULL && a->kept == NULL);
        (void)pthread_mutex_destroy(&a->lock);
        free(a);
    }
}

/* ---- landings; all with the lock held ---- */

static struct landing *make_landing(const struct destination *d,
                                    const struct batch *b,
                                    const struct reply *reply)
{
    size_t len = reply->body_cut ? 0 : reply->body_len;
    size_t size = sizeof(struct landing) + b->n * sizeof(int64_t) + len;
    struct landing *l = malloc(size);
    if (l == NULL) {
        return NULL;
    }
    int64_t *ids = (int64_t *)(l + 1);
    char *body = (char *)(ids + b->n);
    for (size_t i = 0; i < b->n; i++) {
        ids[i] = b->events[i].id;
    }
    memcpy(body, reply->body, len);
    *l = (struct landing){.destination = d->id,
                          .ids = ids,
                          .n = b->n,
                          .body = body,
                          .len = len,
                          .cut = reply->body_cut,
                          .size = size,
                          .holders = 1};
    return l;
}

static void let_go(struct landing *l)
{
    if (l != NULL && --l->holders == 0) {
        free(l);
    }
}

static void drop_oldest(struct answers *a)
{
    struct landing *l = a->kept;
    a->kept = l->next;
    if (a->kept == NULL) {
        a->kept_end = &a->kept;
    }
    a->kept_bytes -= l->size;
    let_go(l);
}

static void keep(struct answers *a, struct landing *l)
{
    l->holders++;
    *a->kept_end = l;
    a->kept_end = &l->next;
    a->kept_bytes += l->size;
    while (a->kept_bytes > KEPT_BYTES_MAX) {
        drop_oldest(a);
    }
}

static void count_nameless_out(struct answers *a)
{
    a->nameless--;
    while (a->nameless == 0 && a->kept != NULL) {
        drop_oldest(a);
    }
}

/* ---- waits ---- */

void answers_begin(struct answers *a, struct wait *w, int64_t destination)
{
    pthread_condattr_t monotonic;
    *w = (struct wait){.destination = destination};
    (void)pthread_condattr_init(&monotonic); /* none of these fails on Linux */
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_mutex_lock(&a->lock);
    w->next = a->waits;
    a->waits = w;
    a->nameless++;
    (void)pthread_mutex_unlock(&a->lock);
}

/* Whether l is what w waits for. */
static bool claim(struct wait *w, struct landing *l)
{
    if (w->landing != NULL || w->destination != l->destination) {
        return false;
    }
    for (size_t i = 0; i < l->n; i++) {
        if (l->ids[i] == w->event) {
            l->holders++;
            w->landing = l;
            w->index = i;
            return true;
        }
    }
    return false;
}

void answers_name(struct answers *a, struct wait *w, int64_t event)
{
    (void)pthread_mutex_lock(&a->lock);
    w->event = event;
    for (struct landing *l = a->kept; l != NULL; l = l->next) {
        (void)claim(w, l);
    }
    count_nameless_out(a);
    (void)pthread_mutex_unlock(&a->lock);
}

bool answers_await(struct answers *a, struct wait *w, int64_t until_mono_ms)
{
    struct timespec until = {.tv_sec = (time_t)(until_mono_ms / 1000),
                             .tv_nsec = (long)(until_mono_ms % 1000) * 1000000};
    int rc = 0;
    (void)pthread_mutex_lock(&a->lock);
    while (w->landing == NULL && rc == 0) {
        rc = pthread_cond_timedwait(&w->changed, &a->lock, &until);
    }
    bool landed = w->landing != NULL;
    (void)pthread_mutex_unlock(&a->lock);
    return landed;
}

void answers_end(struct answers *a, struct wait *w)
{
    (void)pthread_mutex_lock(&a->lock);
    struct wait **link = &a->waits;
    while (*link != w) {
        link = &(*link)->next;
    }
    *link = w->next;
    if (w->event == 0) {
        count_nameless_out(a);
    }
    let_go(w->landing);
    w->landing = NULL;
    (void)pthread_mutex_unlock(&a->lock);
    (void)pthread_cond_destroy(&w->changed);
}

/* ---- the flusher's side ---- */

static bool is_awaited(const struct answers *a, const struct destination *d,
                       const struct batch *b)
{
    for (const struct wait *w = a->waits; w != NULL; w = w->next) {
        for (size_t i = 0; w->destination == d->id && i < b->n; i++) {
            if (w->event == 0 || w->event == b->events[i].id) {
                return true;
            }
        }
    }
    return false;
}

void answers_land(void *arg, const struct destination *d, const struct batch *b,
                  const struct reply *reply)
{
    struct answers *a = arg;
    (void)pthread_mutex_lock(&a->lock);
    struct landing *l = is_awaited(a, d, b) ? make_landing(d, b, reply) : NULL;
    for (struct wait *w = a->waits; l != NULL && w != NULL; w = w->next) {
        if (claim(w, l)) {
            (void)pthread_cond_signal(&w->changed);
        }
    }
    if (l != NULL && a->nameless > 0) {
        keep(a, l);
    }
    let_go(l);
    (void)pthread_mutex_unlock(&a->lock);
}
