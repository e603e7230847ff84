/* A spool's life, played on a disk that remembers it (disk.h): events are put,
 * batches taken, sent and settled, what is settled dropped by retention and the
 * WAL checkpointed, as the dice fall, with a mark in the recording for what was
 * acknowledged. Ends the program when it cannot go on.
 */
#ifndef CRASH_LIFE_H
#define CRASH_LIFE_H

#include "crash/disk.h"
#include "support/box.h"

#define GROUP_MAX 20
#define BODY_MAX  600

/* Acknowledged so far: events put; events delivered or dead. A step of
 * retention was made, which dropped so many events. The spool is away (1) from
 * the end that a failed sync brought until it is open again. */
enum mark { MARK_PUT, MARK_SETTLED, MARK_TIDIED, MARK_AWAY };

struct life {
    struct fixture *f;
    struct disk disk;
    struct rng rng;
    struct turn turn;
    bool in_hand;        /* turn holds a batch that is on its way */
    int64_t put;         /* events tried */
    int64_t settled;     /* delivered or dead */
    int ends;            /* the spool was opened again, since a commit failed */
    const char *mistake; /* made again behind each step of retention */
    bool unmarked;
};

/* How a life is led. */
struct way {
    bool powersafe; /* the disk damages no byte beside a write */
    bool brief;
    int steps;          /* 0: as many as brief says */
    const char *pragma; /* a mistake, or NULL */
    bool late;          /* it is made behind a step of retention */
    int failing;        /* syncs that fail, one after another, somewhere */
    int first;          /* of them, counted from 1; 0: as the dice fall */
    bool unmarked;      /* a mistake: that they did is forgotten */
};

/* The nth event: what it is can be said from n alone. Its length. */
size_t life_body(int64_t n, char body[BODY_MAX]);

/* A life from the first event on. */
void life_record(struct life *l, uint64_t seed, struct way way);

/* A brief one of a spool that is there already, in memory (memory.h). */
void life_go_on(struct life *l, const char *path, uint64_t seed,
                bool powersafe);

void life_forget(struct life *l);

#endif
