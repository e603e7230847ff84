#include "number_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"

static struct number_digest digest_of(const char *text)
{
    unsigned char full[SHA256_SIZE];
    struct number_digest d;
    sha256(text, strlen(text), full);
    memcpy(&d.a, full, sizeof d.a);
    memcpy(&d.b, full + sizeof d.a, sizeof d.b);
    d.a |= 1; /* never that of a free slot */
    return d;
}

/* Where d is, or would be; there is always a free slot. */
static struct number_digest *slot_of(struct number_digest *slots, size_t room,
                                     struct number_digest d)
{
    size_t at = (size_t)d.b & (room - 1);
    while (slots[at].a != 0 && (slots[at].a != d.a || slots[at].b != d.b)) {
        at = (at + 1) & (room - 1);
    }
    return &slots[at];
}

static bool grow(struct number_set *set)
{
    size_t room = set->room == 0 ? 1024 : set->room * 2;
    struct number_digest *slots = calloc(room, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < set->room; i++) {
        if (set->slots[i].a != 0) {
            *slot_of(slots, room, set->slots[i]) = set->slots[i];
        }
    }
    free(set->slots);
    set->slots = slots;
    set->room = room;
    return true;
}

bool number_set_add(struct number_set *set, const char *text, bool *is_new)
{
    if (set->n >= set->room / 2 && !grow(set)) {
        return false;
    }
    struct number_digest d = digest_of(text);
    struct number_digest *slot = slot_of(set->slots, set->room, d);
    *is_new = slot->a == 0;
    set->n += *is_new ? 1 : 0;
    *slot = d;
    return true;
}

bool number_set_has(const struct number_set *set, const char *text)
{
    return set->room > 0 &&
           slot_of(set->slots, set->room, digest_of(text))->a != 0;
}

void number_set_finish(struct number_set *set)
{
    free(set->slots);
    *set = (struct number_set){0};
}
