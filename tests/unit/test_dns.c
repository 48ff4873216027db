/* SPDX-License-Identifier: Apache-2.0 */
/* proto/names/dns: what is asked and answered, as the system's own resolver writes and reads it, and hostile questions. */

#include "proto/names/dns.h"
#include "base/bytes.h"
#include "base/err.h"
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define HEADER 12

static struct addr address(const char *text)
{
    struct addr a;
    assert_int_equal(addr_parse(text, 0, &a), 0);
    return a;
}

static int addresses(const void *context, const char *name, struct addr out[DNS_ADDRESSES_MAX])
{
    (void)context;
    if (strcmp(name, "none") == 0)
        return 0;
    if (strcmp(name, "many") == 0) {
        for (unsigned i = 0; i < DNS_ADDRESSES_MAX; i++)
            out[i] = address("fd00::1");
        return DNS_ADDRESSES_MAX;
    }
    if (strcmp(name, "paris") != 0)
        return -1;
    out[0] = address("10.1.2.3");
    out[1] = address("fd00::12:3");
    return 2;
}

static int name_of(const void *context, const struct addr *a, char out[DNS_LABEL_MAX])
{
    const struct addr v4 = address("10.1.2.3"), v6 = address("fd00::12:3");
    (void)context;
    strcpy(out, "paris");
    if (addr_equal(a, &v4) || addr_equal(a, &v6))
        return 0;
    return a->family == 4 && a->ip[0] == 10 ? ERR_NOT_FOUND : ERR_MISMATCH;
}

static const struct dns_zone zone = {"lab", addresses, name_of, NULL};

static size_t ask(const char *name, int class, int type, uint8_t out[NS_PACKETSZ])
{
    int len = res_mkquery(ns_o_query, name, class, type, NULL, 0, NULL, out, NS_PACKETSZ);
    assert_true(len > 0);
    return (size_t)len;
}

/* The answer, as the resolver reads it. */
static ns_msg answer_to(const uint8_t *query, size_t len, uint8_t out[DNS_ANSWER_MAX])
{
    ns_msg m;
    size_t size = dns_answer(&zone, query, len, out);
    assert_true(size > 0);
    assert_int_equal(ns_initparse(out, (int)size, &m), 0);
    assert_int_equal(ns_msg_id(m), query[0] << 8 | query[1]);
    assert_true(ns_msg_getflag(m, ns_f_qr));
    assert_false(ns_msg_getflag(m, ns_f_ra));
    return m;
}

static ns_msg answer(const char *name, int type)
{
    static uint8_t query[NS_PACKETSZ], out[DNS_ANSWER_MAX];
    return answer_to(query, ask(name, ns_c_in, type, query), out);
}

static int rcode(ns_msg m)
{
    return ns_msg_getflag(m, ns_f_rcode);
}

static ns_rr record(ns_msg m, ns_sect section, unsigned i)
{
    ns_rr rr;
    assert_int_equal(ns_parserr(&m, section, (int)i, &rr), 0);
    return rr;
}

static void member_has_its_addresses_by_kind(void **state)
{
    const struct addr v4 = address("10.1.2.3"), v6 = address("fd00::12:3");
    (void)state;
    ns_msg m = answer("paris.lab.internal", ns_t_a);
    assert_int_equal(rcode(m), ns_r_noerror);
    assert_true(ns_msg_getflag(m, ns_f_aa));
    assert_int_equal(ns_msg_count(m, ns_s_an), 1);
    ns_rr rr = record(m, ns_s_an, 0);
    assert_string_equal(ns_rr_name(rr), "paris.lab.internal");
    assert_int_equal(ns_rr_ttl(rr), DNS_TTL_S);
    assert_int_equal(ns_rr_rdlen(rr), 4);
    assert_memory_equal(ns_rr_rdata(rr), v4.ip, 4);
    m = answer("paris.lab.internal", ns_t_aaaa);
    assert_int_equal(ns_msg_count(m, ns_s_an), 1);
    rr = record(m, ns_s_an, 0);
    assert_int_equal(ns_rr_type(rr), ns_t_aaaa);
    assert_memory_equal(ns_rr_rdata(rr), v6.ip, 16);
    assert_int_equal(ns_msg_count(answer("paris.lab.internal", ns_t_any), ns_s_an), 2);
}

static void letters_may_be_large_and_come_back_as_they_were(void **state)
{
    (void)state;
    ns_msg m = answer("PaRiS.LAB.Internal", ns_t_a);
    assert_int_equal(ns_msg_count(m, ns_s_an), 1);
    assert_string_equal(ns_rr_name(record(m, ns_s_qd, 0)), "PaRiS.LAB.Internal");
    assert_string_equal(ns_rr_name(record(m, ns_s_an, 0)), "PaRiS.LAB.Internal");
}

static void absence_is_told_with_how_long_it_holds(void **state)
{
    static const struct {
        const char *name;
        int type, rcode;
    } cases[] = {
        {"rome.lab.internal", ns_t_a, ns_r_nxdomain},  {"a.paris.lab.internal", ns_t_a, ns_r_nxdomain},
        {"paris.lab.internal", ns_t_mx, ns_r_noerror}, {"none.lab.internal", ns_t_a, ns_r_noerror},
        {"lab.internal", ns_t_a, ns_r_noerror},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ns_msg m = answer(cases[i].name, cases[i].type);
        assert_int_equal(rcode(m), cases[i].rcode);
        assert_int_equal(ns_msg_count(m, ns_s_an), 0);
        assert_int_equal(ns_msg_count(m, ns_s_ns), 1);
        ns_rr rr = record(m, ns_s_ns, 0);
        assert_string_equal(ns_rr_name(rr), "lab.internal");
        assert_int_equal(ns_rr_type(rr), ns_t_soa);
        assert_int_equal(ns_rr_ttl(rr), DNS_ABSENT_TTL_S);
        assert_int_equal(ns_get32(ns_rr_rdata(rr) + ns_rr_rdlen(rr) - 4), DNS_ABSENT_TTL_S);
    }
    ns_msg m = answer("lab.internal", ns_t_soa);
    assert_int_equal(ns_msg_count(m, ns_s_an), 1);
    assert_int_equal(ns_msg_count(m, ns_s_ns), 0);
}

static void address_has_its_members_name(void **state)
{
    char name[NS_MAXDNAME];
    static const char *const of[] = {
        "3.2.1.10.in-addr.arpa",
        "3.0.0.0.2.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.D.f.ip6.ARPA",
    };
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        ns_msg m = answer(of[i], ns_t_ptr);
        assert_int_equal(rcode(m), ns_r_noerror);
        assert_int_equal(ns_msg_count(m, ns_s_an), 1);
        ns_rr rr = record(m, ns_s_an, 0);
        assert_true(dn_expand(ns_msg_base(m), ns_msg_end(m), ns_rr_rdata(rr), name, sizeof(name)) > 0);
        assert_string_equal(name, "paris.lab.internal");
    }
    assert_int_equal(rcode(answer("9.2.1.10.in-addr.arpa", ns_t_ptr)), ns_r_nxdomain);
}

static void what_is_not_the_networks_is_refused(void **state)
{
    static const char *const names[] = {
        "example.com",
        "paris.other.internal",
        "internal",
        "paris.labs.internal",
        "paris.lab.interna",
        "1.0.168.192.in-addr.arpa",
        "03.2.1.10.in-addr.arpa",
        "256.2.1.10.in-addr.arpa",
        "2.1.10.in-addr.arpa",
        "10.3.2.1.10.in-addr.arpa",
        ".",
    };
    uint8_t query[NS_PACKETSZ], out[DNS_ANSWER_MAX];
    (void)state;
    for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
        ns_msg m = answer(names[i], ns_t_ptr);
        assert_int_equal(rcode(m), ns_r_refused);
        assert_false(ns_msg_getflag(m, ns_f_aa));
        assert_int_equal(ns_msg_count(m, ns_s_an) + ns_msg_count(m, ns_s_ns), 0);
    }
    ns_msg m = answer_to(query, ask("paris.lab.internal", ns_c_chaos, ns_t_a, query), out);
    assert_int_equal(rcode(m), ns_r_refused);
}

static size_t extend(uint8_t query[NS_PACKETSZ], size_t len, uint8_t version)
{
    const uint8_t opt[] = {0, 0, ns_t_opt, 0x10, 0, 0, version, 0, 0, 0, 0};
    memcpy(query + len, opt, sizeof(opt));
    query[11] = 1;
    return len + sizeof(opt);
}

static void extension_is_answered_by_ours_and_a_later_one_refused(void **state)
{
    uint8_t query[NS_PACKETSZ], out[DNS_ANSWER_MAX];
    (void)state;
    ns_msg m = answer_to(query, extend(query, ask("paris.lab.internal", ns_c_in, ns_t_a, query), 0), out);
    assert_int_equal(ns_msg_count(m, ns_s_an), 1);
    ns_rr rr = record(m, ns_s_ar, 0);
    assert_int_equal(ns_rr_type(rr), ns_t_opt);
    assert_int_equal(ns_rr_class(rr), 1232);
    assert_int_equal(ns_rr_ttl(rr), 0);
    m = answer_to(query, extend(query, ask("paris.lab.internal", ns_c_in, ns_t_a, query), 1), out);
    assert_int_equal(ns_msg_count(m, ns_s_an), 0);
    assert_int_equal(ns_rr_ttl(record(m, ns_s_ar, 0)) >> 24, 1); /* with the lower bits: 16, BADVERS */
}

static void longest_answers_fit(void **state)
{
    uint8_t query[NS_PACKETSZ], out[DNS_ANSWER_MAX];
    (void)state;
    ns_msg m = answer_to(query, extend(query, ask("many.lab.internal", ns_c_in, ns_t_aaaa, query), 0), out);
    assert_int_equal(ns_msg_count(m, ns_s_an), DNS_ADDRESSES_MAX);
    char name[NS_MAXDNAME] = "";
    for (unsigned i = 0; i < 120; i++)
        strcat(name, "a.");
    strcat(name, "lab.internal");
    m = answer_to(query, extend(query, ask(name, ns_c_in, ns_t_aaaa, query), 0), out);
    assert_int_equal(rcode(m), ns_r_nxdomain);
}

static void what_is_no_question_gets_none(void **state)
{
    uint8_t query[NS_PACKETSZ], out[DNS_ANSWER_MAX];
    size_t len = ask("paris.lab.internal", ns_c_in, ns_t_a, query);
    (void)state;
    for (size_t n = 0; n < HEADER; n++)
        assert_int_equal(dns_answer(&zone, query, n, out), 0);
    query[2] |= 0x80; /* an answer: two servers would answer each other for ever */
    assert_int_equal(dns_answer(&zone, query, len, out), 0);
}

static void malformed_question_is_told_so_without_a_word_of_it(void **state)
{
    uint8_t query[NS_PACKETSZ], out[DNS_ANSWER_MAX];
    size_t len = ask("paris.lab.internal", ns_c_in, ns_t_a, query);
    (void)state;
    for (size_t n = HEADER; n < len; n++) {
        assert_int_equal(dns_answer(&zone, query, n, out), HEADER);
        assert_int_equal(out[3] & 15, ns_r_formerr);
    }
    query[HEADER] = 0xc0; /* a pointer, here to itself */
    query[HEADER + 1] = HEADER;
    assert_int_equal(dns_answer(&zone, query, len, out), HEADER);
    assert_int_equal(out[3] & 15, ns_r_formerr);
    query[5] = 2; /* questions */
    assert_int_equal(dns_answer(&zone, query, len, out), HEADER);
    len = ask("paris.lab.internal", ns_c_in, ns_t_a, query);
    query[2] |= 4 << 3; /* NOTIFY, RFC 1996 */
    assert_int_equal(dns_answer(&zone, query, len, out), HEADER);
    assert_int_equal(out[3] & 15, ns_r_notimpl);
}

/* In C's words "paris\0x" would be paris. */
static void label_with_a_zero_in_it_is_nobodys(void **state)
{
    static const uint8_t label[] = {7, 'p', 'a', 'r', 'i', 's', 0, 'x'};
    uint8_t query[NS_PACKETSZ], out[DNS_ANSWER_MAX];
    size_t len = ask("xxxxxxx.lab.internal", ns_c_in, ns_t_a, query);
    (void)state;
    memcpy(query + HEADER, label, sizeof(label));
    assert_true(dns_answer(&zone, query, len, out) > HEADER);
    assert_int_equal(out[3] & 15, ns_r_nxdomain);
}

/* 255 bytes are the longest name, in labels of 63 at most. */
static void name_that_is_too_long_is_malformed(void **state)
{
    uint8_t query[HEADER + 300] = {0, 1, 1, 0, 0, 1}, out[DNS_ANSWER_MAX];
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        query[HEADER + 64 * i] = 63;
    assert_int_equal(dns_answer(&zone, query, sizeof(query), out), HEADER);
    query[HEADER + 192] = 61;
    assert_int_equal(dns_answer(&zone, query, sizeof(query), out), HEADER + 255 + 4);
    query[HEADER] = 64;
    assert_int_equal(dns_answer(&zone, query, sizeof(query), out), HEADER);
}

static void subnet_has_a_domain_of_its_own_where_labels_end(void **state)
{
    static const struct {
        const char *addr;
        uint8_t bits;
        const char *zone;
    } cases[] = {
        {"10.1.2.3", 24, "2.1.10.in-addr.arpa"},
        {"10.1.2.3", 8, "10.in-addr.arpa"},
        {"fd12:3456:789a::1", 64, "0.0.0.0.a.9.8.7.6.5.4.3.2.1.d.f.ip6.arpa"},
        {"fd12::1", 12, "1.d.f.ip6.arpa"},
        {"10.1.2.3", 22, NULL},
        {"fd12::1", 63, NULL},
        {"0.0.0.0", 0, NULL},
    };
    char zone[DNS_REVERSE_MAX];
    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct addr_prefix subnet = {address(cases[i].addr), cases[i].bits};
        assert_int_equal(dns_reverse_zone(&subnet, zone), cases[i].zone != NULL);
        if (cases[i].zone)
            assert_string_equal(zone, cases[i].zone);
    }
    const struct addr_prefix longest = {address("fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 128};
    assert_true(dns_reverse_zone(&longest, zone));
    assert_int_equal(strlen(zone), DNS_REVERSE_MAX - 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(member_has_its_addresses_by_kind),
        cmocka_unit_test(letters_may_be_large_and_come_back_as_they_were),
        cmocka_unit_test(absence_is_told_with_how_long_it_holds),
        cmocka_unit_test(address_has_its_members_name),
        cmocka_unit_test(what_is_not_the_networks_is_refused),
        cmocka_unit_test(extension_is_answered_by_ours_and_a_later_one_refused),
        cmocka_unit_test(longest_answers_fit),
        cmocka_unit_test(what_is_no_question_gets_none),
        cmocka_unit_test(malformed_question_is_told_so_without_a_word_of_it),
        cmocka_unit_test(label_with_a_zero_in_it_is_nobodys),
        cmocka_unit_test(name_that_is_too_long_is_malformed),
        cmocka_unit_test(subnet_has_a_domain_of_its_own_where_labels_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
