#include "crash/outage.h"

#include <string.h>

#define PHYSICAL 4096

void outage_begin(struct outage *o, const struct disk *disk, bool ignores_syncs)
{
    *o = (struct outage){
        .disk = disk, .ignores_syncs = ignores_syncs, .sector = 512};
    for (int i = 0; i < DISK_FILES; i++) {
        disk_image_copy(&o->durable[i], &disk->before[i]);
    }
}

void outage_finish(struct outage *o)
{
    for (int i = 0; i < DISK_FILES; i++) {
        disk_image_free(&o->durable[i]);
    }
}

/* Everything that the file had pending is on disk now. */
static void sync_file(struct outage *o, enum disk_file file)
{
    for (size_t i = o->synced[file]; i < o->at; i++) {
        const struct disk_op *op = &o->disk->ops[i];
        if (op->kind != DISK_MARK && op->file == file && !op->lost) {
            disk_apply(o->disk, op, 0, op->len, &o->durable[file]);
        }
    }
    o->synced[file] = o->at;
}

bool outage_step(struct outage *o)
{
    if (o->at == o->disk->n) {
        return false;
    }
    const struct disk_op *op = &o->disk->ops[o->at++];
    if (op->kind == DISK_SYNC && !o->ignores_syncs) {
        sync_file(o, op->file);
    }
    return true;
}

static bool flip(struct rng *rng)
{
    return rng_upto(rng, 1) == 1;
}

/* Garbage over the bytes from..to of the file, as far as it reaches. */
static void spoil(struct disk_image *image, size_t from, size_t to,
                  struct rng *rng)
{
    to = to < image->len ? to : image->len;
    while (from < to) {
        uint64_t garbage = rng_next(rng);
        size_t n = to - from < sizeof garbage ? to - from : sizeof garbage;
        memcpy(image->bytes + from, &garbage, n);
        from += n;
    }
}

/* A write of which some sectors are on disk and others not, or are garbage. */
static void tear(const struct outage *o, const struct disk_op *op, bool garbage,
                 struct rng *rng, struct disk_image *image)
{
    size_t offset = (size_t)op->offset;
    if (garbage && !o->disk->powersafe && flip(rng)) {
        spoil(image, offset / PHYSICAL * PHYSICAL,
              (offset + op->len + PHYSICAL - 1) / PHYSICAL * PHYSICAL, rng);
    }
    for (size_t from = 0; from < op->len;) {
        size_t to = ((offset + from) / o->sector + 1) * o->sector - offset;
        to = to < op->len ? to : op->len;
        if (flip(rng)) {
            disk_apply(o->disk, op, from, to, image);
        } else if (garbage && flip(rng)) {
            disk_apply(o->disk, op, from, to, image); /* makes the file reach */
            spoil(image, offset + from, offset + to, rng);
        }
        from = to;
    }
}

static void leave(const struct outage *o, const struct disk_op *op,
                  enum outage_model model, struct rng *rng,
                  struct disk_image *image)
{
    bool tears = op->kind == DISK_WRITE;
    switch (model) {
    case OUTAGE_NONE:
    case OUTAGE_MODELS:
        return;
    case OUTAGE_ALL:
        break;
    case OUTAGE_SOME:
        if (flip(rng)) {
            return;
        }
        break;
    case OUTAGE_TORN:
    case OUTAGE_GARBAGE:
        if (tears) {
            tear(o, op, model == OUTAGE_GARBAGE, rng, image);
            return;
        }
        if (flip(rng)) {
            return;
        }
        break;
    }
    disk_apply(o->disk, op, 0, op->len, image);
}

void outage_strike(const struct outage *o, enum outage_model model,
                   struct rng *rng, struct disk_image images[DISK_FILES])
{
    for (int file = 0; file < DISK_FILES; file++) {
        disk_image_copy(&images[file], &o->durable[file]);
        for (size_t i = o->synced[file]; i < o->at; i++) {
            const struct disk_op *op = &o->disk->ops[i];
            if ((op->kind == DISK_WRITE || op->kind == DISK_TRUNCATE) &&
                (int)op->file == file && !op->lost) {
                leave(o, op, model, rng, &images[file]);
            }
        }
    }
}
