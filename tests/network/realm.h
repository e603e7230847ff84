/* A network of the test's own: a network and a mount namespace in which the
 * loopback is all there is, names are asked for at names.h, and some addresses
 * lead nowhere. Nothing outside of this process sees any of it. */
#ifndef NETWORK_REALM_H
#define NETWORK_REALM_H

#include <stdbool.h>
#include <stddef.h>

/* Packets to these vanish: no answer, no error. */
#define REALM_SINK4 "10.255.255.1"
#define REALM_SINK6 "2001:db8::1"

struct realm {
    bool entered;
    bool has_ipv6;
    char why[160]; /* it was not entered, or has no IPv6 */
};

/* Moves the process, which has one thread yet, there for good. What is refused
 * stands in r->why, and nothing of the process has changed. Needs root, or a
 * system where anybody may have namespaces. */
void realm_enter(struct realm *r);

#endif
