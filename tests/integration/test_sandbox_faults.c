/* Each fault of spool-sandbox, byte by byte, and when it strikes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "integration/sandbox_child.h"

#define EVENT  "{\"name\":\"PAGE_VIEW\",\"userId\":\"u\",\"sessionId\":\"s\"}"
#define EVENTS "POST /add/events/v1.json?apiKey=K"

static struct wire wire;

static int start(void **state)
{
    static struct sandbox_child child;
    sandbox_child_start(&child, NULL);
    *state = &child;
    return 0;
}

static int stop(void **state)
{
    return sandbox_child_stop(*state, NULL, 0);
}

/* Nothing set, nothing counted. */
static void reset(const struct sandbox_child *c, const char *specs)
{
    sandbox_child_ask(c, "POST /sandbox/reset", "", "", &wire);
    sandbox_child_set_faults(c, specs);
}

/* The body that came against the Content-Length that was said. */
enum length { NO_LENGTH, EXACT, LESS, MORE };

static enum length length_of(const struct wire *w)
{
    const char *length = strstr(w->text, "Content-Length: ");
    if (length == NULL) {
        return NO_LENGTH;
    }
    size_t said = strtoul(length + 16, NULL, 10);
    const char *body = wire_body(w);
    size_t got = body[0] != '\0' ? w->len - (size_t)(body - w->text) : 0;
    return got == said ? EXACT : got < said ? LESS : MORE;
}

#define OK "HTTP/1.1 200 OK\r\n"

static const struct {
    const char *spec;
    const char *begins; /* the bytes that come back; "" for none at all */
    const char *has;    /* somewhere in them; NULL: no matter */
    enum length length;
    enum wire_end end;
    int kept; /* events, of the one that was sent */
} answers[] = {
    {"", OK, "SUCCESS", EXACT, WIRE_CLOSED, 1},
    {"status=503", "HTTP/1.1 503 Service Unavailable\r\n", NULL, EXACT,
     WIRE_CLOSED, 0},
    {"status=999", "HTTP/1.1 999 ", NULL, EXACT, WIRE_CLOSED, 0},
    {"status=202", "HTTP/1.1 202 Accepted\r\n", "\"responses\":[[]]", EXACT,
     WIRE_CLOSED, 1},
    {"status=204", "HTTP/1.1 204 No Content\r\n", NULL, NO_LENGTH, WIRE_CLOSED,
     1},
    {"status=401\nkeep", "HTTP/1.1 401 ", NULL, EXACT, WIRE_CLOSED, 1},
    {"forget", OK, "SUCCESS", EXACT, WIRE_CLOSED, 0},
    {"retry-after=7", "HTTP/1.1 429 Too Many", "\r\nRetry-After: 7\r\n", EXACT,
     WIRE_CLOSED, 0},
    {"status=503\nretry-after=Wed, 21 Oct 2099 07:28:00 GMT:first=1",
     "HTTP/1.1 503 ", "\r\nRetry-After: Wed, 21 Oct 2099 07:28:00 GMT\r\n",
     EXACT, WIRE_CLOSED, 0},
    {"code=UNVERIFIED_ACCOUNT", OK, "\"statusCode\":\"UNVERIFIED_ACCOUNT\"",
     EXACT, WIRE_CLOSED, 0},
    {"bad-input-if=\"userId\":\"u\"", OK, "\"statusCode\":\"BAD_INPUT\"", EXACT,
     WIRE_CLOSED, 0},
    {"bad-input-if=nowhere", OK, "SUCCESS", EXACT, WIRE_CLOSED, 1},
    {"refuse-all", "HTTP/1.1 400 Bad Request\r\n", NULL, EXACT, WIRE_CLOSED, 0},
    {"store-then-500", "HTTP/1.1 500 ", NULL, EXACT, WIRE_CLOSED, 1},
    {"html", OK, "Content-Type: text/html", EXACT, WIRE_CLOSED, 0},
    {"redirect=http://127.0.0.1:9/x?y=1", "HTTP/1.1 302 Found\r\n",
     "\r\nLocation: http://127.0.0.1:9/x?y=1\r\n", EXACT, WIRE_CLOSED, 0},
    {"redirect=file:///etc/passwd\nstatus=307", "HTTP/1.1 307 ",
     "\r\nLocation: file:///etc/passwd\r\n", EXACT, WIRE_CLOSED, 0},
    {"empty", OK, "\r\nContent-Length: 0\r\n", EXACT, WIRE_CLOSED, 1},
    {"garbage", "SSH-2.0-", NULL, NO_LENGTH, WIRE_CLOSED, 0},
    {"drop-after", "", NULL, NO_LENGTH, WIRE_CLOSED, 0},
    {"close-after", "", NULL, NO_LENGTH, WIRE_CLOSED, 1},
    {"reset-after", "", NULL, NO_LENGTH, WIRE_RESET, 1},
    {"cut", OK, "{\"statusCode\":\"SUCC", LESS, WIRE_CLOSED, 1},
    {"cut-head", OK, NULL, NO_LENGTH, WIRE_CLOSED, 1},
    {"no-length", OK, "\"search\":[[]]}", NO_LENGTH, WIRE_CLOSED, 1},
    {"short-length", OK, "\"search\":[[]]}", MORE, WIRE_CLOSED, 1},
    {"two-lengths", OK, "\"search\":[[]]}", MORE, WIRE_CLOSED, 1},
    {"length-and-chunked", OK, "Transfer-Encoding: chunked\r\n\r\n", MORE,
     WIRE_CLOSED, 1},
    {"bad-chunk", OK, "\r\n\r\n100000000000000", NO_LENGTH, WIRE_CLOSED, 1},
    {"open-chunk", OK, "\"search\":[[]]}\r\n", NO_LENGTH, WIRE_CLOSED, 1},
    {"folded", OK, "X-Folded: one line\r\n and another\r\n", EXACT, WIRE_CLOSED,
     1},
    {"body-204", "HTTP/1.1 204 No Content\r\n", "\"search\":[[]]}", EXACT,
     WIRE_CLOSED, 1},
    {"twice", OK, "\"search\":[[]]}HTTP/1.1 200 OK\r\n", MORE, WIRE_CLOSED, 1},
    {"gzip", OK, "Content-Encoding: gzip\r\n", NO_LENGTH, WIRE_CLOSED, 1},
    {"bad-json", OK, "{\"statusCode\":\"SUCCESS\"", EXACT, WIRE_CLOSED, 1},
    {"deep-json", OK, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", EXACT,
     WIRE_CLOSED, 1},
    {"huge", OK, "Content-Length: 83887", LESS, WIRE_OPEN, 1},
    {"huge=1", OK, "Content-Length: 1048687\r\n", LESS, WIRE_OPEN, 1},
    {"endless-body", OK, "\r\n40\r\n    ", NO_LENGTH, WIRE_OPEN, 1},
    {"endless-headers", OK, "\r\nX-And-Another: ", NO_LENGTH, WIRE_OPEN, 1},
    {"endless-1xx", "HTTP/1.1 103 Early Hints\r\n",
     "\r\n\r\nHTTP/1.1 103 Early Hints\r\n", NO_LENGTH, WIRE_OPEN, 1},
    {"drip=1000000", OK, "\"search\":[[]]}", EXACT, WIRE_CLOSED, 1},
    {"no-code", OK, "\r\n\r\n{\"timestamp\":", EXACT, WIRE_CLOSED, 1},
    {"no-campaigns\nno-code", OK, "\r\n\r\n{\"timestamp\":", EXACT, WIRE_CLOSED,
     1},
    {"few-lists", OK, "\"responses\":[],", EXACT, WIRE_CLOSED, 1},
    {"recommend", OK, "\"instanceId\":\"scn_", EXACT, WIRE_CLOSED, 1},
    {"many-headers=2000", OK, "\r\nX-Extra-2000: extra\r\n", EXACT, WIRE_CLOSED,
     1},
    {"long-header=200000", OK, "\r\nX-Long: xxxx", EXACT, WIRE_CLOSED, 1},
    {"close-kept", OK, "SUCCESS", EXACT, WIRE_CLOSED, 1},
    {"close-before", "", NULL, NO_LENGTH, WIRE_CLOSED, 0},
    {"reset-before", "", NULL, NO_LENGTH, WIRE_RESET, 0},
    {"close-half", "", NULL, NO_LENGTH, WIRE_CLOSED, 0},
    {"reset-half", "", NULL, NO_LENGTH, WIRE_RESET, 0},
    {"early=417", "HTTP/1.1 417 ", NULL, EXACT, WIRE_CLOSED, 0},
};

/* A close while some bytes of the client are unread may reach it as a reset:
 * that is the kernel's doing. */
static bool may_reset(const char *spec)
{
    return strcmp(spec, "close-before") == 0 || strcmp(spec, "close-half") == 0;
}

static void check_bytes(size_t i)
{
    const char *begins = answers[i].begins;
    bool good = begins[0] == '\0'
                    ? wire.len == 0
                    : strncmp(wire.text, begins, strlen(begins)) == 0;
    if (!good ||
        (answers[i].has != NULL && strstr(wire.text, answers[i].has) == NULL)) {
        fail_msg("%s: %.1000s", answers[i].spec, wire.text);
    }
    bool is_binary = strcmp(answers[i].spec, "gzip") == 0;
    if (!is_binary && length_of(&wire) != answers[i].length) {
        fail_msg("%s: wrong length: %.1000s", answers[i].spec, wire.text);
    }
}

static void each_fault_does_what_it_says(void **state)
{
    struct sandbox_child *c = *state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const char *spec = answers[i].spec;
        reset(c, spec);
        sandbox_child_ask(c, EVENTS, "", "[" EVENT "]", &wire);
        check_bytes(i);
        if (wire.end != answers[i].end && !may_reset(spec)) {
            fail_msg("%s: ended in way %d", spec, (int)wire.end);
        }
        if (sandbox_child_count(c, "events_taken") != answers[i].kept) {
            fail_msg("%s: kept the wrong number of events", spec);
        }
        bool is_well =
            spec[0] == '\0' || strcmp(spec, "bad-input-if=nowhere") == 0;
        assert_int_equal(sandbox_child_count(c, "struck"), is_well ? 0 : 1);
    }
}

static void nul_header_has_a_nul(void **state)
{
    reset(*state, "nul-header");
    sandbox_child_ask(*state, EVENTS, "", EVENT, &wire);
    const char *at = strstr(wire.text, "X-Nul: a");
    assert_non_null(at);
    assert_memory_equal(at, "X-Nul: a\0b\r\n", 12);
}

static void no_campaigns_leaves_no_lists(void **state)
{
    reset(*state, "no-campaigns");
    sandbox_child_ask(*state, EVENTS, "", EVENT, &wire);
    assert_null(strchr(wire_body(&wire), '['));
}

static void connections_can_be_turned_away(void **state)
{
    struct sandbox_child *c = *state;
    static const struct {
        const char *spec;
        enum wire_end end;
    } cases[] = {{"close-accept:first=1", WIRE_CLOSED},
                 {"reset-accept:first=1", WIRE_RESET}};
    for (size_t i = 0; i < 2; i++) {
        reset(c, cases[i].spec);
        int fd = sandbox_child_connect(c);
        wire_read(fd, &wire);
        (void)close(fd);
        assert_int_equal(wire.end, cases[i].end);
        assert_int_equal(wire.len, 0);
    }
    reset(c, "");
}

/* Sends a request and waits until the sandbox has dealt with it. */
static int send_and_wait(struct sandbox_child *c, const char *spec)
{
    reset(c, spec);
    int fd = sandbox_child_connect(c);
    wire_send(fd, EVENTS " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                         "Expect: 100-continue\r\n\r\n");
    wire_send(fd, "[]");
    while (sandbox_child_count(c, "struck") == 0) {
    }
    return fd;
}

static void silence_is_kept(void **state)
{
    static const char *const specs[] = {"hang", "stall", "slow=100000",
                                        "no-continue:after=9\nhang"};
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        int fd = send_and_wait(*state, specs[i]);
        char byte[64];
        ssize_t n = recv(fd, byte, sizeof byte, MSG_DONTWAIT);
        /* The request asked for 100 Continue before it sent its body. */
        if (n > 0) {
            assert_memory_equal(byte, "HTTP/1.1 100", 12);
            n = recv(fd, byte, sizeof byte, MSG_DONTWAIT);
        }
        assert_int_equal(n, -1);
        assert_true(errno == EAGAIN || errno == EWOULDBLOCK);
        (void)close(fd);
    }
}

static void no_continue_waits_for_the_body(void **state)
{
    struct sandbox_child *c = *state;
    reset(c, "no-continue");
    int fd = sandbox_child_connect(c);
    wire_send(fd, EVENTS " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                         "Expect: 100-continue\r\n\r\n");
    wire_send(fd, "[]");
    wire_read_answer(fd, &wire);
    (void)close(fd);
    assert_int_equal(strncmp(wire.text, OK, strlen(OK)), 0);
}

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void slow_and_drip_take_their_time(void **state)
{
    static const struct {
        const char *spec;
        double least;
    } cases[] = {{"slow=150", 0.14}, {"drip=2000", 0.15}};
    for (size_t i = 0; i < 2; i++) {
        reset(*state, cases[i].spec);
        double from = now();
        sandbox_child_ask(*state, EVENTS, "", EVENT, &wire);
        assert_true(now() - from >= cases[i].least);
        assert_non_null(strstr(wire.text, "\"search\":[[]]}"));
    }
}

static void ask_kept(int fd)
{
    wire_send(fd, EVENTS " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]");
    wire_read_answer(fd, &wire);
}

static void close_idle_strikes_the_second_request(void **state)
{
    struct sandbox_child *c = *state;
    reset(c, "close-idle");
    int fd = sandbox_child_connect(c);
    ask_kept(fd);
    assert_non_null(strstr(wire_body(&wire), "NO_EVENT"));
    ask_kept(fd);
    (void)close(fd);
    assert_int_equal(wire.len, 0);
    assert_int_not_equal(wire.end, WIRE_OPEN);
}

static void close_kept_promises_what_it_does_not_hold(void **state)
{
    struct sandbox_child *c = *state;
    reset(c, "close-kept");
    int fd = sandbox_child_connect(c);
    ask_kept(fd);
    assert_null(strstr(wire.text, "Connection: close"));
    wire_read(fd, &wire);
    (void)close(fd);
    assert_int_equal(wire.end, WIRE_CLOSED);
    assert_int_equal(wire.len, 0);
}

/* Sends n requests and notes for each whether it got a 503. */
static void strikes(struct sandbox_child *c, const char *spec,
                    const char *const *bodies, size_t n, char *out)
{
    reset(c, spec);
    for (size_t i = 0; i < n; i++) {
        sandbox_child_ask(c, EVENTS, "", bodies != NULL ? bodies[i] : EVENT,
                          &wire);
        out[i] = strncmp(wire.text, "HTTP/1.1 503", 12) == 0 ? 'x' : '.';
    }
    out[n] = '\0';
}

static void conditions_say_which_requests_are_struck(void **state)
{
    static const struct {
        const char *spec, *struck;
    } cases[] = {
        {"status=503", "xxxxxxxx"},
        {"status=503:every=3", "..x..x.."},
        {"status=503:first=2", "xx......"},
        {"status=503:after=5", ".....xxx"},
        {"status=503:after=2:first=4", "..xx...."},
        {"status=503:after=2:every=2", "...x.x.x"},
        {"status=503:rate=0", "........"},
        {"status=503:rate=100", "xxxxxxxx"},
        {"status=503:rate=100:if=nowhere", "........"},
        {"slow=1\nstatus=503:first=1\nstatus=200:first=3\nstatus=503",
         "x..xxxxx"},
    };
    char struck[16];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        strikes(*state, cases[i].spec, NULL, 8, struck);
        assert_string_equal(struck, cases[i].struck);
    }
}

static void if_counts_only_what_contains_the_text(void **state)
{
    static const char *const bodies[] = {"[1]", "[7]", "[1]", "[7]", "[7]"};
    char struck[16];
    strikes(*state, "status=503:if=7:first=2", bodies, 5, struck);
    assert_string_equal(struck, ".x.x.");
}

static void rate_can_be_repeated_and_seeds_differ(void **state)
{
    char one[64];
    char same[64];
    char other[64];
    strikes(*state, "status=503:rate=50:seed=7", NULL, 40, one);
    strikes(*state, "slow=1\nstatus=503:seed=7:rate=50", NULL, 40, same);
    strikes(*state, "status=503:rate=50:seed=8", NULL, 40, other);
    assert_string_equal(one, same);
    assert_string_not_equal(one, other);
    int n = 0;
    for (const char *p = one; *p != '\0'; p++) {
        n += *p == 'x';
    }
    assert_in_range(n, 10, 30);
}

static void a_wrong_spec_is_refused_and_changes_nothing(void **state)
{
    struct sandbox_child *c = *state;
    static const struct {
        const char *spec, *words;
    } cases[] = {
        {"nothing", "there is no fault 'nothing'"},
        {"status", "status takes a number from 200 to 999"},
        {"status=199", "status takes a number from 200 to 999"},
        {"status=x", "status takes a number from 200 to 999"},
        {"status=503:every=0",
         "a condition takes a number of 1 or more, not '0'"},
        {"status=503:evry=2", "':evry=2' is no condition"},
        {"status=503:rate=101", "rate= takes a percentage"},
        {"status=503:if=", "if= takes the text to look for"},
        {"hang=1", "hang takes no value"},
        {"code=", "code needs a text"},
        {"code=A\tB", "code cannot hold a control byte"},
        {"close-before:if=x", "it strikes before the body is read"},
        {"huge=257", "huge takes a number from 1 to 256"},
        {"slow=100\nslow=fast", "slow takes a number"},
    };
    reset(c, "code=STAYS");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sandbox_child_ask(c, "POST /sandbox/faults", "", cases[i].spec, &wire);
        if (strncmp(wire.text, "HTTP/1.1 400 ", 13) != 0 ||
            strstr(wire.text, cases[i].words) == NULL) {
            fail_msg("%s: %s", cases[i].spec, wire_body(&wire));
        }
    }
    sandbox_child_ask(c, EVENTS, "", EVENT, &wire);
    assert_non_null(strstr(wire_body(&wire), "STAYS"));
}

static void comments_and_empty_lines_are_passed_over(void **state)
{
    reset(*state, "\n# a comment\n\r\ncode=X  \r\n\n");
    sandbox_child_ask(*state, "GET /sandbox/stats", "", "", &wire);
    assert_non_null(strstr(wire.text, "\"faults\":[{\"spec\":\"code=X\","
                                      "\"seen\":0,\"struck\":0}]"));
}

static void faults_leave_the_control_paths_alone(void **state)
{
    struct sandbox_child *c = *state;
    reset(c, "refuse-all\nclose-before:after=1\nhang");
    assert_int_equal(sandbox_child_count(c, "struck"), 0);
    reset(c, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_does_what_it_says),
        cmocka_unit_test(nul_header_has_a_nul),
        cmocka_unit_test(no_campaigns_leaves_no_lists),
        cmocka_unit_test(connections_can_be_turned_away),
        cmocka_unit_test(silence_is_kept),
        cmocka_unit_test(no_continue_waits_for_the_body),
        cmocka_unit_test(slow_and_drip_take_their_time),
        cmocka_unit_test(close_idle_strikes_the_second_request),
        cmocka_unit_test(close_kept_promises_what_it_does_not_hold),
        cmocka_unit_test(conditions_say_which_requests_are_struck),
        cmocka_unit_test(if_counts_only_what_contains_the_text),
        cmocka_unit_test(rate_can_be_repeated_and_seeds_differ),
        cmocka_unit_test(a_wrong_spec_is_refused_and_changes_nothing),
        cmocka_unit_test(comments_and_empty_lines_are_passed_over),
        cmocka_unit_test(faults_leave_the_control_paths_alone),
    };
    return cmocka_run_group_tests_name("sandbox_faults", tests, start, stop);
}
