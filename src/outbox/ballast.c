#include "outbox/ballast.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SUFFIX       "-ballast"
#define BYTES        ((int64_t)2 << 20)
#define BYTES_MIN    ((int64_t)64 << 10)
#define PART_OF_DISK 16

/* A quota or another limit may be smaller than what the file system says. */
static int64_t bytes_for(const char *path)
{
    struct statvfs s;
    if (statvfs(path, &s) != 0 || s.f_blocks == 0) {
        return BYTES;
    }
    int64_t part = (int64_t)s.f_blocks * (int64_t)s.f_frsize / PART_OF_DISK;
    if (part < BYTES_MIN) {
        return BYTES_MIN;
    }
    return part < BYTES ? part : BYTES;
}

bool ballast_init(struct ballast *b, const char *path, int64_t bytes)
{
    *b = (struct ballast){0};
    if (bytes < 0) {
        return true;
    }
    size_t size = strlen(path) + sizeof SUFFIX;
    b->path = malloc(size);
    if (b->path == NULL) {
        return false;
    }
    b->bytes = bytes > 0 ? bytes : bytes_for(path);
    (void)snprintf(b->path, size, "%s%s", path, SUFFIX);
    return true;
}

void ballast_finish(struct ballast *b)
{
    free(b->path);
    *b = (struct ballast){0};
}

int64_t ballast_free_bytes(const struct ballast *b)
{
    struct statvfs s;
    char folder[4096];
    if (b->path == NULL) {
        return INT64_MAX;
    }
    (void)snprintf(folder, sizeof folder, "%s", b->path);
    char *slash = strrchr(folder, '/');
    if (slash != NULL) {
        slash[1] = '\0'; /* the file itself may be given up */
    }
    if (statvfs(folder, &s) != 0 || s.f_blocks == 0) {
        return INT64_MAX;
    }
    return (int64_t)s.f_bavail * (int64_t)s.f_frsize;
}

static bool is_there(const struct ballast *b)
{
    struct stat st;
    return lstat(b->path, &st) == 0 &&
           (int64_t)st.st_blocks * 512 >= b->bytes / 2;
}

static bool allocate(const struct ballast *b)
{
    int fd = open(b->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return false;
    }
    bool made = posix_fallocate(fd, 0, (off_t)b->bytes) == 0;
    (void)close(fd);
    if (!made) {
        (void)unlink(b->path);
    }
    return made;
}

void ballast_make(struct ballast *b)
{
    if (b->path == NULL) {
        return;
    }
    b->is_wanted =
        !is_there(b) && (ballast_free_bytes(b) < 2 * b->bytes || !allocate(b));
}

void ballast_give_up(struct ballast *b)
{
    if (b->path != NULL) {
        (void)unlink(b->path);
        b->is_wanted = true;
    }
}
