#include "outbox/fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"

static atomic_int inside;

/* Of this process or one that it comes from; only an exec ends it. */
static bool forked_inside;

/* The forking thread is the only one here. */
static void in_child(void)
{
    forked_inside = forked_inside || atomic_load(&inside) > 0;
}

static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, in_child);
}

enum spool_status fork_enter(struct spool_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, watch_forks);
    if (forked_inside) {
        return failed(err, SPOOL_MISUSE,
                      "a spool was open when this process was forked, so that "
                      "it can open none; fork first and open then, or exec");
    }
    (void)atomic_fetch_add(&inside, 1);
    return SPOOL_OK;
}

void fork_leave(void)
{
    (void)atomic_fetch_sub(&inside, 1);
}
