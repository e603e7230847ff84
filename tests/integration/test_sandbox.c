/* spool-sandbox as the API's guide has it, and what it is strict about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "integration/sandbox_child.h"

#define EVENT  "{\"name\":\"PAGE_VIEW\",\"userId\":\"u\",\"sessionId\":\"s\"}"
#define EVENTS "POST /add/events/v1.json?apiKey=K-1"
#define HEAD   "POST /add/events/v1.json?apiKey=K-1 HTTP/1.1\r\nHost: x\r\n"

struct fixture {
    struct sandbox_child child;
    char log[64];
};

static struct wire wire;

static int start(void **state)
{
    static struct fixture f;
    (void)snprintf(f.log, sizeof f.log, "/tmp/sandbox-XXXXXX");
    int fd = mkstemp(f.log);
    assert_true(fd >= 0);
    (void)close(fd);
    const char *options[] = {"--api-key", "K-1", "--origin", "https://shop",
                             "--log",     f.log, "--dedupe", NULL};
    sandbox_child_start(&f.child, options);
    *state = &f;
    return 0;
}

static int stop(void **state)
{
    struct fixture *f = *state;
    (void)unlink(f->log);
    return sandbox_child_stop(&f->child, NULL, 0);
}

/* The last line of the journal. */
static const char *last_line(const struct fixture *f)
{
    static char text[1024 * 1024];
    FILE *file = fopen(f->log, "r");
    assert_non_null(file);
    size_t n = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    assert_true(n > 0 && text[n - 1] == '\n');
    text[n - 1] = '\0';
    const char *eol = strrchr(text, '\n');
    return eol != NULL ? eol + 1 : text;
}

static void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in '%.2000s'", part, text);
    }
}

static void ask(struct fixture *f, const char *target, const char *headers,
                const char *body)
{
    sandbox_child_ask(&f->child, target, headers, body, &wire);
    assert_int_equal(wire.end, WIRE_CLOSED);
}

static void each_request_gets_the_code_of_the_guide(void **state)
{
#define ORIGIN "Origin: https://shop\r\n"
    static const struct {
        const char *target, *headers, *body, *code;
    } cases[] = {
        {EVENTS, ORIGIN, "[" EVENT "]", "SUCCESS"},
        {EVENTS, ORIGIN, "  [ " EVENT " , " EVENT " ] ", "SUCCESS"},
        {EVENTS, ORIGIN, EVENT, "SUCCESS"},
        {"POST //add/events/v1.json?apiKey=K-1", ORIGIN, EVENT, "SUCCESS"},
        {"POST /add/events/v1.json?a=b&apiKey=K%2D1", ORIGIN, EVENT, "SUCCESS"},
        {"POST /add/events/v1.json",
         ORIGIN "X-Sfy-Api-Key: K-1\r\nContent-Type: text/plain\r\n", EVENT,
         "SUCCESS"},
        {"POST /add/events/v1.json", ORIGIN, EVENT, "NO_API_KEY"},
        {"POST /add/events/v1.json?apiKey=", ORIGIN, EVENT, "NO_API_KEY"},
        {"POST /add/events/v1.json?apiKey=K-2", ORIGIN, EVENT, "NO_ACCOUNT"},
        {EVENTS, "", EVENT, "NO_DOMAIN_APIKEY_MATCH"},
        {EVENTS, "Origin: https://other\r\n", EVENT, "NO_DOMAIN_APIKEY_MATCH"},
        {EVENTS, ORIGIN, "[]", "NO_EVENT"},
        {EVENTS, ORIGIN, "", "BAD_INPUT"},
        {EVENTS, ORIGIN, "[1]", "BAD_INPUT"},
        {EVENTS, ORIGIN, "[" EVENT ",]", "BAD_INPUT"},
        {EVENTS, ORIGIN, "[" EVENT "]]", "BAD_INPUT"},
        {EVENTS, ORIGIN, EVENT EVENT, "BAD_INPUT"},
        {EVENTS, ORIGIN, "[" EVENT "", "BAD_INPUT"},
        {EVENTS, ORIGIN, "[{'userId':'u','sessionId':'s'}]", "BAD_INPUT"},
        {EVENTS, ORIGIN, "[" EVENT ",{\"sessionId\":\"s\"}]", "NO_USERID"},
        {EVENTS, ORIGIN, "{\"userId\":\"\",\"sessionId\":\"s\"}", "NO_USERID"},
        {EVENTS, ORIGIN, "{\"userId\":null}", "NO_USERID"},
        {EVENTS, ORIGIN, "{\"params\":{\"userId\":\"u\"},\"sessionId\":\"s\"}",
         "NO_USERID"},
        {EVENTS, ORIGIN, "[{\"userId\":\"u\"}," EVENT "]", "NO_SESSIONID"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ask(*state, cases[i].target, cases[i].headers, cases[i].body);
        char code[64];
        (void)snprintf(code, sizeof code, "\"statusCode\":\"%s\"",
                       cases[i].code);
        assert_contains(wire.text, "HTTP/1.1 200 OK\r\n");
        if (strstr(wire_body(&wire), code) == NULL) {
            fail_msg("case %zu: %s", i, wire_body(&wire));
        }
    }
    assert_int_equal(
        sandbox_child_count(&((struct fixture *)*state)->child, "events_taken"),
        7);
}

static void a_success_has_a_list_for_each_event(void **state)
{
    ask(*state, EVENTS, ORIGIN, "[" EVENT "," EVENT "," EVENT "]");
    const char *body = wire_body(&wire);
    assert_contains(body, "\"campaigns\":[[],[],[]]");
    assert_contains(body, "\"responses\":[[],[],[]]");
    assert_contains(body, "\"search\":[[],[],[]]");
    assert_contains(body, "\"timestamp\":1");
}

static void an_error_looks_as_in_the_guide(void **state)
{
    ask(*state, EVENTS, ORIGIN, "[]");
    assert_string_equal(
        wire_body(&wire),
        "{\"timestamp\":\"\",\"responses\":[],\"statusCode\":\"NO_EVENT\"}");
}

static void other_paths_and_methods_get_their_http_status(void **state)
{
    static const struct {
        const char *target, *status;
    } cases[] = {
        {"GET /add/events/v1.json?apiKey=K-1", "400"},
        {"PUT /add/events/v1.json?apiKey=K-1", "400"},
        {"POST /get/key?count=1", "400"},
        {"GET /get/key?count=0", "400"},
        {"GET /get/key?count=1001", "400"},
        {"GET /get/key?count=two", "400"},
        {"GET /get/key/v2.json", "404"},
        {"POST /add/events/v1.jsonx?apiKey=K-1", "404"},
        {"GET /", "404"},
        {"GET /sandbox/nothing", "404"},
        {"OPTIONS /add/events/v1.json", "204"},
        {"OPTIONS /get/key", "204"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ask(*state, cases[i].target, "", "");
        char line[32];
        (void)snprintf(line, sizeof line, "HTTP/1.1 %s ", cases[i].status);
        assert_contains(wire.text, line);
        assert_contains(wire.text, "Access-Control-Allow-Headers: ");
    }
}

static void keys_are_64_bit_numbers_in_strings(void **state)
{
    static const char *const targets[] = {"GET /get/key?count=3",
                                          "GET /get/key/v1.json?count=3"};
    for (size_t i = 0; i < 2; i++) {
        ask(*state, targets[i], "", "");
        long long keys[3];
        int end = 0;
        assert_int_equal(sscanf(wire_body(&wire),
                                "[\"%lld\",\"%lld\",\"%lld\"]%n", &keys[0],
                                &keys[1], &keys[2], &end),
                         3);
        assert_int_equal(wire_body(&wire)[end], '\0');
        assert_true(keys[0] != keys[1] && keys[1] != keys[2]);
    }
    ask(*state, "GET /get/key", "", "");
    assert_null(strchr(wire_body(&wire), ','));
}

static void the_journal_has_the_bytes_before_the_answer_leaves(void **state)
{
    const struct fixture *f = *state;
    ask(*state, EVENTS, ORIGIN "Idempotency-Key: batch-1\r\n",
        "[ {\"userId\":\"\\u00fc\\n\", \"sessionId\" :\"\xC3\xBC\"},\n" EVENT
        "]");
    const char *line = last_line(f);
    assert_contains(line,
                    "\"method\":\"POST\",\"path\":\"/add/events/v1.json\"");
    assert_contains(line, "\"key_ok\":true,\"idempotency_key\":\"batch-1\"");
    assert_contains(line, "\"origin\":\"https://shop\"");
    assert_contains(line, "\"http\":200,\"code\":\"SUCCESS\",\"fault\":null");
    assert_contains(line, "\"taken\":true,\"duplicate\":false");
    assert_contains(line,
                    "\"events\":[\"{\\\"userId\\\":\\\"\\\\u00fc\\\\n\\\","
                    " \\\"sessionId\\\" :\\\"\xC3\xBC\\\"}\","
                    "\"{\\\"name\\\":\\\"PAGE_VIEW\\\"");
    assert_null(strstr(line, "K-1"));
}

static void a_repeated_idempotency_key_gets_the_same_answer(void **state)
{
    struct fixture *f = *state;
    static struct wire first;
    static const char again[] = ORIGIN "Idempotency-Key: batch-2\r\n";
    long before = sandbox_child_count(&f->child, "events_taken");
    sandbox_child_ask(&f->child, EVENTS, again, "[" EVENT "," EVENT "]",
                      &first);
    ask(f, EVENTS, again, "[" EVENT "," EVENT "]");
    assert_string_equal(wire_body(&wire), wire_body(&first));
    assert_contains(last_line(f), "\"taken\":false,\"duplicate\":true");
    assert_int_equal(sandbox_child_count(&f->child, "events_taken"),
                     before + 2);

    ask(f, EVENTS, again, EVENT);
    assert_contains(wire.text, "HTTP/1.1 422 ");
    assert_int_equal(sandbox_child_count(&f->child, "key_conflicts"), 1);
}

static void a_refused_batch_does_not_use_up_its_key(void **state)
{
    struct fixture *f = *state;
    static const char key[] = ORIGIN "Idempotency-Key: batch-3\r\n";
    sandbox_child_set_faults(&f->child, "status=503:first=1");
    ask(f, EVENTS, key, EVENT);
    assert_contains(wire.text, "HTTP/1.1 503 ");
    ask(f, EVENTS, key, EVENT);
    assert_contains(last_line(f), "\"taken\":true,\"duplicate\":false");
    sandbox_child_set_faults(&f->child, "");
}

static void several_requests_share_a_connection(void **state)
{
    struct fixture *f = *state;
    int fd = sandbox_child_connect(&f->child);
    /* A chunked one, one with its body in two pieces, and two at once. */
    wire_send(fd, HEAD ORIGIN "Transfer-Encoding: chunked\r\n\r\n"
                              "5;ext=1\r\n[{\"us\r\n");
    wire_send(fd, "21\r\nerId\":\"u\",\"sessionId\":\"chunked\"}]\r\n"
                  "0\r\nX-Trailer: x\r\n\r\n");
    wire_read_answer(fd, &wire);
    assert_contains(wire_body(&wire), "SUCCESS");
    assert_contains(last_line(f), "\\\"sessionId\\\":\\\"chunked\\\"}\"]");

    wire_send(fd, HEAD ORIGIN "Content-Length: 2\r\n\r\n[");
    wire_send(fd, "]" HEAD ORIGIN "Content-Length: 1\r\n\r\n["
                  "GET /get/key HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_read_answer(fd, &wire);
    assert_contains(wire_body(&wire), "NO_EVENT");
    wire_read_answer(fd, &wire);
    assert_contains(wire_body(&wire), "BAD_INPUT");
    wire_read_answer(fd, &wire);
    assert_contains(wire_body(&wire), "[\"");
    assert_contains(last_line(f), "\"on_connection\":4,");
    (void)close(fd);
}

static void continue_is_sent_when_it_is_waited_for(void **state)
{
    struct fixture *f = *state;
    int fd = sandbox_child_connect(&f->child);
    wire_send(fd, HEAD ORIGIN "Expect: 100-continue\r\n"
                              "Content-Length: 2\r\n\r\n");
    wire_read_answer(fd, &wire);
    assert_string_equal(wire.text, "HTTP/1.1 100 Continue\r\n\r\n");
    wire_send(fd, "[]");
    wire_read_answer(fd, &wire);
    assert_contains(wire_body(&wire), "NO_EVENT");
    (void)close(fd);
}

static void what_is_not_http_is_refused_and_closed(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *bytes, *status;
    } cases[] = {
        {"hello\r\n\r\n", "400"},
        {"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
        {"GET x HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
        {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", "505"},
        {"GET / HTTP/1.1\r\n\r\n", "400"},
        {"GET / HTTP/1.1\nHost: x\n\n", "400"},
        {"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n", "400"},
        {HEAD "Content-Length: 1\r\nContent-Length: 1\r\n\r\n[", "400"},
        {HEAD "Content-Length: +1\r\n\r\n[", "400"},
        {HEAD "Content-Length: 16777217\r\n\r\n", "413"},
        {HEAD "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
        {HEAD "Transfer-Encoding: gzip\r\n\r\n", "501"},
        {HEAD "Transfer-Encoding: chunked\r\n\r\nx\r\n", "400"},
        {HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\n[]\r\n", "400"},
        {HEAD "Transfer-Encoding: chunked\r\n\r\n1\n", "400"},
        {HEAD "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "413"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = sandbox_child_connect(&f->child);
        wire_send(fd, cases[i].bytes);
        wire_read(fd, &wire);
        (void)close(fd);
        char line[32];
        (void)snprintf(line, sizeof line, "HTTP/1.1 %s ", cases[i].status);
        if (strncmp(wire.text, line, strlen(line)) != 0) {
            fail_msg("case %zu: %.200s", i, wire.text);
        }
        assert_int_equal(wire.end, WIRE_CLOSED);
        (void)snprintf(line, sizeof line, "\"http\":%s,", cases[i].status);
        assert_contains(last_line(f), line);
    }
}

static void a_head_beyond_64_kib_is_refused(void **state)
{
    struct fixture *f = *state;
    static char head[70 * 1024];
    memset(head, 'x', sizeof head - 1);
    memcpy(head, "GET / HTTP/1.1\r\nA: ", 19);
    int fd = sandbox_child_connect(&f->child);
    wire_send(fd, head);
    wire_read(fd, &wire);
    (void)close(fd);
    assert_contains(wire.text, "HTTP/1.1 431 ");
}

static void a_request_that_breaks_off_is_logged_and_not_taken(void **state)
{
    struct fixture *f = *state;
    int fd = sandbox_child_connect(&f->child);
    wire_send(fd, HEAD ORIGIN "Content-Length: 100\r\n\r\n[" EVENT);
    (void)shutdown(fd, SHUT_WR);
    wire_read(fd, &wire);
    (void)close(fd);
    assert_int_equal(wire.len, 0);
    assert_contains(last_line(f), "\"http\":0,\"code\":null,\"fault\":null,"
                                  "\"taken\":false");
}

static void the_last_events_can_be_looked_at(void **state)
{
    struct fixture *f = *state;
    ask(f, "POST /sandbox/reset", "", "");
    assert_int_equal(sandbox_child_count(&f->child, "events_taken"), 0);
    static char many[1002 * sizeof EVENT + 2];
    size_t n = 0;
    for (int i = 0; i < 1001; i++) {
        n += (size_t)sprintf(many + n, "%c" EVENT, i > 0 ? ',' : '[');
    }
    many[n] = ']';
    ask(f, EVENTS, ORIGIN, many);
    ask(f, EVENTS, ORIGIN, "{\"userId\": \"last\",\"sessionId\":\"s\"}");
    ask(f, "GET /sandbox/events", "", "");
    assert_contains(wire_body(&wire),
                    "{\"last\":1002,\"events\":[{\"number\":3,");
    ask(f, "GET /sandbox/events?after=1001", "", "");
    assert_contains(wire_body(&wire),
                    "{\"last\":1002,\"events\":[{\"number\":1002,");
    assert_contains(wire_body(&wire),
                    "\"event\":{\"userId\": \"last\",\"sessionId\":\"s\"}}]}");
    ask(f, "GET /sandbox/events?after=x", "", "");
    assert_contains(wire.text, "HTTP/1.1 400 ");
}

static void wrong_usage_exits_2_and_says_why(void **state)
{
    (void)state;
    static const struct {
        const char *options[4], *words;
    } cases[] = {
        {{"--port", "65536"}, "--port takes a number from 0 to 65535"},
        {{"--port", "-1"}, "--port takes a number"},
        {{"--seconds", "x"}, "--seconds takes a number"},
        {{"--log"}, "--log needs a value"},
        {{"--wrong"}, "there is no option like '--wrong'"},
        {{"stray"}, "'stray' is no option"},
        {{"--fault", "nonsense"}, "there is no fault 'nonsense'"},
    };
    char words[8192];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int code = sandbox_child_run(cases[i].options, words, sizeof words);
        assert_int_equal(code, 2);
        assert_contains(words, cases[i].words);
    }
}

static void help_and_version_exit_0(void **state)
{
    (void)state;
    char words[16384];
    const char *help[] = {"--help", NULL};
    assert_int_equal(sandbox_child_run(help, words, sizeof words), 0);
    assert_contains(words, "usage: spool-sandbox");
    assert_contains(words, "\n  store-then-500 ");
    const char *version[] = {"--version", NULL};
    assert_int_equal(sandbox_child_run(version, words, sizeof words), 0);
    assert_contains(words, "spool-sandbox 0.");
}

static void what_cannot_be_set_up_exits_1(void **state)
{
    const struct fixture *f = *state;
    char port[16];
    char words[1024];
    (void)snprintf(port, sizeof port, "%u", f->child.port);
    const char *taken[] = {"--port", port, NULL};
    assert_int_equal(sandbox_child_run(taken, words, sizeof words), 1);
    assert_contains(words, "cannot listen on 127.0.0.1:");
    const char *log[] = {"--log", "/nowhere/log", NULL};
    assert_int_equal(sandbox_child_run(log, words, sizeof words), 1);
    assert_contains(words, "cannot open the log /nowhere/log");
    const char *full[] = {"--port-file", "/nowhere/port", NULL};
    assert_int_equal(sandbox_child_run(full, words, sizeof words), 1);
    assert_contains(words, "cannot write /nowhere/port");
}

static void an_answer_that_cannot_be_logged_is_not_given(void **state)
{
    (void)state;
    struct sandbox_child child;
    const char *options[] = {"--log", "/dev/full", NULL};
    sandbox_child_start(&child, options);
    sandbox_child_ask(&child, EVENTS, "", EVENT, &wire);
    assert_int_equal(wire.len, 0);
    char words[1024];
    assert_int_equal(sandbox_child_wait(&child, words, sizeof words), 1);
    assert_contains(words, "cannot write to the log /dev/full");
}

static void it_ends_by_signal_or_time_with_a_summary(void **state)
{
    (void)state;
    struct sandbox_child child;
    char words[1024];
    sandbox_child_start(&child, NULL);
    sandbox_child_ask(&child, EVENTS, "", EVENT, &wire);
    int open = sandbox_child_connect(&child);
    sandbox_child_ask(&child, EVENTS, "", EVENT, &wire);
    assert_int_equal(sandbox_child_stop(&child, words, sizeof words), 0);
    assert_contains(words, "3 connections, 2 requests, 0 struck by a fault, "
                           "2 events kept");
    (void)close(open);
    const char *second[] = {"--seconds", "1", NULL};
    assert_int_equal(sandbox_child_run(second, words, sizeof words), 0);
    assert_contains(words, "0 connections");
}

static void the_port_file_holds_the_port(void **state)
{
    (void)state;
    char path[] = "/tmp/sandbox-port-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    struct sandbox_child child;
    const char *options[] = {"--port-file", path, NULL};
    sandbox_child_start(&child, options);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char text[32];
    assert_non_null(fgets(text, sizeof text, file));
    (void)fclose(file);
    (void)unlink(path);
    assert_int_equal(strtoul(text, NULL, 10), child.port);
    assert_int_equal(sandbox_child_stop(&child, NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_gets_the_code_of_the_guide),
        cmocka_unit_test(a_success_has_a_list_for_each_event),
        cmocka_unit_test(an_error_looks_as_in_the_guide),
        cmocka_unit_test(other_paths_and_methods_get_their_http_status),
        cmocka_unit_test(keys_are_64_bit_numbers_in_strings),
        cmocka_unit_test(the_journal_has_the_bytes_before_the_answer_leaves),
        cmocka_unit_test(a_repeated_idempotency_key_gets_the_same_answer),
        cmocka_unit_test(a_refused_batch_does_not_use_up_its_key),
        cmocka_unit_test(several_requests_share_a_connection),
        cmocka_unit_test(continue_is_sent_when_it_is_waited_for),
        cmocka_unit_test(what_is_not_http_is_refused_and_closed),
        cmocka_unit_test(a_head_beyond_64_kib_is_refused),
        cmocka_unit_test(a_request_that_breaks_off_is_logged_and_not_taken),
        cmocka_unit_test(the_last_events_can_be_looked_at),
        cmocka_unit_test(wrong_usage_exits_2_and_says_why),
        cmocka_unit_test(help_and_version_exit_0),
        cmocka_unit_test(what_cannot_be_set_up_exits_1),
        cmocka_unit_test(an_answer_that_cannot_be_logged_is_not_given),
        cmocka_unit_test(it_ends_by_signal_or_time_with_a_summary),
        cmocka_unit_test(the_port_file_holds_the_port),
    };
    return cmocka_run_group_tests_name("sandbox", tests, start, stop);
}
