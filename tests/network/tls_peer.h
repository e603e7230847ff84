/* TLS in front of the hostile endpoint: what comes is decrypted and handed on
 * to a port that speaks plain HTTP, on a thread of its own, a connection at a
 * time. How it shows itself, or fails to, is set from outside. Its authority
 * and its certificates are made when it starts. */
#ifndef NETWORK_TLS_PEER_H
#define NETWORK_TLS_PEER_H

#include <stddef.h>

enum tls_peer {
    TLS_NONE, /* of a behaviour: no TLS at all */
    TLS_GOOD,
    TLS_ABRUPT, /* good, but it closes without saying so */
    TLS_WRONG_NAME,
    TLS_EXPIRED,
    TLS_NOT_YET,
    TLS_SELF_SIGNED,
    TLS_OTHER_AUTHORITY,
    TLS_OLD,           /* speaks 1.0 only */
    TLS_STALLS,        /* never answers the first message */
    TLS_ASKS,          /* for a certificate of the client's */
    TLS_ASKS_ABRUPTLY, /* likewise, and resets the connection */
    TLS_ASKS_EARLY,    /* likewise, by TLS 1.2: within the handshake */
    TLS_FAILS /* with an alert of its own fault, once it has shown itself */
};
#define TLS_PEERS 14

struct tls_front;

/* The authorities' files are written into folder: authority.pem, which is
 * that of the certificates, and both.pem with the other one's as well. Ends the
 * program when it cannot go on. */
struct tls_front *tls_front_start(int plain_port, const char *folder);
int tls_front_port(const struct tls_front *t);

/* Closes what is open; who comes next meets this one. */
void tls_front_show(struct tls_front *t, enum tls_peer peer);

/* How many connections met what is shown now. */
size_t tls_front_met(struct tls_front *t);

void tls_front_stop(struct tls_front *t);

#endif
