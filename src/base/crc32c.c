#include "base/crc32c.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* table[0] is the usual byte table; table[k] advances a byte through k more
 * zero bytes, so that eight bytes are folded with eight look-ups. */
static uint32_t table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void fill_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++) {
            c = (c >> 1) ^ ((c & 1) ? 0x82F63B78U : 0);
        }
        table[0][i] = c;
    }
    for (int k = 1; k < 8; k++) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t c = table[k - 1][i];
            table[k][i] = (c >> 8) ^ table[0][c & 0xFF];
        }
    }
}

static uint32_t load32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static uint32_t by_table(uint32_t c, const unsigned char *p, size_t n)
{
    (void)pthread_once(&table_once, fill_table);
    for (; n >= 8; n -= 8, p += 8) {
        uint32_t a = load32(p) ^ c;
        uint32_t b = load32(p + 4);
        c = table[7][a & 0xFF] ^ table[6][(a >> 8) & 0xFF] ^
            table[5][(a >> 16) & 0xFF] ^ table[4][a >> 24] ^
            table[3][b & 0xFF] ^ table[2][(b >> 8) & 0xFF] ^
            table[1][(b >> 16) & 0xFF] ^ table[0][b >> 24];
    }
    for (; n > 0; n--, p++) {
        c = (c >> 8) ^ table[0][(c ^ *p) & 0xFF];
    }
    return c;
}

#if defined(__x86_64__) && defined(__GNUC__)
/* The processor has an instruction for it, eight times as fast: every row is
 * summed when it is put and again when it is sent. */
__attribute__((target("sse4.2"))) static uint32_t
by_instruction(uint32_t c, const unsigned char *p, size_t n)
{
    unsigned long long wide = c;
    for (; n >= 8; n -= 8, p += 8) {
        unsigned long long word;
        memcpy(&word, p, 8);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    c = (uint32_t)wide;
    for (; n > 0; n--, p++) {
        c = __builtin_ia32_crc32qi(c, *p);
    }
    return c;
}

static bool has_instruction(void)
{
    return __builtin_cpu_supports("sse4.2");
}
#else
#define by_instruction by_table

static bool has_instruction(void)
{
    return false;
}
#endif

uint32_t crc32c(uint32_t crc, const void *bytes, size_t n)
{
    return has_instruction() ? ~by_instruction(~crc, bytes, n)
                             : ~by_table(~crc, bytes, n);
}

uint32_t crc32c_by_table(uint32_t crc, const void *bytes, size_t n)
{
    return ~by_table(~crc, bytes, n);
}
