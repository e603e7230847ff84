#include "control.h"

#include <inttypes.h>
#include <stdlib.h>

#include "print.h"

static void print_fault(void *arg, const char *spec, uint64_t seen,
                        uint64_t struck)
{
    struct buffer *b = arg;
    print_bytes(b, ",", b->len > 0 && b->data[b->len - 1] == '}');
    print(b, "{\"spec\":");
    print_latin1(b, (struct text){spec, strlen(spec)});
    print(b, ",\"seen\":%" PRIu64 ",\"struck\":%" PRIu64 "}", seen, struck);
}

static int show_stats(struct sandbox *s, const struct request *r,
                      struct text body)
{
    (void)r, (void)body;
    const struct counters *c = &s->counters;
    print(&s->text,
          "{\"connections\":%" PRIu64 ",\"requests\":%" PRIu64
          ",\"batches_taken\":%" PRIu64 ",\"events_taken\":%" PRIu64
          ",\"bytes_taken\":%" PRIu64 ",\"duplicates\":%" PRIu64
          ",\"idempotency_keys\":%zu,\"key_conflicts\":%" PRIu64
          ",\"struck\":%" PRIu64 ",\"faults\":[",
          c->connections, c->requests, c->batches_taken, c->events_taken,
          c->bytes_taken, c->duplicates, s->keys.count, c->key_conflicts,
          c->struck);
    faults_each(&s->faults, print_fault, &s->text);
    print(&s->text, "]}\n");
    return 200;
}

static int show_events(struct sandbox *s, const struct request *r,
                       struct text body)
{
    (void)body;
    char after[32] = "0";
    char *end = after;
    bool given = request_parameter(r, "after", after, sizeof after);
    uint64_t n = strtoull(after, &end, 10);
    if (given && (*end != '\0' || after[0] < '0' || after[0] > '9')) {
        print(&s->text, "after= takes the number of an event.");
        return 400;
    }
    shelf_print(&s->shelf, n, &s->text);
    return 200;
}

static int set_faults(struct sandbox *s, const struct request *r,
                      struct text body)
{
    (void)r;
    struct spool_error err;
    if (faults_replace(&s->faults, body, &err) != SPOOL_OK) {
        print(&s->text, "%s", err.message);
        return 400;
    }
    print(&s->text, "{\"faults\":[");
    faults_each(&s->faults, print_fault, &s->text);
    print(&s->text, "]}\n");
    return 200;
}

static int reset(struct sandbox *s, const struct request *r, struct text body)
{
    (void)r, (void)body;
    faults_finish(&s->faults);
    keyring_finish(&s->keys);
    shelf_clear(&s->shelf);
    s->counters = (struct counters){.connections = s->counters.connections,
                                    .requests = s->counters.requests};
    print(&s->text, "{}\n");
    return 200;
}

static const struct {
    const char *path;
    const char *method;
    int (*answer)(struct sandbox *s, const struct request *r, struct text body);
} controls[] = {
    {"/sandbox/stats", "GET", show_stats},
    {"/sandbox/events", "GET", show_events},
    {"/sandbox/faults", "POST", set_faults},
    {"/sandbox/reset", "POST", reset},
};

void control_request(struct sandbox *s, const struct request *r,
                     struct text body, struct plan *plan)
{
    s->text.len = 0;
    int http = 0;
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        if (text_is(r->path, controls[i].path) &&
            text_is(r->method, controls[i].method)) {
            http = controls[i].answer(s, r, body);
        }
    }
    if (http == 0) {
        http = 404;
        print(&s->text, "There are GET /sandbox/stats, GET /sandbox/events, "
                        "POST /sandbox/faults and POST /sandbox/reset.");
    }
    struct answer answer = {
        .http = http,
        .body = http == 200 ? ANSWER_JSON : ANSWER_WORDS,
        .text = {s->text.data, s->text.len},
        .at_ms = clock_wall_ms(s->options.clock),
        .keep_alive = r->keep_alive,
    };
    answer_write(&answer, NULL, &s->body, plan);
}
