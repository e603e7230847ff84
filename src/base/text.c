#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The character at p as UTF-8: its length, or 0 if it is none. */
static size_t decode(const unsigned char *p, size_t left, uint32_t *point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if ((p[0] >= 0x80 && p[0] < 0xC2) || p[0] > 0xF4 || n > left) {
        return 0;
    }
    *point = n == 1 ? p[0] : p[0] & (0xFFU >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
        *point = *point << 6 | (p[i] & 0x3FU);
    }
    bool bad = *point < least[n] || *point > 0x10FFFF ||
               (*point >= 0xD800 && *point <= 0xDFFF);
    return bad ? 0 : n;
}

/* Whether a character could drive a terminal or turn a line of text round:
 * C0, DEL, C1, line separators, the bidirectional controls. */
static bool is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7F && point < 0xA0) || point == 0x61C ||
           (point >= 0x200B && point <= 0x200F) ||
           (point >= 0x2028 && point <= 0x202E) ||
           (point >= 0x2060 && point <= 0x206F) || point == 0xFEFF;
}

void text_clean(char *out, size_t size, const char *words, size_t len)
{
    size_t used = 0;
    for (size_t i = 0; i < len;) {
        uint32_t point = 0;
        const unsigned char *p = (const unsigned char *)words + i;
        size_t n = decode(p, len - i, &point);
        bool shown = n > 0 && !is_control(point);
        size_t wide = shown ? n : 1;
        if (used + wide >= size) {
            break;
        }
        memcpy(out + used, shown ? words + i : "?", wide);
        used += wide;
        i += n > 0 ? n : 1;
    }
    out[used] = '\0';
}
