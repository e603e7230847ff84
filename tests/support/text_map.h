/* A map from texts to numbers, for tests that handle many thousands of them.
 * Copies the texts. Ends the program without memory. */
#ifndef SUPPORT_TEXT_MAP_H
#define SUPPORT_TEXT_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text_map_slot {
    uint64_t hash;
    size_t at, len; /* in bytes */
    size_t value;
    bool used;
};

/* Zeroed is empty. */
struct text_map {
    struct text_map_slot *slots;
    size_t room, count; /* room is 0 or a power of two */
    char *bytes;
    size_t len, cap;
};

void text_map_finish(struct text_map *m);

size_t text_map_count(const struct text_map *m);

uint64_t text_map_hash(const char *text, size_t len);

/* What the text stands for: value, unless it stood for something before. */
size_t text_map_add(struct text_map *m, const char *text, size_t len,
                    size_t value);

bool text_map_find(const struct text_map *m, const char *text, size_t len,
                   size_t *value);

#endif
