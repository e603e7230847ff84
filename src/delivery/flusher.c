/* The flusher itself: one lane a destination and lane number, a look at the
 * destinations every second, a watch on the outbox's files that wakes the lanes
 * when somebody put or changed something, in this process or another. */
#include "delivery/flusher.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "delivery/lane.h"
#include "delivery/tell.h"
#include "delivery/tidier.h"
#include "outbox/lock.h"
#include "outbox/replay.h"

/* New destinations are found, and a wake that got lost is made up for. */
#define LOOK_MS 1000

/* Wakes that come closer together than this are one. */
#define WAKE_MS 5

/* The pace that a destination's lanes share. */
struct paced {
    int64_t destination;
    struct pace pace;
    struct paced *next;
};

struct flusher {
    struct lanes lanes;               /* first: tests look at them */
    char only[DESTINATION_NAME_SIZE]; /* "": all */
    struct flusher_lock lock;
    uv_fs_event_t watch;
    uv_timer_t look_timer, wake_timer, grace_timer;
    uv_work_t look_work;
    bool looking;
    struct tidier tidier;
    bool look_replaying;
    enum spool_status look_status;
    struct spool_error look_error;
    struct paced *paces;
    struct destination *found;
    size_t found_n;
    bool replaying; /* some replay has more to do */
    bool seen_all;  /* it has looked once: idle may be said */
    int open;       /* handles that are not closed yet */
    bool closing;
    void (*stopped)(void *arg);
    void *stopped_arg;
};

const struct sender_ops sender_http = {http_create, http_post, http_cancel,
                                       http_destroy};

/* For as long as the flusher lives. NULL without memory. */
static struct pace *pace_of(struct flusher *f, int64_t destination)
{
    struct paced *p = f->paces;
    while (p != NULL && p->destination != destination) {
        p = p->next;
    }
    if (p == NULL) {
        p = calloc(1, sizeof *p);
        if (p == NULL) {
            return NULL;
        }
        p->destination = destination;
        p->next = f->paces;
        f->paces = p;
    }
    return &p->pace;
}

/* ---- waking ---- */

static void wake_lanes(struct flusher *f, bool all)
{
    for (struct lane *lane = f->lanes.first; lane != NULL; lane = lane->next) {
        lane_wake(lane, all);
    }
}

static void wake_is_due(uv_timer_t *timer)
{
    wake_lanes(timer->data, false);
}

static bool somebody_waits_for_events(const struct flusher *f)
{
    for (const struct lane *l = f->lanes.first; l != NULL; l = l->next) {
        if (lane_waits_for_events(l)) {
            return true;
        }
    }
    return false;
}

static void wake_soon(struct flusher *f)
{
    if (!f->lanes.stopping && !uv_is_active((uv_handle_t *)&f->wake_timer)) {
        (void)uv_timer_start(&f->wake_timer, wake_is_due, WAKE_MS, 0);
    }
}

static void something_changed(uv_fs_event_t *watch, const char *name,
                              int events, int status)
{
    struct flusher *f = watch->data;
    (void)name;
    (void)events;
    (void)status; /* the next look makes up for a watch that fails */
    if (somebody_waits_for_events(f)) {
        wake_soon(f);
    } else {
        (void)uv_fs_event_stop(watch); /* our own writes are no news */
    }
}

/* Watches the log for as long as somebody waits for events. What came between
 * their last look and now is looked for once more. */
static void watch_log(struct flusher *f)
{
    char path[4200];
    if (f->lanes.stopping || uv_is_active((uv_handle_t *)&f->watch) ||
        !somebody_waits_for_events(f)) {
        return;
    }
    (void)snprintf(path, sizeof path, "%s-wal",
                   outbox_path(f->lanes.options.box));
    if (uv_fs_event_start(&f->watch, something_changed, path, 0) == 0) {
        wake_soon(f);
    }
}

/* ---- looking at the destinations ---- */

static void run_look(uv_work_t *work)
{
    struct flusher *f = work->data;
    /* What fails here fails in the lanes as well, or works next time. */
    (void)replay_step(f->lanes.options.box, f->only[0] != '\0' ? f->only : NULL,
                      &f->look_replaying, NULL);
    free(f->found);
    f->look_status = destination_list(f->lanes.options.box, NULL, &f->found,
                                      &f->found_n, &f->look_error);
}

static bool has_lane(const struct flusher *f, int64_t destination, int number)
{
    for (const struct lane *l = f->lanes.first; l != NULL; l = l->next) {
        if (l->id == destination && l->number == number && !l->ended) {
            return true;
        }
    }
    return false;
}

/* How long this spool stays away from an endpoint when it starts on a backlog:
 * a thousand tills that are switched on together come one after another. */
static int64_t spread_of(const struct flusher *f, const struct destination *d)
{
    const char *id = outbox_store_id(f->lanes.options.box);
    if (f->lanes.options.foreground || f->seen_all) {
        return 0;
    }
    return (int64_t)crc32c(0, id, strlen(id)) % (d->spread_ms + 1);
}

static void add_lanes(struct flusher *f, const struct destination *d)
{
    for (int number = 0; number < d->lanes; number++) {
        if (has_lane(f, d->id, number)) {
            continue;
        }
        struct pace *pace = pace_of(f, d->id);
        if (pace == NULL) {
            return; /* the next look tries again */
        }
        struct lane *lane =
            lane_create(&f->lanes, d, number, pace, spread_of(f, d));
        if (lane == NULL) {
            return;
        }
        f->open++;
        lane->next = f->lanes.first;
        f->lanes.first = lane;
    }
}

static void finish_if_stopped(struct flusher *f);
static void look(uv_timer_t *timer);
static void lane_rests(void *arg);

static void look_done(uv_work_t *work, int cancelled)
{
    struct flusher *f = work->data;
    (void)cancelled; /* never: nobody cancels it */
    f->looking = false;
    f->replaying = f->look_replaying;
    if (f->lanes.stopping) {
        finish_if_stopped(f);
        return;
    }
    if (f->look_status == SPOOL_OK) {
        for (size_t i = 0; i < f->found_n; i++) {
            if (f->only[0] == '\0' || strcmp(f->only, f->found[i].name) == 0) {
                add_lanes(f, &f->found[i]);
            }
        }
        f->seen_all = true;
        wake_lanes(f, true);
        lane_rests(f);
    } else {
        tell_no_destinations(&f->lanes.options, &f->look_error, LOOK_MS);
    }
    (void)uv_timer_start(&f->look_timer, look, LOOK_MS, 0);
}

static void look(uv_timer_t *timer)
{
    struct flusher *f = timer->data;
    f->looking = true;
    f->look_work.data = f;
    (void)uv_queue_work(f->lanes.options.loop, &f->look_work, run_look,
                        look_done);
}

/* ---- resting and stopping ---- */

static void lane_rests(void *arg)
{
    struct flusher *f = arg;
    if (f->lanes.stopping) {
        finish_if_stopped(f);
        return;
    }
    watch_log(f);
    bool idle = f->seen_all && !f->replaying && f->lanes.options.idle != NULL;
    for (const struct lane *l = f->lanes.first; idle && l != NULL;
         l = l->next) {
        idle = lane_is_idle(l);
    }
    if (idle) {
        f->lanes.options.idle(f->lanes.options.arg);
    }
}

static void free_paces(struct flusher *f)
{
    while (f->paces != NULL) {
        struct paced *next = f->paces->next;
        free(f->paces);
        f->paces = next;
    }
}

static void free_flusher(struct flusher *f)
{
    void (*stopped)(void *arg) = f->stopped;
    void *arg = f->stopped_arg;
    while (f->lanes.first != NULL) {
        struct lane *next = f->lanes.first->next;
        free(f->lanes.first);
        f->lanes.first = next;
    }
    flusher_lock_drop(&f->lock);
    free_paces(f);
    free(f->found);
    free(f);
    if (stopped != NULL) {
        stopped(arg);
    }
}

static void one_closed(struct flusher *f)
{
    if (--f->open == 0) {
        free_flusher(f);
    }
}

static void handle_closed(uv_handle_t *handle)
{
    one_closed(handle->data);
}

static void lane_closed(uv_handle_t *timer)
{
    struct lane *lane = timer->data;
    one_closed(lane->lanes->arg);
}

static void http_closed(void *arg)
{
    one_closed(arg);
}

static void close_handle(void *handle)
{
    uv_close(handle, handle_closed);
}

/* Closes everything once nothing is under way any more. */
static void finish_if_stopped(struct flusher *f)
{
    bool busy = f->looking || f->tidier.busy || f->closing;
    for (const struct lane *l = f->lanes.first; !busy && l != NULL;
         l = l->next) {
        busy = !l->ended;
    }
    if (busy) {
        return;
    }
    f->closing = true;
    for (struct lane *l = f->lanes.first; l != NULL; l = l->next) {
        lane_close(l, lane_closed);
    }
    f->lanes.options.sender->destroy(f->lanes.http, http_closed, f);
    close_handle(&f->watch);
    close_handle(&f->look_timer);
    close_handle(&f->wake_timer);
    close_handle(&f->grace_timer);
    tidier_close(&f->tidier, handle_closed);
    job_thread_stop(&f->lanes.reader);
    job_thread_detach(&f->lanes.reader, f, handle_closed);
}

static void grace_is_over(uv_timer_t *timer)
{
    struct flusher *f = timer->data;
    for (struct lane *lane = f->lanes.first; lane != NULL; lane = lane->next) {
        lane_abort(lane);
    }
}

void flusher_stop(struct flusher *f, void (*stopped)(void *arg), void *arg)
{
    assert(!f->lanes.stopping);
    f->lanes.stopping = true;
    f->stopped = stopped;
    f->stopped_arg = arg;
    (void)uv_timer_stop(&f->look_timer);
    (void)uv_timer_stop(&f->wake_timer);
    tidier_stop(&f->tidier);
    (void)uv_fs_event_stop(&f->watch);
    (void)uv_timer_start(&f->grace_timer, grace_is_over,
                         (uint64_t)f->lanes.options.stop_grace_ms, 0);
    /* Ending the last lane closes everything, the list stays until then. */
    for (struct lane *lane = f->lanes.first; lane != NULL; lane = lane->next) {
        lane_stop(lane);
    }
    finish_if_stopped(f);
}

/* ---- starting ---- */

static void tidier_rests(void *arg)
{
    finish_if_stopped(arg);
}

static void init_handles(struct flusher *f)
{
    struct uv_loop_s *loop = f->lanes.options.loop;
    (void)uv_fs_event_init(loop, &f->watch);
    (void)uv_timer_init(loop, &f->look_timer);
    (void)uv_timer_init(loop, &f->wake_timer);
    (void)uv_timer_init(loop, &f->grace_timer);
    tidier_init(&f->tidier, loop, f->lanes.options.box,
                f->lanes.options.keep_ms, tidier_rests, f);
    f->watch.data = f;
    f->look_timer.data = f;
    f->wake_timer.data = f;
    f->grace_timer.data = f;
    job_thread_attach(&f->lanes.reader, loop);
    f->open = 7; /* these six and the sender */
}

static void discard(struct flusher *f)
{
    flusher_lock_drop(&f->lock);
    free(f->found);
    free(f);
}

static enum spool_status start_reader_and_sender(struct flusher *f,
                                                 struct spool_error *err)
{
    const struct flusher_options *o = &f->lanes.options;
    int rc = job_thread_start(&f->lanes.reader);
    if (rc != 0) {
        return failed(err, SPOOL_NO_MEMORY,
                      "the system has no thread left for a flusher: %s",
                      uv_strerror(rc));
    }
    enum spool_status status =
        o->sender->create(o->loop, &o->http, &f->lanes.http, err);
    if (status != SPOOL_OK) {
        job_thread_stop(&f->lanes.reader);
    }
    return status;
}

enum spool_status flusher_start(const struct flusher_options *options,
                                struct flusher **out, struct spool_error *err)
{
    int64_t interrupted;
    struct flusher *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return failed(err, SPOOL_NO_MEMORY, "out of memory for a flusher");
    }
    f->lanes =
        (struct lanes){.options = *options, .rests = lane_rests, .arg = f};
    f->lock.fd = -1;
    if (options->only != NULL) {
        (void)snprintf(f->only, sizeof f->only, "%s", options->only);
    }
    rng_init(&f->lanes.rng);
    enum spool_status status =
        flusher_lock_take(&f->lock, outbox_path(options->box), err);
    if (status == SPOOL_OK) {
        status = batch_recover(options->box, &interrupted, err);
    }
    if (status == SPOOL_OK) {
        status = start_reader_and_sender(f, err);
    }
    if (status != SPOOL_OK) {
        discard(f);
        return status;
    }
    init_handles(f);
    look(&f->look_timer);
    if (!options->foreground) {
        tidier_start(&f->tidier);
    }
    *out = f;
    return SPOOL_OK;
}
