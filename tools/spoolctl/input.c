#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

struct source {
    const struct input_user *user;
    int fd;
    bool ended; /* by the user, not by the input */
};

static ssize_t read_block(void *arg, char *buf, size_t n)
{
    struct source *s = arg;
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    ssize_t got;
    if (s->user->idle != NULL && poll(&p, 1, 0) == 0 &&
        !s->user->idle(s->user->arg)) {
        s->ended = true;
        errno = ECANCELED;
        return -1;
    }
    do {
        got = read(s->fd, buf, n);
    } while (got < 0 && errno == EINTR);
    return got;
}

static enum ending read_file(struct source *s, const char *name,
                             uint64_t *index)
{
    const struct input_user *user = s->user;
    struct event_reader reader;
    struct event_item item;
    struct spool_error err;
    enum spool_status status;
    enum ending ending = DONE;
    event_reader_init(&reader, &user->checks, EVENT_FILE, read_block, s);
    while ((status = event_reader_next(&reader, &item, &err)) == SPOOL_OK) {
        if (!user->item(user->arg, name, (*index)++, &item)) {
            s->ended = true;
            break;
        }
    }
    if (!s->ended && user->idle != NULL && !user->idle(user->arg)) {
        s->ended = true;
    }
    if (!s->ended && status != SPOOL_NOT_FOUND) {
        ctl_warn("%s: %s", name, err.message);
        ending = FAILED;
    }
    event_reader_finish(&reader);
    return ending;
}

static enum ending open_and_read(struct source *s, const char *name,
                                 uint64_t *index)
{
    if (strcmp(name, "-") == 0) {
        s->fd = STDIN_FILENO;
        return read_file(s, "stdin", index);
    }
    s->fd = open(name, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0) {
        struct spool_error err;
        (void)failed_errno(&err, "cannot open %s", name);
        (void)ctl_failed(&err);
        return FAILED;
    }
    enum ending ending = read_file(s, name, index);
    (void)close(s->fd);
    return ending;
}

enum ending input_mode(const struct ctl *ctl, enum event_mode *mode)
{
    bool relaxed = ctl_has(ctl, OPTION_RELAXED);
    bool off = ctl_has(ctl, OPTION_CHECK_OFF);
    bool any = ctl_has(ctl, OPTION_ANY_JSON);
    if (ctl_has(ctl, OPTION_STRICT) + relaxed + off + any > 1) {
        return ctl_misuse(ctl, "--strict, --relaxed, --check-off and "
                               "--any-json exclude one another");
    }
    *mode = any       ? EVENT_JSON
            : off     ? EVENT_OFF
            : relaxed ? EVENT_RELAXED
                      : EVENT_STRICT;
    return DONE;
}

enum ending input_read(const struct ctl *ctl, const struct input_user *user)
{
    struct source s = {.user = user};
    uint64_t index = 0;
    enum ending worst = DONE;
    if (ctl->arguments_n == 0) {
        return open_and_read(&s, "-", &index);
    }
    for (size_t i = 0; i < ctl->arguments_n && !s.ended; i++) {
        enum ending ending = open_and_read(&s, ctl->arguments[i], &index);
        worst = ending > worst ? ending : worst;
    }
    return worst;
}
