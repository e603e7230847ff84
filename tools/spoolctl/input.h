/* The files of put and check, taken apart into events. Positions count over
 * all files of a command. */
#ifndef SPOOLCTL_INPUT_H
#define SPOOLCTL_INPUT_H

#include "ctl.h"
#include "events/event_reader.h"

struct input_user {
    struct event_checks checks;
    /* Each item; index is its position over all files, from 0. False ends the
     * reading. */
    bool (*item)(void *arg, const char *file, uint64_t index,
                 const struct event_item *item);
    /* Called when nothing can be read without waiting, or a file is over; NULL:
     * nobody minds. False ends the reading. */
    bool (*idle)(void *arg);
    void *arg;
};

/* --strict, --relaxed or --check-off; strict when none is given. */
enum ending input_mode(const struct ctl *ctl, enum event_mode *mode);

/* Reads the files that were given, `-` and no file at all being stdin. A file
 * that cannot be read is complained about and does not stop the others:
 * FAILED. */
enum ending input_read(const struct ctl *ctl, const struct input_user *user);

#endif
