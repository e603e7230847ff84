/* The options that say how a destination is spoken to. */
#ifndef SPOOLCTL_DESTINATION_OPTIONS_H
#define SPOOLCTL_DESTINATION_OPTIONS_H

#include "ctl.h"

/* Writes what was given into *d and leaves the rest; says what is wrong. */
enum ending destination_options_read(const struct ctl *ctl,
                                     struct destination *d);

/* Whether d can work; warns of what will not. */
enum ending destination_options_check(const struct destination *d);

#endif
