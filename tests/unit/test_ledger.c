/* SPDX-License-Identifier: Apache-2.0 */
/* proto/network/ledger: one name and one address are one member's, and the lowest free address is the next. */

#include "proto/network/ledger.h"

#include "crypto/cert_chain.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "cert_lab.h"

static struct ledger_member numbered(unsigned n)
{
    struct ledger_member m = {.joined = LAB_NOW, .issued = LAB_NOW, .not_after = LAB_NOW + LAB_DAY};

    m.id.bytes[0] = (uint8_t)(n * 37); /* in no order */
    m.id.bytes[1] = (uint8_t)(n >> 8);
    m.id.bytes[2] = (uint8_t)n;
    snprintf(m.name, sizeof(m.name), "m%u", n);
    m.addresses[0] = lab_addr("10.7.0.0");
    m.addresses[0].ip[2] = (uint8_t)(n >> 8);
    m.addresses[0].ip[3] = (uint8_t)n;
    m.address_count = 1;
    return m;
}

static struct ledger *nobody(void)
{
    struct ledger *l;

    assert_int_equal(ledger_new(&l), 0);
    return l;
}

static void put(struct ledger *l, unsigned n)
{
    struct ledger_member m = numbered(n);

    assert_int_equal(ledger_put(l, &m), 0);
}

static void members_are_found_and_stand_in_order(void **state)
{
    struct ledger_member none = numbered(300);
    struct ledger *l = nobody();

    (void)state;
    for (unsigned n = 0; n < 300; n++)
        put(l, n);
    for (unsigned n = 0; n < 300; n++) {
        struct ledger_member m = numbered(n);
        assert_string_equal(ledger_find(l, &m.id)->name, m.name);
        assert_int_equal(id_compare(&ledger_named(l, m.name)->id, &m.id), 0);
    }
    for (size_t i = 1; ledger_at(l, i); i++)
        assert_true(id_compare(&ledger_at(l, i - 1)->id, &ledger_at(l, i)->id) < 0);
    assert_null(ledger_find(l, &none.id));
    assert_null(ledger_named(l, "m300"));
    ledger_free(l);
}

static void name_and_address_are_one_members(void **state)
{
    struct ledger *l = nobody();
    struct ledger_member m = numbered(2);

    (void)state;
    put(l, 1);
    snprintf(m.name, sizeof(m.name), "m1");
    assert_int_equal(ledger_put(l, &m), ERR_EXISTS);
    m = numbered(2);
    m.addresses[m.address_count++] = numbered(1).addresses[0];
    assert_int_equal(ledger_put(l, &m), ERR_EXISTS);
    m = numbered(2);
    snprintf(m.name, sizeof(m.name), "M2");
    assert_int_equal(ledger_put(l, &m), ERR_ARGUMENT);
    put(l, 2);
    put(l, 1); /* itself again */
    assert_null(ledger_at(l, 2));
    ledger_free(l);
}

static void change_is_undone(void **state)
{
    struct ledger *l = nobody();
    struct ledger_member before = numbered(1), after = before;

    (void)state;
    put(l, 1);
    put(l, 2);
    snprintf(after.name, sizeof(after.name), "other");
    assert_int_equal(ledger_put(l, &after), 0);
    ledger_undo(l, &before.id, &before);
    assert_non_null(ledger_named(l, "m1"));
    ledger_undo(l, &before.id, NULL);
    assert_null(ledger_find(l, &before.id));
    assert_non_null(ledger_named(l, "m2"));
    ledger_free(l);
}

static void member_is_forgotten_when_it_cannot_be_renewed(void **state)
{
    struct ledger *l = nobody();
    uint64_t end = numbered(1).not_after + CERT_RENEWAL;

    (void)state;
    put(l, 1);
    ledger_forget(l, end, NULL, NULL);
    assert_non_null(ledger_named(l, "m1"));
    ledger_forget(l, end + 1, NULL, NULL);
    assert_null(ledger_named(l, "m1"));
    ledger_free(l);
}

static struct cert issuer_of(const char *subnet, uint8_t subnet_bits, const char *slice, uint8_t bits)
{
    struct cert c = {.kind = CERT_ISSUER, .range_count = 2, .slice_count = 2};

    c.ranges[0] = lab_prefix(subnet, subnet_bits);
    c.ranges[1] = lab_prefix("fd00::", 64);
    c.slices[0] = lab_prefix(slice, bits);
    c.slices[1] = lab_prefix("fd00::8000:0:0:0", 65);
    return c;
}

static void lowest_free_number_is_the_next_in_each_slice(void **state)
{
    const struct cert issuer = issuer_of("10.7.0.0", 16, "10.7.0.0", 30);
    struct addr next[CERT_RANGES_MAX], wanted = lab_addr("10.7.0.2"), wanted6 = lab_addr("fd00::8000:0:0:2");
    struct ledger *l = nobody();

    (void)state;
    put(l, 1);
    put(l, 3);
    assert_int_equal(ledger_free_addresses(l, &issuer, next), 0);
    assert_true(addr_equal(&next[0], &wanted) && addr_equal(&next[1], &wanted6));
    put(l, 2);
    assert_int_equal(ledger_free_addresses(l, &issuer, next), ERR_SPACE);
    ledger_free(l);
}

static void number_that_is_taken_in_one_slice_is_given_in_none(void **state)
{
    const struct cert issuer = issuer_of("10.7.0.0", 16, "10.7.0.0", 24);
    struct ledger_member m = numbered(3);
    struct addr next[CERT_RANGES_MAX];
    struct ledger *l = nobody();

    (void)state;
    m.addresses[0] = lab_addr("fd00::8000:0:0:1");
    assert_int_equal(ledger_put(l, &m), 0);
    put(l, 2);
    assert_int_equal(ledger_free_addresses(l, &issuer, next), 0);
    assert_int_equal(next[0].ip[3], 3);
    ledger_free(l);
}

static void last_address_of_a_subnet_is_nobodys(void **state)
{
    const struct cert issuer = issuer_of("10.7.0.0", 24, "10.7.0.254", 31);
    struct addr next[CERT_RANGES_MAX];
    struct ledger *l = nobody();

    (void)state;
    assert_int_equal(ledger_free_addresses(l, &issuer, next), ERR_SPACE);
    ledger_free(l);
}

static void members_are_bounded_and_the_fullest_has_room(void **state)
{
    static uint8_t once[LEDGER_ENCODED_MAX], again[LEDGER_ENCODED_MAX];
    struct writer a = writer_init(once, sizeof(once)), b = writer_init(again, sizeof(again));
    struct ledger *l = nobody(), *read = nobody();
    struct ledger_member more = numbered(LEDGER_MAX);
    struct reader r;

    (void)state;
    for (unsigned n = 0; n < LEDGER_MAX; n++) {
        struct ledger_member m = numbered(n);
        memset(m.name + strlen(m.name), 'n', CERT_LABEL_MAX - 1 - strlen(m.name));
        m.addresses[m.address_count] = lab_addr("fd00::1");
        memcpy(m.addresses[m.address_count++].ip + 8, m.addresses[0].ip, 4);
        m.not_after = UINT64_MAX;
        assert_int_equal(ledger_put(l, &m), 0);
    }
    assert_int_equal(ledger_put(l, &more), ERR_SPACE);
    ledger_encode(l, &a);
    assert_false(a.bad);
    r = reader_init(once, writer_len(&a));
    ledger_decode(read, &r);
    assert_true(!r.bad && reader_left(&r) == 0);
    ledger_encode(read, &b);
    assert_int_equal(writer_len(&b), writer_len(&a));
    assert_memory_equal(again, once, writer_len(&a));
    ledger_free(read);
    ledger_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found_and_stand_in_order),
        cmocka_unit_test(name_and_address_are_one_members),
        cmocka_unit_test(change_is_undone),
        cmocka_unit_test(member_is_forgotten_when_it_cannot_be_renewed),
        cmocka_unit_test(lowest_free_number_is_the_next_in_each_slice),
        cmocka_unit_test(number_that_is_taken_in_one_slice_is_given_in_none),
        cmocka_unit_test(last_address_of_a_subnet_is_nobodys),
        cmocka_unit_test(members_are_bounded_and_the_fullest_has_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
