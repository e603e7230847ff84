/* A whole run for a test: a sandbox as the endpoint, a spool with one
 * destination, producers, a flusher, and a checker that is told everything.
 * What goes wrong fails the test; nothing waits longer than thirty seconds. */
#ifndef INTEGRATION_SCENE_H
#define INTEGRATION_SCENE_H

#include <pthread.h>

#include "integration/sandbox_child.h"
#include "outbox/destination.h"
#include "spool/flusher.h"
#include "spool/spool.h"
#include "support/checker.h"

#define SCENE_REPORTS (SPOOL_REPORT_STOPPED + 1)

struct scene {
    char folder[64], path[96], log[96];
    struct sandbox_child sandbox;
    struct spool *spool;
    struct destination d;
    struct spool_flusher_options options;
    struct spool_flusher *flusher; /* NULL while none runs */
    struct checker *checker;
    pthread_mutex_t lock; /* over the checker and what follows */
    pthread_cond_t changed;
    long put;                    /* events so far */
    long reports[SCENE_REPORTS]; /* by kind */
    long delivered;              /* events in reports of that kind */
    char reason[512];            /* of the last HELD */
};

/* For cmocka: *state is a scene that has not been started; at the end it is
 * ended if the test did not come to that. */
int scene_setup(void **state);
int scene_teardown(void **state);

/* Starts the sandbox with these faults (NULL: none), one SPEC a line, and makes
 * a spool with a destination that waits for nothing: backoff of 1 to 20 ms,
 * batches of batch_events that need not age. */
void scene_start(struct scene *s, const char *faults, int lanes,
                 int batch_events);

/* The same with the spool in a folder of the caller's, which stays. */
void scene_start_in(struct scene *s, const char *place, const char *faults,
                    int lanes, int batch_events);

/* Stops what runs and frees everything; the scene can be started anew. Safe
 * twice. */
void scene_end(struct scene *s);

/* Puts n events, spread over this many sessions whose names begin with who,
 * and tells the checker. Every event that passes one of the numbers in bad
 * (ended by -1; NULL: none) carries the text BAD-APPLE. Any thread; two of
 * them need names of their own. */
void scene_put(struct scene *s, const char *who, int sessions, int n,
               const int *bad);

/* One call that puts n events (at most 100), the first of them number first of
 * who's; returns its answer. The checker takes what failed as refused, but for
 * SPOOL_UNKNOWN. */
enum spool_status scene_try(struct scene *s, const char *who, int first, int n);

/* Flushes in the foreground until nothing is left to be sent. */
void scene_flush(struct scene *s);

/* A flusher in a thread of its own. */
void scene_start_flusher(struct scene *s);
void scene_stop_flusher(struct scene *s);

/* Waits until so many reports of a kind, or so many events reported as
 * delivered, have come in all. */
void scene_wait_for_reports(struct scene *s, enum spool_report_kind kind,
                            long n);
void scene_wait_for_delivered(struct scene *s, long events);

void scene_stats(struct scene *s, struct spool_stats *out);

/* Delivers again what is dead; how many. */
long scene_replay_dead(struct scene *s);

/* Reads the destination anew. */
void scene_read_destination(struct scene *s);

/* Stops the flusher; fails unless verify finds nothing, the checker nothing
 * bad, and nothing waits. The report may be looked at further. */
void scene_judge(struct scene *s, struct checker_report *r);

#endif
