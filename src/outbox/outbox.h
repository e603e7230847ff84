/* The store: an append-only log of events in one SQLite file, and its readers.
 * This header is free of SQLite so that another engine can stand behind it.
 *
 * An outbox is one open file. Every function may be called from any thread
 * unless it says otherwise, and several processes may have the same file open.
 * A failed call leaves the outbox usable and nothing stored, except that
 * SPOOL_UNKNOWN (the commit failed half-way) and SPOOL_MOVED (the file is no
 * longer in its place) end it: from then on every write answers the same until
 * the outbox is closed and opened again. In a child that was forked since it
 * was opened all answer SPOOL_MISUSE, as does opening any outbox, and closing
 * it does nothing. */
#ifndef OUTBOX_OUTBOX_H
#define OUTBOX_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "spool/error.h"

struct outbox;

/* What a destination's filter means is known above this layer: the outbox asks
 * through these whether an event is taken. All NULL: filters are refused. */
struct outbox_filters {
    /* Compiles the words of a filter; *out is for takes and release. */
    enum spool_status (*compile)(const char *words, void **out,
                                 struct spool_error *err);
    bool (*takes)(const void *filter, const char *body, size_t len);
    void (*release)(void *filter);
};

struct outbox_options {
    const char *path; /* copied */
    bool create;      /* make folder (0700) and file (0600) if missing */
    const struct clock *clock; /* NULL: the system's; borrowed */
    int64_t ballast_bytes;     /* kept back on the disk (ballast.h); 0: by the
                                  disk's size, below 0: nothing */
    struct outbox_filters filters; /* copied */
    /* The class of an event that was accepted before, for shedding (shed.h);
     * below 0 when it cannot be told. NULL: nothing is shed. */
    int (*class_of)(const char *body, size_t len);
};

/* SPOOL_NOT_FOUND when there is no file and create is false. */
enum spool_status outbox_open(const struct outbox_options *options,
                              struct outbox **out, struct spool_error *err);

/* Nobody may be inside a call. NULL is a no-op. */
void outbox_close(struct outbox *box);

const char *outbox_path(const struct outbox *box); /* absolute; borrowed */
const char *outbox_store_id(const struct outbox *box);
const struct clock *outbox_clock(const struct outbox *box);

/* What was found to be wrong with the file when it was opened, a sentence each:
 * events lost by damage, an older copy of itself, a copy, a mark made again.
 * All but the copy is said once and stands in the audit log from then on; lost
 * events are a finding of verify until an operator knows of them. */
void outbox_notices(const struct outbox *box,
                    void (*each)(void *arg, const char *sentence), void *arg);

/* What is to be said of the place, a sentence each: who else may read the
 * events or swap the folder, and a file system that keeps no promise of
 * durability. */
void outbox_place_notices(const struct outbox *box,
                          void (*each)(void *arg, const char *sentence),
                          void *arg);

/* An operator takes the file as it is: lost events are known of from now on
 * (*lost of them were not), and a copy becomes a spool of its own, with a new
 * store id. No other program may have it open. */
enum spool_status outbox_adopt(struct outbox *box, bool *was_copy,
                               int64_t *lost, struct spool_error *err);

/* What became of an event. */
enum appended {
    APPENDED,
    APPENDED_BEFORE,    /* its key is known with the same bytes: id is the first
                           event's, nothing was stored */
    APPENDED_DIFFERENT, /* its key is known with other bytes: likewise; but an
                           order number is another's to have once its event
                           has been purged everywhere */
    APPENDED_NO_ROOM    /* a limit is reached for its class (limits.h): nothing
                           was stored */
};

/* Which limit it was. */
enum limit_cause {
    LIMIT_EVENTS, /* in the log */
    LIMIT_BYTES,  /* of the file */
    LIMIT_DISK,   /* free on the disk */
    LIMIT_CAUSES  /* how many; none of them */
};

/* Classes of events, 0 to one less than this: the higher, the dearer. */
#define OUTBOX_CLASSES 5

/* A hold that ends later than this was written by a clock that was wrong, and
 * is over. */
#define OUTBOX_HOLD_MAX_MS ((int64_t)24 * 60 * 60 * 1000)

/* A purchase, to be found by its order number. Texts are borrowed. */
struct outbox_order {
    const char *number;           /* NULL: the event is no purchase */
    const char *total, *currency; /* NULL when absent */
};

struct outbox_event {
    const char *body; /* borrowed during the call */
    size_t len;
    uint32_t part;   /* 31 bits: events of one part keep their order */
    const char *key; /* the producer's; NULL: the order's number, if any */
    struct outbox_order order;
    int64_t hold_until; /* wall ms: it waits for a page of its part until then,
                           OUTBOX_HOLD_MAX_MS at most; 0: it does not */
    const char *quarantine; /* why it is kept as dead; NULL: it is sound */
    bool opens_page; /* lets go what its part holds, which leaves before */
    int class;       /* below OUTBOX_CLASSES */
    /* Set when the call returns SPOOL_OK. */
    enum appended appended;
    int64_t id;
    enum limit_cause cause; /* with APPENDED_NO_ROOM: the limit, and how much of
                               it the class may fill */
    int64_t ceiling;
};

/* Appends n events in the order given, all or none but for those that a limit
 * refuses, in one transaction that is on disk when the call returns. Calls that
 * arrive together from several threads share one commit. SPOOL_FULL: the disk
 * has no room for any of them. */
enum spool_status outbox_append(struct outbox *box, struct outbox_event *events,
                                size_t n, struct spool_error *err);

/* The version of the engine the process runs on, what is to be said of it (""
 * when nothing), and whether it came with the library, so that the system's
 * updates do not change it: for `version` and the operator. */
const char *outbox_engine(void);
const char *outbox_engine_lacks(void);
bool outbox_engine_is_built_in(void);

#endif
