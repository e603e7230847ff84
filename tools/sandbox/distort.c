#include "distort.h"

#include "print.h"

/* For DEEP_JSON: far beyond what any reader takes. */
#define DEEP 50000

/* One whole chunk, header and answer, each to be sent for ever. */
static const char endless_chunk[] = "40\r\n"
                                    "                                "
                                    "                                \r\n";
static const char endless_header[] = "X-And-Another: and another one\r\n";
static const char endless_hint[] =
    "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";

static void close_now(struct plan *p)
{
    p->deed = DEED_CLOSE;
}

static void reset_now(struct plan *p)
{
    p->deed = DEED_RESET;
}

static void hang(struct plan *p)
{
    p->deed = DEED_HANG;
}

static void garbage(struct plan *p)
{
    print(&p->bytes, "SSH-2.0-OpenSSH_9.2\r\n");
    print_fill(&p->bytes, '\xE7', 64);
    p->close = true;
}

static void hint_for_ever(struct plan *p)
{
    print(&p->bytes, "%s", endless_hint);
    p->forever = endless_hint;
}

static void (*const deeds[FAULT_COUNT])(struct plan *) = {
    [FAULT_CLOSE_AFTER] = close_now, [FAULT_DROP_AFTER] = close_now,
    [FAULT_RESET_AFTER] = reset_now, [FAULT_HANG] = hang,
    [FAULT_GARBAGE] = garbage,       [FAULT_ENDLESS_1XX] = hint_for_ever,
};

bool distort_deed(const struct fault *fault, struct plan *plan)
{
    void (*deed)(struct plan *) = deeds[fault_id(fault)];
    if (deed == NULL) {
        return false;
    }
    deed(plan);
    return true;
}

typedef void way(struct plan *p, struct buffer *body, const struct answer *a);

static void cut(struct plan *p, struct buffer *body, const struct answer *a)
{
    answer_frame(&p->bytes, body, a);
    p->bytes.len -= (body->len + 1) / 2;
    p->close = true;
}

static void cut_head(struct plan *p, struct buffer *body,
                     const struct answer *a)
{
    (void)body, (void)a;
    p->bytes.len /= 2;
    p->close = true;
}

static void no_length(struct plan *p, struct buffer *body,
                      const struct answer *a)
{
    (void)a;
    print(&p->bytes, "\r\n");
    print_bytes(&p->bytes, body->data, body->len);
    p->close = true;
}

static void length_and_body(struct buffer *out, size_t length,
                            const struct buffer *body)
{
    print(out, "Content-Length: %zu\r\n\r\n", length);
    print_bytes(out, body->data, body->len);
}

static void short_length(struct plan *p, struct buffer *body,
                         const struct answer *a)
{
    (void)a;
    length_and_body(&p->bytes, body->len / 2, body);
}

static void two_lengths(struct plan *p, struct buffer *body,
                        const struct answer *a)
{
    (void)a;
    print(&p->bytes, "Content-Length: %zu\r\n", body->len / 2);
    length_and_body(&p->bytes, body->len, body);
}

static void chunk(struct buffer *out, const struct buffer *body)
{
    print(out, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", body->len);
    print_bytes(out, body->data, body->len);
    print(out, "\r\n");
}

static void length_and_chunked(struct plan *p, struct buffer *body,
                               const struct answer *a)
{
    (void)a;
    print(&p->bytes, "Content-Length: %zu\r\n", body->len);
    chunk(&p->bytes, body);
    print(&p->bytes, "0\r\n\r\n");
}

static void bad_chunk(struct plan *p, struct buffer *body,
                      const struct answer *a)
{
    (void)a;
    print(&p->bytes, "Transfer-Encoding: chunked\r\n\r\n1%016zx\r\n",
          body->len);
    print_bytes(&p->bytes, body->data, body->len);
    p->close = true;
}

static void open_chunk(struct plan *p, struct buffer *body,
                       const struct answer *a)
{
    (void)a;
    chunk(&p->bytes, body);
    p->close = true;
}

static void folded(struct plan *p, struct buffer *body, const struct answer *a)
{
    print(&p->bytes, "X-Folded: one line\r\n and another\r\n");
    answer_frame(&p->bytes, body, a);
}

static void nul_header(struct plan *p, struct buffer *body,
                       const struct answer *a)
{
    print_bytes(&p->bytes, "X-Nul: a\0b\r\n", 12);
    answer_frame(&p->bytes, body, a);
}

static void body_204(struct plan *p, struct buffer *body,
                     const struct answer *a)
{
    (void)a; /* whose status is 204: framed as usual there would be no body */
    length_and_body(&p->bytes, body->len, body);
}

static void twice(struct plan *p, struct buffer *body, const struct answer *a)
{
    answer_frame(&p->bytes, body, a);
    body->len = 0;
    print_bytes(body, p->bytes.data, p->bytes.len);
    print_bytes(&p->bytes, body->data, body->len);
}

static void gzip(struct plan *p, struct buffer *body, const struct answer *a)
{
    /* The first ten bytes of any gzip file, and nothing of sense. */
    body->len = 0;
    print_bytes(body, "\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
    print_fill(body, 'U', 100);
    print(&p->bytes, "Content-Encoding: gzip\r\n");
    answer_frame(&p->bytes, body, a);
}

static void bad_json(struct plan *p, struct buffer *body,
                     const struct answer *a)
{
    body->len /= 2;
    answer_frame(&p->bytes, body, a);
}

static void deep_json(struct plan *p, struct buffer *body,
                      const struct answer *a)
{
    body->len = 0;
    print_fill(body, '[', DEEP);
    print_fill(body, ']', DEEP);
    answer_frame(&p->bytes, body, a);
}

static void endless_body(struct plan *p, struct buffer *body,
                         const struct answer *a)
{
    (void)a;
    chunk(&p->bytes, body);
    p->forever = endless_chunk;
}

static void endless_headers(struct plan *p, struct buffer *body,
                            const struct answer *a)
{
    (void)body, (void)a;
    p->forever = endless_header;
}

static way *const ways[FAULT_COUNT] = {
    [FAULT_CUT] = cut,
    [FAULT_CUT_HEAD] = cut_head,
    [FAULT_NO_LENGTH] = no_length,
    [FAULT_SHORT_LENGTH] = short_length,
    [FAULT_TWO_LENGTHS] = two_lengths,
    [FAULT_LENGTH_AND_CHUNKED] = length_and_chunked,
    [FAULT_BAD_CHUNK] = bad_chunk,
    [FAULT_OPEN_CHUNK] = open_chunk,
    [FAULT_FOLDED] = folded,
    [FAULT_NUL_HEADER] = nul_header,
    [FAULT_BODY_204] = body_204,
    [FAULT_TWICE] = twice,
    [FAULT_GZIP] = gzip,
    [FAULT_BAD_JSON] = bad_json,
    [FAULT_DEEP_JSON] = deep_json,
    [FAULT_ENDLESS_BODY] = endless_body,
    [FAULT_ENDLESS_HEADERS] = endless_headers,
};

bool distort_answer(const struct fault *fault, const struct answer *a,
                    struct buffer *body, struct plan *plan)
{
    way *distort = ways[fault_id(fault)];
    if (distort == NULL) {
        return false;
    }
    distort(plan, body, a);
    return true;
}
