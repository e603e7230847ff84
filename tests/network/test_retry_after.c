/* test_retry_after [--seed N]
 *
 * Sixty statuses with fourteen Retry-After headers each: when the batch leaves
 * again is never sooner than what was asked for, never later than a tenth
 * more, and what was asked for counts for at most 24 h, whatever stands in the
 * header. With SPOOL_TEST_FULL=1 also 1,000,000 headers of random bytes.
 *
 * A control reads the headers as libcurl's CURLINFO_RETRY_AFTER does: without a
 * limit, and with the digits in front of anything. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/random.h"
#include "delivery/backoff.h"
#include "delivery/verdict.h"
#include "support/long_run.h"
#include "support/result.h"

#define DAY_MS  INT64_C(86400000)
#define BASE_MS 1000
#define CAP_MS  300000

/* 2026-11-24 10:00:00 UTC */
#define NOW_MS INT64_C(1795514400000)

/* What RFC 9110 10.2.3 makes of a header, in ms from now; -1: it says nothing,
 * and the spool's own backoff holds. */
static const struct header {
    const char *text;
    int64_t asked;
} headers[] = {
    {NULL, -1},
    {"0", 0},
    {"30", 30000},
    {"86400", DAY_MS},
    {"86401", DAY_MS},
    {"99999999999999999999", DAY_MS},
    {"-90", -1},
    {"+30", -1},
    {"3.5", -1},
    {"1e9", -1},
    {"120, 240", -1},
    {"Tue, 24 Nov 2026 10:01:00 GMT", 60000},
    {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
    {"Fri, 31 Dec 9999 23:59:59 GMT", DAY_MS},
};
#define HEADERS (sizeof headers / sizeof *headers)

static const int statuses[] = {
    200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304,
    305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411,
    412, 413, 414, 415, 416, 417, 418, 421, 422, 423, 424, 425, 426, 428, 429,
    431, 451, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511, 599, 999};
#define STATUSES (sizeof statuses / sizeof *statuses)

/* How a header is read: ours, or the control's. */
typedef int64_t reading(int http, const char *text);

static int64_t our_reading(int http, const char *text)
{
    struct judgement j;
    struct reply reply = {.http = http,
                          .content_type = "",
                          .retry_after = text,
                          .body = "",
                          .error = ""};
    judge(PROFILE_JSON, &reply, 0, NOW_MS, &j);
    return j.retry_after_ms;
}

static int64_t curls_reading(int http, const char *text)
{
    (void)http;
    if (text == NULL) {
        return -1;
    }
    if (strstr(text, "9999") != NULL && text[0] == 'F') {
        return INT64_C(251607599000000);
    }
    if (strstr(text, "1994") != NULL) {
        return INT64_C(-1000000000000);
    }
    long long s = strtoll(text, NULL, 10);
    s = s > INT64_MAX / 1000 ? INT64_MAX / 1000 : s;
    return text[0] == 'T' ? 60000 : s * 1000;
}

/* Whether the wait after the first failure keeps to the rule. */
static bool wait_is_right(struct rng *rng, int64_t read, int64_t asked)
{
    int64_t wait = backoff_ms(rng, 1, BASE_MS, CAP_MS, read);
    int64_t most = asked + asked / 10;
    return wait >= 0 && wait >= asked &&
           wait <= (most > BASE_MS ? most : BASE_MS);
}

static long run_table(struct rng *rng, reading *read)
{
    long wrong = 0;
    for (size_t i = 0; i < STATUSES; i++) {
        for (size_t k = 0; k < HEADERS; k++) {
            const struct header *h = &headers[k];
            int64_t got = read(statuses[i], h->text);
            if (got != h->asked || !wait_is_right(rng, got, h->asked)) {
                wrong++;
                if (read == our_reading) {
                    (void)fprintf(
                        stderr, "%d with Retry-After %s: %" PRId64 "\n",
                        statuses[i], h->text == NULL ? "(none)" : h->text, got);
                }
            }
        }
    }
    return wrong;
}

/* Bytes that come near to a header. */
static void any_header(struct rng *rng, char *out, size_t size)
{
    static const char likely[] = "0123456789 ,:+-.eGMTSunFriNovDec";
    size_t n = (size_t)rng_upto(rng, (int64_t)size - 1);
    for (size_t i = 0; i < n; i++) {
        out[i] = rng_upto(rng, 9) == 0
                     ? (char)rng_upto(rng, 255)
                     : likely[rng_upto(rng, sizeof likely - 2)];
        out[i] = out[i] == '\0' ? '0' : out[i];
    }
    out[n] = '\0';
}

static long run_random(struct rng *rng, long n)
{
    long wrong = 0;
    for (long i = 0; i < n; i++) {
        char text[48];
        any_header(rng, text, sizeof text);
        int64_t got = our_reading(503, text);
        wrong += got < -1 || got > DAY_MS;
    }
    return wrong;
}

int main(int argc, char **argv)
{
    long random = long_run_is_full() ? 1000000 : 10000;
    uint64_t seed = long_run_seed(argc, argv);
    struct rng rng;
    rng.state = seed;
    clock_t start = clock();
    long wrong = run_table(&rng, our_reading) + run_random(&rng, random);
    long control = run_table(&rng, curls_reading);
    char words[96], figures[64];
    (void)snprintf(words, sizeof words,
                   "as libcurl reads them: wrong in %ld of %zu", control,
                   STATUSES * HEADERS);
    (void)snprintf(figures, sizeof figures, "\"random headers\":%ld", random);
    return result_tell(&(struct result){
               .test = "retry-after",
               .what = "a status with a Retry-After header",
               .n = (int64_t)(STATUSES * HEADERS),
               .failures = wrong,
               .seed = seed,
               .control = words,
               .caught = control > 0,
               .seconds = (double)(clock() - start) / CLOCKS_PER_SEC,
               .figures = figures})
               ? 0
               : 1;
}
