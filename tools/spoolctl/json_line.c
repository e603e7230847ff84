#include "json_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *memory)
{
    if (memory == NULL) {
        (void)fputs("spoolctl: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

struct json_object *json_make(void)
{
    return must(json_object_new_object());
}

void json_add(struct json_object *o, const char *name,
              struct json_object *value)
{
    if (json_object_object_add(o, name, value) != 0) {
        (void)must(NULL);
    }
}

void json_add_number(struct json_object *o, const char *name, int64_t n)
{
    json_add(o, name, must(json_object_new_int64(n)));
}

void json_add_decimal(struct json_object *o, const char *name, double n)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%.1f", n);
    json_add(o, name, must(json_object_new_double_s(n, text)));
}

void json_add_bool(struct json_object *o, const char *name, bool b)
{
    json_add(o, name, must(json_object_new_boolean(b)));
}

void json_add_time(struct json_object *o, const char *name, int64_t ms)
{
    json_add(o, name, ms == 0 ? NULL : must(json_object_new_int64(ms)));
}

/* Bytes of the well-formed UTF-8 character at p (RFC 3629, table of section 4);
 * 0 when it is none. */
static size_t character(const unsigned char *p, size_t left)
{
    if (p[0] < 0x80) {
        return 1;
    }
    size_t n = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4 || left < n) {
        return 0;
    }
    unsigned char lo = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char hi = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < lo || p[1] > hi) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if (p[i] < 0x80 || p[i] > 0xBF) {
            return 0;
        }
    }
    return n;
}

void json_add_bytes(struct json_object *o, const char *name, const char *bytes,
                    size_t len)
{
    static const char replacement[3] = "\xEF\xBF\xBD";
    char *clean = must(malloc(len * 3 + 1));
    size_t n = 0;
    for (size_t i = 0; i < len;) {
        size_t good = character((const unsigned char *)bytes + i, len - i);
        if (good > 0) {
            memcpy(clean + n, bytes + i, good);
            n += good;
            i += good;
        } else {
            memcpy(clean + n, replacement, sizeof replacement);
            n += sizeof replacement;
            i++;
        }
    }
    json_add(o, name, must(json_object_new_string_len(clean, (int)n)));
    free(clean);
}

void json_add_text(struct json_object *o, const char *name, const char *text)
{
    json_add_bytes(o, name, text == NULL ? "" : text,
                   text == NULL ? 0 : strlen(text));
}

void json_add_command(struct json_object *o, const char *name, const char *self,
                      const char *words)
{
    size_t size = strlen(self) + strlen(words) + 2;
    char *command = must(malloc(size));
    (void)snprintf(command, size, "%s%s%s", words[0] != '\0' ? self : "",
                   words[0] != '\0' ? " " : "", words);
    json_add_text(o, name, command);
    free(command);
}

void json_add_decoded(struct json_object *o, const char *name,
                      struct json_text text)
{
    char *decoded = must(malloc(text.len + 1)); /* never longer than written */
    size_t n = text.at == NULL ? 0 : json_decode(text, decoded, text.len);
    json_add_bytes(o, name, decoded, n);
    free(decoded);
}

/* DEL and the controls beyond ASCII (C2 80 to C2 9F) stand in strings alone. As
 * escapes they mean the same and cannot drive a terminal. */
static size_t escaped_control(const char *text, size_t left)
{
    unsigned char c = (unsigned char)text[0];
    if (c == 0x7F) {
        (void)fputs("\\u007f", stdout);
        return 1;
    }
    unsigned char next = left > 1 ? (unsigned char)text[1] : 0;
    if (c == 0xC2 && next >= 0x80 && next <= 0x9F) {
        (void)printf("\\u%04x", (unsigned)next);
        return 2;
    }
    return 0;
}

void json_print(struct json_object *o)
{
    size_t n;
    const char *text = json_object_to_json_string_length(
        o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &n);
    if (text == NULL) {
        (void)must(NULL);
    }
    for (size_t i = 0; i < n;) {
        size_t taken = escaped_control(text + i, n - i);
        if (taken == 0) {
            (void)putc(text[i], stdout);
            taken = 1;
        }
        i += taken;
    }
    (void)putchar('\n');
    (void)json_object_put(o);
}
