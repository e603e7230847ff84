/* A spool as it was found at one moment, and the one verdict on it. */
#ifndef SPOOLCTL_STATUS_H
#define SPOOLCTL_STATUS_H

#include "ctl.h"
#include "outbox/inspect.h"
#include "outbox/recover.h"
#include "spool/limits.h"
#include "table.h"
#include "when.h"

struct status {
    struct ctl *ctl;
    struct destination *d; /* owned; n of them */
    struct sums *sums;     /* owned; one each */
    size_t n;
    int64_t now, accepted;
    int64_t file_bytes, wal_bytes, disk_free_bytes;
    long flusher_pid; /* 0: none runs */
    struct spool_limits limits;
    struct spool_usage usage;
    char set_aside[ASIDE_PATH_SIZE]; /* "": no file waits to be put back */
};

/* Fills what stands behind s->ctl, whose spool is open; complains when it
 * cannot. */
enum ending status_look(struct status *s);

void status_finish(struct status *s);

/* How long the oldest event has waited at destination i, in ms. */
int64_t status_age(const struct status *s, size_t i);

/* Wall ms of the next attempt there, 0 when none is set. */
int64_t status_next(const struct status *s, size_t i);

/* Since when it is in its state, in words. */
void status_since(const struct status *s, size_t i, char out[WHEN_SIZE]);

struct verdict {
    const char *word;
    enum tone tone;
    char sentence[700];
    char next[200]; /* behind spoolctl; "" when nothing is to be done */
};

/* The worst that was found speaks. */
void status_judge(const struct status *s, struct verdict *v);

#endif
