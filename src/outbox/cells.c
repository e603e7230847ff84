#define _DEFAULT_SOURCE /* htole64 */
#include "outbox/cells.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"

#define PAGE_DEFAULT 8192
#define PAGE_MAX     65536
#define WAL_HEADER   32
#define FRAME_HEADER 24

/* No event is longer; a length beyond it is damage. */
#define BODY_MAX (64U << 20)

/* An overflow page may be there in several states, and the row's checksum says
 * which belong to it: so many are tried. */
#define STATES_MAX 8

/* Every column but the body takes at most nine bytes, so does each of their
 * types. */
#define HEAD_MAX 16

struct scan {
    const struct cells_source *source;
    cell_found *each;
    void *arg;
    uint32_t page_size;
    unsigned char *page;     /* under search */
    unsigned char *overflow; /* being followed */
    char *body;
    size_t room;
    uint32_t *frames; /* the page number of each frame */
    size_t frames_n;
    bool no_memory, enough;
};

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static bool size_is_sane(uint32_t size)
{
    return size >= 512 && size <= PAGE_MAX && (size & (size - 1)) == 0;
}

/* How many bytes the number took; 0: it goes on behind the end. */
static size_t varint(const unsigned char *p, size_t n, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n && i < 9; i++) {
        if (i == 8) {
            *out = v << 8 | p[i];
            return 9;
        }
        v = v << 7 | (p[i] & 0x7FU);
        if ((p[i] & 0x80U) == 0) {
            *out = v;
            return i + 1;
        }
    }
    return 0;
}

/* The bytes of an integer's type; -1: it is none. */
static int integer_size(uint64_t type)
{
    static const int sizes[] = {-1, 1, 2, 3, 4, 6, 8, -1, 0, 0};
    return type < sizeof sizes / sizeof *sizes ? sizes[type] : -1;
}

static int64_t integer(const unsigned char *p, uint64_t type)
{
    int size = integer_size(type);
    if (size == 0) {
        return type == 9;
    }
    uint64_t v = (p[0] & 0x80U) != 0 ? UINT64_MAX : 0;
    for (int i = 0; i < size; i++) {
        v = v << 8 | p[i];
    }
    return (int64_t)v;
}

/* The beginning of a cell: its columns up to the body. */
struct head {
    struct cell cell;
    size_t payload; /* bytes of the record */
    size_t before;  /* of them, before the body */
    size_t start;   /* of the record, from the cell's first byte */
};

/* The rest of a record's header behind its own size: id (as the row's id it is
 * NULL here), at, part, crc and the body. */
static bool read_types(const unsigned char *p, size_t n, uint64_t types[5])
{
    size_t at = 0;
    for (int i = 0; i < 5; i++) {
        size_t took = varint(p + at, n - at, &types[i]);
        if (took == 0) {
            return false;
        }
        at += took;
    }
    return at == n && types[0] == 0 && types[4] >= 12 && types[4] % 2 == 0 &&
           (types[4] - 12) / 2 <= BODY_MAX;
}

static bool read_head(const unsigned char *p, size_t n, struct head *h)
{
    uint64_t payload, id, header, types[5];
    size_t a = varint(p, n, &payload);
    size_t b = a == 0 ? 0 : varint(p + a, n - a, &id);
    h->start = a + b;
    if (b == 0 || n - h->start < HEAD_MAX || id == 0 || id > INT64_MAX) {
        return false;
    }
    p += h->start;
    n -= h->start;
    size_t took = varint(p, n, &header);
    if (took != 1 || header < 6 || header > HEAD_MAX ||
        !read_types(p + 1, (size_t)header - 1, types)) {
        return false;
    }
    int64_t *const columns[] = {&h->cell.at, &h->cell.part, NULL};
    int64_t crc = -1;
    h->before = (size_t)header;
    for (int i = 0; i < 3; i++) {
        int size = integer_size(types[i + 1]);
        if (size < 0 || h->before + (size_t)size > n) {
            return false;
        }
        *(columns[i] != NULL ? columns[i] : &crc) =
            integer(p + h->before, types[i + 1]);
        h->before += (size_t)size;
    }
    h->cell.id = (int64_t)id;
    h->cell.crc = (uint32_t)crc;
    h->cell.len = (size_t)((types[4] - 12) / 2);
    h->payload = h->before + h->cell.len;
    return crc >= 0 && crc <= UINT32_MAX && h->payload == payload;
}

/* How much of a record lies in the leaf itself. */
static size_t local_size(size_t payload, size_t page)
{
    size_t most = page - 35;
    size_t least = (page - 12) * 32 / 255 - 23;
    if (payload <= most) {
        return payload;
    }
    size_t k = least + (payload - least) % (page - 4);
    return k <= most ? k : least;
}

/* The offset of the state-th newest copy of a page: frames from the end, then
 * the database. */
static bool find_page(const struct scan *s, uint32_t number, int state,
                      bool *wal, uint64_t *offset)
{
    if (number == 0) {
        return false;
    }
    for (size_t i = s->frames_n; i > 0; i--) {
        if (s->frames[i - 1] == number && state-- == 0) {
            *wal = true;
            *offset = WAL_HEADER + FRAME_HEADER +
                      (uint64_t)(i - 1) * (FRAME_HEADER + s->page_size);
            return true;
        }
    }
    *wal = false;
    *offset = (uint64_t)(number - 1) * s->page_size;
    return *offset < s->source->db_bytes;
}

/* Collects what lies in overflow pages behind the first have bytes. */
static bool follow(struct scan *s, uint32_t number, int state, size_t have,
                   size_t len)
{
    while (have < len) {
        bool wal;
        uint64_t offset;
        size_t size = s->page_size;
        if (!find_page(s, number, state, &wal, &offset) ||
            s->source->read(s->source->arg, wal, offset, s->overflow, size) !=
                size) {
            return false;
        }
        size_t part = len - have < size - 4 ? len - have : size - 4;
        memcpy(s->body + have, s->overflow + 4, part);
        have += part;
        number = be32(s->overflow);
    }
    return true;
}

static bool is_whole(const struct cell *c)
{
    const uint64_t frame[3] = {htole64((uint64_t)c->id),
                               htole64((uint64_t)c->at),
                               htole64((uint64_t)c->part)};
    return crc32c(crc32c(0, c->body, c->len), frame, sizeof frame) == c->crc;
}

static bool make_room(struct scan *s, size_t len)
{
    if (len > s->room) {
        char *more = realloc(s->body, len);
        if (more == NULL) {
            s->no_memory = true;
            return false;
        }
        s->body = more;
        s->room = len;
    }
    return true;
}

/* A body that goes on in other pages. */
static bool read_long(struct scan *s, const unsigned char *record, size_t n,
                      struct head *h)
{
    size_t local = local_size(h->payload, s->page_size);
    /* A length that the files cannot hold is not worth its memory. */
    if (local < h->before || n < local + 4 ||
        h->cell.len > s->source->db_bytes + s->source->wal_bytes ||
        !make_room(s, h->cell.len)) {
        return false;
    }
    size_t have = local - h->before;
    memcpy(s->body, record + h->before, have);
    h->cell.body = s->body;
    for (int state = 0; state < STATES_MAX; state++) {
        if (follow(s, be32(record + local), state, have, h->cell.len) &&
            is_whole(&h->cell)) {
            return true;
        }
    }
    return false;
}

static size_t try_cell(struct scan *s, const unsigned char *p, size_t n)
{
    struct head h;
    if (!read_head(p, n, &h)) {
        return 0;
    }
    const unsigned char *record = p + h.start;
    n -= h.start;
    size_t local = local_size(h.payload, s->page_size);
    bool whole;
    if (local == h.payload) {
        h.cell.body = (const char *)record + h.before;
        whole = local <= n && is_whole(&h.cell);
    } else {
        whole = read_long(s, record, n, &h);
    }
    if (!whole) {
        return 0;
    }
    s->enough = !s->each(s->arg, &h.cell);
    return h.start + local;
}

static void scan_page(struct scan *s, bool wal, uint64_t offset)
{
    size_t n =
        s->source->read(s->source->arg, wal, offset, s->page, s->page_size);
    for (size_t i = 0; i < n && !s->enough && !s->no_memory;) {
        size_t took = try_cell(s, s->page + i, n - i);
        i += took > 0 ? took : 1;
    }
}

/* Every spool has pages of one size; a header that says otherwise and is sane
 * is believed, since the tables may lie in another program's file. */
static uint32_t find_page_size(const struct cells_source *source)
{
    static const char magic[16] = "SQLite format 3";
    unsigned char head[WAL_HEADER];
    if (source->read(source->arg, false, 0, head, sizeof head) == sizeof head &&
        memcmp(head, magic, sizeof magic) == 0) {
        uint32_t size = (uint32_t)head[16] << 8 | head[17];
        size = size == 1 ? PAGE_MAX : size;
        if (size_is_sane(size)) {
            return size;
        }
    }
    return PAGE_DEFAULT;
}

static bool read_frames(struct scan *s)
{
    uint64_t step = FRAME_HEADER + (uint64_t)s->page_size;
    uint64_t bytes = s->source->wal_bytes;
    size_t n = bytes > WAL_HEADER ? (size_t)((bytes - WAL_HEADER) / step) : 0;
    s->frames = calloc(n + 1, sizeof *s->frames);
    if (s->frames == NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char number[4];
        if (s->source->read(s->source->arg, true, WAL_HEADER + i * step, number,
                            sizeof number) == sizeof number) {
            s->frames[i] = be32(number);
        }
    }
    s->frames_n = n;
    return true;
}

static void scan_all(struct scan *s)
{
    uint64_t step = FRAME_HEADER + (uint64_t)s->page_size;
    for (uint64_t at = 0;
         at < s->source->db_bytes && !s->enough && !s->no_memory;
         at += s->page_size) {
        scan_page(s, false, at);
    }
    for (uint64_t at = WAL_HEADER + FRAME_HEADER;
         at < s->source->wal_bytes && !s->enough && !s->no_memory; at += step) {
        scan_page(s, true, at);
    }
}

bool cells_scan(const struct cells_source *source, cell_found *each, void *arg)
{
    struct scan s = {.source = source, .each = each, .arg = arg};
    uint32_t sizes[] = {find_page_size(source), PAGE_DEFAULT};
    /* A flip in the header can make a size that is sane and wrong. */
    for (int i = 0; i < (sizes[0] == sizes[1] ? 1 : 2) && !s.enough; i++) {
        s.page_size = sizes[i];
        s.page = malloc(s.page_size);
        s.overflow = malloc(s.page_size);
        s.no_memory = s.page == NULL || s.overflow == NULL || !read_frames(&s);
        if (!s.no_memory) {
            scan_all(&s);
        }
        free(s.page);
        free(s.overflow);
        free(s.frames);
        s.frames = NULL;
    }
    free(s.body);
    return !s.no_memory;
}
