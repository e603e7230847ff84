#define _DEFAULT_SOURCE /* explicit_bzero */
#include "base/secret_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

static enum spool_status check(int fd, const char *path, const char *what,
                               struct spool_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return failed_errno(err, "cannot look at %s", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return failed(err, SPOOL_IO,
                      "cannot read %s from %s: it is no regular file; name the "
                      "file that holds it",
                      what, path);
    }
    if ((st.st_mode & S_IWOTH) != 0) {
        return failed(err, SPOOL_IO,
                      "everybody may write to %s, and so change %s; chmod o-w "
                      "it",
                      path, what);
    }
    return SPOOL_OK;
}

static enum spool_status read_all(int fd, const char *path, const char *what,
                                  char *text, size_t size, size_t *len,
                                  struct spool_error *err)
{
    size_t n = 0;
    ssize_t more = 0;
    while (n < size && (more = read(fd, text + n, size - n)) > 0) {
        n += (size_t)more;
    }
    if (more < 0) {
        enum spool_status status =
            failed_errno(err, "cannot read %s from %s", what, path);
        explicit_bzero(text, n);
        return status;
    }
    *len = n;
    return SPOOL_OK;
}

static enum spool_status open_checked(const char *path, const char *what,
                                      int *out, struct spool_error *err)
{
    /* A pipe without a writer would be waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return failed_errno(err, "cannot read %s from %s", what, path);
    }
    enum spool_status status = check(fd, path, what, err);
    if (status != SPOOL_OK) {
        (void)close(fd);
        return status;
    }
    *out = fd;
    return SPOOL_OK;
}

enum spool_status secret_file_read(const char *path, const char *what,
                                   char *text, size_t size, size_t *len,
                                   struct spool_error *err)
{
    int fd;
    enum spool_status status = open_checked(path, what, &fd, err);
    if (status == SPOOL_OK) {
        status = read_all(fd, path, what, text, size, len, err);
        (void)close(fd);
    }
    return status;
}

enum spool_status secret_file_check(const char *path, const char *what,
                                    struct spool_error *err)
{
    int fd = -1;
    enum spool_status status = open_checked(path, what, &fd, err);
    if (status == SPOOL_OK) {
        (void)close(fd);
    }
    return status;
}
