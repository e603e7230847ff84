/* The reader: the same items whether the bytes lie in memory or come in
 * pieces, no byte told twice, and filters of any text. The first byte of the
 * input chooses source and size of the pieces. */
#include "fuzz.h"

#include <string.h>

#include "events/event_reader.h"
#include "events/filter.h"

struct pieces {
    const char *text;
    size_t len;
    size_t at;
    size_t step;
};

static ssize_t give(void *arg, char *buf, size_t n)
{
    struct pieces *p = arg;
    size_t left = p->len - p->at;
    n = n < p->step ? n : p->step;
    n = n < left ? n : left;
    if (n > 0) {
        memcpy(buf, p->text + p->at, n);
    }
    p->at += n;
    return (ssize_t)n;
}

static void check_same(const struct event_item *a, const struct event_item *b)
{
    MUST(a->index == b->index && a->offset == b->offset && a->len == b->len);
    MUST(a->skipped == b->skipped && a->status == b->status);
    MUST((a->json == NULL) == (b->json == NULL));
    MUST(a->json == NULL || memcmp(a->json, b->json, a->len) == 0);
    if (a->status == SPOOL_INVALID) {
        MUST(a->finding.fault == b->finding.fault);
        MUST(a->finding.offset == b->finding.offset);
        MUST(strcmp(a->finding.message, b->finding.message) == 0);
    }
}

static void try_filter(const char *text, size_t len)
{
    char expression[128];
    struct filter *filter = NULL;
    struct spool_error err;
    len = len < sizeof expression ? len : sizeof expression - 1;
    memcpy(expression, text, len);
    expression[len] = '\0';
    if (filter_create(expression, &filter, &err) == SPOOL_OK) {
        (void)filter_takes(filter, text, len);
        filter_destroy(filter);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct event_checks checks = {.mode = EVENT_OFF};
    enum event_source source = data[0] & 1 ? EVENT_BODY : EVENT_FILE;
    const char *text = (const char *)data + 1;
    size_t len = size - 1;
    struct pieces pieces = {text, len, 0, 1 + data[0] / 2};
    struct event_reader whole;
    struct event_reader pieced;
    struct event_item a;
    struct event_item b;
    event_reader_init_bytes(&whole, &checks, source, text, len);
    event_reader_init(&pieced, &checks, source, give, &pieces);
    uint64_t reached = 0;
    enum spool_status status;
    while ((status = event_reader_next(&whole, &a, NULL)) == SPOOL_OK) {
        MUST(event_reader_next(&pieced, &b, NULL) == SPOOL_OK);
        check_same(&a, &b);
        MUST(a.offset >= reached);
        reached = a.offset + (a.json != NULL ? a.len : a.skipped);
        MUST(reached <= len);
    }
    MUST(status == SPOOL_NOT_FOUND);
    MUST(event_reader_next(&pieced, &b, NULL) == SPOOL_NOT_FOUND);
    event_reader_finish(&whole);
    event_reader_finish(&pieced);
    try_filter(text, len);
    return 0;
}
