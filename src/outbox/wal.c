#include "outbox/wal.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* https://www.sqlite.org/fileformat2.html#the_write_ahead_log */
#define MAGIC         0x377f0682u /* or 1 more: sums of big-endian words */
#define FRAME_HEAD    24
#define OFFSET_PAGE   8 /* its size */
#define OFFSET_NUMBER 16
#define OFFSET_SUM    24

/* Begun anew so often between two looks at it, at most. */
#define NEAR 4096u

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static uint32_t le32(const unsigned char *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 |
           p[0];
}

static bool sum_is_right(const unsigned char head[WAL_HEAD])
{
    bool big = (be32(head) & 1) != 0;
    uint32_t s1 = 0, s2 = 0;
    for (int i = 0; i < OFFSET_SUM; i += 8) {
        s1 += (big ? be32(head + i) : le32(head + i)) + s2;
        s2 += (big ? be32(head + i + 4) : le32(head + i + 4)) + s1;
    }
    return be32(head + OFFSET_SUM) == s1 && be32(head + OFFSET_SUM + 4) == s2;
}

static bool read_head(const char *path, unsigned char head[WAL_HEAD])
{
    char name[PATH_MAX + 8];
    (void)snprintf(name, sizeof name, "%s-wal", path);
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : pread(fd, head, WAL_HEAD, 0);
    if (fd >= 0) {
        (void)close(fd);
    }
    return n == WAL_HEAD && (be32(head) & ~1u) == MAGIC && sum_is_right(head);
}

bool wal_number(const char *path, uint32_t *number)
{
    unsigned char head[WAL_HEAD];
    if (!read_head(path, head)) {
        return false;
    }
    *number = be32(head + OFFSET_NUMBER);
    return true;
}

int64_t wal_offset(const char *path, int64_t frames)
{
    unsigned char head[WAL_HEAD];
    if (frames <= 0 || !read_head(path, head)) {
        return 0;
    }
    return WAL_HEAD + frames * ((int64_t)be32(head + OFFSET_PAGE) + FRAME_HEAD);
}

bool wal_is_near(uint32_t one, uint32_t other)
{
    return one - other < NEAR || other - one < NEAR;
}
