#include <curl/curl.h>
#include <json-c/json_c_version.h>
#include <stdio.h>
#include <uv.h>

#include "cmd.h"
#include "json_line.h"

enum ending cmd_version(struct ctl *ctl)
{
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
    const char *tls = curl->ssl_version != NULL ? curl->ssl_version : "no TLS";
    const char *lacks = outbox_engine_lacks();
    if (ctl->json) {
        struct json_object *o = json_make();
        json_add_text(o, "spool", spool_version());
        json_add_text(o, "sqlite", outbox_engine());
        json_add_text(o, "sqlite_lacks", lacks);
        json_add_bool(o, "sqlite_built_in", outbox_engine_is_built_in());
        json_add_text(o, "libcurl", curl->version);
        json_add_text(o, "tls", tls);
        json_add_text(o, "json_c", json_c_version());
        json_add_text(o, "libuv", uv_version_string());
        json_print(o);
        return DONE;
    }
    (void)printf("spoolctl %s\nSQLite   %s%s\n", spool_version(),
                 outbox_engine(),
                 outbox_engine_is_built_in() ? " (built in)" : "");
    if (lacks[0] != '\0') {
        (void)printf("         %s\n", lacks);
    }
    (void)printf("libcurl  %s (%s)\njson-c   %s\nlibuv    %s\n", curl->version,
                 tls, json_c_version(), uv_version_string());
    return DONE;
}
