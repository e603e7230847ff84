/* The command line. */
#ifndef SANDBOX_OPTIONS_H
#define SANDBOX_OPTIONS_H

#include "fault.h"
#include "sandbox.h"

struct options {
    unsigned port;         /* 0: any free one */
    const char *port_file; /* NULL: none; like all texts, borrowed from argv */
    uint64_t seconds;      /* 0: until a signal comes */
    bool help;
    bool version;
    struct sandbox_options sandbox; /* but for its clock */
    struct faults faults;           /* to be finished by the caller */
};

/* SPOOL_MISUSE with a sentence for a wrong command line. */
enum spool_status options_parse(int argc, char **argv, struct options *out,
                                struct spool_error *err) SPOOL_MUST_CHECK;

void options_print_help(FILE *out);

#endif
