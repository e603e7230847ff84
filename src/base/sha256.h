/* SHA-256 (FIPS 180-4): names an event's bytes after they are gone. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>

#define SHA256_SIZE 32

void sha256(const void *bytes, size_t n, unsigned char out[SHA256_SIZE]);

#endif
