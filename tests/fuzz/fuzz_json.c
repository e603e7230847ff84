/* The scanner against a second opinion, and against itself on a text cut
 * short. */
#include "fuzz.h"

#include <string.h>

#include "events/json.h"
#include "reference.h"

struct bounds {
    const char *text;
    size_t len;
};

static void check_text(const struct bounds *b, struct json_text text)
{
    MUST(text.at >= b->text && text.at + text.len <= b->text + b->len);
    MUST(text.escaped == (memchr(text.at, '\\', text.len) != NULL));
    char out[64];
    MUST(json_decode(text, out, sizeof out) <= sizeof out);
    MUST(json_equal(text, text));
    (void)json_hash(text);
}

static void check_member(void *arg, const struct json_member *path,
                         unsigned depth)
{
    const struct json_member *m = &path[depth - 1];
    MUST(depth >= 1 && depth <= JSON_TELL_DEPTH);
    MUST(m->kind != JSON_NONE);
    if (m->name.at != NULL) {
        check_text(arg, m->name);
        MUST(m->hash == json_hash(m->name));
    }
    if (m->kind == JSON_STRING) {
        check_text(arg, m->value);
    }
}

static void check_cut(const char *text, size_t len, const struct json_end *end)
{
    struct json_end cut;
    if (end->kind == JSON_NUMBER) {
        return;
    }
    MUST(json_scan(text, end->offset, NULL, NULL, &cut) == JSON_OK);
    MUST(json_scan(text, end->offset - 1, NULL, NULL, &cut) == JSON_INCOMPLETE);
    size_t half = end->offset / 2;
    MUST(json_scan(text, half, NULL, NULL, &cut) == JSON_INCOMPLETE);
    MUST(cut.offset == half && end->offset <= len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct bounds bounds = {text, size};
    struct json_end end;
    size_t other = 0;
    enum json_result result =
        json_scan(text, size, check_member, &bounds, &end);
    MUST(end.offset <= size);
    MUST((result == JSON_INCOMPLETE) <= (end.offset == size));
    if (result == JSON_OK) {
        MUST(end.sentence == NULL);
        MUST(reference_value(text, size, &other));
        MUST(other == end.offset);
        check_cut(text, size, &end);
    } else if (result != JSON_TOO_MUCH &&
               strstr(end.sentence, "comes twice") == NULL) {
        MUST(!reference_value(text, size, &other));
    }
    return 0;
}
