#include "support/result.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <curl/curl.h>
#include <json-c/json.h>
#include <sqlite3.h>
#include <uv.h>

/* statfs(2) names file systems by number. */
static const char *file_system(const char *folder)
{
    static const struct {
        long type;
        const char *name;
    } known[] = {{0xEF53, "ext4"},
                 {0x01021994, "tmpfs"},
                 {0x58465342, "xfs"},
                 {0x9123683E, "btrfs"},
                 {0x794c7630, "overlay"}};
    struct statfs s;
    if (folder == NULL) {
        return "none";
    }
    if (statfs(folder, &s) != 0) {
        return "gone";
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if ((long)s.f_type == known[i].type) {
            return known[i].name;
        }
    }
    return "other";
}

static void append(const char *line)
{
    const char *path = getenv("SPOOL_TEST_RESULTS");
    if (path == NULL || *path == '\0') {
        return;
    }
    /* One write: tests of several processes may append at once. */
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    size_t len = strlen(line);
    if (fd < 0 || write(fd, line, len) != (ssize_t)len || close(fd) != 0) {
        perror(path);
        exit(1);
    }
}

bool result_tell(const struct result *r)
{
    const char *commit = getenv("SPOOL_TEST_COMMIT");
    char line[4096];
    int n = snprintf(
        line, sizeof line,
        "{\"test\":\"%s\",\"what\":\"%s\",\"n\":%" PRId64
        ",\"failures\":%" PRId64 ",\"seed\":\"%" PRIu64 "\""
        ",\"control\":\"%s\",\"caught\":%s,\"seconds\":%.1f,"
        "\"commit\":\"%s\",\"sqlite\":\"%s\",\"curl\":\"%s\","
        "\"json_c\":\"%s\",\"uv\":\"%s\",\"file_system\":\"%s\"%s%s}\n",
        r->test, r->what, r->n, r->failures, r->seed, r->control,
        r->caught ? "true" : "false", r->seconds, commit != NULL ? commit : "",
        sqlite3_libversion(), curl_version_info(CURLVERSION_NOW)->version,
        json_c_version(), uv_version_string(), file_system(r->folder),
        r->figures != NULL ? "," : "", r->figures != NULL ? r->figures : "");
    if (n < 0 || (size_t)n >= sizeof line) {
        (void)fprintf(stderr, "%s: the result is too long\n", r->test);
        exit(1);
    }
    (void)fputs(line, stdout);
    (void)fflush(stdout);
    append(line);
    return r->n > 0 && r->failures == 0 && r->caught && r->control[0] != '\0';
}
