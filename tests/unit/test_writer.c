#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "outbox/store.h"
#include "support/box.h"

#define THREADS 8
#define EACH    50

struct putter {
    struct outbox *box;
    int number;
    int64_t ids[EACH];
    enum spool_status status;
};

static void *put_some(void *arg)
{
    struct putter *p = arg;
    for (int i = 0; i < EACH && p->status == SPOOL_OK; i++) {
        char body[64];
        int len = snprintf(body, sizeof body, "{\"thread\":%d,\"i\":%d}",
                           p->number, i);
        struct outbox_event e = {.body = body, .len = (size_t)len};
        p->status = outbox_append(p->box, &e, 1, NULL);
        p->ids[i] = e.id;
    }
    return NULL;
}

struct seen {
    int next[THREADS];
    int64_t n;
};

static bool check_order(void *arg, const struct event_record *e)
{
    struct seen *seen = arg;
    int thread, i;
    char body[64];
    (void)snprintf(body, sizeof body, "%.*s", (int)e->len, e->body);
    assert_int_equal(sscanf(body, "{\"thread\":%d,\"i\":%d}", &thread, &i), 2);
    assert_int_equal(seen->next[thread], i);
    seen->next[thread]++;
    seen->n++;
    assert_true(e->whole);
    return true;
}

static void threads_put_together_each_in_its_own_order(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct putter putters[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        putters[i] = (struct putter){.box = f->box, .number = i};
        assert_int_equal(
            pthread_create(&threads[i], NULL, put_some, &putters[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(putters[i].status, SPOOL_OK);
        for (int k = 1; k < EACH; k++) {
            assert_true(putters[i].ids[k] > putters[i].ids[k - 1]);
        }
    }
    struct seen seen = {{0}, 0};
    struct event_range all = {0};
    assert_int_equal(
        inspect_events(f->box, NULL, &all, check_order, &seen, &err), SPOOL_OK);
    assert_int_equal(seen.n, THREADS * EACH);
    fixture_verify(f);
}

static void put_in_child(const char *path, int number)
{
    struct outbox_options options = {.path = path};
    struct putter p = {.number = number};
    if (outbox_open(&options, &p.box, NULL) != SPOOL_OK) {
        _exit(1);
    }
    (void)put_some(&p);
    outbox_close(p.box);
    _exit(p.status == SPOOL_OK ? 0 : 2);
}

static void processes_put_into_one_file_at_once(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    pid_t children[3];
    outbox_close(f->box);
    f->box = NULL;
    for (int i = 0; i < 3; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            put_in_child(f->path, i);
        }
    }
    for (int i = 0; i < 3; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    fixture_reopen(f);
    struct seen seen = {{0}, 0};
    struct event_range all = {0};
    assert_int_equal(
        inspect_events(f->box, NULL, &all, check_order, &seen, &err), SPOOL_OK);
    assert_int_equal(seen.n, 3 * EACH);
    fixture_verify(f);
}

struct queued {
    struct outbox *box;
    bool tidies;
    sem_t *opens; /* it waits for this */
    pthread_t thread;
    enum spool_status status;
    int frames; /* in the WAL when it began */
    bool unsynced;
};

static enum spool_status write_something(struct db *db, void *arg,
                                         struct spool_error *err)
{
    struct queued *q = arg;
    if (q->opens != NULL) {
        while (sem_wait(q->opens) != 0) { /* a signal */
        }
    }
    q->frames = db->wal_frames;
    q->unsynced = db->unsynced;
    return db_run(db, err, STATEMENT_STORE_RAISE_EPOCH, "");
}

static void *run_queued(void *arg)
{
    struct queued *q = arg;
    q->status = q->tidies ? outbox_tidy(q->box, write_something, q, NULL)
                          : outbox_write(q->box, write_something, q, NULL);
    return NULL;
}

static void wait_for(struct writer *w, unsigned waiting)
{
    bool there = false;
    while (!there) {
        (void)sched_yield();
        (void)pthread_mutex_lock(&w->lock);
        there = w->leading && w->waiting == waiting;
        (void)pthread_mutex_unlock(&w->lock);
    }
}

/* Each but the first waits while that one is inside its transaction. */
static void what_tidies_shares_no_commit(void **state)
{
    enum { N = 6 };
    struct fixture *f = *state;
    struct queued q[N] = {{.tidies = false}};
    sem_t opens;
    assert_int_equal(sem_init(&opens, 0, 0), 0);
    for (int i = 0; i < N; i++) {
        q[i].box = f->box;
        q[i].tidies = i == 2 || i == 3;
        q[i].opens = i == 0 ? &opens : NULL;
        assert_int_equal(pthread_create(&q[i].thread, NULL, run_queued, &q[i]),
                         0);
        wait_for(&f->box->writer, (unsigned)i);
    }
    assert_int_equal(sem_post(&opens), 0);
    for (int i = 0; i < N; i++) {
        assert_int_equal(pthread_join(q[i].thread, NULL), 0);
        assert_int_equal(q[i].status, SPOOL_OK);
        assert_int_equal(q[i].unsynced, q[i].tidies);
        bool joined = i == 5;
        assert_int_equal(i > 0 && q[i].frames == q[i - 1].frames, joined);
    }
    assert_int_equal(sem_destroy(&opens), 0);
    fixture_verify(f);
}

static void the_wal_stays_bounded(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    char body[4000], wal[128];
    struct stat st;
    memset(body, ' ', sizeof body);
    body[0] = '{';
    body[sizeof body - 1] = '}';
    for (int i = 0; i < 5000; i += 50) {
        struct outbox_event events[50];
        for (int k = 0; k < 50; k++) {
            events[k] = (struct outbox_event){.body = body, .len = sizeof body};
        }
        assert_int_equal(outbox_append(f->box, events, 50, &err), SPOOL_OK);
    }
    (void)snprintf(wal, sizeof wal, "%s-wal", f->path);
    assert_int_equal(stat(wal, &st), 0);
    assert_true(st.st_size < 8 * 1024 * 1024); /* of 20 MB that went through */
    assert_int_equal(stat(f->path, &st), 0);
    assert_true(st.st_size > 12 * 1024 * 1024);
    fixture_verify(f);
}

static enum spool_status do_nothing(struct db *db, void *arg,
                                    struct spool_error *err)
{
    (void)db;
    (void)arg;
    (void)err;
    return SPOOL_OK;
}

/* As each turn of an idle flusher is. */
static void
a_ballast_that_was_given_up_is_made_by_whoever_comes_next(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    char path[128];
    (void)snprintf(path, sizeof path, "%s-ballast", f->path);
    ballast_give_up(&f->box->writer.ballast);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(outbox_write(f->box, do_nothing, NULL, &err), SPOOL_OK);
    assert_int_equal(access(path, F_OK), 0);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(threads_put_together_each_in_its_own_order),
        TEST(processes_put_into_one_file_at_once),
        TEST(what_tidies_shares_no_commit),
        TEST(the_wal_stays_bounded),
        TEST(a_ballast_that_was_given_up_is_made_by_whoever_comes_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
