#include "size.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool size_parse(const char *text, int64_t *out)
{
    static const char letters[] = "KMGT";
    char *end;
    if (strcmp(text, "none") == 0) {
        *out = 0;
        return true;
    }
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno != 0) {
        return false;
    }
    end += strspn(end, " ");
    int shift = 0;
    for (int i = 0; letters[i] != '\0'; i++) {
        if (*end != '\0' && strncasecmp(end, letters + i, 1) == 0) {
            shift = 10 * (i + 1);
        }
    }
    end += shift > 0 ? 1 : 0;
    bool known = *end == '\0' || strcasecmp(end, "B") == 0 ||
                 (shift > 0 && strcasecmp(end, "iB") == 0);
    if (!known || n > INT64_MAX >> shift) {
        return false;
    }
    *out = n * ((int64_t)1 << shift);
    return true;
}
