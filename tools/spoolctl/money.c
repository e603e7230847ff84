#include "money.h"

#include <inttypes.h>
#include <stdio.h>

#define WHOLE_DIGITS 15
#define PART_DIGITS  18
#define PARTS        INT64_C(1000000000000000000)
#define WHOLE_MAX    INT64_C(1000000000000000000)

/* The digits at *at; how many, or 0 when there are none or more than most. */
static int digits(const char **at, int most, int64_t *out)
{
    int n = 0;
    for (*out = 0; **at >= '0' && **at <= '9'; ++*at) {
        if (n++ == most) {
            return 0;
        }
        *out = *out * 10 + (**at - '0');
    }
    return n;
}

bool money_parse(const char *text, struct money *out)
{
    struct money m = {0};
    bool negative = *text == '-';
    text += negative ? 1 : 0;
    if (digits(&text, WHOLE_DIGITS, &m.whole) == 0) {
        return false;
    }
    if (*text == '.') {
        text++;
        m.decimals = digits(&text, PART_DIGITS, &m.parts);
        if (m.decimals == 0) {
            return false;
        }
        for (int i = m.decimals; i < PART_DIGITS; i++) {
            m.parts *= 10;
        }
    }
    if (*text != '\0') {
        return false;
    }
    m.whole = negative ? -m.whole : m.whole;
    m.parts = negative ? -m.parts : m.parts;
    *out = m;
    return true;
}

bool money_add(struct money *sum, const struct money *m)
{
    struct money s = *sum;
    s.whole += m->whole;
    s.parts += m->parts;
    s.whole += s.parts / PARTS;
    s.parts %= PARTS;
    if (s.whole > 0 && s.parts < 0) {
        s.whole--;
        s.parts += PARTS;
    } else if (s.whole < 0 && s.parts > 0) {
        s.whole++;
        s.parts -= PARTS;
    }
    if (s.whole > WHOLE_MAX || s.whole < -WHOLE_MAX) {
        return false;
    }
    s.decimals = m->decimals > s.decimals ? m->decimals : s.decimals;
    *sum = s;
    return true;
}

const char *money_text(const struct money *m, char out[MONEY_SIZE])
{
    bool negative = m->whole < 0 || m->parts < 0;
    int n = snprintf(out, MONEY_SIZE, "%s%" PRId64 ".%018" PRId64,
                     negative ? "-" : "", negative ? -m->whole : m->whole,
                     negative ? -m->parts : m->parts);
    int cut = m->decimals == 0 ? PART_DIGITS + 1 : PART_DIGITS - m->decimals;
    out[n - cut] = '\0';
    return out;
}
