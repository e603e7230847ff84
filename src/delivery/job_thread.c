#include "delivery/job_thread.h"

#include <assert.h>

#include "base/signals.h"

static void empty(struct jobs *jobs)
{
    *jobs = (struct jobs){.end = &jobs->first};
}

static void append(struct jobs *jobs, struct job *job)
{
    job->next = NULL;
    *jobs->end = job;
    jobs->end = &job->next;
}

static struct job *first(struct jobs *jobs)
{
    struct job *job = jobs->first;
    if (job != NULL) {
        jobs->first = job->next;
        jobs->end = jobs->first == NULL ? &jobs->first : jobs->end;
    }
    return job;
}

/* NULL: it ends. */
static struct job *next_waiting(struct job_thread *t)
{
    uv_mutex_lock(&t->mutex);
    while (t->waiting.first == NULL && !t->ends) {
        uv_cond_wait(&t->wake, &t->mutex);
    }
    struct job *job = first(&t->waiting);
    uv_mutex_unlock(&t->mutex);
    return job;
}

static void work(void *arg)
{
    struct job_thread *t = arg;
    struct job *job;
    while ((job = next_waiting(t)) != NULL) {
        job->run(job->arg);
        uv_mutex_lock(&t->mutex);
        append(&t->ended, job);
        uv_mutex_unlock(&t->mutex);
        (void)uv_async_send(&t->news);
    }
}

static struct job *next_ended(struct job_thread *t)
{
    uv_mutex_lock(&t->mutex);
    struct job *job = first(&t->ended);
    uv_mutex_unlock(&t->mutex);
    return job;
}

/* One call may tell of several. The last may stop the thread, which then has no
 * more. */
static void tell(uv_async_t *news)
{
    struct job_thread *t = news->data;
    struct job *job;
    while (!t->ends && (job = next_ended(t)) != NULL) {
        job->done(job->arg);
    }
}

int job_thread_start(struct job_thread *t)
{
    t->ends = false;
    empty(&t->waiting);
    empty(&t->ended);
    int rc = uv_mutex_init(&t->mutex);
    if (rc != 0) {
        return rc;
    }
    rc = uv_cond_init(&t->wake);
    if (rc == 0) {
        sigset_t before;
        signals_block(&before);
        rc = uv_thread_create(&t->thread, work, t);
        signals_restore(&before);
        if (rc == 0) {
            return 0;
        }
        uv_cond_destroy(&t->wake);
    }
    uv_mutex_destroy(&t->mutex);
    return rc;
}

void job_thread_attach(struct job_thread *t, uv_loop_t *loop)
{
    /* A loop has had what it needs for this since it was made. */
    int rc = uv_async_init(loop, &t->news, tell);
    assert(rc == 0);
    (void)rc;
    t->news.data = t;
}

void job_thread_do(struct job_thread *t, struct job *job)
{
    uv_mutex_lock(&t->mutex);
    append(&t->waiting, job);
    uv_cond_signal(&t->wake);
    uv_mutex_unlock(&t->mutex);
}

void job_thread_stop(struct job_thread *t)
{
    uv_mutex_lock(&t->mutex);
    assert(t->waiting.first == NULL && t->ended.first == NULL);
    t->ends = true;
    uv_cond_signal(&t->wake);
    uv_mutex_unlock(&t->mutex);
    (void)uv_thread_join(&t->thread);
    uv_cond_destroy(&t->wake);
    uv_mutex_destroy(&t->mutex);
}

void job_thread_detach(struct job_thread *t, void *data, uv_close_cb closed)
{
    t->news.data = data;
    uv_close((uv_handle_t *)&t->news, closed);
}
