#include "picked.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

bool picked_add(struct picked *p, int64_t id)
{
    if (p->n == p->room) {
        size_t room = p->room == 0 ? 256 : p->room * 2;
        int64_t *ids = realloc(p->ids, room * sizeof *ids);
        if (ids == NULL) {
            return false;
        }
        p->ids = ids;
        p->room = room;
    }
    p->ids[p->n++] = id;
    return true;
}

void picked_finish(struct picked *p)
{
    free(p->ids);
    *p = (struct picked){0};
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

void picked_sort(struct picked *p)
{
    size_t kept = 0;
    if (p->n == 0) {
        return;
    }
    qsort(p->ids, p->n, sizeof *p->ids, compare);
    for (size_t i = 1; i < p->n; i++) {
        if (p->ids[i] != p->ids[kept]) {
            p->ids[++kept] = p->ids[i];
        }
    }
    p->n = kept + 1;
}

bool picked_parse(const char *text, int64_t *id)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || n < 1) {
        return false;
    }
    *id = n;
    return true;
}

static bool parse_line(char *line, int64_t *id)
{
    if (line[0] != '{') {
        return picked_parse(line, id);
    }
    struct json_object *o = json_tokener_parse(line), *member;
    bool good = json_object_is_type(o, json_type_object) &&
                json_object_object_get_ex(o, "id", &member) &&
                json_object_is_type(member, json_type_int);
    if (good) {
        *id = json_object_get_int64(member);
        good = *id > 0;
    }
    (void)json_object_put(o);
    return good;
}

enum spool_status picked_read(struct picked *p, FILE *in,
                              struct spool_error *err)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    unsigned long number = 0;
    enum spool_status status = SPOOL_OK;
    errno = 0;
    while (status == SPOOL_OK && (len = getline(&line, &size, in)) >= 0) {
        char *text = line + strspn(line, " \t");
        int64_t id;
        number++;
        while (len > 0 && strchr(" \t\r\n", line[len - 1]) != NULL) {
            line[--len] = '\0';
        }
        if (text >= line + len) {
            continue; /* an empty line */
        }
        if (!parse_line(text, &id)) {
            status = failed(err, SPOOL_MISUSE,
                            "line %lu holds no event id: give one a line, or "
                            "JSON lines with a member \"id\"",
                            number);
        } else if (!picked_add(p, id)) {
            status = failed(err, SPOOL_NO_MEMORY, "out of memory for the ids");
        }
        errno = 0;
    }
    if (status == SPOOL_OK && ferror(in)) {
        status = failed_errno(err, "cannot read the ids");
    }
    free(line);
    return status;
}
