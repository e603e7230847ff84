/* Takes a file, a pipe or a request body apart into events and checks each one
 * in the same pass. A file may hold arrays of events, events one after another
 * and one event a line, mixed.
 *
 * No event is lost in silence. After one that is no JSON, reading goes on
 * behind it, as far as its end can be told: where its brackets close, or at a
 * line that begins with a bracket where JSON allows none. The item says how
 * many bytes were passed over. */
#ifndef EVENTS_EVENT_READER_H
#define EVENTS_EVENT_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "events/event.h"

/* Reads up to n bytes into buf: the number read, 0 at the end, -1 with errno
 * set on failure. */
typedef ssize_t event_read_fn(void *arg, char *buf, size_t n);

enum event_source {
    EVENT_FILE, /* anything as above */
    EVENT_BODY, /* one array or one event, nothing behind; ends at its first
                   syntax fault */
};

/* One event, or one fault of the text between events. */
struct event_item {
    uint64_t index;   /* 0, 1, 2, ...: position in the input */
    uint64_t offset;  /* of its first byte in the input */
    const char *json; /* the event as given; NULL if it has no end: syntax
                         and limit faults. Valid until the next call */
    size_t len;
    uint64_t skipped; /* bytes passed over to find the next event; else 0 */
    enum spool_status status;     /* SPOOL_OK or SPOOL_INVALID */
    struct event_facts facts;     /* with SPOOL_OK */
    struct event_finding finding; /* its offset counts from the input's start */
};

struct event_reader {
    struct event_checks checks;
    enum event_source source;
    event_read_fn *read;
    void *arg;
    struct buffer buffer; /* owned; unused when reading from memory */
    const char *text;     /* the window: buffered or borrowed bytes */
    size_t len, at;       /* its length, and where reading goes on in it */
    uint64_t base;        /* offset of the window in the input */
    uint64_t index;
    int state; /* what may come next: the implementation's own */
    bool ended;
};

/* *checks is copied. While checks->warn is called, r->index is the position of
 * the event that the warning is about; the warning's offset counts from that
 * event's first byte.
 *
 * From a callback: holds at most EVENT_BYTES_MAX and one block in memory. */
void event_reader_init(struct event_reader *r,
                       const struct event_checks *checks,
                       enum event_source source, event_read_fn *read,
                       void *arg);

/* From memory that stays unchanged until finish; copies and allocates
 * nothing. */
void event_reader_init_bytes(struct event_reader *r,
                             const struct event_checks *checks,
                             enum event_source source, const char *text,
                             size_t len);

/* SPOOL_OK with *item filled, good event or bad; SPOOL_NOT_FOUND at the end of
 * the input; SPOOL_IO if reading failed, SPOOL_NO_MEMORY: the reader is at its
 * end then. */
SPOOL_MUST_CHECK enum spool_status event_reader_next(struct event_reader *r,
                                                     struct event_item *item,
                                                     struct spool_error *err);

/* Frees the buffer; safe twice and on a zeroed reader. */
void event_reader_finish(struct event_reader *r);

#endif
