#include "support/long_run.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

bool long_run_is_full(void)
{
    const char *full = getenv("SPOOL_TEST_FULL");
    return full != NULL && strcmp(full, "1") == 0;
}

static const char *text_behind(int argc, char **argv, const char *name)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return argv[i + 1];
        }
    }
    return NULL;
}

long long_run_option(int argc, char **argv, const char *name, long usual)
{
    const char *text = text_behind(argc, argv, name);
    return text == NULL ? usual : strtol(text, NULL, 10);
}

uint64_t long_run_seed(int argc, char **argv)
{
    const char *text = text_behind(argc, argv, "--seed");
    struct rng any;
    rng_init(&any);
    uint64_t seed = text == NULL ? rng_next(&any) : strtoull(text, NULL, 0);
    (void)printf("seed %" PRIu64 "\n", seed);
    (void)fflush(stdout);
    return seed;
}

static volatile sig_atomic_t told;

static void note(int signal)
{
    (void)signal;
    told = 1;
}

bool long_run_is_told_to_end(void)
{
    static bool asked;
    if (!asked) {
        struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
        asked = true;
        (void)sigaction(SIGTERM, &action, NULL);
    }
    return told != 0;
}

double long_run_seconds(const struct timespec *from)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - from->tv_sec) +
           (double)(now.tv_nsec - from->tv_nsec) / 1e9;
}
