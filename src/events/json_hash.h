/* The hash behind json_hash, for json.c to have in its loop. */
#ifndef EVENTS_JSON_HASH_H
#define EVENTS_JSON_HASH_H

#include <stdint.h>
#include <string.h>

#include "events/json.h"

/* Eight bytes, the first one lowest. */
static inline uint64_t json_load8(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* The hash takes the decoded name eight bytes at a time. */
static inline uint64_t json_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 32;
}

/* Fewer than eight bytes, the first one lowest; up to end may be read. */
static inline uint64_t json_load_tail(const char *p, size_t n, const char *end)
{
    if (end - p >= 8) {
        return json_load8(p) & ((UINT64_C(1) << (8 * n)) - 1);
    }
    uint64_t word = 0;
    for (size_t i = 0; i < n; i++) {
        word |= (uint64_t)(unsigned char)p[i] << (8 * i);
    }
    return word;
}

/* As json_hash, for a text with escapes. */
uint32_t json_hash_decoded(struct json_text text);

/* json_hash of a name that lies in a text which goes on up to end. */
static inline uint32_t json_hash_within(struct json_text name, const char *end)
{
    if (name.escaped) {
        return json_hash_decoded(name);
    }
    uint64_t hash = 0;
    const char *p = name.at;
    size_t left = name.len;
    for (; left >= 8; left -= 8, p += 8) {
        hash = json_mix(hash, json_load8(p));
    }
    return (uint32_t)json_mix(json_mix(hash, json_load_tail(p, left, end)),
                              name.len);
}

#endif
