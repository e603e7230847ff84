/* What an operator should know of the place that an outbox lies at, though it
 * is no reason not to work there. */
#ifndef OUTBOX_PLACE_H
#define OUTBOX_PLACE_H

/* A sentence each: who else may read its events; who may put another folder in
 * the place of its own, by the right to rename what lies in one of those above;
 * what its file system does not keep. path is a resolved one.
 *
 * The folders above are warned of and not refused: those of a container's
 * volume are often open to all, and a till that stops taking events is the
 * greater harm. A spool that is open notices the swap, and one that is opened
 * does not believe a folder of another user's. */
void place_notices(const char *path,
                   void (*each)(void *arg, const char *sentence), void *arg);

#endif
