#include "delivery/success.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

/* The next status of a rule: 100 to 599, 2 for 2xx, 0 at its end, -1 for what
 * is none. */
static int next_status(const char **rule)
{
    const char *p = *rule;
    if (*p == '\0') {
        return 0;
    }
    if (strspn(p, "0123456789x") != 3 || (p[3] != ',' && p[3] != '\0') ||
        (p[3] == ',' && p[4] == '\0')) {
        return -1;
    }
    *rule = p[3] == ',' ? p + 4 : p + 3;
    if (strncmp(p, "2xx", 3) == 0) {
        return 2;
    }
    if (p[0] < '1' || p[0] > '5' || p[1] == 'x' || p[2] == 'x') {
        return -1;
    }
    return (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
}

enum spool_status success_check(const char *rule, struct spool_error *err)
{
    int status;
    while ((status = next_status(&rule)) > 0) {
        if (status > 2 && status < 200) {
            status = -1;
            break;
        }
    }
    if (status < 0) {
        return failed(err, SPOOL_MISUSE,
                      "a rule for success is a list of statuses, like 2xx or "
                      "200,202,409");
    }
    return SPOOL_OK;
}

static bool names(const char *rule, int http)
{
    int status;
    while ((status = next_status(&rule)) > 0) {
        if (status == http || (status == 2 && http / 100 == 2)) {
            return true;
        }
    }
    return false;
}

bool success_judge(const char *rule, const struct reply *reply,
                   struct judgement *out)
{
    bool named = reply->http != 0 && names(rule, reply->http);
    if (rule[0] == '\0' || (!named && reply->http / 100 != 2)) {
        return false;
    }
    *out =
        (struct judgement){.verdict = named ? VERDICT_DELIVERED : VERDICT_HOLD,
                           .retry_after_ms = -1};
    (void)snprintf(out->code, sizeof out->code, "HTTP %d", reply->http);
    (void)snprintf(out->reason, sizeof out->reason, "%s",
                   named ? "the endpoint accepted the batch"
                         : "this status is no success by the destination's "
                           "rule; check the endpoint, or change --success");
    return true;
}
