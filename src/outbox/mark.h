/* The mark: what the outbox has accepted, kept outside of it, in a small file
 * beside it (outbox.db-mark). A flipped byte in the WAL makes SQLite drop every
 * commit behind it without a word; the mark still knows that there were some.
 *
 * It is written after each commit and before its caller is told, so it never
 * claims what is not on disk. It is not synced: a kill loses nothing of it, and
 * after a power cut it may lag, which is no harm.
 *
 * A slot is a sector with a checksum. Every writer has a pair of them for as
 * long as it lives, by a kernel lock, and writes them in turn, so that a torn
 * write leaves the one before. The mark is the greatest of all slots: nobody
 * waits for anybody, and none can be set back by one who comes late.
 *
 * A writer that ends well says so in both of its slots: whatever it committed
 * is on disk, as long as the machine is not started anew. Of one that was
 * killed, or whose disk failed, or who wrote before the power went out, nobody
 * knows; its slots tell that by saying nothing.
 *
 * A writer whose sync failed says how much of the WAL is on disk for certain.
 *
 * And a slot says which WAL it was (wal.h), so that another spool's is not
 * believed. */
#ifndef OUTBOX_MARK_H
#define OUTBOX_MARK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/random.h"
#include "spool/error.h"

struct watermark {
    bool open;
    int fd;
    int pair; /* whose slots are ours; -1: none yet */
    bool second;
    bool begun;     /* our slots say that we are at work */
    uint32_t ended; /* what they say of that */
    char store_id[UUID_SIZE];
    int64_t last, epoch; /* as we wrote them last */
    uint32_t wal;        /* its number; 0: not known */
    bool wal_was_known;  /* the file said a number of it before */
};

enum mark_found {
    MARK_FOUND,
    MARK_MISSING, /* no file, or an empty one */
    MARK_TORN,    /* no slot of it has a valid checksum */
    MARK_FOREIGN  /* it is another store's */
};

struct mark_state {
    enum mark_found found;
    int64_t last, epoch; /* 0 unless found */
    /* A writer that is gone did not say that it ended well, in this run of the
     * machine; or one said that a sync failed; or there is no mark to say so.
     */
    bool left_open;
    bool knows_wal; /* some slot says a number of it */
};

/* Opens path, made with exactly this mode if it is missing, and reads it as the
 * mark of this store. Read the log's end after that, never before. */
enum spool_status mark_open(struct watermark *m, const char *path, mode_t mode,
                            const char *store_id, struct mark_state *state,
                            struct spool_error *err);
void mark_close(struct watermark *m); /* safe twice and on a zeroed one */

/* To be called before each commit, with the write lock: says that a writer is
 * at work. empty: the WAL has no frame, so SQLite may draw its number anew. It
 * does where the one who writes the first is not the one who began it. */
void mark_begin(struct watermark *m, bool empty);

/* The writer ends well; it writes nothing more. */
void mark_end(struct watermark *m);

/* A sync failed: of the WAL of this number (0: not known) so many frames are on
 * disk for certain. It is said for as long as the machine runs, since the
 * others are read back as if they were. Whoever opens the outbox next is to
 * mend that, whether this writer is gone or not. */
void mark_doubt(struct watermark *m, uint32_t number, int64_t frames);

/* Whether some writer said so, and the least that was said of this WAL. */
bool mark_doubts(const struct watermark *m, uint32_t number, int64_t *frames);

/* What writers who are gone have left is on disk for certain by now. */
void mark_mended(struct watermark *m);

/* Says which WAL it is by now; to be called when it may have begun anew. */
void mark_wal(struct watermark *m, uint32_t number);

/* Whether what path says of the WAL speaks against this number, and the store
 * that it says it of. */
bool mark_denies_wal(const char *path, uint32_t number,
                     char store_id[UUID_SIZE]);

/* Says that ids up to last were accepted, and the epoch; whatever is not above
 * what was said before is left as it is. A write that fails is made up for by
 * the next one. */
void mark_note(struct watermark *m, int64_t last, int64_t epoch);

/* The last id that any whole slot of the file says, whosever it is; 0: none. */
int64_t mark_peek(const char *path);

/* Writes the file anew, for this store, and syncs it and its folder's entry.
 * Nobody else may write events meanwhile. */
enum spool_status mark_rebuild(struct watermark *m, const char *path,
                               const char *store_id, int64_t last,
                               int64_t epoch, struct spool_error *err);

#endif
