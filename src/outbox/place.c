#define _GNU_SOURCE /* statfs */
#include "outbox/place.h"

#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "spool/error.h"

struct notices {
    void (*each)(void *arg, const char *sentence);
    void *arg;
};

static void say(const struct notices *n, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(const struct notices *n, const char *format, ...)
{
    char sentence[SPOOL_ERROR_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    n->each(n->arg, sentence);
}

/* ---- the folders above ---- */

/* A folder above the spool's own, whose owner may be trusted with it: root, the
 * owner of the spool's folder, and who asks. In a sticky one only they may
 * rename. */
static void look_at_parent(const struct notices *n, const char *parent,
                           const struct stat *folder)
{
    static const char so[] = "and so put another folder in the place of the "
                             "spool's";
    struct stat st;
    if (stat(parent, &st) != 0) {
        return;
    }
    bool is_sticky = (st.st_mode & S_ISVTX) != 0;
    if (st.st_uid != 0 && st.st_uid != folder->st_uid &&
        st.st_uid != geteuid()) {
        say(n,
            "the folder %s belongs to user %ld, who may rename what lies in "
            "it, %s; chown it",
            parent, (long)st.st_uid, so);
    }
    if ((st.st_mode & S_IWOTH) != 0 && !is_sticky) {
        say(n,
            "everybody may rename what lies in the folder %s, %s; chmod o-w "
            "or +t it",
            parent, so);
    } else if ((st.st_mode & S_IWGRP) != 0 && !is_sticky && st.st_gid != 0 &&
               st.st_gid != folder->st_gid && st.st_gid != getegid()) {
        say(n,
            "group %ld may rename what lies in the folder %s, %s; chmod g-w "
            "or +t it",
            (long)st.st_gid, parent, so);
    }
}

static void look_above(const struct notices *n, const char *path)
{
    char text[PATH_MAX];
    struct stat folder;
    (void)snprintf(text, sizeof text, "%s", path);
    char *at = dirname(text);
    if (stat(at, &folder) != 0) {
        return;
    }
    while (strcmp(at, "/") != 0) {
        at = dirname(at);
        look_at_parent(n, at, &folder);
    }
}

/* ---- the file system ---- */

/* Linux's numbers (statfs(2)), for what keeps no promise of durability. */
static const struct {
    unsigned long type;
    const char *name;
    const char *why;
} unsafe_systems[] = {
    {0x01021994, "tmpfs", "which is gone with the next start of the machine"},
    {0x858458f6, "ramfs", "which is gone with the next start of the machine"},
    {0x6969, "NFS", "where locks and syncs are another machine's word"},
    {0xff534d42, "CIFS", "where locks and syncs are another machine's word"},
    {0xfe534d42, "SMB", "where locks and syncs are another machine's word"},
    {0x01021997, "9p", "where locks and syncs are another machine's word"},
    {0x00c36400, "Ceph", "where locks and syncs are another machine's word"},
};

static void look_at_system(const struct notices *n, const char *path)
{
    struct statfs fs;
    if (statfs(path, &fs) != 0) {
        return;
    }
    for (size_t i = 0; i < sizeof unsafe_systems / sizeof *unsafe_systems;
         i++) {
        if ((unsigned long)fs.f_type == unsafe_systems[i].type) {
            say(n, "%s lies on %s, %s; give the spool a local disk", path,
                unsafe_systems[i].name, unsafe_systems[i].why);
        }
    }
}

void place_notices(const char *path,
                   void (*each)(void *arg, const char *sentence), void *arg)
{
    const struct notices n = {each, arg};
    struct stat st;
    if (stat(path, &st) == 0 && (st.st_mode & S_IROTH) != 0) {
        say(&n, "everybody may read %s, and so its events; chmod 600 it", path);
    }
    look_above(&n, path);
    look_at_system(&n, path);
}
