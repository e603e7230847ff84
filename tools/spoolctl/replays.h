/* Replays under way: replay --list and --stop. */
#ifndef SPOOLCTL_REPLAYS_H
#define SPOOLCTL_REPLAYS_H

#include "ctl.h"

enum ending replays_under_way(struct ctl *ctl);

#endif
