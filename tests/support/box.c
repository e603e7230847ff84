#define _DEFAULT_SOURCE /* mkdtemp */
#include "support/box.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int64_t fixture_now(void *arg)
{
    return ((struct fixture *)arg)->now;
}

void fixture_make_folder(char folder[64])
{
    (void)snprintf(folder, 64, "/tmp/spool-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
}

void fixture_make_ram_folder(char folder[64])
{
    (void)snprintf(folder, 64, "/dev/shm/spool-test-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        fixture_make_folder(folder);
    }
}

void fixture_remove_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return;
    }
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        (void)unlinkat(dirfd(dir), e->d_name, 0);
    }
    (void)closedir(dir);
    (void)rmdir(folder);
}

static void open_box(struct fixture *f)
{
    struct outbox_options options = {
        .path = f->path, .create = true, .clock = &f->clock};
    struct spool_error err = {0};
    if (outbox_open(&options, &f->box, &err) != SPOOL_OK) {
        fail_msg("%s", err.message);
    }
}

void fixture_open(struct fixture *f, int64_t now)
{
    f->now = now;
    f->clock = (struct clock){fixture_now, fixture_now, f};
    open_box(f);
}

static void set_up(struct fixture *f)
{
    struct spool_error err = {0};
    (void)snprintf(f->path, sizeof f->path, "%s/outbox.db", f->folder);
    fixture_open(f, 1000000);
    destination_default(&f->d);
    (void)snprintf(f->d.name, sizeof f->d.name, "shop");
    (void)snprintf(f->d.url, sizeof f->d.url, "http://127.0.0.1:1");
    f->d.batch_events = 4;
    f->d.batch_age_ms = 0;
    if (destination_add(f->box, &f->d, &err) != SPOOL_OK) {
        fail_msg("%s", err.message);
    }
}

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    fixture_make_folder(f->folder);
    set_up(f);
    *state = f;
    return 0;
}

int fixture_setup_in_ram(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    fixture_make_ram_folder(f->folder);
    set_up(f);
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    outbox_close(f->box);
    fixture_remove_folder(f->folder);
    free(f);
    return 0;
}

void fixture_reopen(struct fixture *f)
{
    outbox_close(f->box);
    f->box = NULL;
    open_box(f);
}

void fixture_put(struct fixture *f, int n)
{
    struct spool_error err = {0};
    int64_t last;
    assert_int_equal(inspect_last_id(f->box, &last, &err), SPOOL_OK);
    for (int i = 0; i < n; i++) {
        char body[32];
        int len =
            snprintf(body, sizeof body, "{\"n\":%lld}", (long long)++last);
        struct outbox_event e = {.body = body, .len = (size_t)len};
        if (outbox_append(f->box, &e, 1, &err) != SPOOL_OK) {
            fail_msg("%s", err.message);
        }
        assert_int_equal(e.id, last);
    }
}

static const struct take_options take_json = {0};

static void turn_once(struct fixture *f, const struct order *order,
                      struct turn *turn, enum taken taken)
{
    struct spool_error err = {0};
    if (batch_turn(f->box, f->d.id, 0, order, turn, &err) != SPOOL_OK) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(turn->taken, taken);
}

void fixture_take(struct fixture *f, struct turn *turn, enum taken taken)
{
    turn_once(f, &(struct order){.take = &take_json}, turn, taken);
}

void fixture_settle(struct fixture *f, struct turn *turn, enum outcome outcome,
                    enum taken taken)
{
    struct batch done = turn->batches[0];
    struct settlement s = {.outcome = outcome,
                           .retry_at = f->now + 1000,
                           .probe_at = f->now + 5000,
                           .sent_at = f->now,
                           .http = 200,
                           .code = "CODE",
                           .reason = "a reason",
                           .answer = "an answer",
                           .answer_len = 9};
    struct done landed = {.batch = &done, .s = &s};
    turn_once(f,
              &(struct order){.done = &landed, .done_n = 1, .take = &take_json},
              turn, taken);
    f->settled = landed.settled;
    batch_finish(&done);
}

static bool note_state(void *arg, const struct event_record *e)
{
    char *out = arg;
    out[e->id - 1] = "psrudxgh"[e->state];
    return true;
}

const char *fixture_states(struct fixture *f, char *out, size_t n)
{
    struct spool_error err = {0};
    struct event_range all = {0};
    memset(out, '-', n);
    out[n] = '\0';
    assert_int_equal(inspect_events(f->box, &f->d, &all, note_state, out, &err),
                     SPOOL_OK);
    return out;
}

static void print_finding(void *arg, const char *sentence)
{
    (void)arg;
    print_error("verify: %s\n", sentence);
}

void fixture_verify(struct fixture *f)
{
    struct spool_error err = {0};
    int64_t findings;
    assert_int_equal(verify(f->box, print_finding, NULL, &findings, &err),
                     SPOOL_OK);
    assert_int_equal(findings, 0);
}
