/* Room kept back on the disk, so that deliveries can still be recorded when it
 * is full: a file of real blocks beside the outbox, OUTBOX-ballast. It is given
 * up when a settlement or a delete meets a full disk, and made again when there
 * is room. Before it comes to that new events are refused: as much again must
 * be free for them. */
#ifndef OUTBOX_BALLAST_H
#define OUTBOX_BALLAST_H

#include <stdbool.h>
#include <stdint.h>

struct ballast {
    char *path;     /* NULL: there is none */
    int64_t bytes;  /* its size; as much must be free for new events */
    bool is_wanted; /* it was given up, or could not be made */
};

/* For the outbox at path (absolute). bytes 0: 2 MiB, on a small disk a
 * sixteenth of it; below 0: none. False when out of memory. */
bool ballast_init(struct ballast *b, const char *path, int64_t bytes);
void ballast_finish(struct ballast *b);

/* Makes it when it is missing and twice its size is free. What keeps it from
 * being made is no error: it stays wanted. */
void ballast_make(struct ballast *b);

/* Its blocks are free when this returns. */
void ballast_give_up(struct ballast *b);

/* Bytes on the file system that are left for ordinary users; INT64_MAX when it
 * does not tell. One system call. */
int64_t ballast_free_bytes(const struct ballast *b);

#endif
