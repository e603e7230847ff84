#include "hint.h"

#include <string.h>

#define WORD_MAX 32

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment distance. Words are short: three rows will do. */
static size_t slips(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t n = strlen(a), m = strlen(b);
    if (n > WORD_MAX || m > WORD_MAX) {
        return WORD_MAX;
    }
    for (size_t j = 0; j <= m; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        size_t *now = rows[i % 3];
        const size_t *before = rows[(i + 2) % 3], *two = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t wrong = before[j - 1] + (a[i - 1] != b[j - 1] ? 1 : 0);
            now[j] = least(wrong, least(before[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1]) {
                now[j] = least(now[j], two[j - 2] + 1);
            }
        }
    }
    return rows[n % 3][m];
}

const char *hint_nearest(const char *word, const char *const *names, size_t n)
{
    const char *best = NULL;
    size_t len = strlen(word);
    /* A third of the word may be wrong, one letter always. */
    size_t limit = len / 3 + 1;
    for (size_t i = 0; i < n; i++) {
        size_t count = slips(word, names[i]);
        if (count < limit || (count == limit && count < len && best == NULL)) {
            best = names[i];
            limit = count;
        }
    }
    for (size_t i = 0; best == NULL && len > 1 && i < n; i++) {
        if (strncmp(word, names[i], len) == 0) {
            best = names[i];
        }
    }
    return best;
}
