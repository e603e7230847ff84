#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "outbox/destination.h"
#include "spool/flusher.h"
#include "spool/handle.h"
#include "spool/limits.h"
#include "spool/order.h"
#include "spool/spool.h"
#include "support/box.h"

struct place {
    char folder[64];
    char path[96];
    struct spool *spool;
};

static struct place place;

static int setup(void **state)
{
    struct spool_options options;
    struct spool_error err;
    fixture_make_folder(place.folder);
    (void)snprintf(place.path, sizeof place.path, "%s/outbox.db", place.folder);
    spool_options_default(&options);
    options.path = place.path;
    options.check = SPOOL_CHECK_OFF;
    assert_int_equal(spool_open(&options, &place.spool, &err), SPOOL_OK);
    *state = place.spool;
    return 0;
}

static int teardown(void **state)
{
    spool_close(*state);
    fixture_remove_folder(place.folder);
    return 0;
}

#define EVENT "{\"name\":\"X\",\"userId\":\"u\",\"sessionId\":\"s\"}"

static void an_accepted_event_has_an_id(void **state)
{
    struct spool_receipt r;
    struct spool_error err;
    assert_int_equal(spool_put(*state, EVENT, strlen(EVENT), NULL, &r, &err),
                     SPOOL_OK);
    assert_int_equal(r.status, SPOOL_OK);
    assert_int_equal(r.id, 1);
    assert_string_equal(r.fault, "ok");
    assert_int_equal(spool_put(*state, EVENT, strlen(EVENT), NULL, NULL, NULL),
                     SPOOL_OK);
}

static void a_refused_event_is_told_why_and_not_stored(void **state)
{
    static const char bad[] = "{\"name\":\"X\",\"userId\":\"u\"}";
    struct spool_receipt r;
    struct spool_error err;
    assert_int_equal(spool_put(*state, bad, strlen(bad), NULL, &r, &err),
                     SPOOL_INVALID);
    assert_int_equal(r.status, SPOOL_INVALID);
    assert_string_equal(r.fault, "missing");
    assert_string_equal(r.path, "/sessionId");
    assert_int_equal(spool_put(*state, EVENT, strlen(EVENT), NULL, &r, &err),
                     SPOOL_OK);
    assert_int_equal(r.id, 1);
}

static void the_check_can_be_chosen_for_each_put(void **state)
{
    struct spool_put_options strict = {.check = SPOOL_CHECK_STRICT};
    struct spool_receipt r;
    assert_int_equal(spool_put(*state, EVENT, strlen(EVENT), &strict, &r, NULL),
                     SPOOL_INVALID);
    assert_string_equal(r.fault, "enum");
}

static void many_go_in_order_and_the_refused_do_not_stop_them(void **state)
{
    enum { N = 2500 };
    static struct spool_event events[N];
    static struct spool_receipt receipts[N];
    struct spool_error err;
    for (size_t i = 0; i < N; i++) {
        events[i] =
            i % 1000 == 7
                ? (struct spool_event){.json = "[1]", .len = 3}
                : (struct spool_event){.json = EVENT, .len = strlen(EVENT)};
    }
    assert_int_equal(spool_put_many(*state, events, N, NULL, receipts, &err),
                     SPOOL_INVALID);
    assert_string_equal(err.message, "3 of 2500 events were refused");
    int64_t id = 0;
    for (size_t i = 0; i < N; i++) {
        if (i % 1000 == 7) {
            assert_int_equal(receipts[i].status, SPOOL_INVALID);
            assert_string_equal(receipts[i].fault, "type");
        } else {
            assert_int_equal(receipts[i].status, SPOOL_OK);
            assert_int_equal(receipts[i].id, ++id);
        }
    }
    assert_int_equal(spool_put_many(*state, events, 0, NULL, NULL, &err),
                     SPOOL_OK);
}

#define PURCHASE(user, number)                                                 \
    "{\"name\":\"CHECKOUT\",\"step\":\"purchase\",\"userId\":\"" user          \
    "\",\"sessionId\":\"s\",\"orderNo\":" number "}"

static enum spool_status put(struct spool *spool, const char *json,
                             const char *key, int64_t *id)
{
    struct spool_put_options o = {.check = SPOOL_CHECK_OFF, .key = key};
    struct spool_receipt r;
    enum spool_status status =
        spool_put(spool, json, strlen(json), &o, &r, NULL);
    assert_int_equal(status, r.status);
    *id = r.id;
    return status;
}

static void an_order_number_is_a_purchases_key(void **state)
{
    static const struct {
        const char *json, *key;
        enum spool_status want;
        int64_t id;
    } cases[] = {
        {PURCHASE("u", "\"4711\""), NULL, SPOOL_OK, 1},
        {PURCHASE("u", "\"4711\""), NULL, SPOOL_DUPLICATE, 1},
        {PURCHASE("v", "\"4711\""), NULL, SPOOL_CONFLICT, 1},
        {PURCHASE("v", "\"4712\""), NULL, SPOOL_OK, 2},
        /* a number as it is written, and an escape, name the same order */
        {PURCHASE("v", "4711"), NULL, SPOOL_CONFLICT, 1},
        {PURCHASE("v", "\"471\\u0031\""), NULL, SPOOL_CONFLICT, 1},
        /* the producer's key goes before the number */
        {PURCHASE("v", "\"4711\""), "mine", SPOOL_OK, 3},
        {PURCHASE("v", "\"4711\""), "mine", SPOOL_DUPLICATE, 3},
        {PURCHASE("u", "\"4711\""), NULL, SPOOL_DUPLICATE, 1},
        {EVENT, "mine", SPOOL_CONFLICT, 3},
        {EVENT, "other", SPOOL_OK, 4},
        {EVENT, "other", SPOOL_DUPLICATE, 4},
        {EVENT, NULL, SPOOL_OK, 5},
        {EVENT, NULL, SPOOL_OK, 6},
        {PURCHASE("u", "\"\""), NULL, SPOOL_OK, 7},
        {PURCHASE("u", "\"\""), NULL, SPOOL_OK, 8},
        {EVENT, "", SPOOL_INVALID, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t id;
        assert_int_equal(put(*state, cases[i].json, cases[i].key, &id),
                         cases[i].want);
        assert_int_equal(id, cases[i].id);
    }
}

#define TIMES_9(text)  text text text text text text text text text
#define TIMES_81(text) TIMES_9(TIMES_9(text))

static void an_order_number_may_be_any_text(void **state)
{
    static const struct {
        const char *number, *same, *asked;
    } cases[] = {
        {"\"77\\tx\"", "\"77\\u0009x\"", "77\tx"},
        {"\"77\\u0000x\"", "\"7\\u0037\\u0000x\"", NULL},
        {"\"77\\u0000y\"", "\"7\\u0037\\u0000y\"", NULL},
        {"\"" TIMES_81("\\u0416") "\"", "\"" TIMES_81("\xD0\x96") "\"",
         TIMES_81("\xD0\x96")},
        {TIMES_81("7777"), "\"" TIMES_81("7777") "\"", TIMES_81("7777")},
        {"\" 77 \"", "\"\\u002077 \"", " 77 "},
        {"\"77\"", "77", "77"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[4096];
        struct spool_order order;
        int64_t id, first = (int64_t)i + 1;
        (void)snprintf(json, sizeof json, PURCHASE("u", "%s"), cases[i].number);
        assert_int_equal(put(*state, json, NULL, &id), SPOOL_OK);
        assert_int_equal(put(*state, json, NULL, &id), SPOOL_DUPLICATE);
        assert_int_equal(id, first);
        (void)snprintf(json, sizeof json, PURCHASE("u", "%s"), cases[i].same);
        assert_int_equal(put(*state, json, NULL, &id), SPOOL_CONFLICT);
        assert_int_equal(id, first);
        if (cases[i].asked != NULL) {
            assert_int_equal(
                spool_order(*state, cases[i].asked, NULL, &order, NULL),
                SPOOL_OK);
            assert_int_equal(order.id, first);
        }
    }
}

static void a_refused_event_can_be_kept_as_dead(void **state)
{
    static const char bad[] = "{\"name\":\"X\",\"userId\":\"u\"}";
    struct spool_put_options o = {.check = SPOOL_CHECK_OFF,
                                  .refused = SPOOL_QUARANTINE};
    struct spool_destination d = {.name = "shop", .url = "http://127.0.0.1:9"};
    struct spool_event events[] = {
        {.json = bad, .len = strlen(bad)},
        {.json = EVENT, .len = strlen(EVENT)},
        {.json = "{broken", .len = 7},
    };
    struct spool_receipt r[3];
    struct spool_error err;
    struct spool_stats stats;
    assert_int_equal(spool_add_destination(*state, &d, &err), SPOOL_OK);
    assert_int_equal(spool_put(*state, bad, strlen(bad), &o, r, &err),
                     SPOOL_QUARANTINED);
    assert_int_equal(r[0].id, 1);
    assert_string_equal(r[0].fault, "missing");
    assert_int_equal(spool_put_many(*state, events, 3, &o, r, &err),
                     SPOOL_INVALID);
    assert_int_equal(r[0].status, SPOOL_QUARANTINED);
    assert_int_equal(r[1].status, SPOOL_OK);
    assert_int_equal(r[1].id, 3);
    assert_int_equal(r[2].id, 4);
    assert_string_equal(r[2].fault, "syntax");
    /* Dead before and after the log is cut past them. */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(spool_stats(*state, "shop", &stats, &err), SPOOL_OK);
        assert_int_equal(stats.dead, 3);
        assert_int_equal(stats.accepted, 4);
        assert_int_equal(spool_flush(*state, NULL, 50, NULL, &err),
                         SPOOL_UNFINISHED);
    }
    assert_int_equal(stats.pending + stats.retrying, 1);
}

static void duplicates_within_one_group_are_seen(void **state)
{
    struct spool_event events[] = {
        {.json = EVENT, .len = strlen(EVENT), .key = "a"},
        {.json = EVENT, .len = strlen(EVENT), .key = "b"},
        {.json = EVENT, .len = strlen(EVENT), .key = "a"},
    };
    struct spool_receipt r[3];
    struct spool_error err;
    assert_int_equal(spool_put_many(*state, events, 3, NULL, r, &err),
                     SPOOL_OK);
    assert_int_equal(r[0].id, 1);
    assert_int_equal(r[1].id, 2);
    assert_int_equal(r[2].status, SPOOL_DUPLICATE);
    assert_int_equal(r[2].id, 1);
}

static void flush_says_what_is_left(void **state)
{
    struct spool_error err;
    struct spool_stats stats;
    /* Nothing listens on the discard port of this machine. */
    struct spool_destination d = {.name = "shop", .url = "http://127.0.0.1:9"};
    assert_int_equal(spool_flush(*state, NULL, 10, NULL, &err), SPOOL_OK);
    assert_int_equal(spool_put(*state, EVENT, strlen(EVENT), NULL, NULL, NULL),
                     SPOOL_OK);
    assert_int_equal(spool_flush(*state, NULL, 10, NULL, &err),
                     SPOOL_UNFINISHED);
    assert_int_equal(spool_add_destination(*state, &d, &err), SPOOL_OK);
    assert_int_equal(spool_add_destination(*state, &d, &err), SPOOL_EXISTS);
    assert_int_equal(spool_flush(*state, "nobody", 10, NULL, &err),
                     SPOOL_NOT_FOUND);
    assert_int_equal(spool_flush(*state, NULL, 50, NULL, &err),
                     SPOOL_UNFINISHED);
    assert_int_equal(spool_stats(*state, "shop", &stats, &err), SPOOL_OK);
    assert_int_equal(stats.accepted, 1);
    assert_int_equal(stats.delivered, 0);
    assert_int_equal(stats.pending + stats.retrying, 1);
    assert_true(stats.oldest_at_ms > 0);
}

static void a_flusher_runs_in_a_thread_of_its_own(void **state)
{
    struct spool_flusher_options options;
    struct spool_flusher *flusher, *second;
    struct spool_error err;
    spool_flusher_options_default(&options);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(spool_flusher_start(*state, &options, &flusher, &err),
                         SPOOL_OK);
        assert_int_equal(spool_flusher_start(*state, &options, &second, &err),
                         SPOOL_HELD);
        assert_int_equal(
            spool_put(*state, EVENT, strlen(EVENT), NULL, NULL, NULL),
            SPOOL_OK);
        spool_flusher_stop(flusher, NULL, NULL);
    }
    assert_int_equal(spool_flusher_start(*state, NULL, &flusher, &err),
                     SPOOL_OK);
    spool_flusher_stop(flusher, NULL, NULL);
    spool_flusher_stop(NULL, NULL, NULL);
}

/* Of a thread of this process: whether it takes a signal. */
static bool takes(const char *thread, int signal)
{
    char path[64 + NAME_MAX], line[256];
    unsigned long long blocked = 0;
    (void)snprintf(path, sizeof path, "/proc/self/task/%s/status", thread);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL &&
           sscanf(line, "SigBlk: %llx", &blocked) != 1) {
    }
    (void)fclose(file);
    return (blocked >> (signal - 1) & 1) == 0;
}

struct threads {
    int all, takers; /* of them, those that take a signal */
};

static struct threads count_threads(void)
{
    struct threads n = {0};
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (const struct dirent *t; (t = readdir(tasks)) != NULL;) {
        if (t->d_name[0] != '.') {
            n.all++;
            n.takers += takes(t->d_name, SIGTERM) ||
                        takes(t->d_name, SIGALRM) || takes(t->d_name, SIGPIPE);
        }
    }
    (void)closedir(tasks);
    return n;
}

static void threads_of_a_flusher_take_no_signal_of_the_program_s(void **state)
{
    struct spool_flusher *flusher;
    struct spool_error err;
    struct threads before = count_threads();
    assert_int_equal(spool_flusher_start(*state, NULL, &flusher, &err),
                     SPOOL_OK);
    struct threads beside = count_threads();
    spool_flusher_stop(flusher, NULL, NULL);
    /* One that delivers and one that reads ahead. */
    assert_true(beside.all >= before.all + 2);
    assert_true(before.takers > 0);
    assert_int_equal(beside.takers, before.takers);
}

static void a_wait_for_the_next_page_has_an_end(void **state)
{
    struct spool_options o;
    struct spool *spool;
    struct spool_error err;
    (void)state;
    spool_options_default(&o);
    o.path = "/nowhere/outbox.db";
    o.next_page_ms = (int64_t)25 * 60 * 60 * 1000;
    assert_int_equal(spool_open(&o, &spool, &err), SPOOL_MISUSE);
    assert_non_null(strstr(err.message, "24 hours"));
    o.next_page_ms = -1;
    assert_int_equal(spool_open(&o, &spool, &err), SPOOL_MISUSE);
}

static int exit_status(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

enum mode { OWN_THREAD, CALLER_S_LOOP, FOREGROUND };

/* In a process of its own, since libuv's pool is made once: how many of the
 * threads that a flusher starts take a signal; -1: none was started. */
static int takers_of(enum mode mode, const char *path)
{
    uv_loop_t loop;
    struct spool *spool;
    struct spool_flusher *flusher;
    struct spool_flusher_options o;
    struct spool_options options = {.path = path, .create = 1};
    struct threads before = count_threads();
    spool_flusher_options_default(&o);
    o.loop = mode == CALLER_S_LOOP ? &loop : NULL;
    enum spool_status status = uv_loop_init(&loop) == 0
                                   ? spool_open(&options, &spool, NULL)
                                   : SPOOL_NO_MEMORY;
    if (status == SPOOL_OK) {
        status = mode == FOREGROUND
                     ? spool_flush(spool, NULL, 0, &o, NULL)
                     : spool_flusher_start(spool, &o, &flusher, NULL);
    }
    struct threads after = count_threads();
    bool started = status == SPOOL_OK && after.all > before.all;
    return started ? after.takers - before.takers : -1;
}

static void libuv_s_pool_takes_no_signal_of_the_program_s(void **state)
{
    char folder[64], path[96];
    (void)state;
    fixture_make_folder(folder);
    (void)snprintf(path, sizeof path, "%s/outbox.db", folder);
    for (int mode = OWN_THREAD; mode <= FOREGROUND; mode++) {
        pid_t child = fork();
        if (child == 0) {
            _exit(takers_of((enum mode)mode, path) == 0 ? 0 : 1);
        }
        assert_int_equal(exit_status(child), 0);
    }
    fixture_remove_folder(folder);
}

static const int end_signals[] = {SIGINT, SIGTERM};
static volatile sig_atomic_t caught;

static void catch_signal(int number)
{
    caught = number;
}

static void assert_handled_as_before(int number)
{
    struct sigaction now;
    assert_int_equal(raise(number), 0);
    assert_int_equal(caught, number);
    assert_int_equal(sigaction(number, NULL, &now), 0);
    assert_int_equal(sigismember(&now.sa_mask, SIGUSR1), 1);
    assert_int_equal(now.sa_flags & SA_NODEFER, SA_NODEFER);
}

/* Once the flush has taken it. */
static void *send_signal(void *arg)
{
    const int *number = arg;
    struct sigaction now = {.sa_handler = catch_signal};
    while (now.sa_handler == catch_signal) {
        (void)sigaction(*number, NULL, &now);
    }
    (void)kill(getpid(), *number);
    return NULL;
}

static void flush_until(struct spool *spool, int number)
{
    pthread_t sender;
    struct spool_flusher_options o;
    spool_flusher_options_default(&o);
    o.end_on_signals = 1;
    caught = 0;
    assert_int_equal(pthread_create(&sender, NULL, send_signal, &number), 0);
    assert_int_equal(spool_flush(spool, NULL, 60000, &o, NULL),
                     SPOOL_UNFINISHED);
    assert_int_equal(pthread_join(sender, NULL), 0);
    assert_int_equal(caught, 0); /* it was the flush's */
}

static void a_flush_gives_back_the_signals_that_end_it(void **state)
{
    struct sigaction own = {.sa_handler = catch_signal, .sa_flags = SA_NODEFER};
    struct sigaction before[2];
    struct spool_destination d = {.name = "shop", .url = "http://127.0.0.1:9"};
    assert_int_equal(spool_add_destination(*state, &d, NULL), SPOOL_OK);
    assert_int_equal(spool_put(*state, EVENT, strlen(EVENT), NULL, NULL, NULL),
                     SPOOL_OK);
    (void)sigemptyset(&own.sa_mask);
    (void)sigaddset(&own.sa_mask, SIGUSR1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sigaction(end_signals[i], &own, &before[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        flush_until(*state, end_signals[i]);
        assert_handled_as_before(SIGINT);
        assert_handled_as_before(SIGTERM);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sigaction(end_signals[i], &before[i], NULL), 0);
    }
}

static void a_destination_needs_a_url_that_is_safe(void **state)
{
    struct spool_error err;
    struct spool_destination d = {.name = "x", .url = "http://example.com"};
    assert_int_equal(spool_add_destination(*state, &d, &err), SPOOL_MISUSE);
    d.url = "https://example.com";
    d.profile = "none";
    assert_int_equal(spool_add_destination(*state, &d, &err), SPOOL_MISUSE);
    d.profile = NULL;
    d.filter = "name =";
    assert_int_equal(spool_add_destination(*state, &d, &err), SPOOL_MISUSE);
    d.filter = "name = X";
    assert_int_equal(spool_add_destination(*state, &d, &err), SPOOL_OK);
}

static void a_destination_can_be_all_that_spoolctl_makes(void **state)
{
    static const struct spool_destination fine = {
        .name = "export",
        .url = "https://example.com/in",
        .profile = "json",
        .body = "ndjson",
        .success = "200,202",
        .headers = "X-Shop: 7\nAccept: application/json",
        .header_file = "/etc/export/headers",
        .ca_file = "/etc/export/ca.pem",
        .client_cert = "/etc/export/own.pem",
        .proxy = "http://proxy.example.com:3128",
        .lanes = 4,
        .batch_events = 100,
        .batch_bytes = 65536,
        .batch_age_ms = 1,
        .rate = 50,
        .spread_ms = 1000,
    };
    static const struct {
        struct spool_destination d;
        const char *word;
    } wrong[] = {
        {{.profile = "json", .body = "xml"}, "xml"},
        {{.body = "object"}, "segmentify"},
        {{.headers = "X-Api-Key: 1234567890"}, "X-Api-Key"},
        {{.headers = "Host: example.com"}, "Host"},
        {{.client_key = "/etc/own.key"}, "certificate"},
        {{.proxy = "ftp://proxy.example.com"}, "proxy"},
        {{.lanes = 257}, "lanes"},
        {{.batch_events = -1}, "batch-events"},
        {{.rate = -1}, "rate"},
        {{.origin = "https://a.example\r\nX-Role: admin"}, "origin"},
        {{.origin = "https://a.example\n"}, "origin"},
    };
    struct spool_error err;
    struct destination kept;
    assert_int_equal(spool_add_destination(*state, &fine, &err), SPOOL_OK);
    assert_int_equal(
        destination_find(spool_outbox(*state), "export", &kept, &err),
        SPOOL_OK);
    assert_int_equal(kept.body, BODY_NDJSON);
    assert_string_equal(kept.success, fine.success);
    assert_string_equal(kept.headers, fine.headers);
    assert_string_equal(kept.header_file, fine.header_file);
    assert_string_equal(kept.ca_file, fine.ca_file);
    assert_string_equal(kept.client_cert, fine.client_cert);
    assert_string_equal(kept.proxy, fine.proxy);
    assert_int_equal(kept.lanes, 4);
    assert_int_equal(kept.batch_events, 100);
    assert_int_equal(kept.batch_bytes, 65536);
    assert_int_equal(kept.batch_age_ms, 1);
    assert_int_equal(kept.rate, 50);
    assert_int_equal(kept.spread_ms, 1000);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct spool_destination d = wrong[i].d;
        d.name = "wrong";
        d.url = "https://example.com/in";
        assert_int_equal(spool_add_destination(*state, &d, &err), SPOOL_MISUSE);
        if (strstr(err.message, wrong[i].word) == NULL) {
            fail_msg("%s: %s", wrong[i].word, err.message);
        }
        assert_null(strstr(err.message, "1234567890"));
    }
}

static void an_event_the_filter_passes_over_is_not_sent(void **state)
{
    struct spool_error err;
    struct spool_stats stats;
    struct spool_destination d = {
        .name = "y", .url = "http://127.0.0.1:9", .filter = "name = Y"};
    assert_int_equal(spool_add_destination(*state, &d, &err), SPOOL_OK);
    assert_int_equal(spool_put(*state, EVENT, strlen(EVENT), NULL, NULL, NULL),
                     SPOOL_OK);
    assert_int_equal(spool_flush(*state, NULL, 1000, NULL, &err), SPOOL_OK);
    assert_int_equal(spool_stats(*state, "y", &stats, &err), SPOOL_OK);
    assert_int_equal(stats.passed, 1);
    assert_int_equal(stats.accepted, 1);
}

/* The class of an event is found by its name and step. */
static void the_class_decides_who_still_gets_in(void **state)
{
    static const struct {
        const char *json;
        enum spool_class class_;
    } cases[] = {
        {"{\"name\":\"PAGE_VIEW\",\"userId\":\"u\",\"sessionId\":\"s\"}",
         SPOOL_CLASS_VIEW},
        {"{\"name\":\"CUSTOM_EVENT\",\"userId\":\"u\",\"sessionId\":\"s\"}",
         SPOOL_CLASS_INTERACTION},
        {EVENT, SPOOL_CLASS_INTERACTION},
        {"{\"name\":\"BASKET_OPERATIONS\",\"userId\":\"u\",\"sessionId\":"
         "\"s\"}",
         SPOOL_CLASS_BASKET},
        {"{\"name\":\"CHECKOUT\",\"userId\":\"u\",\"sessionId\":\"s\","
         "\"step\":\"payment\"}",
         SPOOL_CLASS_CHECKOUT},
        {"{\"name\":\"CHECKOUT\",\"userId\":\"u\",\"sessionId\":\"s\","
         "\"step\":\"purchase\"}",
         SPOOL_CLASS_PURCHASE},
    };
    struct spool_limits l;
    struct spool_usage u;
    struct spool_receipt r;
    struct spool_error err;
    assert_int_equal(spool_get_limits(*state, &l, &err), SPOOL_OK);
    l.max_events = 1;
    assert_int_equal(spool_set_limits(*state, &l, &err), SPOOL_OK);
    assert_int_equal(spool_put(*state, EVENT, strlen(EVENT), NULL, &r, &err),
                     SPOOL_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *name = spool_class_name(cases[i].class_);
        assert_int_equal(spool_put(*state, cases[i].json, strlen(cases[i].json),
                                   NULL, &r, &err),
                         SPOOL_FULL);
        assert_int_equal(r.status, SPOOL_FULL);
        assert_string_equal(r.fault, "full");
        assert_non_null(strstr(r.message, name));
        assert_string_equal(err.message, r.message);
    }
    assert_int_equal(spool_usage(*state, &u, &err), SPOOL_OK);
    for (int c = 0; c < SPOOL_CLASSES; c++) {
        int64_t want = c == SPOOL_CLASS_INTERACTION ? 2 : 1;
        assert_int_equal(u.refused[c].events, want);
    }
    l.classes[SPOOL_CLASS_PURCHASE].shed = 1;
    assert_int_equal(spool_set_limits(*state, &l, &err), SPOOL_MISUSE);
}

/* Many at once: what a limit refuses stops nothing, and is told apart. */
static void of_many_those_get_in_that_may(void **state)
{
    static const char view[] =
        "{\"name\":\"PAGE_VIEW\",\"userId\":\"u\",\"sessionId\":\"s\"}";
    struct spool_limits l;
    struct spool_event events[2500];
    static struct spool_receipt receipts[2500];
    struct spool_put_options options = {.check = SPOOL_CHECK_OFF,
                                        .refused = SPOOL_QUARANTINE};
    struct spool_error err;
    size_t stored = 0, full = 0;
    assert_int_equal(spool_get_limits(*state, &l, &err), SPOOL_OK);
    l.max_events = 1000;
    l.classes[SPOOL_CLASS_VIEW].share = 50;
    assert_int_equal(spool_set_limits(*state, &l, &err), SPOOL_OK);
    for (size_t i = 0; i < 2500; i++) {
        const char *json = i % 10 == 0 ? EVENT : i % 10 == 1 ? "{}" : view;
        events[i] = (struct spool_event){.json = json, .len = strlen(json)};
    }
    assert_int_equal(
        spool_put_many(*state, events, 2500, &options, receipts, &err),
        SPOOL_FULL);
    assert_non_null(strstr(err.message, "a limit of the spool is reached"));
    for (size_t i = 0; i < 2500; i++) {
        stored += receipts[i].status == SPOOL_OK ||
                          receipts[i].status == SPOOL_QUARANTINED
                      ? 1
                      : 0;
        full += receipts[i].status == SPOOL_FULL ? 1 : 0;
        if (i % 10 == 0) {
            assert_int_equal(receipts[i].status, SPOOL_OK);
        } else if (receipts[i].status == SPOOL_FULL) {
            assert_string_equal(receipts[i].fault, "full");
        }
    }
    assert_int_equal(stored + full, 2500);
    assert_int_equal(stored, 500 + 250 - 50); /* 50 were in before the half */
}

/* What a child that was forked from here makes of the handle. */
static int in_a_child(struct spool *spool)
{
    struct spool_stats stats;
    struct spool_error err;
    int wrong = 0;
    wrong += spool_put(spool, EVENT, strlen(EVENT), NULL, NULL, &err) !=
             SPOOL_MISUSE;
    wrong += strstr(err.message, "fork first and open then") == NULL;
    wrong += spool_stats(spool, "shop", &stats, &err) != SPOOL_MISUSE;
    spool_close(spool);
    return wrong;
}

static size_t read_mark(char bytes[4096])
{
    char path[sizeof place.path + 8];
    (void)snprintf(path, sizeof path, "%s-mark", place.path);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t n = fread(bytes, 1, 4096, file);
    (void)fclose(file);
    return n;
}

static void a_handle_is_not_a_forked_child_s(void **state)
{
    char before[4096], after[4096];
    struct spool_receipt r;
    assert_int_equal(spool_put(*state, EVENT, strlen(EVENT), NULL, NULL, NULL),
                     SPOOL_OK);
    size_t n = read_mark(before);
    pid_t child = fork();
    if (child == 0) {
        _exit(in_a_child(*state));
    }
    assert_int_equal(exit_status(child), 0);
    /* It does not say of its parent that it has ended well. */
    assert_int_equal(read_mark(after), n);
    assert_memory_equal(before, after, n);
    assert_int_equal(spool_put(*state, EVENT, strlen(EVENT), NULL, &r, NULL),
                     SPOOL_OK);
    assert_int_equal(r.id, 2);
}

static enum spool_status open_and_put(const char *path)
{
    struct spool_error err;
    struct spool *spool;
    struct spool_options options = {.path = path, .create = 1};
    options.check = SPOOL_CHECK_OFF;
    enum spool_status status = spool_open(&options, &spool, &err);
    if (status == SPOOL_OK) {
        status = spool_put(spool, EVENT, strlen(EVENT), NULL, NULL, &err);
        spool_close(spool);
    } else if (strstr(err.message, "fork first and open then") == NULL) {
        status = SPOOL_UNKNOWN;
    }
    return status;
}

static void a_child_forked_beside_an_open_spool_opens_none(void **state)
{
    char other[128];
    (void)snprintf(other, sizeof other, "%s/other.db", place.folder);
    pid_t child = fork();
    if (child == 0) {
        spool_close(*state); /* which makes no difference */
        bool refused = open_and_put(place.path) == SPOOL_MISUSE &&
                       open_and_put(other) == SPOOL_MISUSE;
        pid_t grandchild = fork();
        if (grandchild == 0) {
            _exit(open_and_put(place.path) == SPOOL_MISUSE ? 0 : 1);
        }
        _exit(refused && exit_status(grandchild) == 0 ? 0 : 1);
    }
    assert_int_equal(exit_status(child), 0);
    assert_int_equal(access(other, F_OK), -1);
}

static void a_child_forked_behind_the_last_close_opens(void **state)
{
    struct spool_options options = {.path = "/dev/null/none"};
    spool_close(place.spool);
    assert_int_not_equal(spool_open(&options, &place.spool, NULL), SPOOL_OK);
    pid_t child = fork();
    if (child == 0) {
        _exit((int)open_and_put(place.path));
    }
    assert_int_equal(exit_status(child), SPOOL_OK);
    options.path = place.path;
    assert_int_equal(spool_open(&options, &place.spool, NULL), SPOOL_OK);
    *state = place.spool;
}

/* Also one that lives on neither ends it nor keeps another from starting. */
static void a_flusher_is_not_a_forked_child_s(void **state)
{
    struct spool_flusher *flusher;
    int status, ends[2];
    char end;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(spool_flusher_start(*state, NULL, &flusher, NULL),
                     SPOOL_OK);
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[1]);
        spool_flusher_stop(flusher, NULL, NULL); /* whose thread is not here */
        spool_close(*state);
        _exit(read(ends[0], &end, 1) != 0); /* when the other end is closed */
    }
    spool_flusher_stop(flusher, NULL, NULL);
    assert_int_equal(spool_flusher_start(*state, NULL, &flusher, NULL),
                     SPOOL_OK);
    spool_flusher_stop(flusher, NULL, NULL);
    (void)close(ends[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    (void)close(ends[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: the thread sanitizer lets no fork of several threads start
         * more. */
        cmocka_unit_test(libuv_s_pool_takes_no_signal_of_the_program_s),
        TEST(an_accepted_event_has_an_id),
        TEST(a_wait_for_the_next_page_has_an_end),
        TEST(a_refused_event_is_told_why_and_not_stored),
        TEST(the_check_can_be_chosen_for_each_put),
        TEST(many_go_in_order_and_the_refused_do_not_stop_them),
        TEST(an_order_number_is_a_purchases_key),
        TEST(an_order_number_may_be_any_text),
        TEST(a_refused_event_can_be_kept_as_dead),
        TEST(duplicates_within_one_group_are_seen),
        TEST(flush_says_what_is_left),
        TEST(a_flusher_runs_in_a_thread_of_its_own),
        TEST(threads_of_a_flusher_take_no_signal_of_the_program_s),
        TEST(a_flush_gives_back_the_signals_that_end_it),
        TEST(a_handle_is_not_a_forked_child_s),
        TEST(a_child_forked_beside_an_open_spool_opens_none),
        TEST(a_child_forked_behind_the_last_close_opens),
        TEST(a_flusher_is_not_a_forked_child_s),
        TEST(a_destination_needs_a_url_that_is_safe),
        TEST(a_destination_can_be_all_that_spoolctl_makes),
        TEST(an_event_the_filter_passes_over_is_not_sent),
        TEST(the_class_decides_who_still_gets_in),
        TEST(of_many_those_get_in_that_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
