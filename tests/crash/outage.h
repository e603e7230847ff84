/* What a power cut may leave of a recording (disk.h). */
#ifndef CRASH_OUTAGE_H
#define CRASH_OUTAGE_H

#include "base/random.h"
#include "crash/disk.h"

/* What became of the writes that were not synced yet. */
enum outage_model {
    OUTAGE_NONE,    /* none of them is on disk */
    OUTAGE_ALL,     /* all of them */
    OUTAGE_SOME,    /* any of them, later ones without earlier ones */
    OUTAGE_TORN,    /* any sector of any of them */
    OUTAGE_GARBAGE, /* likewise, and what is missing may be garbage; on a disk
                       that is not powersafe also the rest of its 4 KiB */
    OUTAGE_MODELS
};

/* Walks through a recording. Zeroed but for disk: at its beginning. */
struct outage {
    const struct disk *disk;
    bool ignores_syncs; /* a disk that lies, for a control */
    size_t sector;      /* what it writes whole or not: 512, may be changed */
    size_t at;          /* operations that have happened */
    size_t synced[DISK_FILES];
    struct disk_image durable[DISK_FILES]; /* as of the last sync */
};

void outage_begin(struct outage *o, const struct disk *disk,
                  bool ignores_syncs);
void outage_finish(struct outage *o);

/* The next operation happens. False when there is none. */
bool outage_step(struct outage *o);

/* The files as they may be when the power goes out now. Caller's to free; what
 * is in images before is used again. */
void outage_strike(const struct outage *o, enum outage_model model,
                   struct rng *rng, struct disk_image images[DISK_FILES]);

#endif
