/* The search for rows in any bytes: the first two say where the WAL begins. */
#include "fuzz.h"

#include <string.h>

#include "base/crc32c.h"
#include "outbox/cells.h"

struct bytes {
    const uint8_t *data[2];
    size_t size[2];
};

static size_t read_bytes(void *arg, bool wal, uint64_t offset, void *out,
                         size_t n)
{
    const struct bytes *b = arg;
    if (offset >= b->size[wal]) {
        return 0;
    }
    size_t there = b->size[wal] - (size_t)offset;
    n = n < there ? n : there;
    memcpy(out, b->data[wal] + offset, n);
    return n;
}

static bool found(void *arg, const struct cell *cell)
{
    unsigned *sum = arg;
    MUST(cell->id > 0);
    *sum ^= crc32c(0, cell->body, cell->len); /* every byte can be read */
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    size_t cut = ((size_t)data[0] << 8 | data[1]) % (size - 1);
    struct bytes b = {{data + 2, data + 2 + cut}, {cut, size - 2 - cut}};
    if (cut > size - 2) {
        return 0;
    }
    struct cells_source source = {read_bytes, &b, b.size[0], b.size[1]};
    unsigned sum = 0;
    MUST(cells_scan(&source, found, &sum));
    return 0;
}
