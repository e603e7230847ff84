#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/error.h"
#include "print.h"

enum spool_status journal_open(struct journal *j, const char *path,
                               struct spool_error *err)
{
    *j = (struct journal){.fd = -1, .path = path};
    if (path == NULL) {
        return SPOOL_OK;
    }
    j->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (j->fd < 0) {
        return failed_errno(err, "cannot open the log %s", path);
    }
    return SPOOL_OK;
}

static const char *word(bool b)
{
    return b ? "true" : "false";
}

static void print_or_null(struct buffer *b, const char *text)
{
    bool absent = text == NULL || text[0] == '\0';
    print_latin1(
        b, (struct text){absent ? NULL : text, absent ? 0 : strlen(text)});
}

static void print_entry(struct buffer *b, const struct journal_entry *e)
{
    print(b,
          "{\"at_ms\":%" PRId64 ",\"n\":%" PRIu64 ",\"connection\":%" PRIu64
          ",\"on_connection\":%" PRIu64 ",\"method\":",
          e->at_ms, e->n, e->connection, e->on_connection);
    print_latin1(b, e->method);
    print(b, ",\"path\":");
    print_latin1(b, e->path);
    print(b, ",\"key_ok\":%s,\"idempotency_key\":", word(e->key_ok));
    print_latin1(b, e->idempotency_key);
    print(b, ",\"origin\":");
    print_latin1(b, e->origin);
    print(b, ",\"bytes\":%zu,\"http\":%d,\"code\":", e->body_len, e->http);
    print_or_null(b, e->code);
    print(b, ",\"fault\":");
    print_or_null(b, e->fault);
    print(b, ",\"taken\":%s,\"duplicate\":%s,\"events\":[", word(e->taken),
          word(e->duplicate));
    for (size_t i = 0; e->batch != NULL && i < e->batch->count; i++) {
        print_bytes(b, ",", i > 0);
        print_string(b, e->batch->events[i]);
    }
    print(b, "]}\n");
}

enum spool_status journal_write(struct journal *j,
                                const struct journal_entry *entry,
                                struct spool_error *err)
{
    if (j->fd < 0) {
        return SPOOL_OK;
    }
    j->line.len = 0;
    print_entry(&j->line, entry);
    size_t done = 0;
    while (done < j->line.len) {
        ssize_t n = write(j->fd, j->line.data + done, j->line.len - done);
        if (n < 0 && errno != EINTR) {
            return failed_errno(err, "cannot write to the log %s", j->path);
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return SPOOL_OK;
}

void journal_close(struct journal *j)
{
    if (j->fd >= 0) {
        (void)close(j->fd);
    }
    j->fd = -1;
    buffer_finish(&j->line);
}
