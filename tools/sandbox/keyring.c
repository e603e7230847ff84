#include "keyring.h"

#include <stdio.h>
#include <stdlib.h>

static _Noreturn void out_of_memory(void)
{
    (void)fputs("spool-sandbox: out of memory\n", stderr);
    abort();
}

static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0xD6E8FEB86659FD93U;
    return h ^ h >> 32;
}

uint64_t keyring_hash(struct text bytes)
{
    uint64_t h = bytes.len;
    uint64_t word = 0;
    size_t at = 0;
    for (; bytes.len - at >= sizeof word; at += sizeof word) {
        memcpy(&word, bytes.at + at, sizeof word);
        h = mix(h, word);
    }
    word = 0;
    if (at < bytes.len) {
        memcpy(&word, bytes.at + at, bytes.len - at);
    }
    return mix(mix(h, word), 0x9E3779B97F4A7C15U);
}

static struct key *find(struct key *places, size_t room, struct text name,
                        uint64_t hash)
{
    size_t i = (size_t)hash & (room - 1);
    while (places[i].name != NULL &&
           (places[i].hash != hash || places[i].name_len != name.len ||
            memcmp(places[i].name, name.at, name.len) != 0)) {
        i = (i + 1) & (room - 1);
    }
    return &places[i];
}

static void grow(struct keyring *ring)
{
    size_t room = ring->room > 0 ? ring->room * 2 : 256;
    struct key *places = calloc(room, sizeof *places);
    if (places == NULL) {
        out_of_memory();
    }
    for (size_t i = 0; i < ring->room; i++) {
        const struct key *old = &ring->places[i];
        if (old->name != NULL) {
            struct text name = {old->name, old->name_len};
            *find(places, room, name, old->hash) = *old;
        }
    }
    free(ring->places);
    ring->places = places;
    ring->room = room;
}

struct key *keyring_get(struct keyring *ring, struct text name, bool *is_new)
{
    if (ring->count * 2 >= ring->room) {
        grow(ring);
    }
    uint64_t hash = keyring_hash(name);
    struct key *key = find(ring->places, ring->room, name, hash);
    *is_new = key->name == NULL;
    if (*is_new) {
        key->name = malloc(name.len + 1);
        if (key->name == NULL) {
            out_of_memory();
        }
        memcpy(key->name, name.at, name.len);
        key->name_len = name.len;
        key->hash = hash;
        ring->count++;
    }
    return key;
}

void keyring_finish(struct keyring *ring)
{
    for (size_t i = 0; i < ring->room; i++) {
        free(ring->places[i].name);
    }
    free(ring->places);
    *ring = (struct keyring){0};
}
