/* Names that the resolver does not answer: its call is replaced by one that
 * hangs until the test lets it go. */
#include <netdb.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/client.h"

static sem_t asked, released, returned;
static sigset_t blocked; /* in the thread that asks */

/* What libcurl calls, from a thread of its own. */
__attribute__((visibility("default"))) int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
            struct addrinfo **result)
{
    (void)name, (void)service, (void)hints, (void)result;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    (void)sem_post(&asked);
    (void)sem_wait(&released);
    (void)sem_post(&returned);
    return EAI_AGAIN;
}

/* Waits, so that the next lookup cannot take what is meant for this one. */
static void release(void)
{
    (void)sem_post(&released);
    (void)sem_wait(&returned);
}

static struct client client;

static int set_up(void **state)
{
    client_init(&client);
    client_aim(&client, "http", "spool.test", 80);
    *state = &client;
    return 0;
}

static int tear_down(void **state)
{
    client_finish(*state);
    return 0;
}

static void a_hanging_lookup_does_not_hold_up_the_deadline(void **state)
{
    struct client *c = *state;
    c->options.total_timeout_ms = 100;
    const struct reply *r = client_ask(c, "[]");
    assert_int_equal(r->transport, TRANSPORT_UNSENT);
    assert_int_equal(r->http, 0);
    assert_int_equal(sem_trywait(&asked), 0);
    release();
}

static void the_thread_that_looks_up_takes_no_signal(void **state)
{
    struct client *c = *state;
    sigset_t own;
    c->options.total_timeout_ms = 100;
    (void)client_ask(c, "[]");
    assert_int_equal(sem_trywait(&asked), 0);
    release();
    assert_int_equal(sigismember(&blocked, SIGTERM), 1);
    assert_int_equal(sigismember(&blocked, SIGPIPE), 1);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &own), 0);
    assert_int_equal(sigismember(&own, SIGTERM), 0);
}

static void a_hanging_lookup_does_not_hold_up_a_cancellation(void **state)
{
    struct client *c = *state;
    struct http_post *post = client_start(c, "[]", 2);
    while (sem_trywait(&asked) != 0) {
        (void)uv_run(&c->loop, UV_RUN_NOWAIT);
    }
    http_cancel(c->http, post);
    client_finish(c);
    client_init(c); /* for the fixture's end */
    release();
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(a_hanging_lookup_does_not_hold_up_the_deadline),
        FACT(a_hanging_lookup_does_not_hold_up_a_cancellation),
        FACT(the_thread_that_looks_up_takes_no_signal),
    };
    (void)sem_init(&asked, 0, 0);
    (void)sem_init(&released, 0, 0);
    (void)sem_init(&returned, 0, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
