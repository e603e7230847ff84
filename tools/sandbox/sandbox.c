#include "sandbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api.h"
#include "base/error.h"
#include "control.h"
#include "print.h"
#include "state.h"

/* Room for the names of all faults that may strike at once. */
#define NAMES_SIZE 512

/* A request under work: what its journal line and its answer are made of. */
struct work {
    const struct request *request; /* NULL: the head was no HTTP */
    struct text body;
    struct journal_entry entry;
    struct answer answer;
    bool good; /* the API takes the events */
    struct key *key;
    char faults[NAMES_SIZE]; /* names of those that struck */
};

enum spool_status sandbox_create(const struct sandbox_options *options,
                                 struct faults *faults, struct sandbox **out,
                                 struct spool_error *err)
{
    struct sandbox *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return failed(err, SPOOL_NO_MEMORY, "out of memory");
    }
    enum spool_status status = journal_open(&s->journal, options->log, err);
    if (status != SPOOL_OK) {
        free(s);
        return status;
    }
    s->options = *options;
    s->faults = *faults;
    *faults = (struct faults){0};
    rng_init(&s->rng);
    *out = s;
    return SPOOL_OK;
}

void sandbox_destroy(struct sandbox *s)
{
    if (s == NULL) {
        return;
    }
    faults_finish(&s->faults);
    journal_close(&s->journal);
    keyring_finish(&s->keys);
    shelf_clear(&s->shelf);
    batch_finish(&s->batch);
    buffer_finish(&s->body);
    buffer_finish(&s->text);
    free(s);
}

enum deed sandbox_connected(struct sandbox *s, uint64_t *number)
{
    *number = ++s->counters.connections;
    const struct fault *fault = faults_at_connect(&s->faults);
    if (fault == NULL) {
        return DEED_ANSWER;
    }
    return fault_id(fault) == FAULT_RESET_ACCEPT ? DEED_RESET : DEED_CLOSE;
}

static struct work begin(struct sandbox *s, const struct request *r,
                         const struct arrival *arrival)
{
    int64_t now = clock_wall_ms(s->options.clock);
    struct work w = {.request = r};
    w.entry.at_ms = now;
    w.entry.n = s->counters.requests + 1;
    w.entry.connection = arrival->connection;
    w.entry.on_connection = arrival->on_connection;
    w.answer.at_ms = now;
    w.answer.n = w.entry.n;
    if (r != NULL) {
        w.entry.method = r->method;
        w.entry.path = r->path;
        w.entry.idempotency_key = r->idempotency_key;
        w.entry.origin = r->origin;
        w.entry.key_ok = api_check_key(r, s->options.api_key) == NULL;
        w.entry.body_len = r->body_len;
        w.answer.keep_alive = r->keep_alive;
        w.answer.no_body = text_is(r->method, "HEAD");
    }
    return w;
}

static void answer_words(struct work *w, int http, const char *words)
{
    w->answer.http = http;
    w->answer.body = ANSWER_WORDS;
    w->answer.text = (struct text){words, strlen(words)};
    w->answer.code = NULL;
}

static void answer_code(struct work *w, const char *code)
{
    w->answer.http = 200;
    w->answer.code = code;
    w->good = strcmp(code, "SUCCESS") == 0;
    w->answer.body = w->good ? ANSWER_SUCCESS : ANSWER_ERROR;
}

/* Looks up the request's idempotency key. True: an earlier request under it is
 * answered again. */
static bool is_answered_before(struct sandbox *s, struct work *w)
{
    if (w->entry.idempotency_key.len == 0) {
        return false;
    }
    bool is_new;
    uint64_t hash = keyring_hash(w->body);
    struct key *key = keyring_get(&s->keys, w->entry.idempotency_key, &is_new);
    w->key = key;
    if (is_new) {
        key->body_hash = hash;
    } else if (key->body_hash != hash) {
        s->counters.key_conflicts++;
        if (s->options.dedupe) {
            answer_words(w, 422,
                         "This Idempotency-Key came before with "
                         "another body.");
            return true;
        }
    }
    if (!s->options.dedupe || !key->taken) {
        return false;
    }
    s->counters.duplicates++;
    w->entry.duplicate = true;
    answer_code(w, "SUCCESS");
    w->good = false; /* not a second time */
    w->answer.events = key->events;
    w->answer.at_ms = key->at_ms;
    return true;
}

static void judge_events(struct sandbox *s, struct work *w)
{
    const struct request *r = w->request;
    if (!text_is(r->method, "POST")) {
        answer_words(w, 400, "Events are sent with POST.");
        return;
    }
    const char *code = api_check_events(r, w->body, s->options.api_key,
                                        s->options.origin, &s->batch);
    w->entry.batch = &s->batch;
    if (!is_answered_before(s, w)) {
        answer_code(w, code);
        w->answer.events = s->batch.count;
    }
}

static void judge_keys(struct sandbox *s, struct work *w)
{
    unsigned count = api_key_count(w->request);
    if (!text_is(w->request->method, "GET") || count == 0) {
        answer_words(w, 400, "Keys come by GET, with count=1 to 1000.");
        return;
    }
    s->text.len = 0;
    for (unsigned i = 0; i < count; i++) {
        print(&s->text, "%c\"%" PRId64 "\"", i > 0 ? ',' : '[',
              (int64_t)rng_next(&s->rng));
    }
    print(&s->text, "]");
    w->answer.http = 200;
    w->answer.body = ANSWER_JSON;
    w->answer.text = (struct text){s->text.data, s->text.len};
}

/* What a well endpoint says. */
static void judge(struct sandbox *s, struct work *w)
{
    enum api_path path = api_path(w->request->path);
    if (path != API_UNKNOWN && text_is(w->request->method, "OPTIONS")) {
        w->answer.http = 204;
        return;
    }
    switch (path) {
    case API_EVENTS:
        judge_events(s, w);
        return;
    case API_KEYS:
        judge_keys(s, w);
        return;
    case API_SANDBOX:
    case API_UNKNOWN:
        answer_words(w, 404, "There is nothing here.");
        return;
    }
}

static void answer_status(struct work *w, int http)
{
    if (http / 100 == 2 && w->answer.body == ANSWER_SUCCESS) {
        w->answer.http = http;
    } else {
        answer_words(w, http, "A fault that was asked for.");
    }
}

/* Changes the answer into what the fault wants it to be. The ways in which it
 * is given are for answer_write. */
static void apply_outcome(struct work *w, const struct fault *fault)
{
    enum fault_id id = fault_id(fault);
    if (id == FAULT_STATUS) {
        answer_status(w, (int)fault_number(fault));
    } else if (id == FAULT_CODE) {
        answer_code(w, fault_text(fault));
    } else if (id == FAULT_BAD_INPUT_IF) {
        answer_code(w, "BAD_INPUT");
    } else if (id == FAULT_REFUSE_ALL) {
        answer_status(w, 400);
    } else if (id == FAULT_STORE_THEN_500) {
        answer_status(w, 500);
    } else if (id == FAULT_HTML || id == FAULT_EMPTY) {
        answer_words(w, 200, "");
        w->answer.body = id == FAULT_HTML ? ANSWER_PAGE : ANSWER_EMPTY;
    } else if (id == FAULT_BODY_204) {
        w->answer.http = 204;
    }
}

/* Whether the events of a good batch are kept in spite of the faults. */
static bool keeps(const struct strike *strike)
{
    if (strike->manner[FAULT_KEEP] != NULL ||
        strike->manner[FAULT_FORGET] != NULL) {
        return strike->manner[FAULT_FORGET] == NULL;
    }
    if (strike->outcome != NULL) {
        return fault_keeps(strike->outcome);
    }
    return strike->manner[FAULT_RETRY_AFTER] == NULL &&
           strike->manner[FAULT_REDIRECT] == NULL;
}

static void apply(struct work *w, const struct strike *strike)
{
    w->good = w->good && keeps(strike);
    bool kept = w->good;
    if (strike->outcome != NULL) {
        apply_outcome(w, strike->outcome);
    } else if (strike->manner[FAULT_REDIRECT] != NULL) {
        answer_status(w, 302);
    } else if (strike->manner[FAULT_RETRY_AFTER] != NULL) {
        answer_status(w, 429);
    }
    w->good = kept;
}

static void keep(struct sandbox *s, struct work *w)
{
    if (!w->good) {
        return;
    }
    w->entry.taken = true;
    s->counters.batches_taken++;
    s->counters.events_taken += s->batch.count;
    s->counters.bytes_taken += w->body.len;
    size_t from =
        s->batch.count > SHELF_EVENTS ? s->batch.count - SHELF_EVENTS : 0;
    shelf_skip(&s->shelf, from);
    for (size_t i = from; i < s->batch.count; i++) {
        shelf_add(&s->shelf, s->batch.events[i], w->entry.n, w->entry.at_ms);
    }
    if (w->key != NULL) {
        w->key->taken = true;
        w->key->events = s->batch.count;
        w->key->at_ms = w->entry.at_ms;
    }
}

/* Numbers and logs the request; every one comes through here once. */
static void record(struct sandbox *s, struct work *w,
                   const struct strike *strike, const struct plan *plan)
{
    if (strike != NULL) {
        strike_names(strike, w->faults, sizeof w->faults);
    }
    w->entry.fault = w->faults;
    s->counters.struck += w->faults[0] != '\0';
    s->counters.requests++;
    if (plan != NULL && plan->deed == DEED_ANSWER && plan->is_http) {
        w->entry.http = w->answer.http;
        w->entry.code = w->answer.code;
    }
    if (!s->failed &&
        journal_write(&s->journal, &w->entry, &s->failure) != SPOOL_OK) {
        s->failed = true;
    }
}

void sandbox_request(struct sandbox *s, const struct request *r,
                     struct text body, const struct arrival *arrival,
                     struct plan *plan)
{
    if (api_path(r->path) == API_SANDBOX) {
        control_request(s, r, body, plan);
        return;
    }
    struct work w = begin(s, r, arrival);
    w.body = body;
    w.entry.body_len = body.len;
    judge(s, &w);
    struct strike strike;
    faults_at_answer(&s->faults, body, &strike);
    apply(&w, &strike);
    keep(s, &w);
    answer_write(&w.answer, &strike, &s->body, plan);
    record(s, &w, &strike, plan);
}

static enum sandbox_step head_step(struct work *w, const struct strike *strike,
                                   struct plan *plan)
{
    enum fault_id id = fault_id(strike->outcome);
    plan->deed = DEED_CLOSE;
    if (id == FAULT_RESET_BEFORE || id == FAULT_RESET_HALF) {
        plan->deed = DEED_RESET;
    } else if (id == FAULT_STALL) {
        plan->deed = DEED_STALL;
    } else if (id == FAULT_EARLY) {
        w->answer.keep_alive = false;
        answer_words(w, (int)fault_number(strike->outcome),
                     "A fault that was asked for.");
        plan->deed = DEED_ANSWER;
    }
    return id == FAULT_CLOSE_HALF || id == FAULT_RESET_HALF ? STEP_READ_HALF
                                                            : STEP_ACT;
}

enum sandbox_step sandbox_head(struct sandbox *s, const struct request *r,
                               const struct arrival *arrival, struct plan *plan,
                               bool *hold_continue)
{
    *hold_continue = false;
    if (s->faults.count == 0 || api_path(r->path) == API_SANDBOX) {
        return STEP_READ_BODY;
    }
    struct strike strike;
    faults_at_head(&s->faults, arrival->on_connection > 1, &strike);
    *hold_continue = strike.manner[FAULT_NO_CONTINUE] != NULL;
    if (strike.outcome == NULL) {
        return STEP_READ_BODY;
    }
    struct work w = begin(s, r, arrival);
    enum sandbox_step step = head_step(&w, &strike, plan);
    if (plan->deed == DEED_ANSWER) {
        answer_write(&w.answer, NULL, &s->body, plan);
    }
    plan->delay_ms = 0;
    record(s, &w, &strike, plan);
    return step;
}

void sandbox_broken(struct sandbox *s, const struct request *r,
                    const struct complaint *complaint,
                    const struct arrival *arrival, struct plan *plan)
{
    struct work w = begin(s, r, arrival);
    w.answer.keep_alive = false;
    answer_words(&w, complaint->http, complaint->why);
    answer_write(&w.answer, NULL, &s->body, plan);
    record(s, &w, NULL, plan);
}

void sandbox_abandoned(struct sandbox *s, const struct request *r,
                       const struct arrival *arrival)
{
    struct work w = begin(s, r, arrival);
    record(s, &w, NULL, NULL);
}

void sandbox_summary(const struct sandbox *s, char *out, size_t size)
{
    (void)snprintf(out, size,
                   "%" PRIu64 " connections, %" PRIu64 " requests, %" PRIu64
                   " struck by a fault, %" PRIu64 " events kept",
                   s->counters.connections, s->counters.requests,
                   s->counters.struck, s->counters.events_taken);
}

bool sandbox_failed(const struct sandbox *s, struct spool_error *why)
{
    if (s->failed && why != NULL) {
        *why = s->failure;
    }
    return s->failed;
}
