#define _GNU_SOURCE /* statx, realpath */
#include "outbox/site.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/error.h"

/* A path with the longest suffix. */
#define NAME_SIZE (PATH_MAX + 16)

static const char *folder_of(const char *path, char text[PATH_MAX])
{
    (void)snprintf(text, PATH_MAX, "%s", path);
    return dirname(text);
}

static enum spool_status no_spool(const char *path, struct spool_error *err)
{
    return failed(err, SPOOL_NOT_FOUND,
                  "there is no spool at %s; make one with spoolctl -s %s init",
                  path, path);
}

enum spool_status site_resolve(const char *path, bool create, char **out,
                               struct spool_error *err)
{
    char folder_text[PATH_MAX], name_text[PATH_MAX], real[PATH_MAX];
    if (path == NULL || path[0] == '\0' || strlen(path) >= PATH_MAX) {
        return failed(err, SPOOL_MISUSE,
                      "the path of the spool is empty or too long");
    }
    const char *folder = folder_of(path, folder_text);
    (void)snprintf(name_text, sizeof name_text, "%s", path);
    const char *name = basename(name_text);
    if (create && mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return failed_errno(err, "cannot make the folder %s", folder);
    }
    if (realpath(folder, real) == NULL) {
        enum spool_status status =
            failed_errno(err, "cannot find the folder %s", folder);
        return create ? status : no_spool(path, err);
    }
    size_t size = strlen(real) + strlen(name) + 2;
    *out = malloc(size);
    if (*out == NULL) {
        return failed(err, SPOOL_NO_MEMORY, "out of memory");
    }
    (void)snprintf(*out, size, "%s/%s", real, name);
    return SPOOL_OK;
}

/* ---- who may write ---- */

/* A folder that its owner has set up for a group. */
static bool is_shared(const struct stat *folder)
{
    return (folder->st_mode & (S_ISGID | S_IWGRP)) == (S_ISGID | S_IWGRP);
}

static enum spool_status check_folder(const char *folder, struct stat *st,
                                      struct spool_error *err)
{
    if (stat(folder, st) != 0) {
        return failed_errno(err, "cannot look at the folder %s", folder);
    }
    if ((st->st_mode & S_IWOTH) != 0) {
        return failed(err, SPOOL_IO,
                      "everybody may write to the folder %s, and so replace "
                      "the spool; chmod o-w it or give the spool a folder of "
                      "its own",
                      folder);
    }
    if ((st->st_mode & S_IWGRP) != 0 && !is_shared(st)) {
        return failed(err, SPOOL_IO,
                      "a group may write to the folder %s, and so replace the "
                      "spool; chmod g-w it, or chmod 2770 if the group is to "
                      "share the spool",
                      folder);
    }
    uid_t user = geteuid();
    if (user != 0 && st->st_uid != user && st->st_uid != 0 && !is_shared(st)) {
        return failed(err, SPOOL_IO,
                      "the folder %s belongs to user %ld, who could replace "
                      "the spool; give the spool a folder of your own",
                      folder, (long)st->st_uid);
    }
    if (access(folder, W_OK) != 0) {
        return errno == EROFS
                   ? failed(err, SPOOL_IO,
                            "%s lies on a read-only file system; mount it "
                            "writable or give the spool another place",
                            folder)
                   : failed_errno(err, "cannot write to the folder %s", folder);
    }
    return SPOOL_OK;
}

static enum spool_status check_kind(const char *name, const struct stat *st,
                                    struct spool_error *err)
{
    if (S_ISLNK(st->st_mode)) {
        return failed(err, SPOOL_IO,
                      "%s is a symbolic link, which anybody may point "
                      "elsewhere; name the file itself",
                      name);
    }
    if (!S_ISREG(st->st_mode)) {
        return failed(err, SPOOL_IO,
                      "%s is no regular file; remove it or name another path",
                      name);
    }
    if (st->st_nlink != 1) {
        return failed(err, SPOOL_IO,
                      "%s has %ld names (hard links), and each would have a "
                      "-wal of its own; remove the others",
                      name, (long)st->st_nlink);
    }
    return SPOOL_OK;
}

static enum spool_status check_file(const char *name, const struct stat *st,
                                    const struct stat *folder,
                                    struct spool_error *err)
{
    enum spool_status status = check_kind(name, st, err);
    if (status != SPOOL_OK) {
        return status;
    }
    uid_t user = geteuid();
    bool shared = is_shared(folder) && st->st_gid == folder->st_gid;
    if (!shared && st->st_uid != user && st->st_uid != folder->st_uid &&
        user != 0) {
        return failed(err, SPOOL_IO,
                      "%s belongs to user %ld, neither to you nor to the "
                      "folder's owner; it is not believed, chown or remove it",
                      name, (long)st->st_uid);
    }
    if (!shared && user == 0 && st->st_uid != 0 &&
        st->st_uid != folder->st_uid) {
        return failed(err, SPOOL_IO,
                      "%s belongs to user %ld and its folder to user %ld; it "
                      "is not believed, chown one of them",
                      name, (long)st->st_uid, (long)folder->st_uid);
    }
    if ((st->st_mode & S_IWOTH) != 0) {
        return failed(err, SPOOL_IO, "everybody may write to %s; chmod 600 it",
                      name);
    }
    if ((st->st_mode & S_IWGRP) != 0 && !shared) {
        return failed(err, SPOOL_IO,
                      "a group may write to %s; chmod 600 it, or chmod 2770 "
                      "its folder if the group is to share the spool",
                      name);
    }
    if (access(name, R_OK) != 0) {
        return failed(err, SPOOL_IO,
                      "user %ld may not read %s; chmod u+rw or chown it",
                      (long)user, name);
    }
    return SPOOL_OK;
}

/* What lies there by now; *missing: the outbox itself does not. */
static enum spool_status check_files(const char *path,
                                     const struct stat *folder, bool *missing,
                                     struct spool_error *err)
{
    /* A -journal would be rolled back into the file, a -fresh would take its
     * place. */
    static const char *const ends[] = {
        "",         "-wal",          "-shm",     "-mark",  "-flusher",
        "-ballast", "-destinations", "-journal", "-fresh", "-aside"};
    char name[NAME_SIZE];
    struct stat st;
    enum spool_status status = SPOOL_OK;
    *missing = false;
    for (size_t i = 0; status == SPOOL_OK && i < sizeof ends / sizeof *ends;
         i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, ends[i]);
        if (lstat(name, &st) == 0) {
            status = check_file(name, &st, folder, err);
        } else if (errno != ENOENT) {
            status = failed_errno(err, "cannot look at %s", name);
        } else if (i == 0) {
            *missing = true;
        }
    }
    return status;
}

enum spool_status site_check_beside(const char *path, struct spool_error *err)
{
    char text[PATH_MAX];
    struct stat folder_st;
    bool missing;
    enum spool_status status =
        check_folder(folder_of(path, text), &folder_st, err);
    return status == SPOOL_OK ? check_files(path, &folder_st, &missing, err)
                              : status;
}

/* ---- the files ---- */

/* The file itself is made by us, so that its mode is ours whatever the umask;
 * SQLite gives the -wal and -shm files the same. An existing file is only
 * looked at: closing a descriptor of it would drop the locks that SQLite has on
 * it elsewhere in this process. */
static enum spool_status make_file(const char *path, const struct stat *folder,
                                   struct spool_error *err)
{
    mode_t mode = is_shared(folder) ? 0660 : 0600;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_CREAT | O_EXCL, mode);
    if (fd < 0) {
        return errno == EEXIST ? SPOOL_OK
                               : failed_errno(err, "cannot make %s", path);
    }
    enum spool_status status = SPOOL_OK;
    if (fchmod(fd, mode) != 0) {
        status = failed_errno(err, "cannot set the mode of %s", path);
    }
    (void)close(fd);
    return status;
}

/* A new file's name must be on disk before an event in it is acknowledged. */
static enum spool_status sync_folder(const char *folder,
                                     struct spool_error *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return failed_errno(err, "cannot open the folder %s", folder);
    }
    enum spool_status status = SPOOL_OK;
    if (fsync(fd) != 0) {
        status = failed_errno(err, "cannot sync the folder %s", folder);
    }
    (void)close(fd);
    return status;
}

enum spool_status site_replace(const char *from, const char *to,
                               struct spool_error *err)
{
    char text[PATH_MAX];
    int fd = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    enum spool_status status = SPOOL_OK;
    if (fd < 0 || fsync(fd) != 0) {
        status = failed_errno(err, "cannot sync %s", from);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    if (status == SPOOL_OK && rename(from, to) != 0) {
        status = failed_errno(err, "cannot rename %s to %s", from, to);
    }
    return status == SPOOL_OK ? sync_folder(folder_of(to, text), err) : status;
}

enum spool_status site_prepare(const char *path, bool create,
                               struct spool_error *err)
{
    char text[PATH_MAX];
    bool missing = false;
    struct stat folder_st, st;
    const char *folder = folder_of(path, text);
    if (!create && lstat(path, &st) != 0 && errno == ENOENT) {
        return no_spool(path, err);
    }
    enum spool_status status = check_folder(folder, &folder_st, err);
    if (status == SPOOL_OK && create) {
        status = make_file(path, &folder_st, err);
    }
    if (status == SPOOL_OK) {
        status = check_files(path, &folder_st, &missing, err);
    }
    if (status == SPOOL_OK && missing) {
        status = no_spool(path, err);
    }
    return status == SPOOL_OK && create ? sync_folder(folder, err) : status;
}

mode_t site_mode(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0
               ? st.st_mode & (S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP)
               : S_IRUSR | S_IWUSR;
}

/* ---- while it is open ---- */

static void wal_name(const char *path, char name[NAME_SIZE])
{
    (void)snprintf(name, NAME_SIZE, "%s-wal", path);
}

/* Without its times: a file whose times were asked for gets new ones with its
 * next write, and the sync behind that has the inode to write too. */
static bool look_at(const char *path, const struct site *site, ino_t inode,
                    struct statx *x)
{
    return statx(AT_FDCWD, path, 0, STATX_INO | STATX_NLINK | STATX_MODE, x) ==
               0 &&
           x->stx_ino == inode &&
           makedev(x->stx_dev_major, x->stx_dev_minor) == site->device;
}

enum spool_status site_open(struct site *site, const char *path,
                            struct spool_error *err)
{
    static const uint32_t events = IN_MOVE_SELF | IN_DELETE_SELF | IN_ATTRIB;
    struct stat file, wal;
    char name[NAME_SIZE];
    wal_name(path, name);
    if (stat(path, &file) != 0) {
        return failed_errno(err, "cannot look at %s", path);
    }
    /* SQLite has it open, so it is there, unless it keeps its files elsewhere.
     */
    ino_t wal_inode = stat(name, &wal) == 0 ? wal.st_ino : 0;
    *site = (struct site){.open = true,
                          .watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
    if (site->watch >= 0 &&
        (inotify_add_watch(site->watch, path, events) < 0 ||
         inotify_add_watch(site->watch, name, events) < 0)) {
        (void)close(site->watch);
        site->watch = -1;
    }
    site->device = file.st_dev;
    site->file = file.st_ino;
    site->wal = wal_inode;
    return SPOOL_OK;
}

void site_close(struct site *site)
{
    if (site->open && site->watch >= 0) {
        (void)close(site->watch);
    }
    site->open = false;
}

static enum spool_status moved(struct spool_error *err, const char *path,
                               const char *end)
{
    return failed(err, SPOOL_MOVED,
                  "%s%s was moved, removed or replaced while it was open; put "
                  "it back or take the new one, and open the spool again",
                  path, end);
}

enum spool_status site_check(const struct site *site, const char *path,
                             struct spool_error *err)
{
    struct statx x;
    char name[NAME_SIZE];
    if (!look_at(path, site, site->file, &x)) {
        return moved(err, path, "");
    }
    if ((x.stx_mode & S_IWUSR) == 0) {
        return failed(err, SPOOL_MOVED,
                      "%s was made read-only while it was open; chmod u+w it "
                      "and open the spool again",
                      path);
    }
    wal_name(path, name);
    return site->wal == 0 || look_at(name, site, site->wal, &x)
               ? SPOOL_OK
               : moved(err, path, "-wal");
}

enum spool_status site_check_again(const struct site *site, const char *path,
                                   struct spool_error *err)
{
    char events[1024];
    if (site->watch >= 0 && read(site->watch, events, sizeof events) < 0 &&
        errno == EAGAIN) {
        return SPOOL_OK;
    }
    return site_check(site, path, err);
}
