#include "network/hostile.h"

#define STATUS(code, class, stores)                                            \
    {                                                                          \
        .name = "status " #code, .classes = class,                             \
        .answer = "HTTP/1.1 " #code " x\r\nContent-Length: 0\r\n\r\n",         \
        .keeps = stores                                                        \
    }
#define HEADER(what, class, lines)                                             \
    {                                                                          \
        .name = "header: " what, .classes = class,                             \
        .answer = "HTTP/1.1 200 OK\r\n" lines "\r\n", .ends = ENDS_CLOSE,      \
        .keeps = true                                                          \
    }
/* Reads as no time, or as one that is over. */
#define RETRY_AFTER(value)                                                     \
    {                                                                          \
        .name = "Retry-After: " value, .classes = "R",                         \
        .answer = "HTTP/1.1 503 x\r\nRetry-After: " value                      \
                  "\r\nContent-Length: 0\r\n\r\n"                              \
    }
#define BODY(what, class, text)                                                \
    {                                                                          \
        .name = "body: " what, .classes = class,                               \
        .answer = "HTTP/1.1 200 OK\r\n" text, .ends = ENDS_CLOSE,              \
        .keeps = true                                                          \
    }
#define REDIRECT(what, code, to)                                               \
    {                                                                          \
        .name = "redirect: " what, .classes = "H",                             \
        .answer = "HTTP/1.1 " #code " x\r\nLocation: " to                      \
                  "\r\nContent-Length: 0\r\n\r\n"                              \
    }
/* Only the first message of a connection, or none at all, gets through. */
#define TLS(what, class, peer)                                                 \
    {                                                                          \
        .name = "TLS: " what, .classes = class, .tls = peer,                   \
        .unsaid = "Send failure"                                               \
    }
#define NAME(what, ...)                                                        \
    {                                                                          \
        .name = what, .classes = "R", .needs_realm = true, __VA_ARGS__         \
    }
#define A_DAY(value)                                                           \
    {                                                                          \
        .name = "Retry-After: " value, .classes = "R",                         \
        .answer = "HTTP/1.1 503 x\r\nRetry-After: " value                      \
                  "\r\nContent-Length: 0\r\n\r\n",                             \
        .asks_for_a_day = true                                                 \
    }
/* More than a send and a receive buffer of realm.h hold; and so much that
 * libcurl asks with "Expect" first, unless it is told not to. */
#define BIG         ((size_t)200 * 1024)
#define HUGE_BODY   ((size_t)1100 * 1024)
#define GZIP_START  "\xaa\x18\x05"
#define GZIP_COPIES "\xa3\x60\x14\x8c\x82\x51\x30\x0a\x46\xc1\x28\x18\x05"
#define OK200       "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

/* A request whose body was not read may have been sent or not: R or U. Where a
 * kept connection is dead before any of the body has left, libcurl may take a
 * fresh one, and nothing can have been processed twice: D. */
const struct behaviour behaviours[] = {
    /* connect */
    {.name = "refused", .classes = "R", .door = DOOR_CLOSED},
    {.name = "backlog full", .classes = "R", .door = DOOR_FULL},
    NAME("packets vanish", .host = "10.255.255.1", .least_ms = 100),
    {.name = "reset on accept",
     .classes = "DRU",
     .reads = READS_NOTHING,
     .ends = ENDS_RESET},
    {.name = "close on accept",
     .classes = "DRU",
     .reads = READS_NOTHING,
     .ends = ENDS_CLOSE},
    {.name = "silence on accept",
     .classes = "RU",
     .reads = READS_NOTHING,
     .ends = ENDS_STALL},
    NAME("no such name", .host = "none.test"),
    NAME("SERVFAIL", .host = "fail.test"),
    NAME("a name server that never answers", .host = "mute.test",
         .least_ms = 100),
    NAME("a name where packets vanish", .host = "dead.test", .least_ms = 100),
    {.name = "IPv6 dead and IPv4 good",
     .classes = "D",
     .host = "dual.test",
     .needs_realm = true,
     .needs_ipv6 = true,
     .needs_patience = true,
     .least_ms = 150,
     .answer = OK200,
     .keeps = true},
    /* TLS */
    TLS("wrong name", "H", TLS_WRONG_NAME),
    TLS("expired", "H", TLS_EXPIRED),
    TLS("not yet valid", "H", TLS_NOT_YET),
    TLS("self-signed", "H", TLS_SELF_SIGNED),
    TLS("unknown CA", "H", TLS_OTHER_AUTHORITY),
    {.name = "TLS: CA changed",
     .classes = "H",
     .tls = TLS_OTHER_AUTHORITY,
     .renews_trust = true},
    TLS("1.0 only", "H", TLS_OLD),
    {.name = "TLS: handshake stalls",
     .classes = "R",
     .tls = TLS_STALLS,
     .least_ms = 100},
    {.name = "TLS: abrupt close",
     .classes = "U",
     .tls = TLS_ABRUPT,
     .answer = "HTTP/1.1 200 OK\r\n\r\n{\"responses\":[",
     .ends = ENDS_CLOSE,
     .keeps = true},
    {.name = "TLS: abrupt close behind the answer",
     .classes = "D",
     .tls = TLS_ABRUPT,
     .answer = OK200,
     .ends = ENDS_CLOSE,
     .keeps = true},
    TLS("1.2 asks for a certificate", "H", TLS_ASKS_EARLY),
    /* TLS 1.3 has the body sent before it refuses. */
    TLS("asks for a certificate", "H", TLS_ASKS),
    {.name = "TLS: asks for a certificate and hangs up",
     .classes = "HRU",
     .tls = TLS_ASKS_ABRUPTLY},
    /* Its own failure, which is no word about us: nothing read it, but who can
     * tell? */
    {.name = "TLS: fails in place of an answer",
     .classes = "RU",
     .tls = TLS_FAILS},
    /* request */
    {.name = "close after the header",
     .classes = "DRU",
     .reads = READS_HEADER,
     .ends = ENDS_CLOSE},
    {.name = "close after half the body",
     .classes = "U",
     .reads = READS_HALF,
     .ends = ENDS_CLOSE},
    {.name = "close after all",
     .classes = "U",
     .ends = ENDS_CLOSE,
     .keeps = true},
    {.name = "reset after the header",
     .classes = "DRU",
     .reads = READS_HEADER,
     .ends = ENDS_RESET},
    {.name = "reset after half the body",
     .classes = "U",
     .reads = READS_HALF,
     .ends = ENDS_RESET},
    {.name = "reset after all",
     .classes = "U",
     .ends = ENDS_RESET,
     .keeps = true},
    {.name = "stops reading",
     .classes = "U",
     .reads = READS_HALF,
     .ends = ENDS_STALL},
    {.name = "the window shuts",
     .classes = "U",
     .reads = READS_HEADER,
     .ends = ENDS_SHUT,
     .bytes = BIG,
     .needs_realm = true,
     .least_ms = 150},
    {.name = "ignores Expect",
     .classes = "D",
     .answer = OK200,
     .keeps = true,
     .bytes = HUGE_BODY},
    STATUS(417, "H", false),
    {.name = "answers before the body and closes",
     .classes = "DRU",
     .answer = "HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n",
     .reads = READS_HEADER,
     .ends = ENDS_CLOSE},
    /* status */
    STATUS(200, "D", true),
    STATUS(201, "D", true),
    STATUS(202, "D", true),
    STATUS(204, "D", true),
    STATUS(205, "D", true),
    STATUS(207, "D", true),
    STATUS(301, "H", false),
    STATUS(302, "H", false),
    STATUS(303, "H", false),
    STATUS(307, "H", false),
    STATUS(308, "H", false),
    STATUS(400, "X", false),
    STATUS(401, "H", false),
    STATUS(404, "H", false),
    STATUS(408, "R", false),
    STATUS(413, "X", false),
    STATUS(422, "X", false),
    STATUS(425, "R", false),
    STATUS(429, "R", false),
    STATUS(500, "R", false),
    STATUS(502, "R", false),
    STATUS(503, "R", false),
    STATUS(504, "R", false),
    STATUS(999, "H", false),
    {.name = "a second answer nobody asked for",
     .classes = "D",
     .answer = OK200 "HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n",
     .keeps = true},
    /* header */
    HEADER("none", "D", ""),
    {.name = "header: 10 MB in one line",
     .classes = "U",
     .answer = "HTTP/1.1 200 OK\r\nX: ",
     .endless =
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
     .ends = ENDS_CLOSE,
     .keeps = true},
    {.name = "header: endless lines",
     .classes = "U",
     .answer = "HTTP/1.1 200 OK\r\n",
     .endless = "X: y\r\n",
     .ends = ENDS_CLOSE,
     .keeps = true},
    HEADER("folded", "D", "X: a\r\n b\r\nContent-Length: 0\r\n"),
    HEADER("NUL", "DU",
           "X: a\x01"
           "b\r\nContent-Length: 0\r\n"),
    HEADER("two lengths", "DU", "Content-Length: 0\r\nContent-Length: 7\r\n"),
    {.name = "header: length and chunks",
     .classes = "DU",
     .answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
               "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     .ends = ENDS_CLOSE,
     .keeps = true},
    RETRY_AFTER("0"),
    RETRY_AFTER("-90"),
    RETRY_AFTER("+30"),
    RETRY_AFTER("3.5"),
    RETRY_AFTER("1e9"),
    RETRY_AFTER("120, 240"),
    RETRY_AFTER("Sun, 06 Nov 1994 08:49:37 GMT"),
    RETRY_AFTER(""),
    RETRY_AFTER("soon"),
    A_DAY("86400"),
    A_DAY("86401"),
    A_DAY("99999999999999999999"),
    A_DAY("Fri, 31 Dec 9999 23:59:59 GMT"),
    /* body */
    BODY("cut", "U", "Content-Length: 90\r\n\r\n{}"),
    {.name = "body: endless",
     .classes = "U",
     .answer = "HTTP/1.1 200 OK\r\n\r\n",
     .endless = "[1,2,3,4,5,6,7,8,9,0],[1,2,3,4,5,6,7,8,9,0],",
     .ends = ENDS_CLOSE,
     .keeps = true},
    /* A header, a block that begins with an x, and copies of it without end:
     * 13 bytes for each 2064. The 1 stands for the flags' NUL. */
    {.name = "body: gzip bomb",
     .classes = "U",
     .answer = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
               "\x1f\x8b\x08\x01time\x02\x03" GZIP_START,
     .endless = GZIP_COPIES,
     .ends = ENDS_CLOSE,
     .keeps = true},
    BODY("chunk of too many bytes", "U",
         "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\n{}"),
    {.name = "body: chunk without end",
     .classes = "U",
     .answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}",
     .ends = ENDS_STALL,
     .keeps = true},
    BODY("longer than its length", "D", "Content-Length: 2\r\n\r\n{}{}{}"),
    {.name = "body: in a 204",
     .classes = "D",
     .answer = "HTTP/1.1 204 x\r\n\r\n{}",
     .ends = ENDS_CLOSE,
     .keeps = true},
    BODY("no JSON", "U", "Content-Length: 5\r\n\r\n{\"a\":"),
    {.name = "body: deep JSON",
     .classes = "U",
     .answer = "HTTP/1.1 200 OK\r\n\r\n",
     .endless = "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
     .ends = ENDS_CLOSE,
     .keeps = true},
    {.name = "body: a web page",
     .classes = "H",
     .answer = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
               "Content-Length: 6\r\n\r\n<html>"},
    /* time */
    {.name = "a byte at a time",
     .classes = "U",
     .answer = OK200,
     .drip_ms = 20,
     .ends = ENDS_CLOSE,
     .keeps = true},
    {.name = "just before the deadline",
     .classes = "DU",
     .answer = OK200,
     .delay_ms = 120,
     .keeps = true},
    {.name = "just after the deadline",
     .classes = "U",
     .answer = OK200,
     .delay_ms = 165,
     .ends = ENDS_CLOSE,
     .keeps = true},
    {.name = "100 Continue never",
     .classes = "U",
     .ends = ENDS_STALL,
     .bytes = HUGE_BODY},
    {.name = "endless 1xx",
     .classes = "U",
     .endless = "HTTP/1.1 102 Processing\r\n\r\n",
     .drip_ms = 1,
     .ends = ENDS_CLOSE,
     .keeps = true},
    {.name = "answers long after the client gave up",
     .classes = "U",
     .answer = OK200,
     .delay_ms = 300,
     .ends = ENDS_CLOSE,
     .keeps = true},
    {.name = "server restarts within the batch",
     .classes = "U",
     .reads = READS_HALF,
     .ends = ENDS_RESTART},
    {.name = "server restarts behind the batch",
     .classes = "U",
     .ends = ENDS_RESTART,
     .keeps = true},
    /* redirect */
    REDIRECT("same host", 307, "/elsewhere"),
    REDIRECT("other host", 307, "http://127.0.0.1:%d/x"),
    REDIRECT("to http", 301, "http://localhost:%d/"),
    {.name = "redirect: from https to http",
     .classes = "H",
     .tls = TLS_GOOD,
     .answer = "HTTP/1.1 301 x\r\nLocation: http://127.0.0.1:%d/"
               "\r\nContent-Length: 0\r\n\r\n"},
    REDIRECT("loop", 302, "/"),
    REDIRECT("file", 308, "file:///etc/passwd"),
    /* semantics */
    {.name = "stores, then fails",
     .classes = "R",
     .answer = "HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n",
     .keeps = true},
    {.name = "fails twice, then stores",
     .classes = "R",
     .answer = "HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n",
     .times = 2},
    {.name = "stores twice without an answer",
     .classes = "U",
     .ends = ENDS_CLOSE,
     .times = 2,
     .keeps = true},
    {.name = "knows what it has by its key",
     .classes = "U",
     .ends = ENDS_CLOSE,
     .times = 3,
     .dedupes = true},
    {.name = "answers in another order",
     .classes = "D",
     .answer = "HTTP/1.1 200 OK\r\nContent-Length: 39\r\n\r\n"
               "{\"responses\":[],\"statusCode\":\"SUCCESS\"}",
     .ends = ENDS_CLOSE,
     .keeps = true},
};

const size_t behaviour_count = sizeof behaviours / sizeof behaviours[0];
