#include "outbox/shm.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/statvfs.h>

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

void shm_fill(sqlite3 *handle)
{
    sqlite3_file *file = NULL;
    volatile void *at = NULL;
    /* A connection that could not read would have no index yet, and would not
     * know that it has to let go of one that we opened. */
    if (sqlite3_exec(handle, "PRAGMA schema_version", NULL, NULL, NULL) !=
            SQLITE_OK ||
        sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER,
                             &file) != SQLITE_OK ||
        file == NULL || file->pMethods == NULL ||
        file->pMethods->iVersion < 2 ||
        file->pMethods->xShmMap(file, 0, BYTES, 0, &at) != SQLITE_OK ||
        at == NULL) {
        return;
    }
    for (size_t i = 0; i < BYTES; i += STEP) {
        volatile _Atomic(unsigned char) *byte =
            (volatile _Atomic(unsigned char) *)at + i;
        unsigned char is = atomic_load(byte);
        /* Writes what is there, or somebody else has written. */
        (void)atomic_compare_exchange_strong(byte, &is, is);
    }
}
