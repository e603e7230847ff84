#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "delivery/alert.h"

static void an_alert_that_refuses_us_is_told_from_others(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        bool want;
    } cases[] = {
        {"OpenSSL SSL_read: OpenSSL/3.0.19: error:0A00045C:SSL routines::tlsv13"
         " alert certificate required, errno 0",
         true},
        {"OpenSSL/3.0.19: error:0A000410:SSL routines::sslv3 alert handshake "
         "failure",
         true},
        {"OpenSSL/3.0.19: error:0A000418:SSL routines::tlsv1 alert unknown ca",
         true},
        {"OpenSSL/3.0.19: error:0A00042E:SSL routines::tlsv1 alert protocol "
         "version",
         true},
        {"TLS connect error: error:0A000412:SSL routines::ssl/tls alert bad "
         "certificate",
         true},
        {"error:14094418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca",
         true},
        {"error:1409445C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate "
         "required",
         true},
        {"error:0A000458:SSL routines::tlsv1 unrecognized name", true},
        /* A peer's fault, or one on the way: it may have read the request. */
        {"error:0A000438:SSL routines::tlsv1 alert internal error", false},
        {"error:0A0003FC:SSL routines::sslv3 alert bad record mac", false},
        {"error:0A0003F2:SSL routines::sslv3 alert unexpected message", false},
        {"error:0A000442:SSL routines::tlsv1 alert user cancelled", false},
        /* Ours. */
        {"error:0A000126:SSL routines::unexpected eof while reading", false},
        {"error:0A00010B:SSL routines::wrong version number", false},
        {"error:0A000086:SSL routines::certificate verify failed", false},
        {"error:0500045C:x509 certificate routines::certificate required",
         false},
        {"OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to 127.0.0.1",
         false},
        {"Recv failure: Connection reset by peer", false},
        {"the server's alert certificate required", false},
        {"error:", false},
        {"error:SSL routines:", false},
        {"error:FFFFFFFFFFFFFFFFFFFFFFFFFFFFFF:SSL routines:", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (alert_refuses_us(cases[i].words) != cases[i].want) {
            fail_msg("%s", cases[i].words);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alert_that_refuses_us_is_told_from_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
