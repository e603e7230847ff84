#include "network/tls_peer.h"

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define DAY_S 86400L

struct tls_front {
    SSL_CTX *as[TLS_PEERS];
    int listener, port, plain_port;
    int news[2]; /* a byte: another is shown; closed: stop */
    int done[2]; /* a byte: what was open is closed */
    pthread_t thread;
    pthread_mutex_t lock; /* over these */
    enum tls_peer shown;
    size_t met;
};

static void need(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "tls: %s\n", what);
        abort();
    }
}

/* ---- certificates ---- */

struct identity {
    X509 *certificate;
    EVP_PKEY *key;
};

static void add_extension(X509 *x, int which, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, which, value);
    need(e != NULL && X509_add_ext(x, e, -1) == 1, "an extension");
    X509_EXTENSION_free(e);
}

/* By is NULL for one that signs itself, which is an authority when it has no
 * address. */
static struct identity make(const char *name, const char *address, long from_s,
                            long until_s, const struct identity *by)
{
    static long serial = 1;
    struct identity i = {X509_new(), EVP_EC_gen("P-256")};
    need(i.certificate != NULL && i.key != NULL, "a key");
    X509 *x = i.certificate;
    X509_NAME *n = X509_get_subject_name(x);
    (void)X509_set_version(x, 2);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    (void)X509_gmtime_adj(X509_getm_notBefore(x), from_s);
    (void)X509_gmtime_adj(X509_getm_notAfter(x), until_s);
    (void)X509_set_pubkey(x, i.key);
    (void)X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC,
                                     (const unsigned char *)name, -1, -1, 0);
    (void)X509_set_issuer_name(
        x, by != NULL ? X509_get_subject_name(by->certificate) : n);
    if (address != NULL) {
        add_extension(x, NID_subject_alt_name, address);
    } else {
        add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
    }
    need(X509_sign(x, by != NULL ? by->key : i.key, EVP_sha256()) > 0,
         "a signature");
    return i;
}

static void drop(struct identity *i)
{
    X509_free(i->certificate);
    EVP_PKEY_free(i->key);
}

static void write_authorities(const char *folder, const char *name,
                              const struct identity *const *list, size_t n)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    need(file != NULL, path);
    for (size_t i = 0; i < n; i++) {
        need(PEM_write_X509(file, list[i]->certificate) == 1, path);
    }
    (void)fclose(file);
}

/* ---- who it is ---- */

static SSL_CTX *context(const struct identity *i)
{
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());
    need(c != NULL && SSL_CTX_use_certificate(c, i->certificate) == 1 &&
             SSL_CTX_use_PrivateKey(c, i->key) == 1,
         "a context");
    SSL_CTX_set_security_level(c, 0);
    return c;
}

static void demand(SSL_CTX *c)
{
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       NULL);
}

/* The last thing of a TLS 1.3 handshake: it ends with an internal error. */
static int make_no_ticket(SSL *ssl, void *arg)
{
    (void)ssl;
    (void)arg;
    return 0;
}

static void make_all(struct tls_front *t, const char *folder)
{
    static const char here[] = "IP:127.0.0.1";
    struct identity authority =
        make("spool test authority", NULL, -DAY_S, DAY_S, NULL);
    struct identity other =
        make("spool test other authority", NULL, -DAY_S, DAY_S, NULL);
    const struct {
        enum tls_peer peer;
        const char *address;
        long from_s, until_s;
        const struct identity *by;
    } rows[] = {
        {TLS_GOOD, here, -DAY_S, DAY_S, &authority},
        {TLS_ABRUPT, here, -DAY_S, DAY_S, &authority},
        {TLS_WRONG_NAME, "DNS:elsewhere.test", -DAY_S, DAY_S, &authority},
        {TLS_EXPIRED, here, -2 * DAY_S, -60, &authority},
        {TLS_NOT_YET, here, 3600, DAY_S, &authority},
        {TLS_SELF_SIGNED, here, -DAY_S, DAY_S, NULL},
        {TLS_OTHER_AUTHORITY, here, -DAY_S, DAY_S, &other},
        {TLS_OLD, here, -DAY_S, DAY_S, &authority},
        {TLS_ASKS, here, -DAY_S, DAY_S, &authority},
        {TLS_ASKS_ABRUPTLY, here, -DAY_S, DAY_S, &authority},
        {TLS_ASKS_EARLY, here, -DAY_S, DAY_S, &authority},
        {TLS_FAILS, here, -DAY_S, DAY_S, &authority},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct identity own = make("spool test", rows[i].address,
                                   rows[i].from_s, rows[i].until_s, rows[i].by);
        t->as[rows[i].peer] = context(&own);
        drop(&own);
    }
    (void)SSL_CTX_set_min_proto_version(t->as[TLS_OLD], TLS1_VERSION);
    (void)SSL_CTX_set_max_proto_version(t->as[TLS_OLD], TLS1_VERSION);
    (void)SSL_CTX_set_max_proto_version(t->as[TLS_ASKS_EARLY], TLS1_2_VERSION);
    demand(t->as[TLS_ASKS]);
    demand(t->as[TLS_ASKS_ABRUPTLY]);
    demand(t->as[TLS_ASKS_EARLY]);
    (void)SSL_CTX_set_session_ticket_cb(t->as[TLS_FAILS], make_no_ticket, NULL,
                                        NULL);
    const struct identity *both[] = {&authority, &other};
    write_authorities(folder, "authority.pem", both, 1);
    write_authorities(folder, "both.pem", both, 2);
    drop(&authority);
    drop(&other);
}

/* ---- a connection ---- */

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

/* False when there is news, or neither has anything for a while. */
static bool wait_for(struct tls_front *t, int a, int b, struct pollfd fds[3])
{
    fds[0] = (struct pollfd){t->news[0], POLLIN, 0};
    fds[1] = (struct pollfd){a, POLLIN, 0};
    fds[2] = (struct pollfd){b, POLLIN, 0};
    return poll(fds, 3, 5000) > 0 && fds[0].revents == 0;
}

/* One read of what has come, written to the other side. */
static bool from_client(SSL *ssl, int plain)
{
    char bytes[16384];
    int n = SSL_read(ssl, bytes, sizeof bytes);
    return n > 0 ? send(plain, bytes, (size_t)n, MSG_NOSIGNAL) == n
                 : SSL_get_error(ssl, n) == SSL_ERROR_WANT_READ;
}

static bool from_endpoint(SSL *ssl, int plain)
{
    char bytes[16384];
    ssize_t n = recv(plain, bytes, sizeof bytes, 0);
    return n > 0 && SSL_write(ssl, bytes, (int)n) == n;
}

static void hand_on(struct tls_front *t, SSL *ssl, int client)
{
    struct sockaddr_in a = loopback(t->plain_port);
    struct pollfd fds[3];
    int plain = socket(AF_INET, SOCK_STREAM, 0);
    bool going = connect(plain, (struct sockaddr *)&a, sizeof a) == 0;
    while (going && wait_for(t, client, plain, fds)) {
        if (fds[1].revents != 0) {
            do {
                going = from_client(ssl, plain);
            } while (going && SSL_pending(ssl) > 0);
        }
        if (going && fds[2].revents != 0) {
            going = from_endpoint(ssl, plain);
        }
    }
    (void)close(plain);
}

static void swallow(struct tls_front *t, int fd)
{
    struct pollfd fds[3];
    char bytes[1024];
    while (wait_for(t, fd, -1, fds) && recv(fd, bytes, sizeof bytes, 0) > 0) {
    }
}

static void meet(struct tls_front *t, enum tls_peer peer, int fd)
{
    const struct timeval patience = {.tv_sec = 5};
    if (peer == TLS_STALLS) {
        swallow(t, fd);
        return;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    SSL *ssl = SSL_new(t->as[peer]);
    need(ssl != NULL && SSL_set_fd(ssl, fd) == 1, "a connection");
    if (SSL_accept(ssl) == 1) {
        hand_on(t, ssl, fd);
        if (peer != TLS_ABRUPT) {
            (void)SSL_shutdown(ssl);
        }
    } else if (peer == TLS_ASKS) {
        /* What has come and nobody reads would reset the connection, perhaps
         * while the client still writes and does not look for an alert. */
        (void)shutdown(fd, SHUT_WR);
        swallow(t, fd);
    }
    SSL_free(ssl);
}

static void serve_one(struct tls_front *t, int fd)
{
    (void)pthread_mutex_lock(&t->lock);
    enum tls_peer peer = t->shown;
    t->met++;
    (void)pthread_mutex_unlock(&t->lock);
    meet(t, peer, fd);
    (void)close(fd);
}

static void *serve(void *arg)
{
    struct tls_front *t = arg;
    for (;;) {
        struct pollfd fds[] = {{t->news[0], POLLIN, 0},
                               {t->listener, POLLIN, 0}};
        char byte;
        (void)poll(fds, 2, -1);
        if (fds[0].revents != 0) {
            if (read(t->news[0], &byte, 1) != 1) {
                return NULL;
            }
            (void)!write(t->done[1], "!", 1);
        } else if (fds[1].revents != 0) {
            serve_one(t, accept(t->listener, NULL, NULL));
        }
    }
}

/* ---- from outside ---- */

struct tls_front *tls_front_start(int plain_port, const char *folder)
{
    struct sockaddr_in a = loopback(0);
    socklen_t size = sizeof a;
    struct tls_front *t = calloc(1, sizeof *t);
    need(t != NULL, "out of memory");
    t->shown = TLS_GOOD;
    t->plain_port = plain_port;
    make_all(t, folder);
    t->listener = socket(AF_INET, SOCK_STREAM, 0);
    need(bind(t->listener, (struct sockaddr *)&a, sizeof a) == 0 &&
             listen(t->listener, 64) == 0 &&
             getsockname(t->listener, (struct sockaddr *)&a, &size) == 0 &&
             pipe(t->news) == 0 && pipe(t->done) == 0,
         "a port");
    t->port = ntohs(a.sin_port);
    (void)pthread_mutex_init(&t->lock, NULL);
    need(pthread_create(&t->thread, NULL, serve, t) == 0, "a thread");
    return t;
}

int tls_front_port(const struct tls_front *t)
{
    return t->port;
}

void tls_front_show(struct tls_front *t, enum tls_peer peer)
{
    char byte;
    assert(peer != TLS_NONE);
    (void)pthread_mutex_lock(&t->lock);
    t->shown = peer;
    t->met = 0;
    (void)pthread_mutex_unlock(&t->lock);
    (void)!write(t->news[1], "!", 1);
    (void)!read(t->done[0], &byte, 1);
}

size_t tls_front_met(struct tls_front *t)
{
    (void)pthread_mutex_lock(&t->lock);
    size_t met = t->met;
    (void)pthread_mutex_unlock(&t->lock);
    return met;
}

void tls_front_stop(struct tls_front *t)
{
    (void)close(t->news[1]);
    (void)pthread_join(t->thread, NULL);
    (void)close(t->news[0]);
    (void)close(t->done[0]);
    (void)close(t->done[1]);
    (void)close(t->listener);
    for (size_t i = 0; i < TLS_PEERS; i++) {
        SSL_CTX_free(t->as[i]);
    }
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}
