#define _DEFAULT_SOURCE /* dirent's helpers */
#include "sim/world.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "outbox/inspect.h"
#include "sim/loop.h"

#define FILES_MAX 8
#define START_MS  INT64_C(1700000000000)

/* No disk is full here, and each death copies the files. */
#define BALLAST_BYTES (64 << 10)

void world_note(struct world *w, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++) {
        w->hash = (w->hash ^ p[i]) * UINT64_C(1099511628211);
    }
}

int world_draw(struct world *w, int n)
{
    return (int)(rng_next(&w->rng) % (uint64_t)n);
}

int64_t world_wall(struct world *w)
{
    return loop_now() + w->wall_ahead;
}

static int64_t wall_ms(void *arg)
{
    return world_wall(arg);
}

static int64_t mono_ms(void *arg)
{
    const struct world *w = arg;
    return loop_now() + (w->plant == PLANT_WALL_CLOCK ? w->wall_ahead : 0);
}

/* Filters: "odd" takes what says so. */
static enum spool_status compile(const char *words, void **out,
                                 struct spool_error *err)
{
    static char odd[] = "odd";
    (void)words;
    (void)err;
    *out = odd;
    return SPOOL_OK;
}

static bool takes(const void *filter, const char *body, size_t len)
{
    (void)filter;
    return len > 5 && memcmp(body + len - 5, "o\":1}", 5) == 0;
}

static void release(void *filter)
{
    (void)filter;
}

void world_box_open(struct world *w)
{
    struct spool_error err = {0};
    struct outbox_options options = {.path = w->path,
                                     .create = true,
                                     .clock = &w->clock,
                                     .ballast_bytes = BALLAST_BYTES,
                                     .filters = {compile, takes, release}};
    if (outbox_open(&options, &w->box, &err) != SPOOL_OK) {
        model_fail(&w->m, "open: %s", err.message);
    }
}

static void report(void *arg, const struct spool_report *r)
{
    struct world *w = arg;
    if (r->kind == SPOOL_REPORT_STOPPED && !w->ghost) {
        model_fail(&w->m, "the flusher gave up: %s", r->reason);
    }
}

void world_flusher_start(struct world *w)
{
    struct spool_error err = {0};
    struct flusher_options options = {.box = w->box,
                                      .sender = &endpoint_sender,
                                      .report = report,
                                      .arg = w,
                                      .stop_grace_ms = 1000,
                                      .keep_ms = -1};
    if (w->box != NULL &&
        flusher_start(&options, &w->flusher, &err) != SPOOL_OK) {
        model_fail(&w->m, "start: %s", err.message);
    }
}

static void note_stopped(void *arg)
{
    ((struct world *)arg)->stopped = true;
}

void world_flusher_stop(struct world *w)
{
    if (w->flusher == NULL) {
        return;
    }
    w->stopped = false;
    flusher_stop(w->flusher, note_stopped, w);
    (void)loop_run(600000, &w->stopped);
    w->flusher = NULL;
    if (!w->stopped) {
        model_fail(&w->m, "the flusher does not stop");
    }
}

void world_run(struct world *w, int64_t ms)
{
    if (!loop_run(ms, &w->m.failed)) {
        model_fail(&w->m, "the flusher spins");
    }
}

/* ---- death ---- */

struct image {
    char name[64];
    char *bytes;
    size_t len;
};

static size_t keep_files(const struct world *w, struct image *files)
{
    size_t n = 0;
    DIR *dir = opendir(w->folder);
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        struct stat st;
        int fd = openat(dirfd(dir), e->d_name, O_RDONLY | O_CLOEXEC);
        if (e->d_name[0] == '.' || strstr(e->d_name, "-shm") != NULL ||
            n == FILES_MAX || fd < 0 || fstat(fd, &st) != 0) {
            (void)close(fd);
            continue;
        }
        struct image *f = &files[n++];
        (void)snprintf(f->name, sizeof f->name, "%.63s", e->d_name);
        f->bytes = malloc((size_t)st.st_size + 1);
        ssize_t got = read(fd, f->bytes, (size_t)st.st_size);
        f->len = got < 0 ? 0 : (size_t)got;
        (void)close(fd);
    }
    (void)closedir(dir);
    return n;
}

/* The files stay the ones they are, as the outbox knows them. */
static void put_back(const struct world *w, const struct image *files, size_t n,
                     bool forgets_wal)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s-shm", w->path);
    (void)unlink(path);
    for (size_t i = 0; i < n; i++) {
        const struct image *f = &files[i];
        bool forgets = forgets_wal && strstr(f->name, "-wal");
        (void)snprintf(path, sizeof path, "%s/%s", w->folder, f->name);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, f->bytes, forgets ? f->len / 2 : f->len) < 0) {
            abort();
        }
        (void)close(fd);
    }
}

static void forget(struct image *files, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(files[i].bytes);
    }
}

/* What is on the disk now is kept and put back once the objects of the dead
 * process have been taken down in the ordinary way, which nobody sees. */
void world_crash(struct world *w)
{
    struct image files[FILES_MAX];
    int64_t then = loop_now();
    size_t n = keep_files(w, files);
    w->counts.crashes++;
    w->ghost = true;
    world_flusher_stop(w);
    outbox_close(w->box);
    w->box = NULL;
    w->ghost = false;
    loop_jump(then - loop_now());
    put_back(w, files, n, w->plant == PLANT_FORGETS);
    forget(files, n);
    endpoint_forget(w);
    memset(w->fail_row, 0, sizeof w->fail_row);
    world_box_open(w);
    world_flusher_start(w);
}

/* ---- checking ---- */

struct look {
    struct world *w;
    size_t place;
    int64_t by_state[EVENT_STATES];
    bool listed[MODEL_EVENTS];
};

static size_t number_of_id(const struct model *m, int64_t id)
{
    for (size_t i = 1; i <= m->n; i++) {
        if (m->events[i].id == id) {
            return i;
        }
    }
    return 0;
}

static bool look_at(void *arg, const struct event_record *e)
{
    struct look *l = arg;
    struct model *m = &l->w->m;
    size_t n = number_of_id(m, e->id);
    const struct model_event *want = &m->events[n];
    if (n == 0 || !e->whole || e->len != want->len ||
        memcmp(e->body, want->body, e->len) != 0) {
        model_fail(m, "event %d is not what was put", (int)e->id);
        return false;
    }
    l->by_state[e->state]++;
    l->listed[n] = true;
    model_check_state(m, l->place, n, event_state_name(e->state));
    world_note(l->w, &e->state, sizeof e->state);
    return !m->failed;
}

static void check_sums(struct world *w, const struct look *l,
                       const struct sums *s)
{
    const struct model_place *p = &w->m.places[l->place];
    int64_t behind = 0, all = s->passed + s->lost;
    for (size_t i = 1; i <= w->m.n; i++) {
        behind += w->m.events[i].id > p->base ? 1 : 0;
    }
    for (int k = 0; k < EVENT_STATES; k++) {
        /* The rest of the log is not looked at for what a filter passes. */
        bool leaves = k == EVENT_DELIVERED || k == EVENT_PURGED ||
                      (p->filtered && (k == EVENT_PENDING || k == EVENT_HELD ||
                                       k == EVENT_DEAD));
        all += s->by_state[k];
        if (leaves ? s->by_state[k] < l->by_state[k]
                   : s->by_state[k] != l->by_state[k]) {
            model_fail(&w->m, "sums: place %zu counts %d %s, lists %d",
                       l->place, (int)s->by_state[k], event_state_name(k),
                       (int)l->by_state[k]);
        }
    }
    if (s->accepted != behind || all != s->accepted || s->lost != 0) {
        model_fail(&w->m, "sums: place %zu accepted %d of %d, all %d, lost %d",
                   l->place, (int)s->accepted, (int)behind, (int)all,
                   (int)s->lost);
    }
}

static void check_place(struct world *w, size_t place)
{
    struct look l = {.w = w, .place = place};
    struct destination d;
    struct spool_error err = {0};
    struct event_range range = {0};
    struct sums sums;
    char name[8];
    (void)snprintf(name, sizeof name, "d%d", (int)place);
    enum spool_status status = destination_find(w->box, name, &d, &err);
    if (status == SPOOL_OK) {
        status = inspect_events(w->box, &d, &range, look_at, &l, &err);
    }
    if (status == SPOOL_OK) {
        status = inspect_sums(w->box, &d, &sums, &err);
    }
    if (status != SPOOL_OK) {
        model_fail(&w->m, "looking at place %zu: %s", place, err.message);
        return;
    }
    check_sums(w, &l, &sums);
    for (size_t i = 1; i <= w->m.n && !w->m.failed; i++) {
        if (!l.listed[i] && model_takes(&w->m.places[place], &w->m.events[i])) {
            model_check_gone(&w->m, i);
        }
    }
}

void world_check(struct world *w)
{
    model_clock(&w->m, world_wall(w));
    for (size_t i = 0; i < MODEL_PLACES && !w->m.failed; i++) {
        if (w->m.places[i].there) {
            check_place(w, i);
        }
    }
    int64_t now = loop_now();
    world_note(w, &now, sizeof now);
}

/* ---- beginning and end ---- */

/* A spool that was made once: making it costs as much as living in it. */
static struct {
    struct image files[FILES_MAX];
    size_t n;
} fresh;

static bool is_fresh(const char *name)
{
    for (size_t i = 0; i < fresh.n; i++) {
        if (strcmp(fresh.files[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void empty_folder(const struct world *w)
{
    DIR *dir = opendir(w->folder);
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (!is_fresh(e->d_name)) {
            (void)unlinkat(dirfd(dir), e->d_name, 0);
        }
    }
    (void)closedir(dir);
}

static void make_spool(struct world *w)
{
    if (fresh.n == 0) {
        loop_reset(1);
        world_box_open(w);
        outbox_close(w->box);
        w->box = NULL;
        fresh.n = keep_files(w, fresh.files);
    }
    put_back(w, fresh.files, fresh.n, false);
}

void world_end(struct world *w)
{
    forget(fresh.files, fresh.n);
    fresh.n = 0;
    empty_folder(w);
}

void world_open(struct world *w, const char *folder, uint64_t seed,
                enum plant plant)
{
    struct request_seen *requests = w->requests;
    memset(w, 0, sizeof *w);
    w->requests = requests;
    world = w;
    w->rng.state = seed;
    w->hash = UINT64_C(14695981039346656037);
    w->plant = plant;
    w->wall_ahead = START_MS;
    w->clock = (struct clock){wall_ms, mono_ms, w};
    (void)snprintf(w->folder, sizeof w->folder, "%s", folder);
    (void)snprintf(w->path, sizeof w->path, "%s/outbox.db", folder);
    make_spool(w);
    loop_reset(rng_next(&w->rng));
    world_box_open(w);
    world_flusher_start(w);
}

void world_close(struct world *w)
{
    w->ghost = true;
    world_flusher_stop(w);
    outbox_close(w->box);
    w->box = NULL;
    empty_folder(w);
}
