/* A spool's file as the first release would have left it, with what is in one
 * of today's; and whether an upgrade that was killed left it whole.
 *
 * Ends the test when it cannot do what it says. */
#ifndef CRASH_FIRST_RELEASE_H
#define CRASH_FIRST_RELEASE_H

#define FIRST_SCHEMA_SIZE 32768

/* What a file may look like: its objects' SQL, and how many events it holds. */
struct first_release {
    char old[FIRST_SCHEMA_SIZE];
    char new[FIRST_SCHEMA_SIZE];
    long events;
};

/* Puts a file of version 1 in the place of the one at path, which nobody has
 * open. The mark beside it goes, which there was none of then. */
void first_release_make(const char *path, struct first_release *f);

/* The file's version, 1 or the newest; 0: it is another, or not whole. Looks at
 * a copy, so that the file's next opening is not spared anything. */
int first_release_version(const char *path, const struct first_release *f);

/* The planted mistake: upgrades without a transaction. */
void first_release_upgrade_carelessly(const char *path);

#endif
