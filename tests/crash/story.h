/* A spool's life as commands of the real spoolctl, with a sandbox of its own,
 * a command at a time; what was put and acknowledged is written down.
 *
 * Ends the test when it cannot do what it says. */
#ifndef CRASH_STORY_H
#define CRASH_STORY_H

#include <stdbool.h>

#include "crash/first_release.h"
#include "crash/strike.h"
#include "integration/sandbox_child.h"
#include "support/checker.h"

#define STORY_EVENTS 5  /* of a put */
#define STORY_HANG_S 30 /* nothing takes so long */

/* A command of a life; UPGRADE is an init of a file of the first release. */
enum story_step { END, MAKE, ADD, PUT, FLUSH, REPLAY, PURGE, UPGRADE, STEPS };

extern const char *const story_names[STEPS];

struct story {
    char folder[64];
    char path[96], log[96], key[96], events[96], ids[96], trace[96], url[64];
    struct sandbox_child sandbox;
    struct checker *checker;
    struct first_release first;
    char bodies[STORY_EVENTS][256];
    int puts; /* so far, for marks of their own */
    long wrong;
    char why[1200]; /* the first of them */
};

/* fault is the sandbox's. The story is whole again, whatever was in it. */
void story_begin(struct story *l, const char *fault);
void story_finish(struct story *l);

/* Takes down what is wrong; the first sentence is kept. */
void story_finds(struct story *l, const char *what);

/* count: counts the calls; NULL: strikes. True when the strike killed. */
bool story_step(struct story *l, enum story_step step, const struct strike *s,
                long *count);

/* At the end: the endpoint's log and the spool, which verify has to find whole.
 * r is left as it is when the spool cannot be read. */
void story_judge(struct story *l, struct checker_report *r);

#endif
