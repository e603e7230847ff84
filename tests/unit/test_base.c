#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/random.h"
#include "base/sha256.h"

static void crc32c_gives_the_rfc_3720_values(void **state)
{
    (void)state;
    unsigned char zeros[32] = {0};
    unsigned char rising[32];
    for (int i = 0; i < 32; i++) {
        rising[i] = (unsigned char)i;
    }
    assert_int_equal(crc32c(0, zeros, 32), 0x8A9136AA);
    assert_int_equal(crc32c(0, rising, 32), 0x46DD794E);
    assert_int_equal(crc32c(0, "123456789", 9), 0xE3069283);
    assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xE3069283);
}

static void the_table_and_the_instruction_agree(void **state)
{
    (void)state;
    unsigned char bytes[64];
    struct rng r = {1};
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)rng_next(&r);
    }
    for (size_t n = 0; n <= sizeof bytes; n++) {
        assert_int_equal(crc32c(5, bytes, n), crc32c_by_table(5, bytes, n));
    }
    assert_int_equal(crc32c_by_table(0, "123456789", 9), 0xE3069283);
}

static void sha256_gives_the_standards_values(void **state)
{
    static const struct {
        const char *text;
        size_t repeat;
        const char *want;
    } cases[] = {
        {"", 1,
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", 1,
         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"a", 1000,
         "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024] = "", hex[65];
        unsigned char out[SHA256_SIZE];
        size_t n = strlen(cases[i].text);
        for (size_t r = 0; r < cases[i].repeat; r++) {
            memcpy(text + r * n, cases[i].text, n);
        }
        sha256(text, n * cases[i].repeat, out);
        for (size_t b = 0; b < SHA256_SIZE; b++) {
            (void)snprintf(hex + 2 * b, 3, "%02x", out[b]);
        }
        assert_string_equal(hex, cases[i].want);
    }
}

static void fail_keeps_a_cut_sentence_utf8(void **state)
{
    (void)state;
    struct spool_error err;
    char text[SPOOL_ERROR_SIZE + 2];
    memset(text, 'a', sizeof text);
    memcpy(text + SPOOL_ERROR_SIZE - 2, "\xC3\xA4", 3);
    assert_int_equal(failed(&err, SPOOL_FULL, "%s", text), SPOOL_FULL);
    assert_int_equal(err.status, SPOOL_FULL);
    assert_int_equal(strlen(err.message), SPOOL_ERROR_SIZE - 2);
    assert_int_equal(err.message[SPOOL_ERROR_SIZE - 3], 'a');
}

static void fail_errno_tells_a_full_disk_from_a_broken_one(void **state)
{
    (void)state;
    struct spool_error err;
    errno = ENOSPC;
    assert_int_equal(failed_errno(&err, "write %s", "x"), SPOOL_FULL);
    assert_string_equal(err.message, "write x: No space left on device");
    errno = EIO;
    assert_int_equal(failed_errno(NULL, "write %s", "x"), SPOOL_IO);
}

static void a_buffer_never_passes_its_limit(void **state)
{
    (void)state;
    struct buffer b = {.limit = 5};
    assert_true(buffer_add(&b, "abc", 3));
    assert_false(buffer_add(&b, "def", 3));
    assert_true(buffer_add(&b, "de", 2));
    assert_int_equal(b.len, 5);
    assert_memory_equal(b.data, "abcde", 5);
    buffer_finish(&b);
    buffer_finish(&b);
}

static void a_uuid_has_its_version_time_and_variant(void **state)
{
    (void)state;
    struct rng r = {42};
    char a[UUID_SIZE], b[UUID_SIZE];
    uuid_v7(&r, 0x0123456789AB, a);
    uuid_v7(&r, 0x0123456789AB, b);
    assert_int_equal(strlen(a), 36);
    assert_memory_equal(a, "01234567-89ab-7", 15);
    assert_non_null(strchr("89ab", a[19]));
    assert_string_not_equal(a, b);
}

static void rng_stays_within_its_bounds(void **state)
{
    (void)state;
    struct rng r = {7};
    int64_t seen[4] = {0};
    for (int i = 0; i < 1000; i++) {
        int64_t n = rng_upto(&r, 3);
        assert_in_range(n, 0, 3);
        seen[n]++;
    }
    for (int i = 0; i < 4; i++) {
        assert_true(seen[i] > 150);
    }
    assert_int_equal(rng_upto(&r, 0), 0);
    assert_int_equal(rng_upto(&r, -5), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_gives_the_rfc_3720_values),
        cmocka_unit_test(the_table_and_the_instruction_agree),
        cmocka_unit_test(sha256_gives_the_standards_values),
        cmocka_unit_test(fail_keeps_a_cut_sentence_utf8),
        cmocka_unit_test(fail_errno_tells_a_full_disk_from_a_broken_one),
        cmocka_unit_test(a_buffer_never_passes_its_limit),
        cmocka_unit_test(a_uuid_has_its_version_time_and_variant),
        cmocka_unit_test(rng_stays_within_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
