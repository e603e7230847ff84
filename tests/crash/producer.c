/* crash-producer SPOOL JOURNAL BOARD NUMBER LIFE [early]
 *
 * Puts events from several threads, each with sessions of its own, until it is
 * killed, and writes into the journal what it is about to put and what it was
 * told. NUMBER says which producer it is; LIFE is different for every start.
 *
 * early is the mistake that the test must notice: it writes down an event as
 * accepted before it is. */
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "crash/board.h"
#include "crash/worker.h"
#include "spool/spool.h"
#include "support/checker.h"

#define SESSIONS   5
#define GROUP_MAX  30
#define EVENT_SIZE 1024

struct producer {
    struct spool *spool;
    struct board *board;
    int journal;
    int number;
    int life;
    bool early;
};

struct thread {
    const struct producer *p;
    int number;
    int put; /* events so far */
    struct rng rng;
    char text[GROUP_MAX][EVENT_SIZE];
    struct spool_event events[GROUP_MAX];
    struct spool_receipt receipts[GROUP_MAX];
};

/* One line by one write. Should the kill cut it, its checksum tells. */
static void note(const struct producer *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void note(const struct producer *p, const char *format, ...)
{
    char line[EVENT_SIZE + 64];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n < 0 || (size_t)n + CHECKER_LINE_END >= sizeof line) {
        exit(1);
    }
    size_t len = checker_end_line(line, (size_t)n);
    if (write(p->journal, line, len) != (ssize_t)len) {
        perror("crash-producer: cannot write the journal");
        exit(1);
    }
}

static void make_event(struct thread *t, size_t i, bool bad)
{
    const struct producer *p = t->p;
    int session = (int)rng_upto(&t->rng, SESSIONS - 1);
    int filler = (int)rng_upto(&t->rng, 400);
    int n = snprintf(
        t->text[i], EVENT_SIZE,
        "{\"name\":\"%s\",\"userId\":\"u%d\",\"sessionId\":\"%d-%d-%d\","
        "\"device\":\"PC\",\"type\":\"sale\",\"params\":{\"mark\":"
        "\"~%d-%d-%d.%d-%d~\",\"filler\":\"%0*d\"}}",
        bad ? "NO_SUCH_EVENT" : "CUSTOM_EVENT", p->number, p->number, t->number,
        session, p->number, t->number, session, p->life, t->put++, filler, 0);
    t->events[i] = (struct spool_event){.json = t->text[i], .len = (size_t)n};
}

static void note_attempts(const struct thread *t, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        note(t->p, "try %s", t->text[i]);
    }
}

static void note_answers(const struct thread *t, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char mark[64];
        const struct spool_receipt *r = &t->receipts[i];
        (void)checker_mark(t->text[i], t->events[i].len, mark, sizeof mark);
        if (r->status == SPOOL_OK) {
            note(t->p, "ok %s %lld", mark, (long long)r->id);
        } else if (r->status == SPOOL_INVALID) {
            note(t->p, "no %s", mark);
        } else {
            note(t->p, "unknown %s", mark);
        }
    }
}

/* The planted mistake. Ids are not known yet, and not looked at for an event
 * that is not there. */
static void note_early(const struct thread *t, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char mark[64];
        (void)checker_mark(t->text[i], t->events[i].len, mark, sizeof mark);
        note(t->p, "ok %s 0", mark);
    }
}

static void put(struct thread *t, size_t n)
{
    const struct producer *p = t->p;
    struct spool_error err;
    note_attempts(t, n);
    if (p->early) {
        note_early(t, n);
    }
    atomic_store(&p->board->inside[p->number][t->number], 1);
    enum spool_status status =
        spool_put_many(p->spool, t->events, n, NULL, t->receipts, &err);
    atomic_store(&p->board->inside[p->number][t->number], 0);
    note_answers(t, n);
    if (status != SPOOL_OK && status != SPOOL_INVALID) {
        (void)fprintf(stderr, "crash-producer: %s\n", err.message);
        exit(1);
    }
    worker_is_at_work();
}

static void *produce(void *arg)
{
    struct thread *t = arg;
    for (;;) {
        int64_t kind = rng_upto(&t->rng, 19);
        size_t n = kind == 0 ? (size_t)rng_upto(&t->rng, GROUP_MAX - 2) + 2 : 1;
        for (size_t i = 0; i < n; i++) {
            make_event(t, i, kind == 1);
        }
        put(t, n);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static struct thread threads[BOARD_THREADS];
    struct producer p = {.journal = -1};
    struct spool_options options;
    struct spool_error err;
    pthread_t thread;
    worker_begin();
    if (argc < 6) {
        return 2;
    }
    p.board = board_map(argv[3]);
    p.number = atoi(argv[4]);
    p.life = atoi(argv[5]);
    p.early = argc > 6 && strcmp(argv[6], "early") == 0;
    p.journal = open(argv[2], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    /* The last life may have left half a line. */
    if (p.journal < 0 || write(p.journal, "\n", 1) != 1) {
        return 1;
    }
    spool_options_default(&options);
    options.path = argv[1];
    if (spool_open(&options, &p.spool, &err) != SPOOL_OK) {
        (void)fprintf(stderr, "crash-producer: %s\n", err.message);
        return 1;
    }
    for (int i = 0; i < BOARD_THREADS; i++) {
        threads[i] = (struct thread){.p = &p, .number = i};
        threads[i].rng.state =
            (uint64_t)p.life * BOARD_THREADS + (uint64_t)i + 1;
        if (pthread_create(&thread, NULL, produce, &threads[i]) != 0) {
            return 1;
        }
    }
    (void)pthread_join(thread, NULL);
    return 0;
}
