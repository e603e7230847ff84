#include "delivery/tell.h"

static void tell(const struct flusher_options *options,
                 const struct spool_report *report)
{
    if (options->report != NULL) {
        options->report(options->arg, report);
    }
}

static enum spool_report_kind kind_of(const struct flight *flight,
                                      const struct settled *settled)
{
    switch (flight->s.outcome) {
    case OUTCOME_DELIVERED:
        return SPOOL_REPORT_DELIVERED;
    case OUTCOME_RETRY:
        return SPOOL_REPORT_RETRY;
    case OUTCOME_UNCERTAIN:
        return SPOOL_REPORT_UNCERTAIN;
    case OUTCOME_REFUSED:
        return settled->died    ? SPOOL_REPORT_DEAD
               : settled->split ? SPOOL_REPORT_SPLIT
                                : SPOOL_REPORT_HELD;
    case OUTCOME_HOLD:
        return SPOOL_REPORT_HELD;
    }
    return SPOOL_REPORT_HELD;
}

void tell_settled(const struct lane *lane, const struct flight *flight,
                  const struct settled *settled)
{
    bool again = flight->s.outcome != OUTCOME_DELIVERED &&
                 flight->s.outcome != OUTCOME_REFUSED;
    struct spool_report r = {
        .kind = kind_of(flight, settled),
        .destination = lane->destination.name,
        .first_id = flight->batch.lo,
        .last_id = flight->batch.hi,
        .events = (int64_t)flight->batch.n,
        .http = flight->s.http,
        .code = flight->judgement.code,
        .reason = flight->judgement.reason,
        .wait_ms = again ? flight->wait_ms : -1,
    };
    if (r.kind == SPOOL_REPORT_HELD && flight->s.outcome == OUTCOME_REFUSED) {
        r.reason = lane->destination.reason;
    }
    if (settled->resumed) {
        struct spool_report resumed = r;
        resumed.kind = SPOOL_REPORT_RESUMED;
        tell(&lane->lanes->options, &resumed);
    }
    tell(&lane->lanes->options, &r);
}

void tell_damaged(const struct lane *lane)
{
    if (lane->turn.damaged > 0) {
        struct spool_report r = {
            .kind = SPOOL_REPORT_DAMAGED,
            .destination = lane->destination.name,
            .events = lane->turn.damaged,
            .code = "DAMAGED",
            .reason = "rows whose checksum is wrong were set aside",
            .wait_ms = -1,
        };
        tell(&lane->lanes->options, &r);
    }
}

static void tell_why(const struct flusher_options *options,
                     enum spool_report_kind kind, const char *destination,
                     const struct spool_error *why, int64_t wait_ms)
{
    struct spool_report r = {.kind = kind,
                             .destination = destination,
                             .code = spool_status_name(why->status),
                             .reason = why->message,
                             .wait_ms = wait_ms};
    tell(options, &r);
}

void tell_trouble(const struct lane *lane, int64_t wait_ms)
{
    tell_why(&lane->lanes->options, SPOOL_REPORT_TROUBLE,
             lane->destination.name, &lane->error, wait_ms);
}

void tell_no_destinations(const struct flusher_options *options,
                          const struct spool_error *why, int64_t wait_ms)
{
    tell_why(options, SPOOL_REPORT_TROUBLE, "", why, wait_ms);
}

void tell_stopped(const struct flusher_options *options,
                  const struct spool_error *why)
{
    tell_why(options, SPOOL_REPORT_STOPPED, "", why, -1);
}
