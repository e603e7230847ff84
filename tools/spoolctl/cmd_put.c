/* Events go in by groups: as many as there are to read without waiting, up to
 * a transaction's worth. What a group's commit made of each event is printed
 * before the next one is read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "cmd.h"
#include "human.h"
#include "input.h"
#include "json_line.h"

#define GROUP_EVENTS 1000
#define GROUP_BYTES  ((size_t)3 * 1024 * 1024)

/* What came in: an event to put, or a fault of the text. */
struct entry {
    uint64_t index, offset;
    const char *file;
    size_t at, len; /* in bytes; len 0: it was refused while reading */
    struct spool_receipt receipt;
};

struct put {
    struct ctl *ctl;
    struct spool_put_options options;
    struct entry entries[GROUP_EVENTS];
    size_t n;
    struct buffer bytes; /* their events; one may move it, so no pointers */
    int64_t accepted, duplicate, refused;
    bool failed;
    struct spool_error err; /* with failed */
};

static const char *word_of(const struct entry *e)
{
    enum spool_status status = e->receipt.status;
    return status == SPOOL_OK          ? "accepted"
           : status == SPOOL_DUPLICATE ? "duplicate"
           : status == SPOOL_UNKNOWN   ? "unknown"
                                       : "refused";
}

static bool is_stored(const struct spool_receipt *r)
{
    return r->status == SPOOL_OK || r->status == SPOOL_DUPLICATE;
}

/* Refused for what it is or by a limit for its class, not for want of a store:
 * the next one may get in. */
static bool is_refused(const struct spool_receipt *r)
{
    return r->status == SPOOL_INVALID || r->status == SPOOL_CONFLICT ||
           r->status == SPOOL_QUARANTINED ||
           (r->status == SPOOL_FULL && strcmp(r->fault, "full") == 0);
}

static void print_json(const struct put *p, const struct entry *e)
{
    const struct spool_receipt *r = &e->receipt;
    struct json_object *o = json_make();
    json_add_number(o, "index", (int64_t)e->index);
    json_add_text(o, "status", word_of(e));
    if (is_stored(r)) {
        json_add_number(o, "id", r->id);
    } else if (is_refused(r)) {
        json_add_text(o, "class", r->fault);
        json_add_text(o, "path", r->path);
        json_add_text(o, "message", r->message);
        if (r->status == SPOOL_QUARANTINED) {
            json_add_number(o, "quarantined", r->id);
        }
    } else {
        json_add_text(o, "class", "store");
        json_add_text(o, "path", "");
        json_add_text(o, "message", p->err.message);
    }
    json_add_text(o, "file", e->file);
    json_add_number(o, "offset", (int64_t)(e->offset + r->offset));
    json_print(o);
}

static void print(struct put *p, const struct entry *e)
{
    const struct spool_receipt *r = &e->receipt;
    p->accepted += r->status == SPOOL_OK;
    p->duplicate += r->status == SPOOL_DUPLICATE;
    p->refused += is_refused(r);
    if (p->ctl->json) {
        print_json(p, e);
    } else if (is_stored(r)) {
        (void)printf("%lld\n", (long long)r->id);
    } else if (is_refused(r)) {
        ctl_warn("%s: event %llu at byte %llu%s%s: %s", e->file,
                 (unsigned long long)e->index,
                 (unsigned long long)(e->offset + r->offset),
                 r->path[0] != '\0' ? ", " : "", r->path, r->message);
    } else {
        ctl_warn("%s: event %llu at byte %llu: %s", e->file,
                 (unsigned long long)e->index, (unsigned long long)e->offset,
                 r->status == SPOOL_UNKNOWN ? "it may be stored or not"
                                            : "it is not stored");
    }
}

/* Commits the group and prints what became of it. False ends the reading. */
static bool commit(void *arg)
{
    struct put *p = arg;
    static struct spool_event events[GROUP_EVENTS];
    static struct spool_receipt receipts[GROUP_EVENTS];
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (p->entries[i].len > 0) {
            events[n++] =
                (struct spool_event){.json = p->bytes.data + p->entries[i].at,
                                     .len = p->entries[i].len};
        }
    }
    enum spool_status status = SPOOL_OK;
    if (n > 0) {
        status = spool_put_many(p->ctl->spool, events, n, &p->options, receipts,
                                &p->err);
    }
    p->failed =
        status != SPOOL_OK && status != SPOOL_INVALID && status != SPOOL_FULL;
    for (size_t i = 0, j = 0; i < p->n; i++) {
        if (p->entries[i].len > 0) {
            p->entries[i].receipt = receipts[j++];
        }
        const struct spool_receipt *r = &p->entries[i].receipt;
        p->failed = p->failed || !(is_stored(r) || is_refused(r));
        print(p, &p->entries[i]);
    }
    p->n = 0;
    p->bytes.len = 0;
    /* Without the ids nobody could tell what was put and what was not. */
    if (!p->failed && (fflush(stdout) != 0 || !ctl_can_print())) {
        p->failed = true;
        (void)failed(&p->err, SPOOL_IO,
                     "the ids cannot be written to stdout, so the rest was "
                     "not put");
    }
    return !p->failed;
}

static bool take(void *arg, const char *file, uint64_t index,
                 const struct event_item *item)
{
    struct put *p = arg;
    struct entry *e = &p->entries[p->n++];
    *e = (struct entry){.index = index, .offset = item->offset, .file = file};
    if (item->json == NULL) {
        const struct event_finding *f = &item->finding;
        e->receipt =
            (struct spool_receipt){.status = SPOOL_INVALID,
                                   .fault = event_fault_name(f->fault),
                                   .offset = f->offset - (size_t)item->offset};
        (void)snprintf(e->receipt.path, sizeof e->receipt.path, "%s", f->path);
        (void)snprintf(e->receipt.message, sizeof e->receipt.message, "%s",
                       f->message);
    } else {
        e->at = p->bytes.len;
        e->len = item->len;
        if (!buffer_add(&p->bytes, item->json, item->len)) {
            p->n--;
            (void)commit(p);
            p->failed = true;
            (void)failed(&p->err, SPOOL_NO_MEMORY,
                         "out of memory for event %llu of %s",
                         (unsigned long long)index, file);
            return false;
        }
    }
    return (p->n < GROUP_EVENTS && p->bytes.len < GROUP_BYTES) || commit(p);
}

static enum ending finish(const struct put *p, enum ending reading)
{
    char a[HUMAN_SIZE];
    char known[64] = "";
    if (p->duplicate > 0) {
        (void)snprintf(known, sizeof known, ", %lld known already",
                       (long long)p->duplicate);
    }
    ctl_say(p->ctl, "%s accepted%s, %lld refused", human_events(p->accepted, a),
            known, (long long)p->refused);
    if (p->failed) {
        ctl_warn("%s", p->err.message);
        return FAILED;
    }
    return reading == DONE && p->refused > 0 ? PARTLY : reading;
}

enum ending cmd_put(struct ctl *ctl)
{
    enum event_mode mode;
    enum ending ending = input_mode(ctl, &mode);
    if (ending == DONE) {
        ending = ctl_open(ctl, false);
    }
    if (ending != DONE) {
        return ending;
    }
    struct put *p = calloc(1, sizeof *p);
    if (p == NULL) {
        ctl_warn("out of memory");
        return FAILED;
    }
    p->ctl = ctl;
    p->options.refused =
        ctl_has(ctl, OPTION_QUARANTINE) ? SPOOL_QUARANTINE : SPOOL_REJECT;
    p->options.check = mode == EVENT_STRICT    ? SPOOL_CHECK_STRICT
                       : mode == EVENT_RELAXED ? SPOOL_CHECK_RELAXED
                       : mode == EVENT_OFF     ? SPOOL_CHECK_OFF
                                               : SPOOL_CHECK_JSON;
    /* The reader only takes the text apart: the library is the judge. */
    struct input_user user = {
        .checks = {.mode = EVENT_JSON}, .item = take, .idle = commit, .arg = p};
    ending = finish(p, input_read(ctl, &user));
    buffer_finish(&p->bytes);
    free(p);
    return ending;
}
