/* SPDX-License-Identifier: Apache-2.0 */
/* DER: elements, numbers and times (X.690 §8 to §11). Any thread. docs/PROTOCOL.md §22. */

#include "crypto/der.h"

#define UTC_TIME         0x17
#define GENERALIZED_TIME 0x18
#define UTC_TIME_END     2050 /* the first year that is written with four digits */
#define LENGTH_ROOM      3    /* bytes of the longest length: 0x82 and two more */
#define DAY              86400

size_t der_open(struct writer *w, uint8_t tag)
{
    size_t at = writer_len(w);

    writer_u8(w, tag);
    writer_reserve(w, LENGTH_ROOM);
    return at;
}

/* X.690 §10.1: the shortest form. */
static size_t put_length(uint8_t out[LENGTH_ROOM], size_t len)
{
    if (len < 0x80) {
        out[0] = (uint8_t)len;
        return 1;
    }
    if (len < 0x100) {
        out[0] = 0x81;
        out[1] = (uint8_t)len;
        return 2;
    }
    out[0] = 0x82;
    out[1] = (uint8_t)(len >> 8);
    out[2] = (uint8_t)len;
    return 3;
}

void der_close(struct writer *w, size_t opened)
{
    uint8_t *length = w->begin + opened + 1, *content = length + LENGTH_ROOM;
    size_t len, used;

    if (w->bad)
        return;
    len = (size_t)(w->at - content);
    if (len > UINT16_MAX) {
        w->bad = true;
        return;
    }
    used = put_length(length, len);
    memmove(length + used, content, len);
    w->at -= LENGTH_ROOM - used;
}

void der_put(struct writer *w, uint8_t tag, const void *content, size_t len)
{
    size_t opened = der_open(w, tag);

    writer_put(w, content, len);
    der_close(w, opened);
}

void der_put_uint(struct writer *w, uint32_t value)
{
    const uint8_t bytes[] = {0, (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                             (uint8_t)value};
    size_t skip = 0;

    while (skip < sizeof(bytes) - 1 && bytes[skip] == 0 && bytes[skip + 1] < 0x80)
        skip++;
    der_put(w, DER_INTEGER, bytes + skip, sizeof(bytes) - skip);
}

static void put_digits(struct writer *w, unsigned value, int count)
{
    uint8_t *out = writer_reserve(w, (size_t)count);

    while (out && count-- > 0) {
        out[count] = (uint8_t)('0' + value % 10);
        value /= 10;
    }
}

/* Of the Gregorian calendar, counted in eras of 400 years that begin with a March. */
struct date {
    unsigned year, month, day;
};

#define ERA_DAYS   146097 /* in 400 years */
#define EPOCH_DAYS 719468 /* from 0000-03-01 to 1970-01-01 */

static struct date date_of_days(uint64_t days)
{
    unsigned era = (unsigned)((days + EPOCH_DAYS) / ERA_DAYS),
             of_era = (unsigned)((days + EPOCH_DAYS) % ERA_DAYS);
    unsigned years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * years + years / 4 - years / 100);
    unsigned march = (5 * of_year + 2) / 153; /* months since March */
    struct date d = {.month = march < 10 ? march + 3 : march - 9, .day = of_year - (153 * march + 2) / 5 + 1};

    d.year = era * 400 + years + (d.month <= 2);
    return d;
}

static uint64_t days_of_date(const struct date *d)
{
    unsigned year = d->year - (d->month <= 2), years = year % 400;
    unsigned of_year = (153 * (d->month > 2 ? d->month - 3 : d->month + 9) + 2) / 5 + d->day - 1;

    return (uint64_t)(year / 400) * ERA_DAYS + years * 365 + years / 4 - years / 100 + of_year - EPOCH_DAYS;
}

void der_put_time(struct writer *w, uint64_t seconds)
{
    struct date date;
    size_t opened;

    if (seconds > DER_TIME_MAX) {
        w->bad = true;
        return;
    }
    date = date_of_days(seconds / DAY);
    opened = der_open(w, date.year < UTC_TIME_END ? UTC_TIME : GENERALIZED_TIME);
    put_digits(w, date.year, date.year < UTC_TIME_END ? 2 : 4);
    put_digits(w, date.month, 2);
    put_digits(w, date.day, 2);
    put_digits(w, (unsigned)(seconds % DAY / 3600), 2);
    put_digits(w, (unsigned)(seconds % 3600 / 60), 2);
    put_digits(w, (unsigned)(seconds % 60), 2);
    writer_u8(w, 'Z');
    der_close(w, opened);
}

struct reader der_take(struct reader *r, uint8_t tag)
{
    struct reader content = {.bad = true};
    bool other = reader_u8(r) != tag;
    size_t len = reader_u8(r), least = 0;
    const uint8_t *at;

    if (len == 0x81) {
        len = reader_u8(r);
        least = 0x80;
    } else if (len == 0x82) {
        len = reader_u16(r);
        least = 0x100;
    } else if (len >= 0x80) {
        r->bad = true;
    }
    if (other || len < least)
        r->bad = true;
    at = reader_take(r, len);
    if (at)
        content = reader_init(at, len);
    return content;
}

uint32_t der_take_uint(struct reader *r)
{
    struct reader content = der_take(r, DER_INTEGER);
    size_t len = reader_left(&content);
    uint64_t value = 0;

    if (len == 0 || len > 5)
        r->bad = true;
    else if (*content.at >= 0x80) /* negative */
        r->bad = true;
    while (!r->bad && len-- > 0)
        value = value << 8 | reader_u8(&content);
    if (value > UINT32_MAX)
        r->bad = true;
    return r->bad ? 0 : (uint32_t)value;
}

static unsigned take_digits(struct reader *r, int count)
{
    unsigned value = 0;

    while (count-- > 0)
        value = value * 10 + (unsigned)(reader_u8(r) - '0') % 10;
    return value;
}

uint64_t der_take_time(struct reader *r)
{
    bool utc = der_next_is(r, UTC_TIME);
    struct reader content = der_take(r, utc ? UTC_TIME : GENERALIZED_TIME);
    struct date date = {.year = take_digits(&content, utc ? 2 : 4)};
    uint64_t seconds;

    if (utc)
        date.year += date.year < UTC_TIME_END % 100 ? 2000 : 1900;
    date.month = take_digits(&content, 2);
    date.day = take_digits(&content, 2);
    seconds = days_of_date(&date) * DAY;
    seconds += take_digits(&content, 2) * 3600;
    seconds += take_digits(&content, 2) * 60;
    return seconds + take_digits(&content, 2);
}

bool der_next_is(const struct reader *r, uint8_t tag)
{
    return reader_left(r) > 0 && *r->at == tag;
}
