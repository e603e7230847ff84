/* A visit of a spool by the user nobody, in a process of its own: an event is
 * put, and delivery tried. */
#ifndef PLACES_VISIT_H
#define PLACES_VISIT_H

#include <stdbool.h>
#include <sys/types.h>

#include "places/spoil.h"
#include "spool/error.h"

/* What came out of it. */
struct outcome {
    enum spool_status status;
    bool ended;
    bool good;         /* it is what the place demands */
    char message[512]; /* of the failure, else what is said of the place */
};

/* Under this umask; delivers: not just puts; blind: with its eyes shut. */
struct outcome visit_as_nobody(const struct scene *s, mode_t mask,
                               bool delivers, bool blind);

#endif
