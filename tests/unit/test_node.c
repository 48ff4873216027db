/* SPDX-License-Identifier: Apache-2.0 */
/* Whole nodes, as people run them: from flags to frames, log lines and answers of the API, and to the end. */

#include "node_pair.h"

#include "base/clock.h"
#include "node/data/worker.h"
#include "proto/mesh/mesh.h"
#include "proto/mesh/mesh_outputs.h"
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

static void frames_cross_both_ways_and_addresses_are_learned(void **state)
{
    struct pair p;
    uint8_t frame[FRAME_LEN];
    (void)state;
    start_pair(&p);
    make_frame(frame, NULL, p.a.device->mac, 1);
    carry(&p.a, &p.b, frame);
    make_frame(frame, p.a.device->mac, p.b.device->mac, 2);
    carry(&p.b, &p.a, frame);
    json_t *answer = twin_ask(&p.b, json_pack("{s:s}", "cmd", "fdb")), *entry;
    bool found = false;
    size_t i;
    json_array_foreach(json_object_get(json_object_get(answer, "result"), "entries"), i, entry)
    {
        const char *peer = json_string_value(json_object_get(entry, "peer_name"));
        found = found || (peer && strcmp(peer, "site-a") == 0);
    }
    assert_true(found);
    json_decref(answer);
    stop_pair(&p);
}

static void first_frames_are_shown(void **state)
{
    struct pair p;
    uint8_t frame[FRAME_LEN];
    (void)state;
    start_pair(&p);
    for (uint8_t i = 0; i < 7; i++) {
        make_frame(frame, NULL, p.a.device->mac, i);
        carry(&p.a, &p.b, frame);
    }
    twin_wait_log(&p.a, "only the first 5 frames of each direction are shown: -v shows more");
    twin_wait_log(&p.b, "only the first 5 frames of each direction are shown: -v shows more");
    stop_pair(&p);
}

static void verbose_node_tells_each_frame(void **state)
{
    struct pair p;
    uint8_t frame[FRAME_LEN];
    (void)state;
    start_pair_with(&p, "-v", NULL);
    make_frame(frame, NULL, p.a.device->mac, 1);
    carry_at_last(&p.a, &p.b, frame);
    twin_wait_log(&p.a, "TAP→P2P: EthernetFrame[dst=ff:ff:ff:ff:ff:ff");
    twin_wait_log(&p.b, "P2P→TAP: EthernetFrame[dst=ff:ff:ff:ff:ff:ff");
    stop_pair(&p);
}

/* ---- the API ---- */

static json_t *only_peer(json_t *status)
{
    json_t *peers = json_object_get(status, "peers");
    assert_int_equal(json_array_size(peers), 1);
    return json_array_get(peers, 0);
}

static void assert_text(const json_t *object, const char *key, const char *text)
{
    const char *value = json_string_value(json_object_get(object, key));
    assert_non_null(value);
    assert_string_equal(value, text);
}

static void status_tells_the_node_and_its_peer(void **state)
{
    struct pair p;
    uint8_t frame[FRAME_LEN];
    (void)state;
    start_pair(&p);
    make_frame(frame, NULL, p.a.device->mac, 1);
    carry(&p.a, &p.b, frame);
    json_t *status = twin_status(&p.a), *peer = only_peer(status);
    assert_text(status, "id", p.a.id);
    assert_text(status, "name", "site-a");
    assert_text(json_object_get(status, "addresses") ? status : NULL, "device", "twin");
    assert_text(peer, "id", p.b.id);
    assert_text(peer, "state", "connected");
    assert_text(json_object_get(peer, "path"), "kind", "direct");
    json_t *frames = json_object_get(status, "frames");
    assert_int_equal(json_integer_value(json_object_get(frames, "from_device")), 1);
    assert_int_equal(json_integer_value(json_object_get(frames, "bytes_from_device")), FRAME_LEN);
    assert_true(json_integer_value(json_object_get(peer, "tx_bytes")) >= FRAME_LEN);
    assert_true(json_is_null(json_object_get(status, "backbone")));
    assert_true(json_is_null(json_object_get(status, "sandbox")));
    assert_true(json_is_array(json_object_get(status, "offloads")));
    assert_int_equal(p.a.device->peer_addresses, 1);
    json_decref(status);
    stop_pair(&p);
}

static void assert_refused(const struct twin *t, json_t *request, const char *part)
{
    json_t *answer = twin_ask(t, request);
    const char *error = json_string_value(json_object_get(answer, "error"));
    assert_true(json_is_false(json_object_get(answer, "ok")));
    assert_non_null(error);
    if (!strstr(error, part))
        fail_msg("\"%s\" has no \"%s\"", error, part);
    json_decref(answer);
}

static void ping_is_answered_or_says_why_not(void **state)
{
    struct pair p;
    (void)state;
    start_pair(&p);
    json_t *answer = twin_ask(&p.a, json_pack("{s:s,s:s}", "cmd", "ping", "peer", "site-b"));
    json_t *result = json_object_get(answer, "result");
    assert_text(result, "peer_id", p.b.id);
    assert_true(json_integer_value(json_object_get(result, "rtt_us")) > 0);
    json_decref(answer);
    assert_refused(&p.a, json_pack("{s:s}", "cmd", "ping"), "needs a peer");
    assert_refused(&p.a, json_pack("{s:s,s:s}", "cmd", "ping", "peer", "nobody"), "no peer is called nobody");
    assert_refused(&p.a, json_pack("{s:s}", "cmd", "dance"), "no such command: dance");
    assert_int_equal(twin_end(&p.b, SIGTERM), 0);
    twin_wait_log(&p.a, "disconnected");
    assert_refused(&p.a, json_pack("{s:s,s:s}", "cmd", "ping", "peer", "site-b"), "is not connected");
    assert_int_equal(twin_end(&p.a, SIGTERM), 0);
    twin_fini(&p.a);
    twin_fini(&p.b);
}

static void assert_changed(const struct twin *t, json_t *request, bool lasting, const char *note)
{
    json_t *answer = twin_ask(t, request), *result = json_object_get(answer, "result");
    assert_true(json_is_true(json_object_get(answer, "ok")));
    assert_int_equal(json_is_true(json_object_get(result, "lasting")), lasting);
    if (!strstr(json_string_value(json_object_get(result, "note")), note))
        fail_msg("%s", json_string_value(json_object_get(result, "note")));
    json_decref(answer);
}

static json_t *change(const char *verb, const struct twin *peer)
{
    return json_pack("{s:s, s:s}", "cmd", verb, "id", peer->id);
}

static json_t *connect_at(const struct twin *peer)
{
    char host[32];
    snprintf(host, sizeof(host), "127.0.0.1:%u", peer->control_port);
    return json_pack("{s:s, s:s, s:[s]}", "cmd", "connect", "id", peer->id, "addresses", host);
}

/* Its only peer. */
static void wait_state(struct twin *t, const char *state)
{
    uint64_t until_us = clock_monotonic_us() + DEADLINE_US;
    for (bool there = false; !there; poll(NULL, 0, 20)) {
        json_t *status = twin_status(t), *peer = json_array_get(json_object_get(status, "peers"), 0);
        const char *now = json_string_value(json_object_get(peer, "state"));
        there = strcmp(now ? now : "none", state) == 0;
        if (!there && clock_monotonic_us() > until_us)
            fail_msg("%s is %s and not %s", t->name, now, state);
        json_decref(status);
    }
}

static void peers_are_taken_off_and_put_on_the_lists_of_running_nodes(void **state)
{
    (void)state;
    struct pair p;
    char line[96];
    start_pair(&p);
    assert_changed(&p.b, change("disallow", &p.a), false, "take its -allow and -connect out of the flags");
    snprintf(line, sizeof(line), "disallow %s: by user %lu, process %ld", p.a.id, (unsigned long)getuid(),
             (long)getpid());
    twin_wait_log(&p.b, line);
    twin_wait_log(&p.b, "disconnected: it is admitted no longer");
    twin_wait_log(&p.a, "disconnected: it admits us no longer");
    twin_wait_log(&p.a, "refused us: your id was taken off my lists");
    wait_state(&p.a, "refused");
    wait_state(&p.b, "disallowed");
    assert_changed(&p.b, change("allow", &p.a), true, "is among its flags");
    wait_state(&p.a, "connected");
    assert_changed(&p.a, change("disconnect", &p.b), false, "take its -connect out of the flags");
    twin_wait_log(&p.b, "disconnected: it was told to disconnect");
    wait_state(&p.a, "none");
    assert_refused(&p.a, change("disconnect", &p.b), "this node does not dial it");
    assert_changed(&p.a, connect_at(&p.b), true, "it is among its -connect flags");
    wait_state(&p.a, "connected");
    stop_pair(&p);
}

static void change_that_is_wrong_changes_nothing(void **state)
{
    (void)state;
    struct twin a, b;
    twin_init(&a, "site-a", 1);
    twin_init(&b, "site-b", 2);
    twin_start(&a, FLAGS("-public"), NULL, NULL);
    twin_wait_log(&a, "are sealed with");
    assert_refused(&a, json_pack("{s:s}", "cmd", "allow"), "no id");
    assert_refused(&a, json_pack("{s:s, s:s}", "cmd", "disallow", "id", "abc"), "no node id");
    static const char *const verbs[] = {"allow", "disallow"};
    for (unsigned i = 0; i < 2; i++)
        assert_refused(&a, change(verbs[i], &a), "that id is this node's own");
    assert_refused(&a, json_pack("{s:s, s:s, s:s}", "cmd", "connect", "id", b.id, "addresses", "x"),
                   "a list of at most");
    assert_refused(&a, json_pack("{s:s, s:s, s:[i]}", "cmd", "connect", "id", b.id, "addresses", 1),
                   "no host");
    json_t *status = twin_status(&a);
    assert_int_equal(json_array_size(json_object_get(status, "peers")), 0);
    json_decref(status);
    assert_false(twin_log_has(&a, ": by user "));
    assert_changed(&a, change("disallow", &b), false, "-public admits all");
    assert_int_equal(twin_end(&a, SIGTERM), 0);
    twin_fini(&a);
    twin_fini(&b);
}

static void peer_has_hosts_enough_and_not_more(void **state)
{
    (void)state;
    struct twin a, b;
    twin_init(&a, "site-a", 1);
    twin_init(&b, "site-b", 2);
    twin_start(&a, FLAGS(NULL), NULL, NULL);
    twin_wait_log(&a, "are sealed with");
    for (int round = 0; round < 2; round++) /* the same ones again are no more */
        assert_changed(&a,
                       json_pack("{s:s, s:s, s:[ssssssss]}", "cmd", "connect", "id", b.id, "addresses",
                                 "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:4", "127.0.0.1:5",
                                 "127.0.0.1:6", "127.0.0.1:7", "[::1]:8"),
                       false, "makes it last");
    assert_refused(&a, connect_at(&b), "at most 8 hosts of one peer");
    assert_changed(&a, change("disconnect", &b), true, "no -connect names it");
    assert_changed(&a, connect_at(&b), false, "makes it last");
    assert_int_equal(twin_end(&a, SIGTERM), 0);
    twin_fini(&a);
    twin_fini(&b);
}

static void ping_of_a_peer_that_froze_is_told_after_two_seconds(void **state)
{
    struct pair p;
    (void)state;
    start_pair(&p);
    kill(p.b.pid, SIGSTOP);
    assert_refused(&p.a, json_pack("{s:s,s:s}", "cmd", "ping", "peer", "site-b"), "no answer within 2 s");
    kill(p.b.pid, SIGCONT);
    stop_pair(&p);
}

/* ---- peers come and go ---- */

static void node_that_ends_is_gone_for_its_peer_at_once(void **state)
{
    struct pair p;
    (void)state;
    start_pair(&p);
    assert_int_equal(twin_end(&p.a, SIGINT), 0);
    assert_true(twin_log_has(&p.a, "SIGINT: stopping"));
    twin_wait_log(&p.b, "disconnected");
    json_t *status = twin_status(&p.b);
    assert_int_equal(json_array_size(json_object_get(status, "peers")), 0);
    assert_int_equal(p.b.device->peer_addresses, 0);
    json_decref(status);
    assert_int_equal(twin_end(&p.b, SIGTERM), 0);
    twin_fini(&p.a);
    twin_fini(&p.b);
}

/* ---- a record that comes in the node's last round ---- */

static bool record_comes_last; /* in a node's process alone */

void __real_mesh_shutdown(struct mesh *m, uint64_t now_us);
void __wrap_mesh_shutdown(struct mesh *m, uint64_t now_us);

void __wrap_mesh_shutdown(struct mesh *m, uint64_t now_us)
{
    static const uint8_t data[100], signature[IDENTITY_SIGNATURE_LEN];
    const struct record_bytes record = {{data, sizeof(data)}, {signature, sizeof(signature)}};
    if (record_comes_last && mesh_verify(m, &record))
        abort();
    __real_mesh_shutdown(m, now_us);
}

static void let_record_come_last(void *context)
{
    record_comes_last = *(const bool *)context;
}

static void node_that_stops_with_a_record_to_verify_still_says_goodbye(void **state)
{
    char at[ID_TEXT_MAX + 32];
    bool last = true;
    struct pair p;
    (void)state;
    twin_init(&p.a, "site-a", 1);
    twin_init(&p.b, "site-b", 2);
    twin_start(&p.b, FLAGS("-allow", p.a.id), NULL, NULL);
    twin_wait_log(&p.b, "are sealed with");
    twin_start(&p.a, FLAGS("-connect", twin_at(&p.b, at, sizeof(at))), let_record_come_last, &last);
    wait_connected(&p.a, &p.b);
    wait_connected(&p.b, &p.a);
    assert_int_equal(twin_end(&p.a, SIGTERM), 0);
    twin_wait_log(&p.b, "disconnected");
    assert_int_equal(twin_end(&p.b, SIGTERM), 0);
    twin_fini(&p.a);
    twin_fini(&p.b);
}

static void node_that_comes_back_is_connected_again(void **state)
{
    struct pair p;
    uint8_t frame[FRAME_LEN];
    char at[ID_TEXT_MAX + 32];
    (void)state;
    start_pair(&p);
    assert_int_equal(twin_end(&p.a, SIGKILL), 128 + SIGKILL);
    twin_start(&p.a, FLAGS("-connect", twin_at(&p.b, at, sizeof(at))), NULL, NULL);
    wait_connected(&p.a, &p.b);
    make_frame(frame, NULL, p.a.device->mac, 1);
    carry_at_last(&p.a, &p.b, frame);
    stop_pair(&p);
}

static void stranger_is_refused_and_both_sides_say_so(void **state)
{
    struct twin a, b;
    char at[ID_TEXT_MAX + 32];
    (void)state;
    twin_init(&a, "site-a", 1);
    twin_init(&b, "site-b", 2);
    twin_start(&b, NULL, NULL, NULL);
    twin_wait_log(&b, "are sealed with");
    twin_start(&a, FLAGS("-connect", twin_at(&b, at, sizeof(at))), NULL, NULL);
    twin_wait_log(&a, "refused us");
    twin_wait_log(&b, "refused, at 127.0.0.1");
    assert_int_equal(twin_end(&a, SIGTERM), 0);
    assert_int_equal(twin_end(&b, SIGTERM), 0);
    twin_fini(&a);
    twin_fini(&b);
}

static void keys_are_renewed_while_frames_pass(void **state)
{
    struct pair p;
    uint8_t frame[FRAME_LEN];
    uint64_t until_us = clock_monotonic_us() + DEADLINE_US;
    bool renewed = false;
    (void)state;
    start_pair_with(&p, "-test-ratchet-seconds", "1");
    for (uint8_t i = 0; !renewed && clock_monotonic_us() < until_us; i++) {
        json_t *status = twin_status(&p.a);
        renewed = json_integer_value(json_object_get(only_peer(status), "ratchets")) > 0;
        json_decref(status);
        make_frame(frame, NULL, p.a.device->mac, i);
        carry(&p.a, &p.b, frame);
        poll(NULL, 0, 50);
    }
    assert_true(renewed);
    stop_pair(&p);
}

static void peer_is_found_by_a_name_of_its_host(void **state)
{
    struct twin a, b;
    char at[ID_TEXT_MAX + 32];
    (void)state;
    twin_init(&a, "site-a", 1);
    twin_init(&b, "site-b", 2);
    twin_start(&b, FLAGS("-allow", a.id), NULL, NULL);
    twin_wait_log(&b, "are sealed with");
    snprintf(at, sizeof(at), "%s@localhost:%u", b.id, b.control_port);
    twin_start(&a, FLAGS("-connect", at), NULL, NULL);
    wait_connected(&a, &b);
    assert_int_equal(twin_end(&a, SIGTERM), 0);
    assert_int_equal(twin_end(&b, SIGTERM), 0);
    twin_fini(&a);
    twin_fini(&b);
}

static void change_of_the_network_does_no_harm(void **state)
{
    struct pair p;
    uint8_t frame[FRAME_LEN];
    (void)state;
    start_pair(&p);
    p.a.device->underlay_max = 1400;
    twin_network_changed(&p.a);
    p.b.device->candidates_withheld = true;
    twin_network_changed(&p.b);
    json_decref(twin_status(&p.a));
    for (uint8_t i = 0; i < 3; i++) {
        make_frame(frame, NULL, p.b.device->mac, i);
        carry_at_last(&p.b, &p.a, frame);
    }
    stop_pair(&p);
}

/* Three nodes: c claims what b announced. */
static void address_of_another_peer_is_not_believed(void **state)
{
    struct twin hub, b, c;
    char at[ID_TEXT_MAX + 32];
    uint8_t frame[FRAME_LEN];
    (void)state;
    twin_init(&hub, "hub", 1);
    twin_init(&b, "site-b", 2);
    twin_init(&c, "site-c", 3);
    twin_start(&hub, FLAGS("-allow", b.id, "-allow", c.id), NULL, NULL);
    twin_wait_log(&hub, "are sealed with");
    twin_start(&b, FLAGS("-connect", twin_at(&hub, at, sizeof(at))), NULL, NULL);
    twin_start(&c, FLAGS("-connect", at), NULL, NULL);
    wait_connected(&hub, &b);
    wait_connected(&hub, &c);
    wait_connected(&c, &hub);
    make_frame(frame, NULL, b.device->mac, 1);
    twin_send_frame(&c, frame, FRAME_LEN);
    twin_wait_log(&hub, "which announced it: dropped; look for a loop or a forger there");
    json_t *status = twin_status(&hub);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(status, "drops"), "pinned")), 1);
    json_decref(status);
    assert_int_equal(twin_end(&hub, SIGTERM), 0);
    twin_fini(&hub);
    twin_fini(&b);
    twin_fini(&c);
}

/* ---- starts that fail, and ends ---- */

static void removed_device_ends_the_node_without_a_fault(void **state)
{
    struct pair p;
    (void)state;
    start_pair(&p);
    twin_remove_device(&p.a);
    twin_wait_log(&p.a, "device twin was removed: stopping");
    assert_int_equal(twin_end(&p.a, 0), 0);
    twin_wait_log(&p.b, "disconnected");
    assert_int_equal(twin_end(&p.b, SIGTERM), 0);
    twin_fini(&p.a);
    twin_fini(&p.b);
}

static void assert_start_fails(struct twin *t, const char *const *flags, const char *line)
{
    char socket[128];
    twin_start(t, flags, NULL, NULL);
    twin_wait_log(t, line);
    assert_int_equal(twin_end(t, 0), 1);
    snprintf(socket, sizeof(socket), "%.40s/%.40s.sock", t->dir, t->id);
    assert_int_not_equal(access(socket, F_OK), 0);
}

static void start_that_fails_says_why_and_leaves_nothing(void **state)
{
    struct twin a, b;
    char text[24];
    (void)state;
    twin_init(&a, "site-a", 1);
    twin_init(&b, "site-b", 2);
    twin_start(&b, NULL, NULL, NULL);
    twin_wait_log(&b, "are sealed with");
    snprintf(text, sizeof(text), "%u", b.port);
    assert_start_fails(&a, FLAGS("-port", text), "in use by another program; -port N takes another");
    snprintf(text, sizeof(text), "%u", b.control_port);
    assert_start_fails(&a, FLAGS("-control-port", text),
                       "in use by another program; -control-port N takes another");
    assert_start_fails(&a, FLAGS("-connect", a.id), "that id is our own: name the other node's");
    a.device->fails = true;
    twin_start(&a, NULL, NULL, NULL);
    assert_int_equal(twin_end(&a, 0), 1);
    assert_int_equal(twin_end(&b, SIGTERM), 0);
    twin_fini(&a);
    twin_fini(&b);
}

static void second_process_of_a_key_names_the_first(void **state)
{
    struct twin a, again;
    char pid[48];
    (void)state;
    twin_init(&a, "site-a", 1);
    twin_start(&a, NULL, NULL, NULL);
    twin_wait_log(&a, "are sealed with");
    again = a;
    again.log = -1;
    snprintf(pid, sizeof(pid), "runs already, as process %ld", (long)a.pid);
    twin_start(&again, NULL, NULL, NULL);
    twin_wait_log(&again, pid);
    assert_int_equal(twin_end(&again, 0), 1);
    close(again.log);
    json_decref(twin_status(&a));
    assert_int_equal(twin_end(&a, SIGTERM), 0);
    twin_fini(&a);
}

static void allow_few_files(void *context)
{
    const struct rlimit few = {744, 744};
    (void)context;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
}

static void few_files_make_few_peers(void **state)
{
    struct twin a;
    (void)state;
    twin_init(&a, "site-a", 1);
    twin_start(&a, NULL, allow_few_files, NULL);
    twin_wait_log(&a, "only 744 files may be open: at most 44 peers instead of 4096");
    twin_wait_log(&a, "are sealed with");
    assert_int_equal(twin_end(&a, SIGTERM), 0);
    twin_fini(&a);
}

static void openssl_alone_seals_when_told(void **state)
{
    struct twin t;
    (void)state;
    twin_init(&t, "site-a", 1);
    twin_start(&t, FLAGS("-cipher-library", "openssl"), NULL, NULL);
    twin_wait_log(&t, " by OpenSSL 3");
    assert_int_equal(twin_end(&t, SIGTERM), 0);
    twin_fini(&t);
}

static void profile_is_logged(void **state)
{
    struct pair p;
    uint8_t frame[FRAME_LEN];
    (void)state;
    start_pair_with(&p, "-profile", NULL);
    make_frame(frame, NULL, p.a.device->mac, 1);
    carry_at_last(&p.a, &p.b, frame);
    twin_wait_log(&p.a, "[PROFILE-");
    stop_pair(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_cross_both_ways_and_addresses_are_learned),
        cmocka_unit_test(first_frames_are_shown),
        cmocka_unit_test(verbose_node_tells_each_frame),
        cmocka_unit_test(status_tells_the_node_and_its_peer),
        cmocka_unit_test(ping_is_answered_or_says_why_not),
        cmocka_unit_test(peers_are_taken_off_and_put_on_the_lists_of_running_nodes),
        cmocka_unit_test(change_that_is_wrong_changes_nothing),
        cmocka_unit_test(peer_has_hosts_enough_and_not_more),
        cmocka_unit_test(ping_of_a_peer_that_froze_is_told_after_two_seconds),
        cmocka_unit_test(node_that_ends_is_gone_for_its_peer_at_once),
        cmocka_unit_test(node_that_stops_with_a_record_to_verify_still_says_goodbye),
        cmocka_unit_test(node_that_comes_back_is_connected_again),
        cmocka_unit_test(stranger_is_refused_and_both_sides_say_so),
        cmocka_unit_test(keys_are_renewed_while_frames_pass),
        cmocka_unit_test(peer_is_found_by_a_name_of_its_host),
        cmocka_unit_test(change_of_the_network_does_no_harm),
        cmocka_unit_test(address_of_another_peer_is_not_believed),
        cmocka_unit_test(removed_device_ends_the_node_without_a_fault),
        cmocka_unit_test(start_that_fails_says_why_and_leaves_nothing),
        cmocka_unit_test(second_process_of_a_key_names_the_first),
        cmocka_unit_test(few_files_make_few_peers),
        cmocka_unit_test(openssl_alone_seals_when_told),
        cmocka_unit_test(profile_is_logged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
