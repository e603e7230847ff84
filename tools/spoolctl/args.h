/* The command line, taken apart by the table of commands. */
#ifndef SPOOLCTL_ARGS_H
#define SPOOLCTL_ARGS_H

#include "ctl.h"

/* Fills *ctl, which is zeroed, from argv (permuted) and the environment. On
 * USAGE it has been said what is wrong; ctl_finish is due in any case. With
 * DONE either command is set, or one of help and version, or none of them for
 * an empty command line. */
enum ending args_parse(struct ctl *ctl, int argc, char **argv);

/* The command of that name, one word or two; NULL: there is none. */
const struct command *args_command(const char *name);

#endif
