/* SPDX-License-Identifier: Apache-2.0 */
/* cli/qr: what is printed is the library's code, module by module, with light around it. */

#include "cli/qr.h"

#include <qrencode.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIDE_MAX 256

static bool light[SIDE_MAX][SIDE_MAX]; /* by row */
static unsigned width, height;

/* Half blocks become modules again. */
static void read_line(const char *at, const char *end)
{
    static const char *const blocks[] = {" ", "▄", "▀", "█"};
    for (width = 0; at < end; width++) {
        unsigned i = 0;
        while (i < 4 && strncmp(at, blocks[i], strlen(blocks[i])) != 0)
            i++;
        assert_in_range(i, 0, 3);
        at += strlen(blocks[i]);
        light[height][width] = i & 2;
        light[height + 1][width] = i & 1;
    }
    height += 2;
}

static int print(const char *text, bool colour, unsigned most, unsigned *columns)
{
    static char said[SIDE_MAX * SIDE_MAX * 4];
    memset(said, 0, sizeof(said));
    FILE *out = fmemopen(said, sizeof(said), "w");
    int err = qr_print(text, colour, most, out, columns);
    fclose(out);
    height = 0;
    if (colour) {
        assert_int_equal(strncmp(said, "\033[97;40m", 8), 0);
        assert_non_null(strstr(said, "\033[0m\n"));
        return err;
    }
    for (char *line = said, *end; (end = strchr(line, '\n')); line = end + 1)
        read_line(line, end);
    return err;
}

static void what_is_printed_is_the_code(void **state)
{
    const char *text = "sm1:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8w";
    unsigned columns;
    (void)state;
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
    assert_non_null(code);
    int side = code->width;
    assert_int_equal(print(text, false, 0, &columns), 0);
    assert_int_equal(width, side + 2 * QR_MARGIN);
    assert_int_equal(columns, width);
    assert_true(height >= width && height <= width + 1);
    for (int y = -QR_MARGIN; y < side + QR_MARGIN; y++)
        for (int x = -QR_MARGIN; x < side + QR_MARGIN; x++) {
            bool inside = x >= 0 && y >= 0 && x < side && y < side;
            assert_int_equal(light[y + QR_MARGIN][x + QR_MARGIN], !inside || !(code->data[y * side + x] & 1));
        }
    QRcode_free(code);
}

static void colours_are_whatever_the_terminals_are(void **state)
{
    unsigned columns;
    (void)state;
    assert_int_equal(print("sm1:AA", true, 80, &columns), 0);
}

static void code_that_does_not_fit_is_not_printed(void **state)
{
    char text[4000];
    unsigned columns;
    (void)state;
    memset(text, 'A', sizeof(text));
    text[2347] = '\0'; /* the longest token */
    assert_int_equal(print(text, false, 80, &columns), ERR_SPACE);
    assert_int_equal(height, 0);
    assert_true(columns > 80);
    assert_int_equal(print(text, false, columns, &columns), 0);
    memset(text, 'A', sizeof(text));
    text[3999] = '\0';
    assert_int_equal(print(text, false, 0, &columns), ERR_SPACE);
    assert_int_equal(columns, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_is_the_code),
        cmocka_unit_test(colours_are_whatever_the_terminals_are),
        cmocka_unit_test(code_that_does_not_fit_is_not_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
