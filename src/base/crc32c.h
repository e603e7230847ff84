/* CRC-32C (Castagnoli, as in RFC 3720 appendix B.4): the checksum of a row and
 * the hash behind an event's part. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues crc over n bytes; start with 0. Any thread. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t n);

/* The same without the processor's help, for tests. */
uint32_t crc32c_by_table(uint32_t crc, const void *bytes, size_t n);

#endif
