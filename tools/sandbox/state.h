/* What the sandbox knows; shared by sandbox.c and control.c. */
#ifndef SANDBOX_STATE_H
#define SANDBOX_STATE_H

#include "base/random.h"
#include "batch.h"
#include "journal.h"
#include "keyring.h"
#include "sandbox.h"
#include "shelf.h"

struct counters {
    uint64_t connections;
    uint64_t requests; /* journal lines; without those to /sandbox/ */
    uint64_t batches_taken;
    uint64_t events_taken;
    uint64_t bytes_taken;   /* of request bodies whose events were kept */
    uint64_t duplicates;    /* requests answered from an earlier one */
    uint64_t key_conflicts; /* a key came again with another body */
    uint64_t struck;        /* requests that met a fault */
};

struct sandbox {
    struct sandbox_options options;
    struct faults faults;
    struct journal journal;
    struct keyring keys;
    struct shelf shelf;
    struct batch batch; /* of the request under work */
    struct buffer body; /* of the answer under work */
    struct buffer text; /* of the answer under work */
    struct rng rng;
    struct counters counters;
    bool failed; /* the journal could not be written */
    struct spool_error failure;
};

#endif
