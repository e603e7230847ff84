#include "human.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

const char *human_count(int64_t n, char out[HUMAN_SIZE])
{
    char plain[HUMAN_SIZE];
    int len = snprintf(plain, sizeof plain, "%lld", (long long)n);
    size_t at = 0;
    for (int i = 0; i < len; i++) {
        out[at++] = plain[i];
        int left = len - 1 - i;
        if (left > 0 && left % 3 == 0 && plain[i] != '-') {
            out[at++] = ',';
        }
    }
    out[at] = '\0';
    return out;
}

const char *human_bytes(int64_t n, char out[HUMAN_SIZE])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)n;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1024;
        unit++;
    }
    (void)snprintf(out, HUMAN_SIZE,
                   unit > 0 && value < 10 ? "%.1f %s" : "%.0f %s", value,
                   units[unit]);
    return out;
}

const char *human_events(int64_t n, char out[HUMAN_SIZE])
{
    char count[HUMAN_SIZE];
    (void)snprintf(out, HUMAN_SIZE, "%.20s event%s", human_count(n, count),
                   n == 1 ? "" : "s");
    return out;
}

const char *human_json(struct json_text text, char *out, size_t size)
{
    char decoded[1024];
    size_t n = text.at == NULL ? 0 : json_decode(text, decoded, sizeof decoded);
    text_clean(out, size, decoded, n);
    return out;
}

const char *human_words(const char *words, char *out, size_t size)
{
    size_t n = strlen(words);
    while (n > 0 && strchr(" \r\n\t", words[n - 1]) != NULL) {
        n--; /* the end of a line is no word */
    }
    text_clean(out, size, words, n);
    return out;
}

const char *human_answer(const char *code, const char *reason, char *out,
                         size_t size)
{
    char joined[600];
    bool said = strncmp(code, reason, strlen(code)) == 0;
    (void)snprintf(joined, sizeof joined, "%s%s%s", said ? "" : code,
                   said || reason[0] == '\0' ? "" : ": ", reason);
    return human_words(joined, out, size);
}
