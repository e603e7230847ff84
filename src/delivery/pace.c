#include "delivery/pace.h"

/* Longer than a bucket takes to fill: keeps the product small. */
#define LONG_MS 1000

static void fill(struct pace *p, int64_t mono_ms)
{
    int64_t passed = mono_ms - p->at;
    int64_t most = p->rate * 1000;
    if (passed <= 0) {
        return;
    }
    p->at = mono_ms;
    if (p->tokens < 0 && passed > LONG_MS) { /* a debt may take longer */
        int64_t needed = -p->tokens / p->rate + LONG_MS;
        passed = passed < needed ? passed : needed;
    } else if (passed > LONG_MS) {
        passed = LONG_MS;
    }
    p->tokens += passed * p->rate;
    p->tokens = p->tokens < most ? p->tokens : most;
}

void pace_set(struct pace *p, int64_t rate, int64_t mono_ms)
{
    if (p->rate > 0) {
        fill(p, mono_ms);
    } else {
        *p = (struct pace){.tokens = 1, .at = mono_ms};
    }
    p->rate = rate;
}

int64_t pace_wait_ms(struct pace *p, int64_t mono_ms)
{
    if (p->rate == 0) {
        return 0;
    }
    fill(p, mono_ms);
    return p->tokens > 0 ? 0 : -p->tokens / p->rate + 1;
}

void pace_spend(struct pace *p, int64_t events)
{
    if (p->rate > 0) {
        p->tokens -= events * 1000;
    }
}
