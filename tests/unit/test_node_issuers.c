/* SPDX-License-Identifier: Apache-2.0 */
/* What an issuer's node is asked and brought by the API: tokens, what its CA signs, and certificates that grow old. */

#include "node_network_lab.h"

#include <stdlib.h>

#define DAY_S (uint64_t)86400

/* Who an answer's list is about, NULL where it has no such entry. */
static json_t *entry_with(const json_t *result, const char *list, const char *key, const char *value)
{
    json_t *entry;
    size_t i;
    json_array_foreach(json_object_get(result, list), i, entry)
    {
        if (strcmp(json_string_value(json_object_get(entry, key)), value) == 0)
            return entry;
    }
    return NULL;
}

static json_t *command(const char *name)
{
    return json_pack("{s:s}", "cmd", name);
}

static json_t *command_with(const char *name, const char *key, const char *value)
{
    return json_pack("{s:s, s:s}", "cmd", name, key, value);
}

/* ---- tokens ---- */

static void make_token(const struct twin *t, json_t *request, char number[64])
{
    json_t *made = result_of(t, request);
    text_of(made, "number", number, 64);
    json_decref(made);
}

static void has_state(const struct twin *t, const char *number, const char *state)
{
    json_t *result = result_of(t, command("invites"));
    const json_t *entry = entry_with(result, "invitations", "number", number);
    assert_non_null(entry);
    assert_string_equal(json_string_value(json_object_get(entry, "state")), state);
    json_decref(result);
}

static void token_is_listed_with_what_was_wished(void **state)
{
    struct twin a;
    char number[64];
    (void)state;
    start_issuer(&a);
    make_token(&a,
               json_pack("{s:s, s:[s, s], s:i, s:b}", "cmd", "invite", "roles", "router", "dhcp", "uses", 3,
                         "approve", 1),
               number);
    json_t *result = result_of(&a, command("invites"));
    const json_t *entry = entry_with(result, "invitations", "number", number);
    const json_t *roles = json_object_get(entry, "roles");
    assert_int_equal(json_array_size(roles), 2);
    assert_string_equal(json_string_value(json_array_get(roles, 0)), "dhcp");
    assert_string_equal(json_string_value(json_array_get(roles, 1)), "router");
    assert_int_equal(json_integer_value(json_object_get(entry, "uses")), 3);
    assert_int_equal(json_integer_value(json_object_get(entry, "used")), 0);
    assert_int_equal(json_integer_value(json_object_get(entry, "expires")) -
                         json_integer_value(json_object_get(entry, "made")),
                     3600);
    assert_true(json_is_true(json_object_get(entry, "approve")));
    json_decref(result);
    twin_fini(&a);
}

static void token_that_is_revoked_stays_in_the_list(void **state)
{
    struct twin a;
    char first[64], second[64];
    (void)state;
    start_issuer(&a);
    make_token(&a, command("invite"), first);
    make_token(&a, command_with("invite", "name", "paris"), second);
    is_refused(&a, command_with("revoke_invitation", "number", ""), "invite: ");
    json_decref(result_of(&a, command_with("revoke_invitation", "number", first)));
    has_state(&a, first, "revoked");
    has_state(&a, second, "open");
    assert_int_equal(twin_end(&a, SIGTERM), 0);
    twin_start(&a, FLAGS(NETWORK, "-dns", "off", "-backbone", "https://192.0.2.1"), NULL, NULL);
    assert_true(twin_runs(&a));
    has_state(&a, first, "revoked");
    make_token(&a, command("invite"), first); /* a backbone is a place, too */
    twin_fini(&a);
}

/* ---- what the CA signs ---- */

static void start_with_papers(struct twin *a, struct twin *b, struct papers **papers)
{
    *papers = mmap(NULL, sizeof(**papers), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(*papers != MAP_FAILED);
    twin_init(a, "site-a", 1);
    twin_init(b, "site-b", 2);
    start_issuer_of(&(struct plan){.first = a, .other = b, .papers = *papers}, a);
}

static void stop_with_papers(struct twin *a, struct twin *b, struct papers *papers)
{
    int code = twin_end(a, SIGTERM);
    if (code)
        fail_msg("%s ended with %d:\n%s", a->name, code, a->lines);
    twin_fini(a);
    twin_fini(b);
    munmap(papers, sizeof(*papers));
}

static void has_issuers(const struct twin *t, size_t count)
{
    json_t *result = result_of(t, command("issuers"));
    assert_int_equal(json_array_size(json_object_get(result, "issuers")), count);
    json_decref(result);
}

static void whom_the_ca_promotes_is_listed_and_logged(void **state)
{
    struct papers *papers;
    struct twin a, b;
    (void)state;
    start_with_papers(&a, &b, &papers);
    has_issuers(&a, 1);
    is_refused(&a, command_with("promotion", "member", b.id), "its key is not known here");
    json_t *promotion = result_of(&a, command_with("promotion", "member", a.id));
    assert_int_equal(json_array_size(json_object_get(promotion, "issuers")), 1);
    assert_int_equal(strlen(json_string_value(json_object_get(promotion, "key"))),
                     BASE64_LEN(IDENTITY_SPKI_LEN));
    json_decref(promotion);
    json_decref(result_of(&a, command_with("take_issuer", "certificate", papers->issuer)));
    is_refused(&a, command_with("take_issuer", "certificate", papers->issuer),
               "take_issuer: the certificate");
    json_t *issuers = result_of(&a, command("issuers"));
    const json_t *entry = entry_with(issuers, "issuers", "id", b.id);
    assert_non_null(entry);
    assert_string_equal(json_string_value(json_object_get(entry, "certificate")), papers->issuer);
    json_decref(issuers);
    json_t *log = result_of(&a, command("log"));
    assert_string_equal(
        json_string_value(json_object_get(entry_with(log, "entries", "change", "promoted"), "id")), b.id);
    json_decref(log);
    stop_with_papers(&a, &b, papers);
}

/* What the node holds of the CA's list is told to whoever signs its next one. */
static void holds_list(const struct twin *t, const char *id, bool issuer, const char *list)
{
    json_t *told = result_of(t, command_with("revocation", "member", id));
    const json_t *held = json_object_get(told, "list");
    assert_int_equal(json_is_true(json_object_get(told, "issuer")), issuer);
    assert_string_equal(json_string_value(json_object_get(told, "id")), id);
    if (list)
        assert_string_equal(json_string_value(held), list);
    else
        assert_true(json_is_null(held));
    json_decref(told);
}

static void issuer_that_the_ca_revokes_is_none_any_more(void **state)
{
    struct papers *papers;
    struct twin a, b;
    (void)state;
    start_with_papers(&a, &b, &papers);
    json_decref(result_of(&a, command_with("take_issuer", "certificate", papers->issuer)));
    is_refused(&a, command_with("revoke", "member", b.id), "only the network's CA revokes one");
    is_refused(&a, command_with("revocation", "member", a.id), "that is this node itself");
    is_refused(&a, command_with("revocation", "member", "rome"), "no member has that name");
    holds_list(&a, b.id, true, NULL);
    is_refused(&a, command("take_revoked"), "take_revoked: no list");
    is_refused(&a, command_with("take_revoked", "list", "!"), "take_revoked: no list");
    is_refused(&a, command_with("take_revoked", "list", "AAAA"), "take_revoked: the list");
    has_issuers(&a, 2);
    json_decref(result_of(&a, command_with("take_revoked", "list", papers->revoked)));
    holds_list(&a, b.id, false, papers->revoked);
    has_issuers(&a, 1);
    is_refused(&a, command_with("take_revoked", "list", papers->revoked), "take_revoked: the list");
    is_refused(&a, command_with("take_issuer", "certificate", papers->issuer),
               "take_issuer: the certificate");
    stop_with_papers(&a, &b, papers);
}

static void node_without_a_network_takes_nothing(void **state)
{
    static const char *const commands[] = {"issuers",      "promotion", "take_issuer", "revocation",
                                           "take_revoked", "members",   "log",         "revoke"};
    static const char *const of_issuers[] = {"invite", "invites", "approve", "revoke_invitation"};
    struct twin a;
    (void)state;
    twin_init(&a, "site-a", 1);
    twin_start(&a, NULL, NULL, NULL);
    assert_true(twin_runs(&a));
    for (unsigned i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        is_refused(&a, command(commands[i]), "in no network");
    for (unsigned i = 0; i < sizeof(of_issuers) / sizeof(*of_issuers); i++)
        is_refused(&a, command(of_issuers[i]), "no issuer of a network");
    twin_fini(&a);
}

/* ---- certificates that grow old ---- */

static void old_certificates_are_renewed_at_once(void **state)
{
    struct twin a, b;
    char at[ID_TEXT_MAX + 32];
    (void)state;
    twin_init(&a, "site-a", 1);
    twin_init(&b, "site-b", 2);
    start_issuer_of(&(struct plan){.first = &a, .second = &b, .age_s = 20 * DAY_S}, &a);
    twin_wait_log(&a, "this node's certificate is renewed, for 30 days");
    twin_start(&b, FLAGS(NETWORK, "-dns", "off", "-connect", twin_at(&a, at, sizeof(at))), NULL, NULL);
    twin_wait_log(&b, "this node's certificate is renewed, for 30 days");
    assert_int_equal(twin_end(&b, SIGTERM), 0);
    twin_start(&b, FLAGS(NETWORK, "-dns", "off", "-connect", at), NULL, NULL);
    wait_connected(&b, &a);
    assert_false(twin_log_has(&b, "is renewed")); /* it is on disk */
    twin_fini(&b);
    twin_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_is_listed_with_what_was_wished),
        cmocka_unit_test(token_that_is_revoked_stays_in_the_list),
        cmocka_unit_test(whom_the_ca_promotes_is_listed_and_logged),
        cmocka_unit_test(issuer_that_the_ca_revokes_is_none_any_more),
        cmocka_unit_test(node_without_a_network_takes_nothing),
        cmocka_unit_test(old_certificates_are_renewed_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
