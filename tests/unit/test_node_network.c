/* SPDX-License-Identifier: Apache-2.0 */
/* Whole nodes of one network: an issuer, who joins by its tokens, and what people ask of them by the API. */

#include "node_network_lab.h"

#include <stdlib.h>

static void join(struct twin *t, const char *name, uint8_t host, const char *token, const char *dns)
{
    int dir;
    twin_init(t, name, host);
    assert_int_equal(folder_open(t->dir, &dir), 0);
    assert_int_equal(folder_write(dir, "join.token", OWN_FILE_PRIVATE, token, strlen(token)), 0);
    close(dir);
    twin_start(t, FLAGS(NETWORK, "-dns", dns), NULL, NULL);
    assert_true(twin_runs(t));
}

/* Rosters are signed and told at the next tick. */
static void wait_members(const struct twin *t, size_t count)
{
    uint64_t until_us = clock_monotonic_us() + DEADLINE_US;
    for (size_t got = SIZE_MAX; got != count; poll(NULL, 0, 20)) {
        json_t *members = result_of(t, json_pack("{s:s}", "cmd", "members"));
        got = json_array_size(json_object_get(members, "entries"));
        json_decref(members);
        if (clock_monotonic_us() > until_us)
            fail_msg("%s: %zu members", t->name, got);
    }
}

static json_t *invitation(const struct twin *a, json_t *request, char token[4096])
{
    json_t *made = result_of(a, request);
    text_of(made, "token", token, 4096);
    assert_memory_equal(token, "sm1:", 4);
    return made;
}

/* The log has such a change of that member, asked for by somebody of whom that is said. */
static bool is_logged(const struct twin *t, const char *change, const char *name, const char *by)
{
    json_t *log = result_of(t, json_pack("{s:s}", "cmd", "log")), *entry;
    bool found = false;
    size_t i;
    json_array_foreach(json_object_get(log, "entries"), i, entry)
    {
        const char *whose = json_string_value(json_object_get(entry, "name"));
        found |= strcmp(json_string_value(json_object_get(entry, "change")), change) == 0 &&
                 strcmp(whose, name) == 0 && strstr(json_string_value(json_object_get(entry, "by")), by) &&
                 strcmp(json_string_value(json_object_get(entry, "signer")), "site-a") == 0;
    }
    json_decref(log);
    return found;
}

static json_t *member_named(const struct twin *t, const char *name)
{
    json_t *members = result_of(t, json_pack("{s:s}", "cmd", "members")), *entry, *found = NULL;
    size_t i;
    json_array_foreach(json_object_get(members, "entries"), i, entry)
    {
        if (strcmp(json_string_value(json_object_get(entry, "name")), name) == 0)
            found = json_incref(entry);
    }
    json_decref(members);
    return found;
}

/* It comes behind the session. */
static void wait_version(const struct twin *t, const char *name)
{
    uint64_t until_us = clock_monotonic_us() + DEADLINE_US;
    for (bool known = false; !known; poll(NULL, 0, 20)) {
        json_t *member = member_named(t, name);
        const char *version = json_string_value(json_object_get(member, "version"));
        known = version && strcmp(version, SHADOWMESH_VERSION) == 0;
        if (known) {
            json_t *features = json_object_get(member, "features");
            assert_int_equal(json_array_size(json_object_get(features, "lacks")), 0);
            assert_true(json_integer_value(json_object_get(member, "issued")) > 0);
            assert_true(llabs(json_integer_value(json_object_get(member, "clock_ahead_s"))) < 60);
        }
        json_decref(member);
        if (clock_monotonic_us() > until_us)
            fail_msg("%s does not know what %s runs", t->name, name);
    }
}

/* ---- tests ---- */

static void node_joins_by_a_token_is_listed_and_shut_out(void **state)
{
    struct twin a, b;
    char token[4096];
    (void)state;
    start_issuer(&a);
    json_decref(
        invitation(&a, json_pack("{s:s, s:[s, s]}", "cmd", "invite", "roles", "relay", "gateway"), token));
    join(&b, "site-b", 2, token, "resolved");
    wait_network(&b, "state", "member");
    wait_connected(&b, &a);
    wait_members(&a, 2);
    wait_members(&b, 2);
    wait_version(&a, "site-b");
    wait_version(&b, "site-a");
    assert_true(is_logged(&a, "joined", "site-b", "token "));
    is_refused(&b, json_pack("{s:s}", "cmd", "log"), "ask at one, which is site-a");
    json_decref(result_of(&a, json_pack("{s:s, s:s}", "cmd", "promotion", "member", "site-b")));
    is_refused(&a, json_pack("{s:s, s:s}", "cmd", "promotion", "member", "site-x"),
               "no member has that name");
    is_refused(&b, json_pack("{s:s, s:s}", "cmd", "revoke", "member", "site-a"), "no issuer");
    is_refused(&a, json_pack("{s:s, s:s}", "cmd", "revoke", "member", "site-a"), "this node itself");
    is_refused(&a, json_pack("{s:s, s:s}", "cmd", "revoke", "member", "site-x"), "no member has that name");
    json_decref(result_of(&a, json_pack("{s:s, s:s}", "cmd", "revoke", "member", "site-b")));
    assert_true(is_logged(&a, "revoked", "site-b", "user "));
    is_refused(&a, json_pack("{s:s, s:s}", "cmd", "revoke", "member", b.id), "revoked");
    twin_wait_log(&b, "revoked");
    assert_int_equal(twin_end(&b, SIGTERM), 0);
    assert_int_equal(twin_end(&a, SIGTERM), 0);
    twin_fini(&a);
    twin_fini(&b);
}

static void joining_waits_for_a_person_where_the_token_says_so(void **state)
{
    struct twin a, b;
    char token[4096];
    (void)state;
    start_issuer(&a);
    json_decref(
        invitation(&a, json_pack("{s:s, s:s, s:b}", "cmd", "invite", "name", "paris", "approve", 1), token));
    join(&b, "site-b", 2, token, "off");
    wait_network(&b, "step", "approval");
    is_refused(&a, json_pack("{s:s, s:s}", "cmd", "approve", "who", "rome"), "nobody waits");
    json_t *open = result_of(&a, json_pack("{s:s}", "cmd", "invites"));
    assert_int_equal(json_array_size(json_object_get(open, "waiting")), 1);
    json_decref(open);
    json_decref(result_of(&a, json_pack("{s:s, s:s}", "cmd", "approve", "who", b.id)));
    wait_network(&b, "state", "member");
    twin_wait_log(&a, "paris");
    assert_int_equal(twin_end(&b, SIGTERM), 0);
    twin_start(&b, FLAGS(NETWORK, "-dns", "off"), NULL, NULL);
    assert_true(twin_runs(&b));
    wait_network(&b, "state", "member");
    twin_fini(&b);
    twin_fini(&a);
}

static void token_that_was_revoked_joins_nobody(void **state)
{
    struct twin a, b;
    char token[4096], number[64];
    (void)state;
    start_issuer(&a);
    json_t *made = invitation(&a, json_pack("{s:s}", "cmd", "invite"), token);
    text_of(made, "number", number, sizeof(number));
    json_decref(made);
    is_refused(&a, json_pack("{s:s, s:s}", "cmd", "revoke_invitation", "number", "00000000"),
               "there is no token");
    json_decref(result_of(&a, json_pack("{s:s, s:s}", "cmd", "revoke_invitation", "number", number)));
    join(&b, "site-b", 2, token, "off");
    wait_network(&b, "state", "refused");
    twin_wait_log(&b, "cannot join");
    is_refused(&b, json_pack("{s:s}", "cmd", "invite"), "no issuer");
    is_refused(&b, json_pack("{s:s}", "cmd", "members"), "in no network");
    twin_fini(&b);
    twin_fini(&a);
}

static void wishes_that_make_no_sense_are_refused(void **state)
{
    static const struct {
        const char *key, *text;
        json_int_t number;
        const char *part;
    } cases[] = {
        {"name", "a b", 0, "is no name"},           {"uses", NULL, 0, "for 1 to"},
        {"uses", NULL, 100000000, "for 1 to"},      {"expires_s", NULL, 0, "90 days"},
        {"expires_s", NULL, 91 * 86400, "90 days"},
    };
    struct twin a;
    (void)state;
    start_issuer(&a);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        json_t *request = json_pack("{s:s}", "cmd", "invite");
        json_object_set_new(request, cases[i].key,
                            cases[i].text ? json_string(cases[i].text) : json_integer(cases[i].number));
        is_refused(&a, request, cases[i].part);
    }
    is_refused(&a, json_pack("{s:s, s:s, s:i}", "cmd", "invite", "name", "paris", "uses", 2), "for one node");
    is_refused(&a, json_pack("{s:s, s:[s]}", "cmd", "invite", "roles", "king"), "no such role");
    is_refused(&a, json_pack("{s:s, s:s}", "cmd", "take_issuer", "certificate", "AAAA"), "the certificate");
    is_refused(&a, json_pack("{s:s, s:s}", "cmd", "take_issuer", "certificate", "!"), "no certificate");
    twin_fini(&a);
}

static bool relays(const struct twin *t)
{
    json_t *status = twin_status(t);
    bool does = json_is_object(json_object_get(status, "relay"));
    json_decref(status);
    return does;
}

static void start_again(struct twin *t, const char *more)
{
    assert_int_equal(twin_end(t, SIGTERM), EXIT_SUCCESS);
    twin_start(t, FLAGS(NETWORK, "-dns", "off", more), NULL, NULL);
    assert_true(twin_runs(t));
}

static void member_with_the_role_relays_from_its_next_start_on(void **state)
{
    struct twin a, b;
    char token[4096];
    (void)state;
    start_issuer(&a);
    json_decref(invitation(&a, json_pack("{s:s, s:[s]}", "cmd", "invite", "roles", "relay"), token));
    join(&b, "site-b", 2, token, "off");
    wait_network(&b, "state", "member");
    twin_wait_log(&b, "relays for its members from its next start on");
    assert_false(relays(&b) || relays(&a));
    start_again(&b, NULL);
    assert_true(relays(&b));
    start_again(&b, "-relay=false");
    assert_false(relays(&b));
    twin_fini(&b);
    twin_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(node_joins_by_a_token_is_listed_and_shut_out),
        cmocka_unit_test(joining_waits_for_a_person_where_the_token_says_so),
        cmocka_unit_test(token_that_was_revoked_joins_nobody),
        cmocka_unit_test(wishes_that_make_no_sense_are_refused),
        cmocka_unit_test(member_with_the_role_relays_from_its_next_start_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
