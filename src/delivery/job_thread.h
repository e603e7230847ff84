/* A thread of a flusher's own that does one job after another: reading, which
 * keeps a processor busy beside the loop. On libuv's thread pool it would go
 * from thread to thread, and a drain is a sixth slower. What waits for the
 * disk stays on the pool, where it may be several at once.
 *
 * All calls on the loop's thread. */
#ifndef DELIVERY_JOB_THREAD_H
#define DELIVERY_JOB_THREAD_H

#include <stdbool.h>

#include <uv.h>

/* Embedded in what it is about, which stays until done is called. */
struct job {
    void (*run)(void *arg);  /* on this thread */
    void (*done)(void *arg); /* then, on the loop's */
    void *arg;
    struct job *next; /* the thread's */
};

struct jobs {
    struct job *first, **end;
};

struct job_thread {
    uv_thread_t thread;
    uv_mutex_t mutex; /* of what follows */
    uv_cond_t wake;
    struct jobs waiting, ended;
    bool ends;
    uv_async_t news; /* some have ended */
};

/* Starts the thread, and nothing in a loop yet. 0, or libuv's number for what
 * failed: then there is nothing to end. */
int job_thread_start(struct job_thread *t);

/* Before the first job. */
void job_thread_attach(struct job_thread *t, uv_loop_t *loop);

/* In the order in which they come. */
void job_thread_do(struct job_thread *t, struct job *job);

/* Ends the thread; only when every job is done. */
void job_thread_stop(struct job_thread *t);

/* Leaves the loop, once it is stopped. closed gets a handle with this data; t
 * stays until then. */
void job_thread_detach(struct job_thread *t, void *data, uv_close_cb closed);

#endif
