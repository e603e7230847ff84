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
#define SKIP(what, why)                                                        \
    {                                                                          \
        .name = what, .skip = why                                              \
    }
#define NO_NAMES "the loopback has no name server to misbehave"
#define NO_TLS   "this endpoint speaks no TLS; unit/http_tls does"
#define LATER    "it waits for a day; network/retry_after does"
#define OK200    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

/* A request whose body was not read may have been sent or not: R or U. Where a
 * kept connection is dead before any of the body has left, libcurl may take a
 * fresh one, and nothing can have been processed twice: D. */
const struct behaviour behaviours[] = {
    /* connect */
    {.name = "refused", .classes = "R", .door = DOOR_CLOSED},
    {.name = "backlog full", .classes = "R", .door = DOOR_FULL},
    SKIP("packets vanish", "needs a packet filter; a full backlog is the same"),
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
    SKIP("no such name", NO_NAMES),
    SKIP("SERVFAIL", NO_NAMES),
    SKIP("a name server that takes 30 s", NO_NAMES),
    SKIP("IPv6 dead and IPv4 good", NO_NAMES),
    /* TLS */
    SKIP("TLS: wrong name", NO_TLS),
    SKIP("TLS: expired", NO_TLS),
    SKIP("TLS: not yet valid", NO_TLS),
    SKIP("TLS: self-signed", NO_TLS),
    SKIP("TLS: unknown CA", NO_TLS),
    SKIP("TLS: CA changed", NO_TLS),
    SKIP("TLS: 1.0 only", NO_TLS),
    SKIP("TLS: handshake stalls", NO_TLS),
    SKIP("TLS: abrupt close", NO_TLS),
    SKIP("TLS: asks for a certificate", NO_TLS),
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
    {.name = "ignores Expect", .classes = "D", .answer = OK200, .keeps = true},
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
    SKIP("Retry-After: 99999999999999999999", LATER),
    SKIP("Retry-After: Fri, 31 Dec 9999 23:59:59 GMT", LATER),
    /* body */
    BODY("cut", "U", "Content-Length: 90\r\n\r\n{}"),
    {.name = "body: endless",
     .classes = "U",
     .answer = "HTTP/1.1 200 OK\r\n\r\n",
     .endless = "[1,2,3,4,5,6,7,8,9,0],[1,2,3,4,5,6,7,8,9,0],",
     .ends = ENDS_CLOSE,
     .keeps = true},
    {.name = "body: says gzip, endless",
     .classes = "U",
     .answer = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08",
     .endless = "\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05",
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
    {.name = "100 Continue never", .classes = "U", .ends = ENDS_STALL},
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
