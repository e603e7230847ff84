/* Which SQLite this is, and what it lacks. */
#include <sqlite3.h>

#include "outbox/outbox.h"

const char *outbox_engine(void)
{
    return sqlite3_libversion();
}

const char *outbox_engine_lacks(void)
{
    int v = sqlite3_libversion_number();
    if (v >= 3051003 || (v >= 3050007 && v < 3051000) ||
        (v >= 3044006 && v < 3045000)) {
        return "";
    }
    return v >= 3050002
               ? "the WAL-reset race is not fixed in it; spool checkpoints "
                 "under the write lock, other programs must not write to the "
                 "file"
               : "the WAL-reset race and the unchecksummed frames after a "
                 "rollback are not fixed in it; spool avoids both, other "
                 "programs must not write to the file";
}

bool outbox_engine_is_built_in(void)
{
#ifdef SPOOL_SQLITE_BUILT_IN
    return true;
#else
    return false;
#endif
}
