/* Signals, and the threads that the library starts: a handler of the program's
 * runs on threads of the program's, and breaks off no call of the library's.
 * What a crash raises stays as it is. */
#ifndef BASE_SIGNALS_H
#define BASE_SIGNALS_H

#include <signal.h>

/* The calling thread, and the threads it starts from here on, take none.
 * before: for signals_restore. */
void signals_block(sigset_t *before);

void signals_restore(const sigset_t *before);

#endif
