#include "events/event_reader.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "events/skip.h"

#define BLOCK ((size_t)64 * 1024)

/* What may come next. */
enum {
    AT_TOP,  /* an event or an array */
    FIRST,   /* the first event of an array, or its end */
    ELEMENT, /* an event: a comma came before */
    BEHIND,  /* a comma or the end of the array */
    RESUMED, /* behind a fault in an array: a comma, an event or the end */
    DONE,    /* nothing: the body is complete */
};

void event_reader_init(struct event_reader *r,
                       const struct event_checks *checks,
                       enum event_source source, event_read_fn *read, void *arg)
{
    *r = (struct event_reader){
        .text = "",
        .checks = *checks,
        .source = source,
        .read = read,
        .arg = arg,
        .state = AT_TOP,
    };
}

void event_reader_init_bytes(struct event_reader *r,
                             const struct event_checks *checks,
                             enum event_source source, const char *text,
                             size_t len)
{
    event_reader_init(r, checks, source, NULL, NULL);
    r->text = text;
    r->len = len;
    r->ended = true;
}

void event_reader_finish(struct event_reader *r)
{
    buffer_finish(&r->buffer);
    r->text = "";
    r->len = 0;
    r->at = 0;
}

/* The window. */

/* Adds a block to the window, dropping what lies behind r->at. At the end of
 * the input it sets r->ended and adds nothing. */
static enum spool_status refill(struct event_reader *r, struct spool_error *err)
{
    struct buffer *b = &r->buffer;
    if (r->at > 0) {
        memmove(b->data, b->data + r->at, r->len - r->at);
        b->len = r->len - r->at;
        r->base += r->at;
        r->at = 0;
    }
    if (!buffer_reserve(b, BLOCK)) {
        return failed(err, SPOOL_NO_MEMORY, "no memory to read events");
    }
    ssize_t n = r->read(r->arg, b->data + b->len, BLOCK);
    if (n < 0) {
        return failed_errno(err, "cannot read the events");
    }
    r->ended = n == 0;
    b->len += (size_t)n;
    r->text = b->data;
    r->len = b->len;
    return SPOOL_OK;
}

/* Is there a byte at r->at? */
static enum spool_status look(struct event_reader *r, bool *byte,
                              struct spool_error *err)
{
    while (r->at == r->len && !r->ended) {
        enum spool_status status = refill(r, err);
        if (status != SPOOL_OK) {
            return status;
        }
    }
    *byte = r->at < r->len;
    return SPOOL_OK;
}

static enum spool_status look_past_space(struct event_reader *r, bool *byte,
                                         struct spool_error *err)
{
    enum spool_status status;
    do {
        r->at += json_space(r->text + r->at, r->len - r->at);
        status = look(r, byte, err);
    } while (status == SPOOL_OK && *byte && json_space(r->text + r->at, 1) > 0);
    return status;
}

/* Items. */

static void begin_item(struct event_reader *r, struct event_item *item)
{
    item->index = r->index;
    item->offset = r->base + r->at;
    item->json = NULL;
    item->len = 0;
    item->skipped = 0;
}

static void fault_item(struct event_reader *r, struct event_item *item,
                       const char *sentence)
{
    begin_item(r, item);
    item->status = SPOOL_INVALID;
    item->finding.fault = EVENT_SYNTAX;
    item->finding.offset = (size_t)item->offset;
    item->finding.path[0] = '\0';
    (void)snprintf(item->finding.message, sizeof item->finding.message, "%s",
                   sentence);
}

/* Goes on behind a faulty event, as far as its end can be told. */
static enum spool_status resume(struct event_reader *r, struct event_item *item,
                                struct spool_error *err)
{
    if (r->source == EVENT_BODY) {
        r->at = r->len;
        r->ended = true;
        r->state = DONE;
        return SPOOL_OK;
    }
    struct skip skip;
    skip_init(&skip, r->state != AT_TOP);
    for (;;) {
        bool byte;
        enum spool_status status = look(r, &byte, err);
        if (status != SPOOL_OK) {
            return status;
        }
        if (!byte) {
            break;
        }
        r->at += skip_bytes(&skip, r->text + r->at, r->len - r->at);
        if (skip.done) {
            break;
        }
    }
    item->skipped = r->base + r->at - item->offset;
    if (r->state != AT_TOP) {
        r->state = RESUMED;
    }
    return SPOOL_OK;
}

static void close_array(struct event_reader *r)
{
    r->at++;
    r->state = r->source == EVENT_BODY ? DONE : AT_TOP;
}

/* Could more bytes change what the check said of the first len bytes? */
static bool wants_more(const struct event_item *item, const char *text,
                       size_t len, size_t end)
{
    switch (item->finding.fault) {
    case EVENT_SYNTAX:
        return item->finding.offset == len;
    case EVENT_TYPE:
        /* A number at the end may go on. */
        return end == len && text[len - 1] >= '0' && text[len - 1] <= '9';
    case EVENT_OK:
    case EVENT_MISSING:
    case EVENT_ENUM:
    case EVENT_FORMAT:
    case EVENT_LIMIT:
        break;
    }
    return false;
}

/* Reads until the block in hand could close an event: without this a pipe that
 * gives a byte at a time would have each event scanned once a byte. */
static enum spool_status read_on(struct event_reader *r,
                                 struct spool_error *err)
{
    size_t before;
    enum spool_status status;
    do {
        before = r->len - r->at;
        status = refill(r, err);
    } while (status == SPOOL_OK && !r->ended && r->len < EVENT_BYTES_MAX &&
             memchr(r->text + before, '}', r->len - before) == NULL);
    return status;
}

static enum spool_status take_event(struct event_reader *r,
                                    struct event_item *item,
                                    struct spool_error *err)
{
    enum spool_status status;
    size_t end = 0;
    begin_item(r, item);
    for (;;) {
        const char *text = r->text + r->at;
        size_t len = r->len - r->at;
        item->status = event_check_at(&r->checks, text, len, &item->facts,
                                      &item->finding, &end);
        if (r->ended || !wants_more(item, text, len, end)) {
            break;
        }
        status = read_on(r, err);
        if (status != SPOOL_OK) {
            return status;
        }
    }
    enum event_fault fault = item->finding.fault;
    item->finding.offset += (size_t)item->offset;
    if (fault == EVENT_SYNTAX || fault == EVENT_LIMIT) {
        return resume(r, item, err);
    }
    item->json = r->text + r->at;
    item->len = end;
    r->at += end;
    if (r->state != AT_TOP) {
        r->state = BEHIND;
    } else if (r->source == EVENT_BODY) {
        r->state = DONE;
    }
    return SPOOL_OK;
}

/* No more bytes. */
static enum spool_status take_end(struct event_reader *r,
                                  struct event_item *item)
{
    bool body = r->source == EVENT_BODY;
    if (r->state == DONE || (r->state == AT_TOP && !body)) {
        return SPOOL_NOT_FOUND;
    }
    fault_item(r, item,
               r->state == AT_TOP ? "there is nothing where an event should be"
                                  : "the array of events is not closed");
    r->state = DONE;
    return SPOOL_OK;
}

/* Punctuation between events. True if it was passed, false if an item must be
 * taken here; *sentence is set if it is a fault. */
static bool pass_mark(struct event_reader *r, const char **sentence)
{
    char c = r->text[r->at];
    *sentence = NULL;
    switch (r->state) {
    case AT_TOP:
        if (c == '[') {
            r->at++;
            r->state = FIRST;
            return true;
        }
        return false;
    case ELEMENT:
        if (c == ']') {
            *sentence = "a comma is followed by no event";
        }
        return false;
    case DONE:
        *sentence = "something follows the end of the events";
        return false;
    case FIRST:
    case BEHIND:
    case RESUMED:
        break;
    }
    if (c == ']') {
        close_array(r);
        return true;
    }
    if (c == ',' && r->state != FIRST) {
        r->at++;
        r->state = ELEMENT;
        return true;
    }
    if (r->state == BEHIND) {
        *sentence = "a comma or ] is missing behind an event";
    }
    return false;
}

/* A fault between events costs no event if one begins right there. */
static enum spool_status take_mark_fault(struct event_reader *r,
                                         struct event_item *item,
                                         const char *sentence,
                                         struct spool_error *err)
{
    char c = r->text[r->at];
    fault_item(r, item, sentence);
    if (r->source == EVENT_FILE && c == ']') {
        close_array(r);
        return SPOOL_OK;
    }
    if (r->source == EVENT_FILE && (c == '{' || c == '[')) {
        r->state = ELEMENT;
        return SPOOL_OK;
    }
    return resume(r, item, err);
}

static enum spool_status next_item(struct event_reader *r,
                                   struct event_item *item,
                                   struct spool_error *err)
{
    for (;;) {
        bool byte;
        enum spool_status status = look_past_space(r, &byte, err);
        if (status != SPOOL_OK) {
            return status;
        }
        if (!byte) {
            return take_end(r, item);
        }
        const char *sentence;
        if (pass_mark(r, &sentence)) {
            continue;
        }
        return sentence == NULL ? take_event(r, item, err)
                                : take_mark_fault(r, item, sentence, err);
    }
}

enum spool_status event_reader_next(struct event_reader *r,
                                    struct event_item *item,
                                    struct spool_error *err)
{
    enum spool_status status = next_item(r, item, err);
    if (status == SPOOL_OK) {
        r->index++;
    } else {
        r->at = r->len;
        r->ended = true;
        r->state = DONE;
    }
    return status;
}
