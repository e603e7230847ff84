/* Why a TLS peer broke a connection off, read from libcurl's words about it.
 * Pure.
 *
 * libcurl tells of an alert in its error text only, and at two places: a
 * TLS 1.2 server refuses within the handshake, but under TLS 1.3 the client's
 * side of it is over, and its request may be on the way, before the server has
 * looked at the client's certificate. Then the alert comes where the answer
 * should be, as a failure to receive. */
#ifndef DELIVERY_ALERT_H
#define DELIVERY_ALERT_H

#include <stdbool.h>

/* Whether the words name an alert by which a peer refuses a handshake, because
 * of our certificate or the lack of one, our protocol or the name we asked for.
 * By RFC 8446 each is fatal and is sent in place of going on: until the client
 * is accepted nothing of what it sent is read. All others, as of a record that
 * cannot be read or of a peer's own failure, may come at any time.
 *
 * Reads OpenSSL's words, of any version, and of what is made after it; a
 * library that does not number its alerts names none here. */
bool alert_refuses_us(const char *words);

#endif
