/* A disk that fails: a VFS over SQLite's own in which the nth call of a kind
 * does not do its work, once or from then on. The calls of a kind are counted
 * whether one fails or not, so that a test can go through all of them.
 *
 * One thread, one fault at a time. */
#ifndef CRASH_FAULT_H
#define CRASH_FAULT_H

#include <stdbool.h>

enum fault_kind {
    FAULT_READ,        /* EIO */
    FAULT_WRITE,       /* EIO, nothing is written */
    FAULT_WRITE_SHORT, /* EIO, the first half is written */
    FAULT_WRITE_FULL,  /* ENOSPC */
    FAULT_SYNC,        /* EIO; what was written stays in the file */
    FAULT_TRUNCATE,    /* EIO */
    FAULT_LOCK,        /* of the file or the WAL's index */
    FAULT_MAP,         /* of the WAL's index */
    FAULT_OPEN,
    /* Mistakes, for controls: the call says that it has been done. */
    FAULT_WRITE_LIE, /* nothing is written */
    FAULT_KINDS
};

const char *fault_name(enum fault_kind kind);

/* From now on the nth call of the kind fails, n from 1; 0: none. */
void fault_arm(enum fault_kind kind, long n, bool from_then_on);

/* SQLite's own VFS is the default again. Gives how many calls of the armed kind
 * there were, and in *fired how many failed. What was opened must be closed. */
long fault_disarm(long *fired);

#endif
