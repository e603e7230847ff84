/* Judges a run: what producers were told, what the endpoint got and what the
 * spool says at the end must agree.
 *
 * It is told, in this order: what was put (by calls, or by a journal that the
 * producers kept outside of what may crash), which requests the endpoint had
 * (by calls, or by spool-sandbox's --log), and what the spool holds.
 *
 * Every event carries a mark of its own, ~SESSION.N~ somewhere in its bytes,
 * SESSION being what its order is kept in and N anything that makes it unique.
 * A session's events must be put one after another; their order is the one in
 * which they were attempted.
 *
 * One thread. What it cannot do (a file that is no journal, no memory) ends the
 * program with a sentence. */
#ifndef SUPPORT_CHECKER_H
#define SUPPORT_CHECKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "outbox/inspect.h"

struct checker;

struct checker *checker_create(void);
void checker_destroy(struct checker *c); /* NULL is a no-op */

/* ---- what was put ---- */

enum checker_answer {
    CHECKER_UNKNOWN, /* no answer, or one that leaves it open */
    CHECKER_ACCEPTED,
    CHECKER_REFUSED
};

/* An event is about to be put. Its answer is unknown from then on. */
void checker_attempt(struct checker *c, const char *bytes, size_t len);

/* The answer to the event with this mark. id only with CHECKER_ACCEPTED. */
void checker_answer(struct checker *c, const char *mark,
                    enum checker_answer answer, int64_t id);

/* A file of lines, each ended by checker_end_line and written by one write():
 *     try BYTES        about to be put
 *     ok MARK ID       accepted
 *     no MARK          refused
 *     unknown MARK     neither
 * A line that breaks off at the end of the file is not there. */
void checker_read_journal(struct checker *c, const char *path);

/* Ends a journal's line of n bytes with its checksum and a line break; line has
 * room for CHECKER_LINE_END more. A kill can cut a line at a page's border, and
 * what another thread or life writes is glued to it then: a line whose sum is
 * wrong was never finished, so nothing that follows from it has happened. */
#define CHECKER_LINE_END 11
size_t checker_end_line(char *line, size_t n);

/* Cuts the mark, both ~ included, out of an event; false if it has none. */
bool checker_mark(const char *bytes, size_t len, char *mark, size_t size);

/* ---- what the endpoint had ---- */

/* A request under this key (NULL or "": none); the events that checker_carry
 * names until the next checker_request are in it. One whose body never became
 * whole has no events. */
void checker_request(struct checker *c, const char *key, bool taken);
void checker_carry(struct checker *c, const char *bytes, size_t len);

void checker_read_log(struct checker *c, const char *path);

/* ---- what the spool holds ---- */

struct checker_holding {
    int64_t id;
    enum event_state state;
    int uncertain;     /* requests without a usable answer that carried it */
    int server_errors; /* requests answered 5xx that carried it */
    bool died;         /* was dead, perhaps until it was replayed */
};

/* Whether server_errors and died matter to this event's judgement: to look
 * for them costs a spool much. */
bool checker_wants_attempts(const struct checker *c, const char *bytes,
                            size_t len);

void checker_hold(struct checker *c, const char *bytes, size_t len,
                  const struct checker_holding *holding);

/* What the spool says of itself: must equal what checker_hold was told. */
void checker_sums(struct checker *c, const struct sums *sums);

/* Both of them for all events as destination d has them. */
void checker_read_spool(struct checker *c, struct outbox *box,
                        const struct destination *d);

/* ---- the judgement ---- */

/* X(name, bad, meaning) */
#define CHECKER_MAP(X)                                                         \
    X(attempted, 0, "put, whatever the answer")                                \
    X(accepted, 0, "of them acknowledged")                                     \
    X(rejected, 0, "of them refused")                                          \
    X(unknown, 0, "of them neither")                                           \
    X(delivered, 0, "events that the endpoint kept")                           \
    X(recovered, 0, "unknown ones that arrived")                               \
    X(waiting, 0, "still to be sent")                                          \
    X(dead, 0, "set aside or purged")                                          \
    X(duplicated, 0, "arrivals beyond an event's first")                       \
    X(lost, 1, "accepted, or delivered as the spool says, and nowhere")        \
    X(unexpected, 1, "kept or stored, and never put or refused")               \
    X(mutated, 1, "with other bytes than were put")                            \
    X(reordered, 1, "before one that was put earlier in its session")          \
    X(unexplained, 1, "duplicates without an uncertain request")               \
    X(rekeyed, 1, "requests whose key had stood for other bytes")              \
    X(miscounted, 1, "by how much the spool's sums are wrong")

struct checker_report {
#define CHECKER_FIELD(name, bad, meaning) long name;
    CHECKER_MAP(CHECKER_FIELD)
#undef CHECKER_FIELD
};

/* Explained are as many arrivals beyond the first as there were requests with
 * the event in them that the spool calls uncertain or that got a 5xx, which an
 * endpoint may answer after it has kept the events. Out of order may come what
 * was dead and was replayed. */
void checker_judge(const struct checker *c, struct checker_report *out);

/* Whether every bad number is 0. Waiting events are for the caller to judge. */
bool checker_report_is_clean(const struct checker_report *r);

/* As members of a JSON object, without the braces. The text is cut to fit. */
void checker_report_print(const struct checker_report *r, char *out,
                          size_t size);

#endif
