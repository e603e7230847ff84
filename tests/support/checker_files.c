/* The checker's sources: journals, the sandbox's log, the spool. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "base/crc32c.h"
#include "support/checker.h"

static void give_up(const char *what, const char *why)
{
    (void)fprintf(stderr, "checker: %s: %s\n", what, why);
    abort();
}

/* Calls each for every whole line, without its end. */
static void each_line(struct checker *c, const char *path,
                      void (*each)(struct checker *c, char *line, size_t len))
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    if (file == NULL) {
        give_up(path, "cannot be read");
    }
    for (ssize_t n = getline(&line, &room, file); n > 0;
         n = getline(&line, &room, file)) {
        if (line[n - 1] == '\n') {
            line[n - 1] = '\0';
            each(c, line, (size_t)n - 1);
        }
    }
    free(line);
    (void)fclose(file);
}

size_t checker_end_line(char *line, size_t n)
{
    return n + (size_t)snprintf(line + n, CHECKER_LINE_END, " %08x\n",
                                crc32c(0, line, n));
}

/* Cuts the checksum off; false when it does not fit. */
static bool is_finished(char *line, size_t *len)
{
    char sum[CHECKER_LINE_END + 1];
    if (*len < 9) {
        return false;
    }
    *len -= 9;
    (void)snprintf(sum, sizeof sum, " %08x", crc32c(0, line, *len));
    if (strcmp(line + *len, sum) != 0) {
        return false;
    }
    line[*len] = '\0';
    return true;
}

static void read_journal_line(struct checker *c, char *line, size_t len)
{
    char mark[64];
    long long id;
    if (!is_finished(line, &len)) {
        return;
    }
    if (strncmp(line, "try ", 4) == 0) {
        checker_attempt(c, line + 4, len - 4);
    } else if (sscanf(line, "ok %63s %lld", mark, &id) == 2) {
        checker_answer(c, mark, CHECKER_ACCEPTED, id);
    } else if (sscanf(line, "no %63s", mark) == 1) {
        checker_answer(c, mark, CHECKER_REFUSED, 0);
    } else if (sscanf(line, "unknown %63s", mark) == 1) {
        checker_answer(c, mark, CHECKER_UNKNOWN, 0);
    } else {
        give_up("no line of a journal", line);
    }
}

void checker_read_journal(struct checker *c, const char *path)
{
    each_line(c, path, read_journal_line);
}

static struct json_object *member(struct json_object *o, const char *name)
{
    struct json_object *value = NULL;
    if (!json_object_object_get_ex(o, name, &value)) {
        give_up("a line of the endpoint's log has no", name);
    }
    return value;
}

static void read_log_line(struct checker *c, char *line, size_t len)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *o = json_tokener_parse_ex(tokener, line, (int)len);
    if (o == NULL) {
        give_up("no line of the endpoint's log", line);
    }
    struct json_object *events = member(o, "events");
    checker_request(c, json_object_get_string(member(o, "idempotency_key")),
                    json_object_get_boolean(member(o, "taken")));
    for (size_t i = 0; i < json_object_array_length(events); i++) {
        struct json_object *e = json_object_array_get_idx(events, i);
        checker_carry(c, json_object_get_string(e),
                      (size_t)json_object_get_string_len(e));
    }
    (void)json_object_put(o);
    json_tokener_free(tokener);
}

void checker_read_log(struct checker *c, const char *path)
{
    each_line(c, path, read_log_line);
    checker_request(c, NULL, false); /* the last one is whole */
}

/* ---- the spool ---- */

struct spool_reading {
    struct outbox *box;
    const struct destination *d;
    struct event_record *events;
    char **bodies;
    size_t n, room;
};

/* The listing may not be left for the attempts, so a page is kept. */
static bool keep_event(void *arg, const struct event_record *e)
{
    struct spool_reading *r = arg;
    r->events[r->n] = *e;
    r->bodies[r->n] = malloc(e->len + 1);
    if (r->bodies[r->n] == NULL) {
        give_up("a spool's events", "out of memory");
    }
    memcpy(r->bodies[r->n], e->body, e->len);
    return ++r->n < r->room;
}

static void note_attempt(void *arg, const struct attempt_record *a)
{
    struct checker_holding *h = arg;
    h->server_errors += a->http >= 500;
    h->died = h->died || (a->events == 1 && strcmp(a->verdict, "refused") == 0);
}

static void hold(struct checker *c, struct spool_reading *r, size_t i)
{
    struct spool_error err;
    const struct event_record *e = &r->events[i];
    struct checker_holding h = {
        .id = e->id, .state = e->state, .uncertain = e->uncertain};
    if (checker_wants_attempts(c, r->bodies[i], e->len) &&
        inspect_attempts(r->box, r->d, e, note_attempt, &h, &err) != SPOOL_OK) {
        give_up("a spool's attempts", err.message);
    }
    checker_hold(c, r->bodies[i], e->len, &h);
    free(r->bodies[i]);
}

void checker_read_spool(struct checker *c, struct outbox *box,
                        const struct destination *d)
{
    enum { PAGE = 1000 };
    struct spool_error err;
    struct event_record events[PAGE];
    char *bodies[PAGE];
    struct event_range range = {.lo = 1};
    struct sums sums;
    struct spool_reading r = {
        .box = box, .d = d, .events = events, .bodies = bodies, .room = PAGE};
    do {
        r.n = 0;
        if (inspect_events(box, d, &range, keep_event, &r, &err) != SPOOL_OK) {
            give_up("a spool's events", err.message);
        }
        for (size_t i = 0; i < r.n; i++) {
            hold(c, &r, i);
        }
        range.lo = r.n > 0 ? events[r.n - 1].id + 1 : range.lo;
    } while (r.n == PAGE);
    if (inspect_sums(box, d, &sums, &err) != SPOOL_OK) {
        give_up("a spool's sums", err.message);
    }
    checker_sums(c, &sums);
}
