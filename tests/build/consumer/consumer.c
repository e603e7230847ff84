/* A program of somebody else: keeps one event in the spool argv[1]. */
#include <spool/flusher.h>
#include <spool/spool.h>

#include <stdio.h>
#include <string.h>

static int keep(struct spool *spool, struct spool_error *err)
{
    static const char json[] =
        "{\"name\":\"CUSTOM_EVENT\",\"userId\":\"u\",\"sessionId\":\"s\","
        "\"device\":\"PC\",\"type\":\"consumer\"}";
    struct spool_flusher_options flusher;

    spool_flusher_options_default(&flusher);
    return spool_put(spool, json, strlen(json), NULL, NULL, err) != SPOOL_OK;
}

int main(int argc, char **argv)
{
    struct spool_options options;
    struct spool_error err = {SPOOL_OK, ""};
    struct spool *spool;
    int status = 1;

    spool_options_default(&options);
    options.path = argc > 1 ? argv[1] : "consumer.db";
    if (strcmp(spool_version(), SPOOL_VERSION) == 0 &&
        spool_open(&options, &spool, &err) == SPOOL_OK) {
        status = keep(spool, &err);
        spool_close(spool);
    }
    if (status != 0) {
        fprintf(stderr, "consumer: %s\n", err.message);
    }
    return status;
}
