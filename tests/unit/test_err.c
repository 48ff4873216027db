/* SPDX-License-Identifier: Apache-2.0 */
/* base/err: every error has a phrase, and errno values have kinds. */

#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void every_error_has_a_phrase_of_its_own(void **state)
{
    (void)state;
    assert_string_equal(err_str(0), "success");
    assert_string_equal(err_str(ERR_FOLDER - 1), "unknown error");
    for (int a = ERR_NOMEM; a >= ERR_FOLDER; a--)
        for (int b = 0; b > a; b--)
            assert_string_not_equal(err_str(a), err_str(b));
}

static void errno_values_have_kinds(void **state)
{
    (void)state;
    static const struct {
        int number, err;
    } kinds[] = {{EPERM, ERR_PERMISSION}, {EACCES, ERR_PERMISSION}, {EROFS, ERR_PERMISSION},
                 {ENOENT, ERR_NOT_FOUND}, {ENODEV, ERR_NOT_FOUND},  {ESRCH, ERR_NOT_FOUND},
                 {EEXIST, ERR_EXISTS},    {EADDRINUSE, ERR_BUSY},   {EBUSY, ERR_BUSY},
                 {ELOOP, ERR_SYMLINK},    {ENOMEM, ERR_NOMEM},      {EAFNOSUPPORT, ERR_UNSUPPORTED},
                 {EIO, ERR_IO},           {EINVAL, ERR_IO},         {0, ERR_IO}};
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        assert_int_equal(err_from_errno(kinds[i].number), kinds[i].err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_a_phrase_of_its_own),
        cmocka_unit_test(errno_values_have_kinds),
    };
    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
