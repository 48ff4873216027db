/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/qr.h"

#ifdef HAVE_QRENCODE

#include "crypto/secret.h"

#include <errno.h>
#include <qrencode.h>

#define WHITE_ON_BLACK "\033[97;40m"
#define AS_BEFORE      "\033[0m"
#define DARK           1u /* of a module's byte (qrencode.h) */

bool qr_is_there(void)
{
    return true;
}

/* Around the code all is light. Half a line below the last row nothing is. */
static bool is_light(const QRcode *code, int x, int y)
{
    bool inside = x >= 0 && y >= 0 && x < code->width && y < code->width;
    return inside ? !(code->data[y * code->width + x] & DARK) : y < code->width + QR_MARGIN;
}

static void print_line(const QRcode *code, int y, bool colour, FILE *out)
{
    static const char *const blocks[2][2] = {{" ", "▄"}, {"▀", "█"}};
    fputs(colour ? WHITE_ON_BLACK : "", out);
    for (int x = -QR_MARGIN; x < code->width + QR_MARGIN; x++)
        fputs(blocks[is_light(code, x, y)][is_light(code, x, y + 1)], out);
    fputs(colour ? AS_BEFORE "\n" : "\n", out);
}

/* Which of the codes is the library's to choose; a screen shows the smallest best. */
int qr_print(const char *text, bool colour, unsigned most, FILE *out, unsigned *columns)
{
    *columns = 0;
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
    if (!code)
        return errno == ENOMEM ? ERR_NOMEM : ERR_SPACE;
    *columns = (unsigned)code->width + 2 * QR_MARGIN;
    bool fits = most == 0 || *columns <= most;
    for (int y = -QR_MARGIN; fits && y < code->width + QR_MARGIN; y += 2)
        print_line(code, y, colour, out);
    secret_wipe(code->data, (size_t)code->width * (size_t)code->width);
    QRcode_free(code);
    return fits ? 0 : ERR_SPACE;
}

#else

bool qr_is_there(void)
{
    return false;
}

int qr_print(const char *text, bool colour, unsigned most, FILE *out, unsigned *columns)
{
    (void)text;
    (void)colour;
    (void)most;
    (void)out;
    *columns = 0;
    return ERR_UNSUPPORTED;
}

#endif
