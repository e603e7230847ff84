/* crash-flusher SPOOL [hasty|twice]
 *
 * Flushes until it is killed; with the mistakes of sender.h if asked to. */
#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "crash/sender.h"
#include "crash/worker.h"
#include "spool/handle.h"

static void note_report(void *arg, const struct spool_report *report)
{
    (void)arg;
    switch (report->kind) {
    case SPOOL_REPORT_DELIVERED:
    case SPOOL_REPORT_RETRY:
    case SPOOL_REPORT_UNCERTAIN:
    case SPOOL_REPORT_SPLIT:
    case SPOOL_REPORT_DEAD: /* whoever did not want any counts them */
        worker_is_at_work();
        break;
    case SPOOL_REPORT_HELD:
    case SPOOL_REPORT_RESUMED:
    case SPOOL_REPORT_DAMAGED:
    case SPOOL_REPORT_TROUBLE:
    case SPOOL_REPORT_STOPPED:
        (void)fprintf(stderr, "crash-flusher: report %d: %s\n",
                      (int)report->kind, report->reason);
        break;
    }
}

/* As spool_flusher_start does on a caller's loop, with another sender. */
static enum spool_status start_wrong(struct spool *spool,
                                     const struct sender_ops *sender,
                                     struct spool_error *err)
{
    static struct flusher *flusher;
    struct flusher_options options = {
        .box = spool_outbox(spool),
        .loop = uv_default_loop(),
        .sender = sender,
        .report = note_report,
        .http = {.connect_timeout_ms = 10000,
                 .total_timeout_ms = 30000,
                 .idle_max_s = 60},
        .stop_grace_ms = 1000,
    };
    enum spool_status status = http_global_init(err);
    return status == SPOOL_OK ? flusher_start(&options, &flusher, err) : status;
}

static enum spool_status start(struct spool *spool, const char *mistake,
                               struct spool_error *err)
{
    static struct spool_flusher *flusher;
    struct spool_flusher_options options;
    if (mistake != NULL) {
        return start_wrong(
            spool,
            strcmp(mistake, "hasty") == 0 ? &sender_hasty : &sender_twice, err);
    }
    spool_flusher_options_default(&options);
    options.loop = uv_default_loop();
    options.report = note_report;
    return spool_flusher_start(spool, &options, &flusher, err);
}

int main(int argc, char **argv)
{
    struct spool *spool;
    struct spool_options options;
    struct spool_error err;
    worker_begin();
    if (argc < 2) {
        return 2;
    }
    spool_options_default(&options);
    options.path = argv[1];
    enum spool_status status = spool_open(&options, &spool, &err);
    if (status == SPOOL_OK) {
        status = start(spool, argc > 2 ? argv[2] : NULL, &err);
    }
    if (status != SPOOL_OK) {
        (void)fprintf(stderr, "crash-flusher: %s\n", err.message);
        return 1;
    }
    (void)uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    (void)fputs("crash-flusher: the loop has ended\n", stderr);
    return 1;
}
