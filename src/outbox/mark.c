#define _GNU_SOURCE  /* F_OFD_SETLK: a lock of this handle, not of the process \
                      */
#include "outbox/mark.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "outbox/wal.h"

/* A torn write spoils one sector. */
#define SLOT_BYTES 512
#define PAIR_BYTES (2 * SLOT_BYTES)

/* Writers at once; who comes when all are taken writes no mark. */
#define PAIRS_MAX 1024

struct slot {
    char magic[8];
    char store_id[40];
    int64_t last, epoch;
    /* Odd: well, in this run of the machine; 0: it has not. Even: with a sync
     * that failed, and ended / 2 - 1 frames of the WAL are on disk. */
    uint32_t ended;
    uint32_t wal; /* its number; 0: not known */
    uint32_t crc; /* over what stands before it */
    char rest[SLOT_BYTES - 76];
};
static_assert(sizeof(struct slot) == SLOT_BYTES, "a slot is a sector");

static const char magic[8] = {'s', 'p', 'o', 'o', 'l', 'm', 'k', '1'};

static bool slot_is_whole(const struct slot *s)
{
    return memcmp(s->magic, magic, sizeof magic) == 0 &&
           s->crc == crc32c(0, s, offsetof(struct slot, crc)) &&
           memchr(s->store_id, '\0', sizeof s->store_id) != NULL;
}

static void slot_seal(struct slot *s, uint32_t ended)
{
    s->ended = ended;
    s->crc = crc32c(0, s, offsetof(struct slot, crc));
}

static void slot_fill(struct slot *s, const struct watermark *m)
{
    memset(s, 0, sizeof *s);
    memcpy(s->magic, magic, sizeof magic);
    memcpy(s->store_id, m->store_id, sizeof m->store_id);
    s->last = m->last;
    s->epoch = m->epoch;
    s->wal = m->wal;
}

/* A number for this run of the machine; 0: it has none, and nothing that was
 * written before is known to be on disk. */
static uint32_t this_run(void)
{
    char id[64];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, id, sizeof id);
    if (fd >= 0) {
        (void)close(fd);
    }
    return n > 0 ? crc32c(0, id, (size_t)n) | 1 : 0;
}

static void take_in(const struct slot *s, const char *store_id,
                    struct mark_state *state)
{
    state->knows_wal = state->knows_wal || s->wal != 0;
    if (strcmp(s->store_id, store_id) != 0) {
        if (state->found != MARK_FOUND) {
            state->found = MARK_FOREIGN;
        }
        return;
    }
    state->found = MARK_FOUND;
    state->last = s->last > state->last ? s->last : state->last;
    state->epoch = s->epoch > state->epoch ? s->epoch : state->epoch;
}

static void take_in_any(const struct slot *s, bool complete,
                        const char *store_id, struct mark_state *state)
{
    if (complete && slot_is_whole(s)) {
        take_in(s, store_id, state);
    } else if (state->found == MARK_MISSING) {
        state->found = MARK_TORN;
    }
}

static struct flock pair_lock(int pair, short type)
{
    return (struct flock){.l_type = type,
                          .l_whence = SEEK_SET,
                          .l_start = (off_t)pair * PAIR_BYTES,
                          .l_len = PAIR_BYTES};
}

static bool is_at_work(const struct watermark *m, int pair)
{
    struct flock lock = pair_lock(pair, F_WRLCK);
    return fcntl(m->fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static bool pair_ended(const struct slot slots[2], uint32_t run)
{
    return run != 0 && slot_is_whole(&slots[0]) && slot_is_whole(&slots[1]) &&
           slots[0].ended == run && slots[1].ended == run;
}

static bool slot_doubts(const struct slot *s)
{
    return slot_is_whole(s) && s->ended != 0 && s->ended % 2 == 0;
}

static enum spool_status read_slots(const struct watermark *m, const char *path,
                                    struct mark_state *state,
                                    struct spool_error *err)
{
    uint32_t run = this_run();
    *state = (struct mark_state){.found = MARK_MISSING};
    for (int pair = 0; pair < PAIRS_MAX; pair++) {
        struct slot slots[2];
        memset(slots, 0, sizeof slots);
        ssize_t n = pread(m->fd, slots, sizeof slots, (off_t)pair * PAIR_BYTES);
        if (n < 0) {
            return failed_errno(err, "cannot read %s", path);
        }
        if (n == 0) {
            break;
        }
        take_in_any(&slots[0], n >= SLOT_BYTES, m->store_id, state);
        if (n > SLOT_BYTES) {
            take_in_any(&slots[1], n == PAIR_BYTES, m->store_id, state);
        }
        state->left_open = state->left_open || slot_doubts(&slots[0]) ||
                           slot_doubts(&slots[1]) ||
                           (!pair_ended(slots, run) && !is_at_work(m, pair));
    }
    state->left_open = state->left_open || state->found != MARK_FOUND;
    return SPOOL_OK;
}

enum spool_status mark_open(struct watermark *m, const char *path, mode_t mode,
                            const char *store_id, struct mark_state *state,
                            struct spool_error *err)
{
    *m = (struct watermark){.pair = -1, .fd = -1};
    (void)snprintf(m->store_id, sizeof m->store_id, "%s", store_id);
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    m->fd = open(path, flags | O_CREAT | O_EXCL, mode);
    bool made = m->fd >= 0;
    if (!made && errno == EEXIST) {
        m->fd = open(path, flags);
    }
    m->open = m->fd >= 0;
    if (!m->open || (made && fchmod(m->fd, mode) != 0)) {
        enum spool_status status = failed_errno(err, "cannot open %s", path);
        mark_close(m);
        return status;
    }
    enum spool_status status = read_slots(m, path, state, err);
    m->last = state->last;
    m->epoch = state->epoch;
    m->wal_was_known = state->knows_wal;
    if (status != SPOOL_OK) {
        mark_close(m);
    }
    return status;
}

void mark_close(struct watermark *m)
{
    if (m->open) {
        (void)close(m->fd);
    }
    m->open = false;
}

static off_t slot_at(const struct watermark *m)
{
    return (off_t)m->pair * PAIR_BYTES + (m->second ? SLOT_BYTES : 0);
}

/* What a writer that is gone has said in our slots is not to be unsaid. */
static void inherit(struct watermark *m)
{
    struct mark_state state = {.found = MARK_MISSING};
    for (int i = 0; i < 2; i++) {
        struct slot s;
        if (pread(m->fd, &s, sizeof s, slot_at(m)) == (ssize_t)sizeof s &&
            slot_is_whole(&s)) {
            take_in(&s, m->store_id, &state);
        }
        m->second = !m->second;
    }
    m->last = state.last > m->last ? state.last : m->last;
    m->epoch = state.epoch > m->epoch ? state.epoch : m->epoch;
}

/* The first pair that no living writer has. */
static bool take_pair(struct watermark *m)
{
    for (int i = 0; m->pair < 0 && i < PAIRS_MAX; i++) {
        struct flock lock = pair_lock(i, F_WRLCK);
        if (fcntl(m->fd, F_OFD_SETLK, &lock) == 0) {
            m->pair = i;
            inherit(m);
        } else if (errno != EAGAIN && errno != EACCES) {
            return false;
        }
    }
    return m->pair >= 0;
}

static bool write_slot(struct watermark *m)
{
    struct slot s;
    slot_fill(&s, m);
    slot_seal(&s, m->ended);
    if (pwrite(m->fd, &s, sizeof s, slot_at(m)) != (ssize_t)sizeof s) {
        return false;
    }
    m->second = !m->second;
    return true;
}

void mark_begin(struct watermark *m, bool empty)
{
    bool draws = empty && m->wal != 0;
    if (!m->open || (m->begun && !draws) || !take_pair(m)) {
        return;
    }
    if (draws) {
        m->wal = 0;
        m->wal_was_known = true;
    }
    m->begun = write_slot(m) && write_slot(m);
    /* The cut after that must not find the number of the one before alone. */
    if (m->wal == 0 && m->wal_was_known) {
        (void)fdatasync(m->fd);
    }
}

void mark_wal(struct watermark *m, uint32_t number)
{
    if (!m->open || m->wal == number) {
        return;
    }
    bool far = !wal_is_near(m->wal, number);
    m->wal = number;
    if (m->begun && write_slot(m) && write_slot(m) && far) {
        (void)fdatasync(m->fd); /* made anew, not only begun anew */
    }
}

bool mark_denies_wal(const char *path, uint32_t number,
                     char store_id[UUID_SIZE])
{
    struct slot s;
    bool known = false, fits = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    for (off_t at = 0;
         fd >= 0 && pread(fd, &s, sizeof s, at) == (ssize_t)sizeof s;
         at += SLOT_BYTES) {
        if (!slot_is_whole(&s)) {
            continue;
        }
        /* Who did not end and knew no number may have made this one. */
        fits = fits ||
               (s.wal == 0 ? s.ended % 2 == 0 : wal_is_near(s.wal, number));
        if (s.wal != 0 && !known) {
            known = true;
            (void)snprintf(store_id, UUID_SIZE, "%.36s", s.store_id);
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return known && !fits;
}

void mark_end(struct watermark *m)
{
    if (m->open && m->begun) {
        m->ended = this_run();
        m->begun = !write_slot(m) || !write_slot(m);
    }
}

void mark_doubt(struct watermark *m, uint32_t number, int64_t frames)
{
    mark_begin(m, false);
    if (m->open && m->begun) {
        m->wal = number;
        m->ended = ((uint32_t)frames + 1) * 2;
        (void)(write_slot(m) && write_slot(m));
    }
}

bool mark_doubts(const struct watermark *m, uint32_t number, int64_t *frames)
{
    bool doubts = false;
    struct slot s;
    for (off_t at = 0;
         m->open && pread(m->fd, &s, sizeof s, at) == (ssize_t)sizeof s;
         at += SLOT_BYTES) {
        if (slot_doubts(&s)) {
            int64_t synced = s.wal == number ? (int64_t)s.ended / 2 - 1 : 0;
            *frames = doubts && *frames < synced ? *frames : synced;
            doubts = true;
        }
    }
    return doubts;
}

static void end_slots(const struct watermark *m, int pair, uint32_t run)
{
    struct slot s;
    off_t at = (off_t)pair * PAIR_BYTES;
    for (int i = 0; i < 2; i++, at += SLOT_BYTES) {
        if (pread(m->fd, &s, sizeof s, at) != (ssize_t)sizeof s ||
            !slot_is_whole(&s)) {
            slot_fill(&s, m);
        }
        slot_seal(&s, run);
        (void)!pwrite(m->fd, &s, sizeof s, at);
    }
}

void mark_mended(struct watermark *m)
{
    struct stat st;
    uint32_t run = this_run();
    if (!m->open || fstat(m->fd, &st) != 0) {
        return;
    }
    for (int i = 0; i < PAIRS_MAX && (off_t)i * PAIR_BYTES < st.st_size; i++) {
        struct flock lock = pair_lock(i, F_WRLCK);
        if (i == m->pair || fcntl(m->fd, F_OFD_SETLK, &lock) != 0) {
            continue; /* its writer is at work */
        }
        end_slots(m, i, run);
        lock.l_type = F_UNLCK;
        (void)fcntl(m->fd, F_OFD_SETLK, &lock);
    }
}

void mark_note(struct watermark *m, int64_t last, int64_t epoch)
{
    if (!m->open || !take_pair(m) || (last <= m->last && epoch <= m->epoch)) {
        return;
    }
    struct watermark before = *m;
    m->last = last > m->last ? last : m->last;
    m->epoch = epoch > m->epoch ? epoch : m->epoch;
    if (!write_slot(m)) {
        m->last = before.last;
        m->epoch = before.epoch;
    }
}

enum spool_status mark_rebuild(struct watermark *m, const char *path,
                               const char *store_id, int64_t last,
                               int64_t epoch, struct spool_error *err)
{
    (void)snprintf(m->store_id, sizeof m->store_id, "%s", store_id);
    m->last = last;
    m->epoch = epoch;
    /* Slots of writers that are at work are left: they say no more than is. */
    m->begun = take_pair(m) && write_slot(m) && write_slot(m);
    if (!m->begun || fdatasync(m->fd) != 0) {
        return failed_errno(err, "cannot write %s", path);
    }
    return SPOOL_OK;
}

int64_t mark_peek(const char *path)
{
    int64_t last = 0;
    struct slot s;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return 0;
    }
    for (off_t at = 0; pread(fd, &s, sizeof s, at) == (ssize_t)sizeof s;
         at += SLOT_BYTES) {
        if (slot_is_whole(&s) && s.last > last) {
            last = s.last;
        }
    }
    (void)close(fd);
    return last;
}
