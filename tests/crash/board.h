/* What each producing thread is doing, in memory that outlives it: whoever
 * kills a producer sees whether that hit a put. */
#ifndef CRASH_BOARD_H
#define CRASH_BOARD_H

#include <stdatomic.h>

#define BOARD_PRODUCERS 8
#define BOARD_THREADS   3

struct board {
    atomic_int inside[BOARD_PRODUCERS][BOARD_THREADS]; /* puts under way */
};

/* Maps the file, making it if need be; ends the program if it cannot. */
struct board *board_map(const char *path);
void board_unmap(struct board *board);

#endif
