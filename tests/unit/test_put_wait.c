/* Producers that wait for the endpoint's answer, with a flusher in a thread of
 * its own and spool-sandbox as the endpoint. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "integration/sandbox_child.h"
#include "outbox/operate.h"
#include "outbox/retain.h"
#include "spool/answer.h"
#include "spool/flusher.h"
#include "spool/handle.h"
#include "support/box.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Long enough for any machine. */
#define LONG_MS 60000

struct place {
    char folder[64];
    char path[96];
    char log[96];
    char key[96];
    struct spool *spool;
    struct sandbox_child endpoint;
    struct spool_flusher *flusher; /* NULL: none runs */
};

static struct place place;

static struct spool *open_spool(void)
{
    struct spool *spool;
    struct spool_options options;
    spool_options_default(&options);
    options.path = place.path;
    options.check = SPOOL_CHECK_OFF;
    assert_int_equal(spool_open(&options, &spool, NULL), SPOOL_OK);
    return spool;
}

/* A destination `shop` at the endpoint, which tries again after 10 ms. */
static void add_shop(const char *filter)
{
    char url[64];
    struct destination d;
    struct outbox *box = spool_outbox(place.spool);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", place.endpoint.port);
    FILE *key = fopen(place.key, "w");
    assert_non_null(key);
    (void)fputs("KEY\n", key);
    assert_int_equal(fclose(key), 0);
    struct spool_destination shop = {.name = "shop",
                                     .url = url,
                                     .origin = "https://shop.example",
                                     .api_key_file = place.key,
                                     .filter = filter};
    assert_int_equal(spool_add_destination(place.spool, &shop, NULL), SPOOL_OK);
    assert_int_equal(destination_find(box, "shop", &d, NULL), SPOOL_OK);
    d.backoff_base_ms = 10;
    d.backoff_cap_ms = 10;
    d.batch_age_ms = 20;
    assert_int_equal(destination_set(box, &d, NULL), SPOOL_OK);
}

static int setup(void **state)
{
    fixture_make_folder(place.folder);
    (void)snprintf(place.path, sizeof place.path, "%s/outbox.db", place.folder);
    (void)snprintf(place.log, sizeof place.log, "%s/log", place.folder);
    (void)snprintf(place.key, sizeof place.key, "%s/key", place.folder);
    const char *const options[] = {"--log", place.log, NULL};
    sandbox_child_start(&place.endpoint, options);
    place.spool = open_spool();
    place.flusher = NULL;
    *state = place.spool;
    return 0;
}

static void start_flusher(struct spool *spool)
{
    struct spool_flusher_options options;
    spool_flusher_options_default(&options);
    assert_int_equal(spool_flusher_start(spool, &options, &place.flusher, NULL),
                     SPOOL_OK);
}

static void stop_flusher(void)
{
    spool_flusher_stop(place.flusher, NULL, NULL);
    place.flusher = NULL;
}

static int teardown(void **state)
{
    stop_flusher();
    spool_close(*state);
    (void)sandbox_child_stop(&place.endpoint, NULL, 0);
    fixture_remove_folder(place.folder);
    return 0;
}

struct told {
    enum spool_status status;
    struct spool_receipt receipt;
    struct spool_answer answer;
    struct spool_error err;
};

static void put_to(struct told *told, const char *destination, const char *name,
                   const char *user, const char *key, int64_t timeout_ms)
{
    char json[256];
    struct spool_put_options options = {.check = SPOOL_CHECK_OFF, .key = key};
    (void)snprintf(json, sizeof json,
                   "{\"name\":\"%s\",\"userId\":\"%s\",\"sessionId\":\"s\"}",
                   name, user);
    *told = (struct told){0};
    told->status =
        spool_put_wait(place.spool, json, strlen(json), &options, destination,
                       timeout_ms, &told->receipt, &told->answer, &told->err);
}

static void put(struct told *told, const char *user, const char *key,
                int64_t timeout_ms)
{
    put_to(told, "shop", "X", user, key, timeout_ms);
}

static bool is_empty(const struct spool_answer *answer)
{
    return answer->responses == NULL && answer->campaigns == NULL &&
           answer->search == NULL;
}

static int64_t delivered(void)
{
    struct spool_stats stats;
    assert_int_equal(spool_stats(place.spool, "shop", &stats, NULL), SPOOL_OK);
    return stats.delivered;
}

/* ---- many at once ---- */

enum { THREADS = 8, ROUNDS = 6 };

struct producer {
    size_t number;
    pthread_t thread;
    struct told told[ROUNDS];
};

static void name_user(char out[32], size_t producer, size_t round)
{
    (void)snprintf(out, 32, "u-%zu-%zu.", producer, round);
}

static void *produce(void *arg)
{
    struct producer *p = arg;
    for (size_t i = 0; i < ROUNDS; i++) {
        char user[32];
        name_user(user, p->number, i);
        put(&p->told[i], user, NULL, LONG_MS);
    }
    return NULL;
}

/* The recommendation that the endpoint gave to an event, by its journal. */
static void find_in_journal(FILE *log, const char *user, char *out, size_t size)
{
    static char line[256 * 1024];
    rewind(log);
    while (fgets(line, sizeof line, log) != NULL) {
        const char *events = strstr(line, "\"events\":[");
        const char *mine = strstr(line, user);
        const char *n = strstr(line, "\"n\":");
        if (mine == NULL) {
            continue;
        }
        size_t before = 0;
        assert_true(events != NULL && n != NULL && mine > events);
        for (const char *p = events; (p = strstr(p, "sessionId")) < mine; p++) {
            before++;
        }
        (void)snprintf(out, size,
                       "[{\"type\":\"recommendProducts\",\"params\":{"
                       "\"instanceId\":\"scn_%ld_%zu\"}}]",
                       strtol(n + 4, NULL, 10), before);
        return;
    }
    fail_msg("%s never arrived", user);
}

static void each_thread_gets_the_answer_to_its_own_event(void **state)
{
    static struct producer producers[THREADS];
    FILE *log = fopen(place.log, "r");
    assert_non_null(log);
    sandbox_child_set_faults(&place.endpoint, "recommend");
    add_shop(NULL);
    start_flusher(*state);
    for (size_t i = 0; i < THREADS; i++) {
        producers[i].number = i;
        assert_int_equal(
            pthread_create(&producers[i].thread, NULL, produce, &producers[i]),
            0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(producers[i].thread, NULL), 0);
    }
    for (size_t i = 0; i < THREADS * ROUNDS; i++) {
        struct told *told = &producers[i / ROUNDS].told[i % ROUNDS];
        char user[32], want[128];
        name_user(user, i / ROUNDS, i % ROUNDS);
        find_in_journal(log, user, want, sizeof want);
        assert_int_equal(told->status, SPOOL_OK);
        assert_int_equal(told->receipt.status, SPOOL_OK);
        assert_string_equal(told->answer.reason, "");
        assert_string_equal(told->answer.responses, want);
        assert_string_equal(told->answer.campaigns, "[]");
        assert_string_equal(told->answer.search, "[]");
        spool_answer_finish(&told->answer);
        spool_answer_finish(&told->answer);
        assert_true(is_empty(&told->answer));
    }
    assert_int_equal(fclose(log), 0);
    stop_flusher();
    assert_int_equal(delivered(), THREADS * ROUNDS);
}

/* ---- one after another ---- */

static void what_is_not_delivered_in_time_is_delivered_later(void **state)
{
    struct told told;
    sandbox_child_set_faults(&place.endpoint, "status=503");
    add_shop(NULL);
    start_flusher(*state);
    put(&told, "a", NULL, 30);
    assert_int_equal(told.status, SPOOL_TIMEOUT);
    assert_int_equal(told.err.status, SPOOL_TIMEOUT);
    assert_non_null(strstr(told.err.message, "event 1 is on disk"));
    assert_int_equal(told.receipt.status, SPOOL_OK);
    assert_int_equal(told.receipt.id, 1);
    assert_true(is_empty(&told.answer));
    put(&told, "b", NULL, 0);
    assert_int_equal(told.status, SPOOL_TIMEOUT);
    assert_int_equal(told.receipt.id, 2);
    sandbox_child_set_faults(&place.endpoint, "");
    put(&told, "c", NULL, LONG_MS);
    assert_int_equal(told.status, SPOOL_OK);
    assert_string_equal(told.answer.responses, "[]");
    spool_answer_finish(&told.answer);
    stop_flusher();
    assert_int_equal(delivered(), 3);
}

static void a_duplicate_of_a_delivered_event_has_no_answer(void **state)
{
    struct told told;
    add_shop(NULL);
    start_flusher(*state);
    put(&told, "a", "k", LONG_MS);
    assert_int_equal(told.status, SPOOL_OK);
    assert_non_null(told.answer.responses);
    spool_answer_finish(&told.answer);
    stop_flusher(); /* at once: nobody could give an answer now */
    put(&told, "a", "k", LONG_MS);
    assert_int_equal(told.status, SPOOL_OK);
    assert_int_equal(told.receipt.status, SPOOL_DUPLICATE);
    assert_int_equal(told.receipt.id, 1);
    assert_true(is_empty(&told.answer));
    assert_non_null(strstr(told.answer.reason, "delivered before"));
    put(&told, "b", "k", LONG_MS);
    assert_int_equal(told.status, SPOOL_CONFLICT);
    assert_int_equal(told.receipt.status, SPOOL_CONFLICT);
}

static void a_duplicate_of_an_event_that_is_gone_says_so(void **state)
{
    struct retention at_once = retention_default;
    struct told told;
    bool more = true;
    add_shop(NULL);
    start_flusher(*state);
    put(&told, "a", "k", LONG_MS);
    spool_answer_finish(&told.answer);
    stop_flusher();
    at_once.keep_ms = -LONG_MS;
    while (more) {
        assert_int_equal(
            retain_step(spool_outbox(*state), &at_once, &more, NULL), SPOOL_OK);
    }
    put(&told, "a", "k", LONG_MS);
    assert_int_equal(told.receipt.status, SPOOL_DUPLICATE);
    assert_int_equal(told.status, SPOOL_UNFINISHED);
    assert_non_null(strstr(told.answer.reason, "no longer kept"));
}

static void an_event_that_dies_brings_the_endpoints_words(void **state)
{
    struct told told;
    sandbox_child_set_faults(&place.endpoint, "bad-input-if=culprit");
    add_shop(NULL);
    start_flusher(*state);
    put(&told, "culprit", NULL, LONG_MS);
    assert_int_equal(told.status, SPOOL_UNFINISHED);
    assert_int_equal(told.receipt.status, SPOOL_OK);
    assert_string_equal(told.answer.code, "BAD_INPUT");
    assert_non_null(strstr(told.answer.reason, "BAD_INPUT"));
    assert_non_null(strstr(told.err.message, told.answer.reason));
    assert_true(is_empty(&told.answer));
    put(&told, "innocent", NULL, LONG_MS);
    assert_int_equal(told.status, SPOOL_OK);
    spool_answer_finish(&told.answer);
}

static void an_event_that_will_not_go_is_not_waited_for(void **state)
{
    struct outbox *box = spool_outbox(*state);
    struct destination d;
    struct operation done;
    struct told told;
    add_shop("name = Y");
    put_to(&told, "shop", "X", "a", NULL, LONG_MS);
    assert_int_equal(told.status, SPOOL_UNFINISHED);
    assert_non_null(strstr(told.answer.reason, "does not take such events"));
    put_to(&told, "shop", "Y", "a", "k", 0);
    assert_int_equal(told.status, SPOOL_TIMEOUT);
    assert_int_equal(destination_find(box, "shop", &d, NULL), SPOOL_OK);
    assert_int_equal(
        operate_purge(box, &d, &told.receipt.id, 1, "a test", &done, NULL),
        SPOOL_OK);
    assert_int_equal(done.changed, 1);
    put_to(&told, "shop", "Y", "a", "k", LONG_MS);
    assert_int_equal(told.status, SPOOL_UNFINISHED);
    assert_non_null(strstr(told.answer.reason, "purged"));
}

static void an_answer_of_another_flusher_is_not_known_here(void **state)
{
    struct spool *other = open_spool();
    struct told told;
    (void)state;
    add_shop(NULL);
    start_flusher(other);
    put(&told, "a", NULL, LONG_MS);
    assert_int_equal(told.status, SPOOL_OK);
    assert_true(is_empty(&told.answer));
    assert_non_null(strstr(told.answer.reason, "by another process"));
    stop_flusher();
    spool_close(other);
}

static void an_answer_without_slices_still_says_delivered(void **state)
{
    static const struct {
        const char *fault, *words;
    } cases[] = {
        {"few-lists", "one list for each event"},
        {"no-campaigns", "holds no lists"},
        {"empty", "no JSON object"},
        {"huge=1", "longer than the 64 KiB"},
    };
    add_shop(NULL);
    start_flusher(*state);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct told told;
        sandbox_child_set_faults(&place.endpoint, cases[i].fault);
        put(&told, "a", NULL, LONG_MS);
        assert_int_equal(told.status, SPOOL_OK);
        assert_true(is_empty(&told.answer));
        if (strstr(told.answer.reason, cases[i].words) == NULL) {
            fail_msg("%s: %s", cases[i].fault, told.answer.reason);
        }
    }
}

static void a_wrong_call_puts_nothing(void **state)
{
    struct spool_answer answer;
    struct told told;
    int64_t last;
    add_shop(NULL);
    put_to(&told, "nobody", "X", "a", NULL, 0);
    assert_int_equal(told.status, SPOOL_NOT_FOUND);
    assert_true(is_empty(&told.answer));
    put(&told, "a", NULL, -1);
    assert_int_equal(told.status, SPOOL_MISUSE);
    put(&told, "", NULL, LONG_MS);
    assert_int_equal(told.status, SPOOL_INVALID);
    assert_string_equal(told.receipt.path, "/userId");
    assert_int_equal(spool_put_wait(*state, "[", 1, NULL, "shop", LONG_MS, NULL,
                                    &answer, NULL),
                     SPOOL_INVALID);
    spool_answer_finish(&answer);
    assert_int_equal(inspect_last_id(spool_outbox(*state), &last, NULL),
                     SPOOL_OK);
    assert_int_equal(last, 0);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(each_thread_gets_the_answer_to_its_own_event),
        FACT(what_is_not_delivered_in_time_is_delivered_later),
        FACT(a_duplicate_of_a_delivered_event_has_no_answer),
        FACT(a_duplicate_of_an_event_that_is_gone_says_so),
        FACT(an_event_that_dies_brings_the_endpoints_words),
        FACT(an_event_that_will_not_go_is_not_waited_for),
        FACT(an_answer_of_another_flusher_is_not_known_here),
        FACT(an_answer_without_slices_still_says_delivered),
        FACT(a_wrong_call_puts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
