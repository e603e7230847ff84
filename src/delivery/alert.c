#include "delivery/alert.h"

#include <stdlib.h>
#include <string.h>

/* Among OpenSSL's reasons an alert of the peer's is its number and this. */
#define PEER_ALERT 1000

/* RFC 8446, 6.2. */
static const unsigned refusals[] = {
    40,  /* handshake_failure: TLS 1.2's word for a certificate that is missing
            too */
    42,  /* bad_certificate */
    43,  /* unsupported_certificate */
    44,  /* certificate_revoked */
    45,  /* certificate_expired */
    46,  /* certificate_unknown */
    48,  /* unknown_ca */
    49,  /* access_denied */
    70,  /* protocol_version */
    71,  /* insufficient_security */
    112, /* unrecognized_name */
    116, /* certificate_required */
};

static bool is_refusal(unsigned long reason)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (reason == PEER_ALERT + refusals[i]) {
            return true;
        }
    }
    return false;
}

bool alert_refuses_us(const char *words)
{
    /* "error:0A00045C:SSL routines:...:tlsv13 alert certificate required" */
    static const char before[] = "error:", behind[] = ":SSL routines:";
    while ((words = strstr(words, before)) != NULL) {
        char *end;
        words += sizeof before - 1;
        unsigned long code = strtoul(words, &end, 16);
        if (strncmp(end, behind, sizeof behind - 1) == 0) {
            return is_refusal(code & 0xFFF); /* of all versions' forms */
        }
    }
    return false;
}
