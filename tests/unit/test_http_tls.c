/* Certificates, against the s_server of the openssl command; without that
 * command the tests are skipped and say so. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/client.h"

extern char **environ;

struct fixture {
    struct client client;
    char dir[32], key[64], certificate[64];
    char strangers_key[64], strangers[64];
    bool have_openssl;
    pid_t server;
    int to_server; /* what it is to answer */
};

static struct fixture fixture;

/* The words of command, separated by spaces; -1 if it cannot be started. */
static pid_t start_command(char *command, int in, int out)
{
    char *argv[32];
    size_t n = 0;
    char *rest = command;
    while ((argv[n] = strtok_r(rest, " ", &rest)) != NULL) {
        n++;
        assert_true(n < sizeof argv / sizeof *argv);
    }
    posix_spawn_file_actions_t files;
    pid_t pid = -1;
    (void)posix_spawn_file_actions_init(&files);
    if (in >= 0) {
        (void)posix_spawn_file_actions_adddup2(&files, in, 0);
    }
    if (out >= 0) {
        (void)posix_spawn_file_actions_adddup2(&files, out, 1);
    }
    (void)posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&pid, argv[0], &files, NULL, argv, environ) != 0) {
        pid = -1;
    }
    (void)posix_spawn_file_actions_destroy(&files);
    return pid;
}

static bool make_certificate(const char *key, const char *certificate)
{
    char command[512];
    int status = -1;
    (void)snprintf(command, sizeof command,
                   "openssl req -x509 -newkey ec -nodes -days 2 "
                   "-pkeyopt ec_paramgen_curve:P-256 -subj /CN=spool-test "
                   "-addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s",
                   key, certificate);
    pid_t pid = start_command(command, -1, -1);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static int make_files(void **state)
{
    struct fixture *f = &fixture;
    (void)strcpy(f->dir, "/tmp/spool-tls-XXXXXX");
    if (mkdtemp(f->dir) == NULL) {
        return -1;
    }
    (void)snprintf(f->key, sizeof f->key, "%s/key.pem", f->dir);
    (void)snprintf(f->certificate, sizeof f->certificate, "%s/cert.pem",
                   f->dir);
    (void)snprintf(f->strangers_key, sizeof f->strangers_key, "%s/other.key",
                   f->dir);
    (void)snprintf(f->strangers, sizeof f->strangers, "%s/other.pem", f->dir);
    f->have_openssl = make_certificate(f->key, f->certificate) &&
                      make_certificate(f->strangers_key, f->strangers);
    *state = f;
    return 0;
}

static int remove_files(void **state)
{
    struct fixture *f = *state;
    (void)unlink(f->key);
    (void)unlink(f->certificate);
    (void)unlink(f->strangers_key);
    (void)unlink(f->strangers);
    return rmdir(f->dir);
}

/* The server's "ACCEPT 127.0.0.1:PORT". */
static int read_port(int fd)
{
    FILE *lines = fdopen(fd, "r");
    char line[128];
    int port = 0;
    assert_non_null(lines);
    while (port == 0 && fgets(line, sizeof line, lines) != NULL) {
        (void)sscanf(line, "ACCEPT 127.0.0.1:%d", &port);
    }
    (void)fclose(lines);
    return port;
}

/* Each connection that is made takes one, also one that fails. */
static void offer_answer(struct fixture *f)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\n"
                                 "Content-Length: 2\r\n\r\n{}";
    assert_int_equal(write(f->to_server, answer, sizeof answer - 1),
                     sizeof answer - 1);
}

static void start_server(struct fixture *f, const char *option)
{
    char command[512];
    (void)snprintf(command, sizeof command,
                   "openssl s_server -accept 127.0.0.1:0 -key %s -cert %s "
                   "-cipher DEFAULT:@SECLEVEL=0 %s",
                   f->key, f->certificate, option);
    int in[2];
    int out[2];
    if (!f->have_openssl) {
        print_message("skipped: the openssl command is not installed\n");
        skip();
    }
    assert_int_equal(pipe(in) | pipe(out), 0);
    (void)fcntl(in[1], F_SETFD, FD_CLOEXEC);
    f->to_server = in[1];
    f->server = start_command(command, in[0], out[1]);
    (void)close(in[0]);
    (void)close(out[1]);
    assert_true(f->server > 0);
    int port = read_port(out[0]);
    assert_true(port > 0);
    client_aim(&f->client, "https", "127.0.0.1", port);
    offer_answer(f);
}

static int set_up(void **state)
{
    struct fixture *f = *state;
    f->server = -1;
    client_init(&f->client);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    client_finish(&f->client);
    if (f->server > 0) {
        (void)kill(f->server, SIGKILL);
        (void)waitpid(f->server, NULL, 0);
        (void)close(f->to_server);
    }
    return 0;
}

static void assert_untrusted(const struct reply *reply)
{
    assert_int_equal(reply->transport, TRANSPORT_UNTRUSTED);
    assert_int_equal(reply->http, 0);
    assert_string_not_equal(reply->error, "");
}

static void a_certificate_of_a_known_authority_is_accepted(void **state)
{
    struct fixture *f = *state;
    start_server(f, "");
    f->client.ca_file = f->certificate;
    const struct reply *r = client_ask(&f->client, "[]");
    assert_string_equal(r->error, "");
    assert_int_equal(r->transport, TRANSPORT_OK);
    assert_int_equal(r->http, 200);
}

static void a_self_signed_certificate_is_not_trusted(void **state)
{
    struct fixture *f = *state;
    start_server(f, "");
    assert_untrusted(client_ask(&f->client, "[]"));
}

static void a_certificate_for_another_name_is_not_trusted(void **state)
{
    struct fixture *f = *state;
    start_server(f, "");
    f->client.ca_file = f->certificate;
    /* The same machine under a name that the certificate does not hold. */
    char *host = strstr(f->client.url, "127.0.0.1");
    assert_non_null(host);
    memcpy(host, "localhost", strlen("localhost"));
    assert_untrusted(client_ask(&f->client, "[]"));
}

static void without_the_authorities_file_nobody_is_trusted(void **state)
{
    struct fixture *f = *state;
    start_server(f, "");
    f->client.ca_file = "/nonexistent/ca.pem";
    assert_untrusted(client_ask(&f->client, "[]"));
}

static void an_outdated_protocol_is_not_spoken(void **state)
{
    struct fixture *f = *state;
    start_server(f, "-tls1_1");
    f->client.ca_file = f->certificate;
    const struct reply *r = client_ask(&f->client, "[]");
    assert_int_equal(r->transport, TRANSPORT_TURNED_AWAY);
    assert_int_equal(r->http, 0);
}

static void a_new_authority_is_trusted_while_the_pool_lives(void **state)
{
    struct fixture *f = *state;
    char command[256], path[64];
    int status = -1;
    (void)snprintf(path, sizeof path, "%s/authority.pem", f->dir);
    /* First another authority's certificate, then the server's. */
    (void)snprintf(command, sizeof command,
                   "openssl req -x509 -newkey ec -nodes -days 2 -pkeyopt "
                   "ec_paramgen_curve:P-256 -subj /CN=other -keyout /dev/null "
                   "-out %s",
                   path);
    start_server(f, "");
    pid_t pid = start_command(command, -1, -1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    f->client.ca_file = path;
    f->client.options.trust_max_s = 1;
    assert_untrusted(client_ask(&f->client, "[]"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(f->certificate, path), 0);
    /* The store that was read lives on for a second at most. */
    const struct reply *r;
    int asked = 0;
    do {
        offer_answer(f);
        r = client_ask(&f->client, "[]");
        asked++;
    } while (r->transport == TRANSPORT_UNTRUSTED && asked < 5000);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(r->transport, TRANSPORT_OK);
    assert_int_equal(r->http, 200);
}

/* Without a certificate, with one of nobody's, with the right one. */
static void play_demand(struct fixture *f, const char *protocol)
{
    char option[128];
    (void)snprintf(option, sizeof option,
                   "-Verify 1 -verify_return_error %s -CAfile %s", protocol,
                   f->certificate);
    start_server(f, option);
    f->client.ca_file = f->certificate;
    const char *const certificates[] = {NULL, f->strangers, f->certificate};
    const char *const keys[] = {NULL, f->strangers_key, f->key};
    for (size_t i = 0; i < 3; i++) {
        f->client.client_cert = certificates[i];
        f->client.client_key = keys[i];
        const struct reply *r = client_ask(&f->client, "[]");
        if (i < 2) {
            assert_int_equal(r->transport, TRANSPORT_TURNED_AWAY);
            assert_int_equal(r->http, 0);
            assert_non_null(strstr(r->error, "alert"));
            offer_answer(f);
        } else {
            assert_string_equal(r->error, "");
            assert_int_equal(r->http, 200);
        }
    }
}

static void who_shows_no_good_certificate_is_turned_away(void **state)
{
    play_demand(*state, "-tls1_2");
}

static void tls_1_3_turns_away_in_place_of_an_answer(void **state)
{
    play_demand(*state, "-tls1_3");
}

static void a_client_certificate_that_cannot_be_read_is_our_fault(void **state)
{
    struct fixture *f = *state;
    start_server(f, "");
    f->client.ca_file = f->certificate;
    f->client.client_cert = "/nonexistent/client.pem";
    const struct reply *r = client_ask(&f->client, "[]");
    assert_int_equal(r->transport, TRANSPORT_UNNAMED);
    assert_string_not_equal(r->error, "");
}

static void lock_key(const struct fixture *f, const char *path)
{
    char command[256];
    int status = -1;
    (void)snprintf(command, sizeof command,
                   "openssl ec -in %s -aes256 -passout pass:word -out %s",
                   f->key, path);
    pid_t pid = start_command(command, -1, -1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* Not even where it would be given. */
static void nobody_is_asked_for_the_pass_phrase_of_a_key(void **state)
{
    struct fixture *f = *state;
    char path[64];
    int words[2], before = dup(0);
    (void)snprintf(path, sizeof path, "%s/locked.pem", f->dir);
    start_server(f, "");
    lock_key(f, path);
    assert_int_equal(pipe(words), 0);
    assert_int_equal(write(words[1], "word\n", 5), 5);
    assert_int_equal(close(words[1]), 0);
    assert_int_equal(dup2(words[0], 0), 0);
    f->client.ca_file = f->certificate;
    f->client.client_cert = f->certificate;
    f->client.client_key = path;
    const struct reply *r = client_ask(&f->client, "[]");
    assert_int_equal(dup2(before, 0), 0);
    assert_int_equal(close(before) + close(words[0]) + unlink(path), 0);
    assert_int_equal(r->transport, TRANSPORT_UNNAMED);
    assert_non_null(strstr(r->error, path));
}

static void the_secrets_of_a_connection_are_written_nowhere(void **state)
{
    struct fixture *f = *state;
    char path[64];
    (void)snprintf(path, sizeof path, "%s/secrets", f->dir);
    assert_int_equal(setenv("SSLKEYLOGFILE", path, 1), 0);
    struct spool_error err;
    assert_int_equal(http_global_init(&err), SPOOL_OK);
    assert_string_equal(getenv("SSLKEYLOGFILE"), path); /* as it was */
    start_server(f, "");
    f->client.ca_file = f->certificate;
    const struct reply *r = client_ask(&f->client, "[]");
    assert_int_equal(unsetenv("SSLKEYLOGFILE"), 0);
    assert_int_equal(r->transport, TRANSPORT_OK);
    assert_int_equal(access(path, F_OK), -1);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(the_secrets_of_a_connection_are_written_nowhere), /* first */
        FACT(a_new_authority_is_trusted_while_the_pool_lives),
        FACT(who_shows_no_good_certificate_is_turned_away),
        FACT(tls_1_3_turns_away_in_place_of_an_answer),
        FACT(a_client_certificate_that_cannot_be_read_is_our_fault),
        FACT(nobody_is_asked_for_the_pass_phrase_of_a_key),
        FACT(a_certificate_of_a_known_authority_is_accepted),
        FACT(a_self_signed_certificate_is_not_trusted),
        FACT(a_certificate_for_another_name_is_not_trusted),
        FACT(without_the_authorities_file_nobody_is_trusted),
        FACT(an_outdated_protocol_is_not_spoken),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
