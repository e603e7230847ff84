#include "spool/slice.h"

/* A member that holds a list for each event. */
struct lists {
    const char *name;
    struct json_text *mine; /* the list at the index */
    size_t seen;
    bool there;
};

struct slicing {
    size_t n, index;
    struct lists lists[3];
    bool odd; /* a member of that name is something else */
};

static void take_member(void *arg, const struct json_member *path,
                        unsigned depth)
{
    struct slicing *s = arg;
    if (depth > 2 || path[0].name.at == NULL) {
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        struct lists *l = &s->lists[i];
        if (!json_equals(path[0].name, l->name)) {
            continue;
        }
        if (depth == 1) { /* its elements have been seen */
            l->there = true;
            s->odd = s->odd || path[0].kind != JSON_ARRAY || l->seen != s->n;
        } else if (path[1].kind != JSON_ARRAY) {
            s->odd = true;
        } else if (l->seen++ == s->index) {
            *l->mine = path[1].value;
        }
    }
}

static const char *find(const char *answer, size_t len, struct slicing *s)
{
    struct json_end end;
    if (json_scan(answer, len, take_member, s, &end) != JSON_OK ||
        end.kind != JSON_OBJECT ||
        end.offset + json_space(answer + end.offset, len - end.offset) != len) {
        return "the endpoint's answer is no JSON object";
    }
    if (s->odd) {
        return "the endpoint's answer does not hold one list for each event";
    }
    if (!s->lists[0].there && !s->lists[1].there && !s->lists[2].there) {
        return "the endpoint's answer holds no lists";
    }
    return NULL;
}

const char *slice_find(const char *answer, size_t len, size_t n, size_t index,
                       struct slice *out)
{
    struct slicing s = {
        .n = n,
        .index = index,
        .lists = {{.name = "responses", .mine = &out->responses},
                  {.name = "campaigns", .mine = &out->campaigns},
                  {.name = "search", .mine = &out->search}}};
    *out = (struct slice){0};
    const char *why = find(answer, len, &s);
    if (why != NULL) {
        *out = (struct slice){0};
    }
    return why;
}
