/* Profiles: how a batch becomes a request for a kind of endpoint. Pure, but
 * for reading the key's file. */
#ifndef DELIVERY_PROFILE_H
#define DELIVERY_PROFILE_H

#include "delivery/own_header.h"
#include "delivery/verdict.h"
#include "outbox/batch.h"
#include "outbox/destination.h"

#define PROFILE_KEY_SIZE    257
#define PROFILE_URL_SIZE    2048
#define PROFILE_HEADER_SIZE 512
#define PROFILE_HEADERS     7

/* A request's address and headers. Holds the key: profile_forget it as soon as
 * the request has been handed on. */
struct profile_request {
    char key[PROFILE_KEY_SIZE]; /* as it is in its file; "": none */
    char url[PROFILE_URL_SIZE];
    char text[PROFILE_HEADERS][PROFILE_HEADER_SIZE];
    struct own_headers own;
    /* Into text and own; NULL at the end. */
    const char *headers[PROFILE_HEADERS + OWN_HEADERS + 1];
};

/* SPOOL_MISUSE names the profiles there are. */
enum spool_status profile_find(const char *name, enum profile *out,
                               struct spool_error *err);

/* Whether url can be a destination's: http or https, http only to this
 * machine, no key and no user in it. */
enum spool_status profile_check_url(enum profile profile, const char *url,
                                    struct spool_error *err);

/* Whether the whole of d can work with the profile: URL, headers, body, rule
 * for success, proxy. Reads no file. */
enum spool_status profile_check(enum profile profile,
                                const struct destination *d,
                                struct spool_error *err);

/* Whether proxy can be that of a destination at url: http:// or socks5h://,
 * without a login, and nothing leaves this machine in clear through it. */
enum spool_status profile_check_proxy(const char *proxy, const char *url,
                                      struct spool_error *err);

/* Whether d's files could be read now, as secret_file.h says; the ones that
 * only libcurl reads too. SPOOL_IO names the first that could not. */
enum spool_status profile_check_files(const struct destination *d,
                                      struct spool_error *err);

/* Reads the key and the headers from d's files at each call, so that new ones
 * count at once. SPOOL_IO when one cannot be read, or is none of those of
 * profile_check_files. */
enum spool_status profile_prepare(enum profile profile,
                                  const struct destination *d,
                                  const struct batch *b,
                                  struct profile_request *out,
                                  struct spool_error *err);

/* Overwrites the key. */
void profile_forget(struct profile_request *r);

/* url with the value of every query member and any user replaced, for people.
 */
void profile_redact(const char *url, char *out, size_t size);

#endif
