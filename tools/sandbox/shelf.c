#include "shelf.h"

#include <inttypes.h>
#include <stdlib.h>

#include "print.h"

static const struct shelf_event *oldest(const struct shelf *s)
{
    return &s->events[s->first];
}

static void drop_oldest(struct shelf *s)
{
    s->first = (s->first + 1) % SHELF_EVENTS;
    s->count--;
}

/* Makes len bytes free at s->at. */
static void make_room(struct shelf *s, size_t len)
{
    if (s->at + len > SHELF_BYTES) {
        while (s->count > 0 && oldest(s)->offset >= s->at) {
            drop_oldest(s);
        }
        s->at = 0;
    }
    while (s->count == SHELF_EVENTS ||
           (s->count > 0 && oldest(s)->offset >= s->at &&
            oldest(s)->offset < s->at + len)) {
        drop_oldest(s);
    }
}

void shelf_add(struct shelf *s, struct text event, uint64_t request,
               int64_t at_ms)
{
    s->last++;
    if (s->bytes == NULL) {
        s->bytes = malloc(SHELF_BYTES);
    }
    if (s->bytes == NULL || event.len > SHELF_BYTES) {
        return;
    }
    make_room(s, event.len);
    memcpy(s->bytes + s->at, event.at, event.len);
    s->events[(s->first + s->count) % SHELF_EVENTS] = (struct shelf_event){
        .number = s->last,
        .request = request,
        .at_ms = at_ms,
        .offset = s->at,
        .len = event.len,
    };
    s->count++;
    s->at += event.len;
}

void shelf_print(const struct shelf *s, uint64_t after, struct buffer *out)
{
    print(out, "{\"last\":%" PRIu64 ",\"events\":[", s->last);
    const char *comma = "";
    for (size_t i = 0; i < s->count; i++) {
        const struct shelf_event *e = &s->events[(s->first + i) % SHELF_EVENTS];
        if (e->number <= after) {
            continue;
        }
        print(out,
              "%s{\"number\":%" PRIu64 ",\"n\":%" PRIu64 ",\"at_ms\":%" PRId64
              ",\"event\":",
              comma, e->number, e->request, e->at_ms);
        print_bytes(out, s->bytes + e->offset, e->len);
        print(out, "}");
        comma = ",";
    }
    print(out, "]}\n");
}

void shelf_clear(struct shelf *s)
{
    free(s->bytes);
    *s = (struct shelf){0};
}
