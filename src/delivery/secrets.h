/* What of a request an endpoint must not get us to keep by saying it back. */
#ifndef DELIVERY_SECRETS_H
#define DELIVERY_SECRETS_H

#include "delivery/profile.h"

/* The secrets of a request: its key, the headers' values from a file, and the
 * words of these, except a scheme of authorization and names in front of a =.
 * Texts of fewer than six bytes are left out: they are no secrets, and words
 * may contain them. The texts one after another, each ended by NUL, an empty
 * one at the end; the caller's to secrets_free. NULL without memory. */
char *secrets_of(const struct profile_request *r);
void secrets_free(char *secrets); /* overwrites them; NULL: no-op */

/* Puts *** in place of every secret in text (of size bytes), as it is or as
 * JSON or a URL spells it, and of a beginning of one at the end of a text that
 * may have been cut off. Without secrets (NULL) nothing of the text is left. */
void secrets_conceal(const char *secrets, char *text, size_t size);

#endif
