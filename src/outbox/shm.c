#include "outbox/shm.h"

#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Bytes of it that readers lock whose snapshot lies in the WAL:
 * https://www.sqlite.org/walformat.html#locks */
#define MARKS     124
#define MARKS_END 128

/* How many frames there are:
 * https://www.sqlite.org/walformat.html#the_wal_index_header */
#define FRAMES 16

/* The first part holds 4062 frames, more than a WAL comes to (writer.c). */
#define BYTES 32768
#define STEP  4096

/* The file itself, what the file system needs to note that, and as much as
 * another process may take meanwhile. */
#define ROOM ((int64_t)2 * BYTES)

/* That the file is there and whole says nothing: the first one to open it makes
 * it anew, and what was freed of it cannot be had again at once. */
bool shm_has_room(const char *path)
{
    struct statvfs s;
    if (statvfs(path, &s) != 0 || s.f_frsize >= STEP) {
        return true;
    }
    return (int64_t)s.f_bavail * (int64_t)s.f_frsize >= ROOM;
}

/* NULL: it cannot be had. */
static volatile void *first_part(sqlite3 *handle)
{
    sqlite3_file *file = NULL;
    volatile void *at = NULL;
    if (sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER,
                             &file) != SQLITE_OK ||
        file == NULL || file->pMethods == NULL ||
        file->pMethods->iVersion < 2 ||
        file->pMethods->xShmMap(file, 0, BYTES, 0, &at) != SQLITE_OK) {
        return NULL;
    }
    return at;
}

void shm_fill(sqlite3 *handle)
{
    volatile void *at = NULL;
    /* A connection that could not read would have no index yet, and would not
     * know that it has to let go of one that we opened. */
    if (sqlite3_exec(handle, "PRAGMA schema_version", NULL, NULL, NULL) ==
        SQLITE_OK) {
        at = first_part(handle);
    }
    for (size_t i = 0; at != NULL && i < BYTES; i += STEP) {
        volatile _Atomic(unsigned char) *byte =
            (volatile _Atomic(unsigned char) *)at + i;
        unsigned char is = atomic_load(byte);
        /* Writes what is there, or somebody else has written. */
        (void)atomic_compare_exchange_strong(byte, &is, is);
    }
}

bool shm_is_empty(sqlite3 *handle)
{
    const volatile unsigned char *at = first_part(handle);
    const volatile uint32_t *frames =
        at == NULL ? NULL : (const volatile uint32_t *)(at + FRAMES);
    return frames == NULL || *frames == 0;
}

/* A line: "7: POSIX ADVISORY READ 4711 fe:00:1234 124 124". To ask the kernel
 * by fcntl the file would have to be opened, and closing it would let go of
 * this process's own locks on it. */
long shm_reader(const char *path)
{
    char name[PATH_MAX + 8], line[256];
    struct stat st;
    long reader = 0;
    (void)snprintf(name, sizeof name, "%s-shm", path);
    FILE *locks = fopen("/proc/locks", "re");
    if (locks == NULL || stat(name, &st) != 0) {
        st.st_ino = 0;
    }
    while (locks != NULL && st.st_ino != 0 && reader == 0 &&
           fgets(line, sizeof line, locks) != NULL) {
        long pid = 0, from = 0;
        unsigned long long inode = 0;
        if (sscanf(line, "%*d: POSIX %*s READ %ld %*x:%*x:%llu %ld", &pid,
                   &inode, &from) == 3 &&
            inode == st.st_ino && from >= MARKS && from < MARKS_END &&
            pid != (long)getpid()) {
            reader = pid;
        }
    }
    if (locks != NULL) {
        (void)fclose(locks);
    }
    return reader;
}
