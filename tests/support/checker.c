#include "support/checker.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/text_map.h"

struct session {
    long events;  /* attempted */
    long reached; /* position of the furthest that arrived */
    int64_t last_id;
};

struct event {
    size_t session;
    long position; /* in its session, from 1 */
    enum checker_answer answer;
    int64_t id;
    long arrivals;
    bool late; /* its first arrival was behind a later one's */
    bool held; /* the spool has it */
    struct checker_holding holding;
};

struct checker {
    struct text_map marks, bodies; /* to events */
    struct text_map session_names; /* to sessions */
    struct text_map keys;          /* to hashes of bodies, modulo size_t */
    struct event *events;
    struct session *sessions;
    size_t event_room, session_room;
    long unexpected, mutated, reordered, rekeyed, miscounted;
    long states[EVENT_STATES];
    /* The request that is being told of. */
    struct {
        char key[64];
        bool taken;
        bool whole; /* its events are known */
        uint64_t hash;
    } now;
};

static void *grown(void *list, size_t *room, size_t need, size_t size)
{
    if (need <= *room) {
        return list;
    }
    *room = need < 1024 ? 1024 : need * 2;
    list = realloc(list, *room * size);
    if (list == NULL) {
        (void)fputs("checker: out of memory\n", stderr);
        abort();
    }
    return list;
}

struct checker *checker_create(void)
{
    struct checker *c = calloc(1, sizeof *c);
    if (c == NULL) {
        (void)fputs("checker: out of memory\n", stderr);
        abort();
    }
    return c;
}

void checker_destroy(struct checker *c)
{
    if (c != NULL) {
        text_map_finish(&c->marks);
        text_map_finish(&c->bodies);
        text_map_finish(&c->session_names);
        text_map_finish(&c->keys);
        free(c->events);
        free(c->sessions);
        free(c);
    }
}

bool checker_mark(const char *bytes, size_t len, char *mark, size_t size)
{
    const char *start = memchr(bytes, '~', len);
    if (start == NULL) {
        return false;
    }
    size_t rest = len - (size_t)(start - bytes) - 1;
    const char *end = memchr(start + 1, '~', rest);
    if (end == NULL || (size_t)(end - start) + 2 > size) {
        return false;
    }
    size_t n = (size_t)(end - start) + 1;
    memcpy(mark, start, n);
    mark[n] = '\0';
    return strchr(mark, '.') != NULL;
}

/* ---- what was put ---- */

static size_t session_of(struct checker *c, const char *mark)
{
    size_t len = (size_t)(strrchr(mark, '.') - mark);
    size_t n = text_map_count(&c->session_names);
    size_t i = text_map_add(&c->session_names, mark, len, n);
    if (i == n) {
        c->sessions =
            grown(c->sessions, &c->session_room, n + 1, sizeof *c->sessions);
        c->sessions[n] = (struct session){0};
    }
    return i;
}

void checker_attempt(struct checker *c, const char *bytes, size_t len)
{
    char mark[64];
    size_t n = text_map_count(&c->marks);
    if (!checker_mark(bytes, len, mark, sizeof mark) ||
        text_map_add(&c->marks, mark, strlen(mark), n) != n ||
        text_map_add(&c->bodies, bytes, len, n) != n) {
        (void)fprintf(stderr, "checker: no mark of its own in %.*s\n", (int)len,
                      bytes);
        abort();
    }
    size_t s = session_of(c, mark);
    c->events = grown(c->events, &c->event_room, n + 1, sizeof *c->events);
    c->events[n] =
        (struct event){.session = s, .position = ++c->sessions[s].events};
}

void checker_answer(struct checker *c, const char *mark,
                    enum checker_answer answer, int64_t id)
{
    size_t i;
    if (!text_map_find(&c->marks, mark, strlen(mark), &i)) {
        (void)fprintf(stderr, "checker: an answer to %s, never put\n", mark);
        abort();
    }
    c->events[i].answer = answer;
    c->events[i].id = id;
}

/* ---- what came out ---- */

/* The event with these bytes, or NULL when there is none, and then it is
 * counted as mutated or unexpected. */
static struct event *find(struct checker *c, const char *bytes, size_t len)
{
    char mark[64];
    size_t i;
    if (text_map_find(&c->bodies, bytes, len, &i)) {
        return &c->events[i];
    }
    bool known = checker_mark(bytes, len, mark, sizeof mark) &&
                 text_map_find(&c->marks, mark, strlen(mark), &i);
    *(known ? &c->mutated : &c->unexpected) += 1;
    return NULL;
}

/* The request that was told of is at its end: its key stands for its bytes. */
static void close_request(struct checker *c)
{
    size_t hash = (size_t)c->now.hash;
    if (c->now.key[0] != '\0' && c->now.whole &&
        text_map_add(&c->keys, c->now.key, strlen(c->now.key), hash) != hash) {
        c->rekeyed++;
    }
    c->now.key[0] = '\0';
}

void checker_request(struct checker *c, const char *key, bool taken)
{
    close_request(c);
    (void)snprintf(c->now.key, sizeof c->now.key, "%s", key != NULL ? key : "");
    c->now.taken = taken;
    c->now.whole = false;
    c->now.hash = 0;
}

void checker_carry(struct checker *c, const char *bytes, size_t len)
{
    c->now.whole = true;
    c->now.hash = c->now.hash * 31 + text_map_hash(bytes, len);
    struct event *e = c->now.taken ? find(c, bytes, len) : NULL;
    if (e == NULL) {
        return;
    }
    struct session *s = &c->sessions[e->session];
    if (e->arrivals++ == 0) {
        e->late = e->position < s->reached;
        s->reached = e->late ? s->reached : e->position;
    }
}

bool checker_wants_attempts(const struct checker *c, const char *bytes,
                            size_t len)
{
    size_t i;
    return text_map_find(&c->bodies, bytes, len, &i) &&
           (c->events[i].arrivals > 1 || c->events[i].late);
}

void checker_hold(struct checker *c, const char *bytes, size_t len,
                  const struct checker_holding *holding)
{
    close_request(c);
    c->states[holding->state]++;
    struct event *e = find(c, bytes, len);
    if (e == NULL) {
        return;
    }
    e->held = true;
    e->holding = *holding;
}

static long off(int64_t says, long is)
{
    return says > is ? (long)says - is : is - (long)says;
}

void checker_sums(struct checker *c, const struct sums *sums)
{
    long all = 0;
    for (int state = 0; state < EVENT_STATES; state++) {
        all += c->states[state];
        c->miscounted += off(sums->by_state[state], c->states[state]);
    }
    c->miscounted += off(sums->accepted, all);
}

/* ---- the judgement ---- */

/* What became of one event. */
static void judge_event(const struct event *e, struct checker_report *r)
{
    bool arrived = e->arrivals > 0;
    bool accepted = e->answer == CHECKER_ACCEPTED;
    bool refused = e->answer == CHECKER_REFUSED;
    enum event_state state = e->holding.state;
    bool settled = e->held && state == EVENT_DELIVERED;
    bool dead = e->held && (state == EVENT_DEAD || state == EVENT_PURGED);
    long allowed = e->holding.uncertain + e->holding.server_errors;
    long extra = arrived ? e->arrivals - 1 : 0;
    r->accepted += accepted;
    r->rejected += refused;
    r->unknown += !accepted && !refused;
    r->delivered += arrived;
    r->recovered += !accepted && !refused && arrived;
    r->waiting += e->held && !settled && !dead;
    r->dead += dead;
    r->lost += (accepted && !e->held) || (settled && !arrived);
    r->unexpected += refused && (e->held || arrived);
    r->mutated += accepted && e->held && e->holding.id != e->id;
    r->reordered += e->late && !e->holding.died;
    r->duplicated += extra;
    r->unexplained += extra > allowed ? extra - allowed : 0;
}

/* Ids ascend in the order in which a session's events were put. */
static long ids_out_of_order(const struct checker *c)
{
    long n = 0;
    size_t sessions = text_map_count(&c->session_names);
    int64_t *last = calloc(sessions + 1, sizeof *last);
    if (last == NULL) {
        (void)fputs("checker: out of memory\n", stderr);
        abort();
    }
    for (size_t i = 0; i < text_map_count(&c->marks); i++) {
        const struct event *e = &c->events[i];
        if (e->held) {
            n += e->holding.id <= last[e->session];
            last[e->session] = e->holding.id;
        }
    }
    free(last);
    return n;
}

void checker_judge(const struct checker *c, struct checker_report *out)
{
    *out = (struct checker_report){
        .attempted = (long)text_map_count(&c->marks),
        .unexpected = c->unexpected,
        .mutated = c->mutated,
        .rekeyed = c->rekeyed,
        .miscounted = c->miscounted,
        .reordered = ids_out_of_order(c),
    };
    for (size_t i = 0; i < text_map_count(&c->marks); i++) {
        judge_event(&c->events[i], out);
    }
}

bool checker_report_is_clean(const struct checker_report *r)
{
    long bad = 0;
#define CHECKER_ADD(name, is_bad, meaning) bad += (is_bad) ? r->name : 0;
    CHECKER_MAP(CHECKER_ADD)
#undef CHECKER_ADD
    return bad == 0;
}

void checker_report_print(const struct checker_report *r, char *out,
                          size_t size)
{
    size_t at = 0;
    assert(size > 0);
    out[0] = '\0';
#define CHECKER_PRINT(name, bad, meaning)                                      \
    if (at < size) {                                                           \
        at += (size_t)snprintf(out + at, size - at, "%s\"" #name "\":%ld",     \
                               at > 0 ? "," : "", r->name);                    \
    }
    CHECKER_MAP(CHECKER_PRINT)
#undef CHECKER_PRINT
}
