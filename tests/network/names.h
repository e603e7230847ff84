/* A name server at 127.0.0.1 that misbehaves as the first letters of a name
 * say:
 *
 *   none...   there is no such name
 *   fail...   SERVFAIL
 *   mute...   no answer ever
 *   dead...   an IPv4 address where packets vanish
 *   dual...   an IPv6 address where packets vanish, and 127.0.0.1
 *   other     127.0.0.1 */
#ifndef NETWORK_NAMES_H
#define NETWORK_NAMES_H

#include <stddef.h>

struct names;

/* NULL if its port cannot be had: only in a network of one's own (realm.h). */
struct names *names_start(void);

/* How many questions came; none to NULL. */
size_t names_asked(struct names *n);

void names_stop(struct names *n); /* NULL is a no-op */

#endif
