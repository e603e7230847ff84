#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#include "base/error.h"

enum { SHOW_VERSION = 256, DEDUPE };

static const struct option longs[] = {
    {"port", required_argument, NULL, 'p'},
    {"port-file", required_argument, NULL, 'P'},
    {"api-key", required_argument, NULL, 'k'},
    {"origin", required_argument, NULL, 'o'},
    {"log", required_argument, NULL, 'l'},
    {"fault", required_argument, NULL, 'f'},
    {"seconds", required_argument, NULL, 's'},
    {"dedupe", no_argument, NULL, DEDUPE},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, SHOW_VERSION},
    {NULL, 0, NULL, 0},
};

static const char help[] =
    "spool-sandbox: a local stand-in for the events API, with faults\n"
    "\n"
    "usage: spool-sandbox [OPTION]...\n"
    "\n"
    "  --port P          listen on 127.0.0.1:P; 0 (the default) is any free "
    "port\n"
    "  --port-file FILE  write the port there once it listens\n"
    "  --api-key K       answer NO_ACCOUNT to any other key\n"
    "  --origin O        answer NO_DOMAIN_APIKEY_MATCH to any other Origin\n"
    "  --log FILE        add a JSON line per request to FILE\n"
    "  --dedupe          honour Idempotency-Key\n"
    "  --fault SPEC      misbehave; may be given many times\n"
    "  --seconds N       end by itself after N seconds\n"
    "  --help, --version\n"
    "\n"
    "While it runs: GET /sandbox/stats, GET /sandbox/events?after=N,\n"
    "POST /sandbox/faults (one SPEC a line replaces all faults),\n"
    "POST /sandbox/reset.\n"
    "\n"
    "SPEC is NAME[=VALUE][:WHEN]... where every WHEN must hold:\n"
    "  every=N    only each Nth request\n"
    "  first=N    only the first N requests\n"
    "  after=N    only requests after the Nth\n"
    "  rate=P     only P percent of them, drawn with seed=S (1)\n"
    "  if=TEXT    only requests whose body contains TEXT; the others are not\n"
    "             counted for the conditions above\n"
    "A fault that says what the answer is excludes those behind it in the "
    "list;\n"
    "one that says how it is given (slow to close-kept) goes with any other.\n"
    "\n"
    "Faults:\n";

void options_print_help(FILE *out)
{
    (void)fputs(help, out);
    faults_print(out);
}

static enum spool_status take_number(const char *name, const char *text,
                                     unsigned long max, unsigned long *out,
                                     struct spool_error *err)
{
    char *end;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
        n > max) {
        return failed(err, SPOOL_MISUSE,
                      "--%s takes a number from 0 to %lu, not '%s'", name, max,
                      text);
    }
    *out = n;
    return SPOOL_OK;
}

static enum spool_status take(struct options *o, int option,
                              struct spool_error *err)
{
    unsigned long n = 0;
    enum spool_status status = SPOOL_OK;
    switch (option) {
    case 'p':
        status = take_number("port", optarg, 65535, &n, err);
        o->port = (unsigned)n;
        return status;
    case 's':
        status = take_number("seconds", optarg, 1000000000, &n, err);
        o->seconds = n;
        return status;
    case 'f':
        return faults_add(&o->faults, optarg, err);
    case 'P':
        o->port_file = optarg;
        break;
    case 'k':
        o->sandbox.api_key = optarg;
        break;
    case 'o':
        o->sandbox.origin = optarg;
        break;
    case 'l':
        o->sandbox.log = optarg;
        break;
    case DEDUPE:
        o->sandbox.dedupe = true;
        break;
    case 'h':
        o->help = true;
        break;
    case SHOW_VERSION:
        o->version = true;
        break;
    }
    return status;
}

enum spool_status options_parse(int argc, char **argv, struct options *out,
                                struct spool_error *err)
{
    *out = (struct options){0};
    opterr = 0;
    int option;
    while ((option = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
        if (option == ':') {
            return failed(err, SPOOL_MISUSE, "%s needs a value",
                          argv[optind - 1]);
        }
        if (option == '?') {
            return failed(err, SPOOL_MISUSE, "there is no option like '%s'",
                          argv[optind - 1]);
        }
        enum spool_status status = take(out, option, err);
        if (status != SPOOL_OK) {
            return status;
        }
    }
    if (optind < argc) {
        return failed(err, SPOOL_MISUSE, "'%s' is no option", argv[optind]);
    }
    return SPOOL_OK;
}
