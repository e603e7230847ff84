/* till SPOOL URL KEYFILE: takes a purchase, delivers it on its own loop. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <spool/flusher.h>
#include <spool/spool.h>
#include <uv.h>

static const char event[] =
    "{\"name\":\"CHECKOUT\",\"step\":\"purchase\",\"userId\":\"U\","
    "\"sessionId\":\"S\",\"device\":\"PC\",\"totalPrice\":19.90,"
    "\"productList\":[{\"productId\":\"CAKE\"}]}";

/* On the loop's thread. It ends once its event has arrived. */
static void report(void *loop, const struct spool_report *r)
{
    printf("%s: event %lld: %s\n", r->destination, (long long)r->first_id,
           r->kind == SPOOL_REPORT_DELIVERED ? "delivered" : r->reason);
    if (r->kind == SPOOL_REPORT_DELIVERED) {
        uv_stop(loop);
    }
}

static int ok(enum spool_status status) /* EXISTS: the till ran before */
{
    return status == SPOOL_OK || status == SPOOL_EXISTS;
}

int main(int argc, char **argv)
{
    struct spool *spool;
    struct spool_flusher *flusher;
    struct spool_error err;
    struct spool_flusher_options flush;
    if (argc != 4) {
        return 2;
    }
    struct spool_options options = {.path = argv[1], .create = 1};
    struct spool_destination shop = {
        .name = "shop", .url = argv[2], .api_key_file = argv[3]};
    signal(SIGPIPE, SIG_IGN);
    spool_flusher_options_default(&flush);
    flush.arg = flush.loop = uv_default_loop();
    flush.report = report;
    if (!ok(spool_open(&options, &spool, &err)) ||
        !ok(spool_add_destination(spool, &shop, &err)) ||
        !ok(spool_put(spool, event, strlen(event), NULL, NULL, &err)) ||
        !ok(spool_flusher_start(spool, &flush, &flusher, &err))) {
        fprintf(stderr, "till: %s\n", err.message);
        return 1;
    }
    uv_run(flush.loop, UV_RUN_DEFAULT); /* until report stops it */
    spool_flusher_stop(flusher, NULL, NULL);
    uv_run(flush.loop, UV_RUN_DEFAULT); /* until nothing of it is left */
    spool_close(spool);
    return uv_loop_close(flush.loop) == 0 ? 0 : 1;
}
