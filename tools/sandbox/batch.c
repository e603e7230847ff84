#include "batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "events/json.h"

struct ids {
    bool user;
    bool session;
};

static void look_for_ids(void *arg, const struct json_member *member,
                         unsigned depth)
{
    struct ids *ids = arg;
    if (depth > 1 || member->kind == JSON_NULL ||
        (member->kind == JSON_STRING && member->value.len == 0)) {
        return;
    }
    ids->user = ids->user || json_equals(member->name, "userId");
    ids->session = ids->session || json_equals(member->name, "sessionId");
}

static void add_event(struct batch *b, const char *at, size_t len)
{
    if (b->count == b->room) {
        size_t room = b->room > 0 ? b->room * 2 : 1024;
        struct text *events = realloc(b->events, room * sizeof *events);
        if (events == NULL) {
            (void)fputs("spool-sandbox: out of memory\n", stderr);
            abort();
        }
        b->events = events;
        b->room = room;
    }
    b->events[b->count++] = (struct text){at, len};
}

/* Takes one event off the front of rest. */
static bool split_event(struct batch *b, struct text *rest)
{
    size_t space = json_space(rest->at, rest->len);
    rest->at += space;
    rest->len -= space;
    struct ids ids = {false, false};
    struct json_end end;
    if (json_scan(rest->at, rest->len, look_for_ids, &ids, &end) != JSON_OK ||
        end.kind != JSON_OBJECT) {
        return false;
    }
    add_event(b, rest->at, end.offset);
    rest->at += end.offset;
    rest->len -= end.offset;
    if (!ids.user && b->state != BATCH_NO_USER) {
        b->state = BATCH_NO_USER;
    } else if (!ids.session && b->state == BATCH_GOOD) {
        b->state = BATCH_NO_SESSION;
    }
    return true;
}

/* The byte behind white space, or 0 at the end. */
static char next_byte(struct text *rest)
{
    size_t space = json_space(rest->at, rest->len);
    rest->at += space;
    rest->len -= space;
    return (char)(rest->len > 0 ? rest->at[0] : '\0');
}

static void skip_byte(struct text *rest)
{
    rest->at++;
    rest->len--;
}

static bool split_array(struct batch *b, struct text *rest)
{
    skip_byte(rest);
    if (next_byte(rest) == ']') {
        skip_byte(rest);
        b->state = BATCH_EMPTY;
        return true;
    }
    while (split_event(b, rest)) {
        char c = next_byte(rest);
        if (c != ',' && c != ']') {
            return false;
        }
        skip_byte(rest);
        if (c == ']') {
            return true;
        }
    }
    return false;
}

void batch_split(struct batch *b, struct text body)
{
    b->state = BATCH_GOOD;
    b->count = 0;
    struct text rest = body;
    bool good =
        next_byte(&rest) == '[' ? split_array(b, &rest) : split_event(b, &rest);
    if (!good || next_byte(&rest) != '\0' || rest.len > 0) {
        b->state = BATCH_MALFORMED;
        b->count = 0;
    }
}

void batch_finish(struct batch *b)
{
    free(b->events);
    *b = (struct batch){0};
}
