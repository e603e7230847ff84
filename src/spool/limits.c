/* Limits, as the public header has them: the outbox knows classes as numbers
 * only. */
#include "spool/limits.h"

#include <assert.h>

#include "base/error.h"
#include "events/event.h"
#include "outbox/limits.h"
#include "spool/handle.h"

static_assert(SPOOL_CLASSES == OUTBOX_CLASSES, "one class each");
static_assert((int)SPOOL_CLASS_VIEW == (int)EVENT_VIEW &&
                  (int)SPOOL_CLASS_PURCHASE == (int)EVENT_PURCHASE,
              "they are the same numbers");

const char *spool_class_name(enum spool_class class_)
{
    return event_class_name((enum event_class)class_);
}

enum spool_status spool_get_limits(struct spool *spool,
                                   struct spool_limits *out,
                                   struct spool_error *err)
{
    struct limits l;
    enum spool_status status = limits_get(spool_outbox(spool), &l, err);
    if (status == SPOOL_OK) {
        *out = (struct spool_limits){.max_events = l.max_events,
                                     .max_bytes = l.max_bytes,
                                     .free_disk_bytes = l.free_disk};
        for (int c = 0; c < SPOOL_CLASSES; c++) {
            out->classes[c].share = l.classes[c].share;
            out->classes[c].shed = l.classes[c].shed ? 1 : 0;
        }
    }
    return status;
}

enum spool_status spool_set_limits(struct spool *spool,
                                   const struct spool_limits *limits,
                                   struct spool_error *err)
{
    struct limits l = {.max_events = limits->max_events,
                       .max_bytes = limits->max_bytes,
                       .free_disk = limits->free_disk_bytes};
    for (int c = 0; c < SPOOL_CLASSES; c++) {
        l.classes[c] = (struct class_limit){limits->classes[c].share,
                                            limits->classes[c].shed != 0};
    }
    if (l.classes[SPOOL_CLASS_PURCHASE].shed) {
        return failed(err, SPOOL_MISUSE,
                      "purchases are never shed; leave them to be refused when "
                      "the spool is full");
    }
    return limits_set(spool_outbox(spool), &l, err);
}

static struct spool_toll toll_of(int64_t n[LIMIT_CAUSES][OUTBOX_CLASSES],
                                 int class)
{
    return (struct spool_toll){n[LIMIT_EVENTS][class], n[LIMIT_BYTES][class],
                               n[LIMIT_DISK][class]};
}

enum spool_status spool_usage(struct spool *spool, struct spool_usage *out,
                              struct spool_error *err)
{
    struct limits_usage u;
    enum spool_status status = limits_usage(spool_outbox(spool), &u, err);
    if (status == SPOOL_OK) {
        *out = (struct spool_usage){.events = u.events,
                                    .bytes = u.bytes,
                                    .disk_free_bytes = u.disk_free,
                                    .disk_kept_bytes = u.disk_kept};
        for (int c = 0; c < SPOOL_CLASSES; c++) {
            out->refused[c] = toll_of(u.refused, c);
            out->shed[c] = toll_of(u.shed, c);
        }
    }
    return status;
}
