#include "delivery/bounds.h"

#include <string.h>
#include <sys/socket.h>

#include "base/error.h"

#define SET(option, value)                                                     \
    (curl_easy_setopt(easy, CURLOPT_##option, value) == CURLE_OK)

enum spool_status bounds_check(const struct http_request *request,
                               struct spool_error *err)
{
    CURLU *url = curl_url();
    char *scheme = NULL;
    bool good = url != NULL &&
                curl_url_set(url, CURLUPART_URL, request->url,
                             CURLU_DISALLOW_USER) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    curl_url_cleanup(url);
    if (!good) {
        return failed(err, SPOOL_MISUSE,
                      "the destination's URL is no http or https URL without a "
                      "login; set another one");
    }
    for (const char *const *line = request->headers; *line != NULL; line++) {
        if (strpbrk(*line, "\r\n") != NULL) {
            return failed(err, SPOOL_MISUSE,
                          "a request header holds a line break; check the "
                          "destination's key and origin");
        }
    }
    if (request->body != NULL && request->body_len == 0) {
        return failed(err, SPOOL_MISUSE, "a request needs a body");
    }
    return SPOOL_OK;
}

/* A program that is exec'd meanwhile would keep the connection open. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose,
                                 struct curl_sockaddr *address)
{
    (void)arg, (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}

bool bounds_set(CURL *easy, const struct http_options *o)
{
    return SET(OPENSOCKETFUNCTION, open_socket) &&
           SET(PROTOCOLS_STR, "http,https") && SET(FOLLOWLOCATION, 0L) &&
           SET(DISALLOW_USERNAME_IN_URL, 1L) &&
           SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
           SET(HTTP09_ALLOWED, 0L) &&
           /* No signals; and no waiting, on the loop's thread, for a name
            * lookup that was given up. */
           SET(NOSIGNAL, 1L) && SET(QUICK_EXIT, 1L) &&
           SET(CONNECTTIMEOUT_MS, o->connect_timeout_ms) &&
           SET(TIMEOUT_MS, o->total_timeout_ms) &&
           SET(MAXAGE_CONN, o->idle_max_s) &&
           SET(MAXLIFETIME_CONN, o->trust_max_s) && SET(TCP_KEEPALIVE, 1L) &&
           SET(SSL_VERIFYPEER, 1L) && SET(SSL_VERIFYHOST, 2L) &&
           SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
           SET(CA_CACHE_TIMEOUT, o->trust_max_s);
}

bool bounds_set_peer(CURL *easy, const struct http_request *r)
{
    const char *key = r->client_key != NULL ? r->client_key : r->client_cert;
    /* The system's folder would be asked as well. */
    return (r->ca_file == NULL ||
            (SET(CAINFO, r->ca_file) && SET(CAPATH, NULL))) &&
           (r->client_cert == NULL ||
            (SET(SSLCERT, r->client_cert) && SET(SSLKEY, key) &&
             /* Not to be asked for at the terminal, while the loop waits. */
             SET(KEYPASSWD, ""))) &&
           /* An empty text is "none, whatever the environment says". */
           SET(PROXY, r->proxy != NULL ? r->proxy : "") && SET(NOPROXY, "") &&
           SET(SUPPRESS_CONNECT_HEADERS, 1L);
}
