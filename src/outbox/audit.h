/* The audit log: what operators, and damage, did to the spool. A line is added
 * in the transaction that did it, and never changed or dropped; for what gave
 * way at limits there is one now and then (shed_book.h). Each carries the hash
 * of the one before it, so that a line that was changed or taken out shows when
 * verify looks; who notes the last hash elsewhere (`spoolctl audit` tells it)
 * can show as well that none was cut off the end, or the whole made anew. */
#ifndef OUTBOX_AUDIT_H
#define OUTBOX_AUDIT_H

#include "outbox/outbox.h"

#define AUDIT_HASH_SIZE 65 /* 32 bytes in hexadecimal, and NUL */

struct audit_record {
    int64_t id;
    int64_t at; /* wall ms */
    int64_t uid;
    const char *action;      /* borrowed during the call, as are the others */
    const char *destination; /* "": the spool itself */
    int64_t events;          /* how many it touched */
    const char *detail;
    char hash[AUDIT_HASH_SIZE]; /* "": from before there was a chain */
};

/* False ends the listing. */
typedef bool audit_each(void *arg, const struct audit_record *record);

struct audit_range {
    int64_t since, until; /* wall ms, both included; 0: any */
    int64_t newest;       /* only so many, the newest; 0: all */
};

/* Calls each for the lines of a range, oldest first, in one short snapshot a
 * hundred lines. each may not call into the outbox. */
enum spool_status audit_list(struct outbox *box,
                             const struct audit_range *range, audit_each *each,
                             void *arg, struct spool_error *err);

/* ---- for the other files of this layer ---- */

struct db;

/* Adds a line, by this process's user. destination NULL: the spool itself. */
enum spool_status audit(struct db *db, int64_t now, const char *action,
                        const char *destination, int64_t events,
                        const char *detail, struct spool_error *err);

/* Follows the chain. *broken is the first line whose hash is not what it must
 * be; 0: all fit. */
enum spool_status audit_check(struct db *db, int64_t *broken,
                              struct spool_error *err);

#endif
