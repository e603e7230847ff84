#include "support/text_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 1024

static void *must(void *memory)
{
    if (memory == NULL) {
        (void)fputs("text map: out of memory\n", stderr);
        abort();
    }
    return memory;
}

void text_map_finish(struct text_map *m)
{
    free(m->slots);
    free(m->bytes);
    *m = (struct text_map){0};
}

size_t text_map_count(const struct text_map *m)
{
    return m->count;
}

uint64_t text_map_hash(const char *text, size_t len)
{
    uint64_t h = 0xcbf29ce484222325U; /* FNV-1a */
    for (size_t i = 0; i < len; i++) {
        h = (h ^ (unsigned char)text[i]) * 0x100000001b3U;
    }
    return h;
}

/* The text's slot, or the empty one where it belongs. */
static struct text_map_slot *slot_of(const struct text_map *m, uint64_t hash,
                                     const char *text, size_t len)
{
    size_t i = (size_t)hash & (m->room - 1);
    while (m->slots[i].used &&
           (m->slots[i].hash != hash || m->slots[i].len != len ||
            memcmp(m->bytes + m->slots[i].at, text, len) != 0)) {
        i = (i + 1) & (m->room - 1);
    }
    return &m->slots[i];
}

static void widen(struct text_map *m)
{
    struct text_map old = *m;
    m->room = old.room == 0 ? ROOM_MIN : old.room * 2;
    m->slots = must(calloc(m->room, sizeof *m->slots));
    for (size_t i = 0; i < old.room; i++) {
        const struct text_map_slot *s = &old.slots[i];
        if (s->used) {
            *slot_of(m, s->hash, m->bytes + s->at, s->len) = *s;
        }
    }
    free(old.slots);
}

static size_t keep(struct text_map *m, const char *text, size_t len)
{
    if (m->bytes == NULL || m->cap - m->len < len) {
        m->cap = (m->cap + len + ROOM_MIN) * 2;
        m->bytes = must(realloc(m->bytes, m->cap));
    }
    memcpy(m->bytes + m->len, text, len);
    m->len += len;
    return m->len - len;
}

size_t text_map_add(struct text_map *m, const char *text, size_t len,
                    size_t value)
{
    if (m->count * 2 >= m->room) {
        widen(m);
    }
    uint64_t hash = text_map_hash(text, len);
    struct text_map_slot *s = slot_of(m, hash, text, len);
    if (!s->used) {
        *s = (struct text_map_slot){.hash = hash,
                                    .at = keep(m, text, len),
                                    .len = len,
                                    .value = value,
                                    .used = true};
        m->count++;
    }
    return s->value;
}

bool text_map_find(const struct text_map *m, const char *text, size_t len,
                   size_t *value)
{
    if (m->room == 0) {
        return false;
    }
    const struct text_map_slot *s =
        slot_of(m, text_map_hash(text, len), text, len);
    if (s->used) {
        *value = s->value;
    }
    return s->used;
}
