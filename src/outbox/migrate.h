/* The schema: numbered SQL files of schema/, embedded at build time. */
#ifndef OUTBOX_MIGRATE_H
#define OUTBOX_MIGRATE_H

#include "spool/error.h"

struct db;

#define MIGRATE_APPLICATION_ID 0x73706f6c /* "spol", for file(1) and us */

struct migration {
    int version; /* of the file once sql has run; 0 ends the list */
    const char *name;
    const char *sql;
};

extern const struct migration migrations[];

/* The newest version this program knows. */
int migrate_newest(void);

/* The version of an open file; 0: nothing is in it yet. */
enum spool_status migrate_version(struct db *db, int *version,
                                  struct spool_error *err);

/* The schema is not that of the version which the file names: SPOOL_DAMAGED,
 * and the file is to be set aside. */
enum spool_status migrate_damaged(struct db *db, struct spool_error *err);

/* Reads only: a file of a newer release is SPOOL_NEWER, a file of another
 * program SPOOL_DAMAGED, as is one whose version says that it is empty when it
 * is not. An empty file is fine. */
enum spool_status migrate_check(struct db *db, struct spool_error *err);

/* Brings a file that migrate_check found fine up to the newest version, each
 * step together with its user_version, all in one transaction. A step that does
 * not fit what is there finds the file damaged. */
enum spool_status migrate(struct db *db, struct spool_error *err);

#endif
