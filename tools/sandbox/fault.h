/* The faults the sandbox can be told to have: their table, the little language
 * they are written in, and the question which of them are due.
 *
 *     NAME[=VALUE][:WHEN...]      status=503:first=3    hang:if=ORDER-7
 *
 * A WHEN counts the requests a fault could have struck, from 1, since the
 * fault was set; with if=TEXT only those that contain the text. Every WHEN
 * must hold. rate=P is drawn from seed=S and that count alone, so that a run
 * can be repeated and faults with the same seed strike together. */
#ifndef SANDBOX_FAULT_H
#define SANDBOX_FAULT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "spool/error.h"
#include "text.h"

/* When a fault is decided on. */
enum fault_stage {
    STAGE_CONNECT, /* a connection was accepted */
    STAGE_HEAD,    /* the head is there, the body is not read */
    STAGE_ANSWER,  /* the request is there; the fault says what the answer is */
    STAGE_MANNER   /* as STAGE_ANSWER; the fault changes how it is given, and
                      goes together with any other */
};

enum fault_value { VALUE_NONE, VALUE_NUMBER, VALUE_OPTIONAL, VALUE_TEXT };

/* X(id, name, stage, value, least, most, keeps, help) in the order of --help.
 * keeps: whether the events of a good batch are processed all the same. */
#define FAULT_MAP(X)                                                           \
    X(STATUS, "status", STAGE_ANSWER, VALUE_NUMBER, 200, 999, false,           \
      "=N answers HTTP N; keeps the events only when N is 2xx")                \
    X(CODE, "code", STAGE_ANSWER, VALUE_TEXT, 0, 0, false,                     \
      "=CODE answers 200 with this statusCode, e.g. UNVERIFIED_ACCOUNT")       \
    X(BAD_INPUT_IF, "bad-input-if", STAGE_ANSWER, VALUE_TEXT, 0, 0, false,     \
      "=TEXT answers BAD_INPUT whenever the body contains TEXT")               \
    X(REFUSE_ALL, "refuse-all", STAGE_ANSWER, VALUE_NONE, 0, 0, false,         \
      "answers 400 to everything")                                             \
    X(STORE_THEN_500, "store-then-500", STAGE_ANSWER, VALUE_NONE, 0, 0, true,  \
      "keeps the events, then answers 500")                                    \
    X(HTML, "html", STAGE_ANSWER, VALUE_NONE, 0, 0, false,                     \
      "answers 200 with a portal's text/html page")                            \
    X(EMPTY, "empty", STAGE_ANSWER, VALUE_NONE, 0, 0, true,                    \
      "keeps the events, answers 200 without a body")                          \
    X(GARBAGE, "garbage", STAGE_ANSWER, VALUE_NONE, 0, 0, false,               \
      "answers bytes that are not HTTP, then closes")                          \
    X(HANG, "hang", STAGE_ANSWER, VALUE_NONE, 0, 0, false,                     \
      "reads the body and never answers")                                      \
    X(DROP_AFTER, "drop-after", STAGE_ANSWER, VALUE_NONE, 0, 0, false,         \
      "reads the body, forgets it, closes without an answer")                  \
    X(CLOSE_AFTER, "close-after", STAGE_ANSWER, VALUE_NONE, 0, 0, true,        \
      "keeps the events, closes without an answer")                            \
    X(RESET_AFTER, "reset-after", STAGE_ANSWER, VALUE_NONE, 0, 0, true,        \
      "keeps the events, resets the connection without an answer")             \
    X(CUT, "cut", STAGE_ANSWER, VALUE_NONE, 0, 0, true,                        \
      "closes in the middle of the answer's body")                             \
    X(CUT_HEAD, "cut-head", STAGE_ANSWER, VALUE_NONE, 0, 0, true,              \
      "closes in the middle of the answer's head")                             \
    X(NO_LENGTH, "no-length", STAGE_ANSWER, VALUE_NONE, 0, 0, true,            \
      "answers without Content-Length; closing ends the body")                 \
    X(SHORT_LENGTH, "short-length", STAGE_ANSWER, VALUE_NONE, 0, 0, true,      \
      "answers with a Content-Length that is too small")                       \
    X(TWO_LENGTHS, "two-lengths", STAGE_ANSWER, VALUE_NONE, 0, 0, true,        \
      "answers with two different Content-Length headers")                     \
    X(LENGTH_AND_CHUNKED, "length-and-chunked", STAGE_ANSWER, VALUE_NONE, 0,   \
      0, true, "answers chunked and with a Content-Length")                    \
    X(BAD_CHUNK, "bad-chunk", STAGE_ANSWER, VALUE_NONE, 0, 0, true,            \
      "answers chunked, with a size beyond 64 bits")                           \
    X(OPEN_CHUNK, "open-chunk", STAGE_ANSWER, VALUE_NONE, 0, 0, true,          \
      "answers chunked and closes before the last chunk")                      \
    X(FOLDED, "folded", STAGE_ANSWER, VALUE_NONE, 0, 0, true,                  \
      "answers with a header folded over two lines")                           \
    X(NUL_HEADER, "nul-header", STAGE_ANSWER, VALUE_NONE, 0, 0, true,          \
      "answers with a NUL byte in a header")                                   \
    X(BODY_204, "body-204", STAGE_ANSWER, VALUE_NONE, 0, 0, true,              \
      "answers 204 and sends a body with it")                                  \
    X(TWICE, "twice", STAGE_ANSWER, VALUE_NONE, 0, 0, true,                    \
      "sends the answer two times over")                                       \
    X(GZIP, "gzip", STAGE_ANSWER, VALUE_NONE, 0, 0, true,                      \
      "answers in gzip, which nobody asked for")                               \
    X(BAD_JSON, "bad-json", STAGE_ANSWER, VALUE_NONE, 0, 0, true,              \
      "answers 200 with JSON that breaks off")                                 \
    X(DEEP_JSON, "deep-json", STAGE_ANSWER, VALUE_NONE, 0, 0, true,            \
      "answers 200 with 50,000 nested arrays")                                 \
    X(HUGE, "huge", STAGE_ANSWER, VALUE_OPTIONAL, 1, 256, true,                \
      "[=MIB] answers with a body of many MiB (8)")                            \
    X(ENDLESS_BODY, "endless-body", STAGE_ANSWER, VALUE_NONE, 0, 0, true,      \
      "answers with a body that never ends")                                   \
    X(ENDLESS_HEADERS, "endless-headers", STAGE_ANSWER, VALUE_NONE, 0, 0,      \
      true, "answers with headers that never end")                             \
    X(ENDLESS_1XX, "endless-1xx", STAGE_ANSWER, VALUE_NONE, 0, 0, true,        \
      "answers 103 Early Hints for ever")                                      \
    X(SLOW, "slow", STAGE_MANNER, VALUE_NUMBER, 1, 86400000, false,            \
      "=MS waits before the answer or the close")                              \
    X(DRIP, "drip", STAGE_MANNER, VALUE_NUMBER, 1, 1000000000, false,          \
      "=BYTES sends the answer at so many bytes a second")                     \
    X(RETRY_AFTER, "retry-after", STAGE_MANNER, VALUE_TEXT, 0, 0, false,       \
      "=TEXT adds Retry-After: TEXT, to a 429 unless combined")                \
    X(REDIRECT, "redirect", STAGE_MANNER, VALUE_TEXT, 0, 0, false,             \
      "=URL adds Location: URL, to a 302 unless combined")                     \
    X(KEEP, "keep", STAGE_MANNER, VALUE_NONE, 0, 0, false,                     \
      "keeps the events of a good batch whatever the answer is")               \
    X(FORGET, "forget", STAGE_MANNER, VALUE_NONE, 0, 0, false,                 \
      "does not keep the events whatever the answer is")                       \
    X(NO_CODE, "no-code", STAGE_MANNER, VALUE_NONE, 0, 0, false,               \
      "leaves statusCode out of a success, as the guide prints it")            \
    X(NO_CAMPAIGNS, "no-campaigns", STAGE_MANNER, VALUE_NONE, 0, 0, false,     \
      "leaves campaigns, responses and search out of a success")               \
    X(FEW_LISTS, "few-lists", STAGE_MANNER, VALUE_NONE, 0, 0, false,           \
      "gives a success one list too few")                                      \
    X(RECOMMEND, "recommend", STAGE_MANNER, VALUE_NONE, 0, 0, false,           \
      "fills each event's list with a recommendation of its own")              \
    X(MANY_HEADERS, "many-headers", STAGE_MANNER, VALUE_NUMBER, 1, 1000000,    \
      false, "=N adds N headers to the answer")                                \
    X(LONG_HEADER, "long-header", STAGE_MANNER, VALUE_NUMBER, 1, 100000000,    \
      false, "=BYTES adds one header of this length")                          \
    X(CLOSE_KEPT, "close-kept", STAGE_MANNER, VALUE_NONE, 0, 0, false,         \
      "closes behind an answer that promised keep-alive")                      \
    X(CLOSE_BEFORE, "close-before", STAGE_HEAD, VALUE_NONE, 0, 0, false,       \
      "closes after the head, before the body is read")                        \
    X(RESET_BEFORE, "reset-before", STAGE_HEAD, VALUE_NONE, 0, 0, false,       \
      "resets the connection after the head")                                  \
    X(CLOSE_HALF, "close-half", STAGE_HEAD, VALUE_NONE, 0, 0, false,           \
      "closes after half the body")                                            \
    X(RESET_HALF, "reset-half", STAGE_HEAD, VALUE_NONE, 0, 0, false,           \
      "resets the connection after half the body")                             \
    X(CLOSE_IDLE, "close-idle", STAGE_HEAD, VALUE_NONE, 0, 0, false,           \
      "closes a kept connection just when its next request arrives")           \
    X(STALL, "stall", STAGE_HEAD, VALUE_NONE, 0, 0, false,                     \
      "stops reading after the head and never answers")                        \
    X(EARLY, "early", STAGE_HEAD, VALUE_NUMBER, 200, 999, false,               \
      "=N answers HTTP N before the body is read, then closes")                \
    X(NO_CONTINUE, "no-continue", STAGE_HEAD, VALUE_NONE, 0, 0, false,         \
      "ignores Expect: 100-continue")                                          \
    X(CLOSE_ACCEPT, "close-accept", STAGE_CONNECT, VALUE_NONE, 0, 0, false,    \
      "closes a new connection at once (counts connections)")                  \
    X(RESET_ACCEPT, "reset-accept", STAGE_CONNECT, VALUE_NONE, 0, 0, false,    \
      "resets a new connection at once (counts connections)")

enum fault_id {
#define FAULT_ENUM(id, name, stage, value, least, most, keeps, help) FAULT_##id,
    FAULT_MAP(FAULT_ENUM)
#undef FAULT_ENUM
        FAULT_COUNT
};

struct fault;

/* The faults that are set, in the order they were given. Zeroed is none. */
struct faults {
    struct fault *list;
    size_t count;
};

/* What struck one request. Borrowed from the faults until they change. */
struct strike {
    const struct fault *outcome;             /* NULL: the usual answer */
    const struct fault *manner[FAULT_COUNT]; /* by id; NULL: not due */
};

/* On failure nothing is added, and err says what is wrong with the SPEC. */
enum spool_status faults_add(struct faults *f, const char *spec,
                             struct spool_error *err) SPOOL_MUST_CHECK;

/* Replaces all faults by the SPECs in text, one a line; empty lines and those
 * that begin with '#' are passed over. On failure the old ones stay. */
enum spool_status faults_replace(struct faults *f, struct text text,
                                 struct spool_error *err) SPOOL_MUST_CHECK;

void faults_finish(struct faults *f);

/* Whether a fault of STAGE_CONNECT is due: the first one in the list. */
const struct fault *faults_at_connect(struct faults *f);

/* What is due once the head is there. reused: the connection has answered
 * before. NO_CONTINUE comes as a manner, all others as the outcome. */
void faults_at_head(struct faults *f, bool reused, struct strike *out);

/* What is due for a whole request: the first outcome and every manner. */
void faults_at_answer(struct faults *f, struct text body, struct strike *out);

enum fault_id fault_id(const struct fault *fault);
uint64_t fault_number(const struct fault *fault);  /* its VALUE, if a number */
const char *fault_text(const struct fault *fault); /* its VALUE, or "" */
bool fault_keeps(const struct fault *fault);

/* The names of what struck, joined by '+', into out; "" for nothing. */
void strike_names(const struct strike *strike, char *out, size_t size);

/* For each fault that is set: its SPEC as given, how many requests it looked
 * at, how many it struck. */
void faults_each(const struct faults *f,
                 void (*visit)(void *arg, const char *spec, uint64_t seen,
                               uint64_t struck),
                 void *arg);

/* The table of all faults, for --help. */
void faults_print(FILE *out);

#endif
