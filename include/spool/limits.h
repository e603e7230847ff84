/* Limits: how much the spool may hold, and what happens when that is reached.
 *
 * Without limits a spool takes events until its disk is full. With one, an
 * event that would go beyond it is refused with SPOOL_FULL: nothing of it is
 * stored. Each class of events may fill its own share of every limit, so that
 * purchases still get in when views do not any more:
 *
 *     limits.max_events = 1000000;
 *     limits.classes[SPOOL_CLASS_VIEW].share = 80;
 *
 * Nothing that was accepted is taken out again, unless its class is set to
 * shed. What was delivered and is only kept to be looked at gives way
 * first, and is not kept once more than half of a limit is used up.
 *
 * The limits stand in the spool's file and hold for every process that puts
 * into it, from its next put on. */
#ifndef SPOOL_LIMITS_H
#define SPOOL_LIMITS_H

#include <stdint.h>

#include "spool/error.h"
#include "spool/spool.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The least first. */
enum spool_class {
    SPOOL_CLASS_VIEW,        /* pages, products, banners, searches; events that
                                are kept though the check refused them */
    SPOOL_CLASS_INTERACTION, /* interactions, custom events, forms, and what is
                                in no guide */
    SPOOL_CLASS_BASKET,      /* basket operations */
    SPOOL_CLASS_CHECKOUT,    /* checkout before the purchase, user operations */
    SPOOL_CLASS_PURCHASE     /* CHECKOUT with step purchase */
};
#define SPOOL_CLASSES 5

/* "view", "interaction", "basket", "checkout", "purchase": static. */
SPOOL_EXPORT const char *spool_class_name(enum spool_class class_);

struct spool_class_limit {
    int share; /* percent of each limit that the class may fill, 1 to 100; of
                  free_disk_bytes it wants the more the smaller its share */
    int shed;  /* 1: when there is no room by events or bytes, the oldest events
                  of this class that were never sent give way to new ones of the
                  same or a dearer class. They count as purged, the audit log
                  names them, and their dedupe keys stay known. Purchases never
                  do. Bytes come back by the page, so that max_bytes needs the
                  cheap ones to be the most of what is there */
};

struct spool_limits {
    int64_t max_events;      /* in the file, delivered ones that are still kept
                                among them; 0: no limit */
    int64_t max_bytes;       /* of the file's pages in use, at least 1 MiB;
                                0: no limit */
    int64_t free_disk_bytes; /* stay free on its disk; a little always does */
    struct spool_class_limit classes[SPOOL_CLASSES];
};

SPOOL_EXPORT SPOOL_MUST_CHECK enum spool_status
spool_get_limits(struct spool *spool, struct spool_limits *out,
                 struct spool_error *err);

/* Sets all of them; take spool_get_limits' and change what is to be changed.
 * SPOOL_MISUSE names what makes no sense. Noted in the audit log. A spool that
 * holds more already keeps it. */
SPOOL_EXPORT SPOOL_MUST_CHECK enum spool_status
spool_set_limits(struct spool *spool, const struct spool_limits *limits,
                 struct spool_error *err);

/* Events that a limit has cost so far. */
struct spool_toll {
    int64_t events, bytes, disk; /* by the limit that was reached */
};

struct spool_usage {
    int64_t events;          /* in the file */
    int64_t bytes;           /* of its pages in use */
    int64_t disk_free_bytes; /* INT64_MAX: not known */
    int64_t disk_kept_bytes; /* so much stays free for sure */
    /* By all processes. Refusals are counted in memory and written down with
     * the next commit: of a process that was killed the last second's may be
     * missing. */
    struct spool_toll refused[SPOOL_CLASSES];
    struct spool_toll shed[SPOOL_CLASSES];
};

/* Cheap however much is in the spool. */
SPOOL_EXPORT SPOOL_MUST_CHECK enum spool_status
spool_usage(struct spool *spool, struct spool_usage *out,
            struct spool_error *err);

#ifdef __cplusplus
}
#endif

#endif
