/* A run of the endpoint test: a spool, its flusher and the hostile endpoint on
 * one loop, and the checker that hears of all that was put and arrived. Ends
 * the program when it cannot go on. */
#ifndef NETWORK_RUN_H
#define NETWORK_RUN_H

#include <uv.h>

#include "delivery/flusher.h"
#include "network/hostile.h"
#include "outbox/destination.h"
#include "spool/spool.h"

/* The flusher's deadlines. */
#define RUN_CONNECT_MS 100
#define RUN_TOTAL_MS   150

/* For what is only reached later: libcurl gives IPv6 a start of 200 ms. */
#define RUN_PATIENT_CONNECT_MS 2000
#define RUN_PATIENT_TOTAL_MS   3000

#define RUN_EVENTS_MAX 5 /* of a case */

struct run {
    char folder[64];
    struct spool *spool;
    uv_loop_t loop;
    uv_timer_t limit;
    const struct sender_ops *sender;
    bool is_patient;
    struct flusher *flusher;
    struct hostile *hostile;
    struct tls_front *tls;
    struct destination shop; /* as it was added */
    struct checker *checker;
    long put;
    /* The case under way. */
    int64_t left;               /* of its events */
    char class;                 /* how its first batch ended; 0: not yet */
    const struct behaviour *at; /* its first: put right by the first report */
    bool starts_anew;           /* the wait that was asked for is too long */
    bool overdue;               /* it did not end, and so will no other */
    bool too_soon;              /* for what it says */
    bool misled;                /* it says another thing */
    bool unmet;                 /* nobody came to what it says */
    uint64_t began_ms, took_ms, slowest_ms;
    long again;
    long cases, wrong;
};

void run_begin(struct run *r, const struct sender_ops *sender, bool patient);

/* A case: n behaviours in a row, on a kept or a fresh connection, with a batch
 * of some events, more if its bytes would not fit into one. Only the first may
 * be one that no request to the endpoint meets: a door, a host, TLS. Fills in
 * what is said of the case; false if it did not end. */
bool run_play(struct run *r, const struct behaviour *const *list, size_t n,
              bool reused, int events);

/* Whether the first behaviour of the last case was what it says. */
bool run_fired(struct run *r);

/* Stops all and judges; returns how much is wrong. r->hostile is still to be
 * asked, and freed. */
long run_finish(struct run *r, struct checker_report *report);

#endif
