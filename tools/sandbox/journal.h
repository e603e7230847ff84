/* The log a checker reads: one JSON line a request, written whole with one
 * write() before the answer leaves, so that whoever has the answer finds the
 * line. Without a file nothing is written. */
#ifndef SANDBOX_JOURNAL_H
#define SANDBOX_JOURNAL_H

#include <stdint.h>

#include "base/buffer.h"
#include "batch.h"
#include "spool/error.h"

struct journal {
    int fd; /* -1: no log */
    const char *path;
    struct buffer line;
};

struct journal_entry {
    int64_t at_ms;
    uint64_t n; /* number of the request */
    uint64_t connection;
    uint64_t
        on_connection;  /* how many requests it has brought, this included */
    struct text method; /* absent when the request was no HTTP */
    struct text path;
    struct text idempotency_key;
    struct text origin;
    bool key_ok;
    size_t body_len;
    int http;          /* status of the answer; 0: none is sent */
    const char *code;  /* its statusCode, or NULL */
    const char *fault; /* what struck, "" for nothing */
    bool taken;        /* the events were kept */
    bool duplicate;    /* answered from an earlier request of the same key */
    const struct batch *batch; /* the events that came, or NULL */
};

/* Opens the log for adding to it; a NULL path is a journal without a file. */
enum spool_status journal_open(struct journal *j, const char *path,
                               struct spool_error *err) SPOOL_MUST_CHECK;

/* SPOOL_IO or SPOOL_FULL when the line is not whole in the file: then the
 * answer must not be sent. */
enum spool_status journal_write(struct journal *j,
                                const struct journal_entry *entry,
                                struct spool_error *err) SPOOL_MUST_CHECK;

void journal_close(struct journal *j);

#endif
