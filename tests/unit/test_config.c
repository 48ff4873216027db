/* SPDX-License-Identifier: Apache-2.0 */
/* The flags of shadowmesh-l2: what is read, and what is refused with which words. */
#include "node/config/config.h"

#include "net/sandbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ID_1 "0123456789abcdef0123456789abcdef01234567"
#define ID_2 "0123456789abcdef0123456789abcdef01234568"

#define WORDS_MAX 1100

static struct config config;
static char printed[16384]; /* on stdout or stderr */

/* Parses the words of a NULL-terminated list, with the stream caught in printed. */
static enum flags_result parse_words(FILE *stream, const char *const *words)
{
    static const char *argv[WORDS_MAX]; /* as main's it stays */
    int argc = 0, fd = fileno(stream), pipe_fds[2];
    for (; words[argc]; argc++) {
        assert_true(argc < WORDS_MAX - 1);
        argv[argc] = words[argc];
    }
    argv[argc] = NULL;
    fflush(stream);
    int saved = dup(fd);
    assert_return_code(pipe(pipe_fds), 0);
    dup2(pipe_fds[1], fd);
    close(pipe_fds[1]);
    enum flags_result result = config_parse(argc, (char **)argv, &config);
    fflush(stream);
    dup2(saved, fd);
    close(saved);
    ssize_t n = read(pipe_fds[0], printed, sizeof(printed) - 1);
    printed[n > 0 ? n : 0] = '\0';
    close(pipe_fds[0]);
    return result;
}

#define parse(...)                                                                                           \
    parse_words(stderr, (const char *const[]){"shadowmesh-l2", __VA_ARGS__ __VA_OPT__(, ) NULL})

/* The flags are refused, in one line that contains words. */
#define assert_refused(words, ...)                                                                           \
    do {                                                                                                     \
        assert_int_equal(parse(__VA_ARGS__), FLAGS_EXIT_USAGE);                                              \
        assert_int_equal(strncmp(printed, "shadowmesh-l2: ", 15), 0);                                        \
        assert_ptr_equal(strchr(printed, '\n'), printed + strlen(printed) - 1);                              \
        if (!strstr(printed, words))                                                                         \
            fail_msg("\"%s\" is not in: %s", words, printed);                                                \
    } while (0)

#define assert_taken(...)                                                                                    \
    do {                                                                                                     \
        if (parse(__VA_ARGS__) != FLAGS_RUN)                                                                 \
            fail_msg("refused: %s", printed);                                                                \
    } while (0)

static void nothing_given_leaves_documented_defaults(void **state)
{
    (void)state;
    assert_taken();
    assert_string_equal(config.keydir, "./keys");
    assert_string_equal(config.run_dir, "/run/shadowmesh");
    assert_int_equal(config.port, 9443);
    assert_int_equal(config.control_port, 8443);
    assert_int_equal(config.tap_mtu, 1500);
    assert_int_equal(config.tap_address.addr.family, 0);
    assert_int_equal(config.external.family, 0);
    assert_true(config.name[0]);
    assert_int_equal(config.ratchet_s | config.rehandshake_s | config.control_idle_s | config.quiet_s |
                         config.certificate_s,
                     0);
}

static void host_routes_are_allowed_by_address_or_turned_off(void **state)
{
    char text[ADDR_TEXT_MAX];
    (void)state;
    assert_taken("-host-route", "10.10.10.1", "-host-route", "off", "-host-route=fd00::1");
    assert_true(config.host_routes_off);
    assert_int_equal(config.host_route_count, 2);
    assert_string_equal(addr_format(&config.host_routes[0], text), "10.10.10.1");
    assert_string_equal(addr_format(&config.host_routes[1], text), "fd00::1");
    assert_refused("-host-route on", "-host-route", "on");
    assert_refused("-host-route 10.0.0.0/8", "-host-route", "10.0.0.0/8");
}

static void network_is_a_label(void **state)
{
    (void)state;
    assert_taken("-network", "home", "-name", "berlin");
    assert_string_equal(config.network, "home");
    assert_string_equal(config.called, "berlin");
    assert_refused("no name of a network", "-network", "../home");
    assert_refused("no name of a network", "-network", "Home");
    assert_refused("no name of a network", "-network", "");
}

static void reference_scenario_is_read(void **state)
{
    char text[ADDR_TEXT_MAX], id[ID_TEXT_MAX];
    (void)state;
    assert_taken("-keydir", "./k", "-backbone", "http://192.0.2.1:8080", "-ip", "203.0.113.7", "-port",
                 "9444", "-tap-ip", "10.10.10.3", "-tap-netmask", "24", "-connect", ID_1);
    assert_string_equal(config.keydir, "./k");
    assert_string_equal(config.backbones[0], "http://192.0.2.1:8080");
    assert_string_equal(addr_format(&config.external, text), "203.0.113.7");
    assert_int_equal(config.port, 9444);
    assert_string_equal(addr_prefix_format(&config.tap_address, text), "10.10.10.3/24");
    assert_int_equal(config.connect_count, 1);
    assert_string_equal(id_format(&config.connect[0].id, id), ID_1);
    assert_string_equal(config.connect[0].host, "");
    assert_false(config.is_public);
    assert_string_equal(printed, "");
}

static void every_spelling_of_a_flag_is_the_same(void **state)
{
    (void)state;
    assert_taken("--port", "1", "-control-port=2", "--tap-mtu=9000", "-public", "--v", "-profile=false",
                 "--generate-keys=true");
    assert_int_equal(config.port, 1);
    assert_int_equal(config.control_port, 2);
    assert_int_equal(config.tap_mtu, 9000);
    assert_true(config.is_public && config.verbose && config.generate_keys);
    assert_false(config.profile);
    assert_taken("-udp-port", "65535");
    assert_int_equal(config.port, 65535);
}

static void unknown_flag_is_refused_with_a_guess(void **state)
{
    (void)state;
    assert_refused("-tapip: did you mean -tap-ip?", "-tapip", "10.0.0.1");
    assert_refused("unknown flag -frobnicate", "--frobnicate=1");
    assert_refused("unknown flag -q", "-q");
    assert_refused("unexpected argument \"tap0\"", "tap0");
    assert_refused("unexpected argument \"-\"", "-");
    assert_refused("unknown flag -test-ratchet-second:", "-test-ratchet-second");
}

static void missing_value_is_refused(void **state)
{
    (void)state;
    assert_refused("-port needs a value: -port N", "-v", "-port");
    assert_refused("-public=maybe: is a switch: give it alone, or with =true or =false", "-public=maybe");
    assert_refused("-help=yes: is a switch", "--help=yes");
    assert_taken("--help=false", "-version=false");
}

static void ports_run_from_1_to_65535(void **state)
{
    static const char *const bad[] = {
        "0", "65536", "-1", "+1", " 1", "1 ", "", "0x10", "99999999999999999999", "http"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused("no port: give a number from 1 to 65535", "-port", bad[i]);
    assert_refused("no port", "-control-port", "0");
}

static void netmask_is_bits_or_dotted_and_contiguous(void **state)
{
    static const struct {
        const char *text;
        int bits;
    } good[] = {{"0", 0},
                {"8", 8},
                {"31", 31},
                {"32", 32},
                {"255.255.255.0", 24},
                {"255.255.254.0", 23},
                {"0.0.0.0", 0},
                {"255.255.255.255", 32}};
    static const char *const bad[] = {"33",        "-1",          "",   "24/", "255.0.255.0",
                                      "0.0.0.255", "255.255.255", "::", "24a", "255.255.255.0:80"};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_taken("-tap-netmask", good[i].text, "-tap-ip", "10.10.10.3");
        assert_int_equal(config.tap_address.bits, good[i].bits);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused("no netmask", "-tap-ip", "10.10.10.3", "-tap-netmask", bad[i]);
}

static void netmask_of_ipv6_is_bits(void **state)
{
    (void)state;
    assert_taken("-tap-ip", "fd00::3");
    assert_int_equal(config.tap_address.bits, 64);
    assert_taken("-tap-ip", "fd00::3", "-tap-netmask", "128");
    assert_int_equal(config.tap_address.bits, 128);
    assert_refused("0 to 128", "-tap-ip", "fd00::3", "-tap-netmask", "129");
    assert_refused("no netmask", "-tap-ip", "fd00::3", "-tap-netmask", "255.255.255.0");
}

static void netmask_may_be_in_the_address(void **state)
{
    (void)state;
    assert_taken("-tap-ip", "10.10.10.3/16");
    assert_int_equal(config.tap_address.bits, 16);
    assert_taken("-tap-ip", "10.10.10.3/16", "-tap-netmask", "255.255.0.0");
    assert_refused("/16 and -tap-netmask says /24", "-tap-ip", "10.10.10.3/16", "-tap-netmask", "24");
    assert_refused("no netmask", "-tap-ip", "10.10.10.3/");
}

static void netmask_alone_is_refused(void **state)
{
    (void)state;
    assert_refused("give -tap-ip too", "-tap", "tap0", "-tap-netmask", "24");
}

static void addresses_are_of_hosts(void **state)
{
    static const char *const bad[] = {
        "10.10.10", "10.10.10.256", "host",        "", "::g", "0.0.0.0", "::", "224.0.0.1", "255.255.255.255",
        "ff02::1",  "10.0.0.1:80",  "[fd00::1]:80"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(bad[i], "-ip", bad[i]);
        assert_refused(bad[i], "-tap-ip", bad[i]);
    }
    assert_refused("loopback", "-tap-ip", "127.0.0.1");
    assert_taken("-ip", "127.0.0.1");
    assert_refused("first or last address", "-tap-ip", "10.10.10.0");
    assert_refused("first or last address", "-tap-ip", "10.10.10.255");
    assert_taken("-tap-ip", "10.10.10.0", "-tap-netmask", "31");
    assert_taken("-tap-ip", "10.10.10.255", "-tap-netmask", "16");
}

static void a_device_is_a_tap_or_a_tun(void **state)
{
    (void)state;
    assert_taken("-tun", "auto", "-tap-ip", "10.0.0.1");
    assert_taken("-tun", "tun7");
    assert_string_equal(config.tun_name, "tun7");
    assert_refused("give it an address", "-tun", "auto");
    assert_refused("a node has one device", "-tun", "tun7", "-tap", "tap7");
    assert_refused("no name of a device", "-tun", "with space");
}

static void a_given_device_is_the_only_one_and_has_an_address(void **state)
{
    (void)state;
    assert_taken("-tun-fd", "7", "-tap-ip", "10.0.0.1");
    assert_int_equal(config.tun_fd, 7);
    assert_taken("-tun-fd", "3", "-network", "office", "-workers", "1");
    assert_refused("no descriptor: give the number of an open one, 3 or more", "-tun-fd", "0");
    assert_refused("no descriptor", "-tun-fd", "-1");
    assert_refused("no descriptor", "-tun-fd", "1048576");
    assert_refused("which address has its device? Give -tap-ip, too", "-tun-fd", "7");
    assert_refused("leave -tap, -tun and -rootless away", "-tun-fd", "7", "-tap-ip", "10.0.0.1", "-tun",
                   "auto");
    assert_refused("leave -tap, -tun and -rootless away", "-tun-fd", "7", "-tap-ip", "10.0.0.1", "-tap",
                   "tap7");
    assert_refused("leave -tap, -tun and -rootless away", "-tun-fd", "7", "-tap-ip", "10.0.0.1", "-rootless");
    assert_refused("is one queue, for one worker", "-tun-fd", "7", "-tap-ip", "10.0.0.1", "-workers", "2");
}

static void device_names_are_the_kernels(void **state)
{
    static const char *const bad[] = {"", ".", "..", "a/b", "tap%d", "a b", "a:1", "sixteen-letters!"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused("no name of a device", "-tap", bad[i]);
    assert_taken("-tap", "fifteen-letters");
    assert_string_equal(config.tap_name, "fifteen-letters");
}

static void mtu_is_bounded(void **state)
{
    (void)state;
    assert_taken("-bpdu", "pass");
    assert_true(config.pass_bpdus);
    assert_taken("-bpdu=drop");
    assert_false(config.pass_bpdus);
    assert_refused("drop or pass", "-bpdu", "on");
    assert_taken("-tap-mtu", "576");
    assert_refused("576 to 9000", "-tap-mtu", "575");
    assert_refused("576 to 9000", "-tap-mtu", "9001");
}

static void names_are_told_by_the_way_that_is_named(void **state)
{
    (void)state;
    assert_taken("-name", "x");
    assert_int_equal(config.dns, RESOLVER_AUTO);
    assert_taken("-dns", "off");
    assert_int_equal(config.dns, RESOLVER_OFF);
    assert_taken("-dns", "hosts");
    assert_int_equal(config.dns, RESOLVER_HOSTS);
    assert_taken("-dns", "resolved");
    assert_int_equal(config.dns, RESOLVER_RESOLVED);
    assert_taken("-dns", "auto");
    assert_int_equal(config.dns, RESOLVER_AUTO);
    assert_refused("auto, resolved, hosts or off", "-dns", "on");
}

static void router_is_asked_for_ports_unless_that_is_off(void **state)
{
    (void)state;
    assert_taken("-name", "x");
    assert_true(config.portmap);
    assert_taken("-portmap", "off");
    assert_false(config.portmap);
    assert_taken("-portmap=auto");
    assert_true(config.portmap);
    assert_refused("auto or off", "-portmap", "on");
}

static void who_is_not_root_has_a_folder_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(setenv("XDG_RUNTIME_DIR", "/run/user/1000", 1), 0);
    assert_taken("-rootless", "-tap-ip", "10.10.10.3");
    assert_true(config.rootless);
    assert_string_equal(config.run_dir, "/run/user/1000/shadowmesh");
    assert_taken("-rootless", "-network", "home", "-run", "/run/mine");
    assert_string_equal(config.run_dir, "/run/mine");
    assert_refused("none is attached to: give -tap-ip or -network", "-rootless", "-tap", "tap7");
    assert_int_equal(setenv("XDG_RUNTIME_DIR", "run", 1), 0);
    assert_refused("give -run DIR", "-rootless", "-tap-ip", "10.10.10.3");
    assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
    assert_refused("give -run DIR", "-rootless", "-tap-ip", "10.10.10.3");
    assert_taken("-rootless", "-run", "/run/mine", "-tap-ip", "10.10.10.3");
}

static void local_network_hears_of_whom_connect_seeks_unless_more_or_less_is_said(void **state)
{
    (void)state;
    assert_taken("-name", "x");
    assert_int_equal(config.lan, CONFIG_LAN_SOUGHT);
    assert_taken("-lan");
    assert_int_equal(config.lan, CONFIG_LAN_ALL);
    assert_taken("-lan=false");
    assert_int_equal(config.lan, CONFIG_LAN_OFF);
    assert_refused("switch", "-lan=some");
}

static void a_full_mesh_needs_its_members(void **state)
{
    (void)state;
    assert_taken("-allow", ID_1);
    assert_false(config.full_mesh);
    assert_taken("-mesh", "-allow", ID_1, "-backbone", "http://a");
    assert_true(config.full_mesh);
    assert_refused("give -allow ID for each member", "-mesh");
    assert_refused("give -allow ID for each member", "-mesh", "-connect", ID_1 "@a");
}

static void carriers_are_chosen_by_name(void **state)
{
    (void)state;
    assert_taken("-workers", "1");
    assert_int_equal(config.carriers, CARRIERS_AUTO);
    assert_taken("-carrier", "tcp");
    assert_int_equal(config.carriers, CARRIERS_TCP);
    assert_taken("-carrier=udp");
    assert_int_equal(config.carriers, CARRIERS_UDP);
    assert_taken("-carrier", "auto");
    assert_int_equal(config.carriers, CARRIERS_AUTO);
    assert_refused("auto, udp or tcp", "-carrier", "relay");
}

static void a_node_relays_when_told_at_a_rate(void **state)
{
    (void)state;
    assert_taken("-workers", "1");
    assert_int_equal(config.relay_mbit, 0);
    assert_taken("-relay");
    assert_int_equal(config.relay_mbit, CONFIG_RELAY_MBIT);
    assert_taken("-relay", "-relay-rate", "20");
    assert_int_equal(config.relay_mbit, 20);
    assert_refused("give -relay too", "-relay-rate", "20");
    assert_refused("from 1 to 100000", "-relay", "-relay-rate", "0");
    assert_refused("from 1 to 100000", "-relay", "-relay-rate", "100001");
    assert_refused("-carrier", "-relay", "-carrier", "udp");
}

static void the_cipher_library_is_chosen_by_name(void **state)
{
    (void)state;
    assert_taken("-cipher-library", "openssl");
    assert_int_equal(config.cipher_library, AEAD_OPENSSL_ALONE);
    assert_taken("-cipher-library=measure");
    assert_int_equal(config.cipher_library, AEAD_MEASURED);
    assert_taken("-cipher-library", "auto");
    assert_int_equal(config.cipher_library, AEAD_BY_RULE);
    assert_refused("auto, openssl or measure", "-cipher-library", "ipsec-mb");
}

static void the_aead_is_chosen_by_name(void **state)
{
    (void)state;
    assert_taken("-workers", "1");
    assert_int_equal(config.aead, AEAD_AUTO);
    assert_taken("-aead", "aes");
    assert_int_equal(config.aead, AEAD_AES_ALONE);
    assert_taken("-aead=chacha20");
    assert_int_equal(config.aead, AEAD_CHACHA_ALONE);
    assert_refused("auto, aes or chacha20", "-aead", "AES");
}

static void the_sandbox_is_on_unless_told(void **state)
{
    (void)state;
    assert_taken("-sandbox", "on");
    assert_true(config.sandbox);
    assert_taken("-sandbox=off");
    assert_false(config.sandbox);
    assert_taken("-public");
    assert_int_equal(config.sandbox, SANDBOX_DEFAULT);
    assert_refused("give on or off", "-sandbox", "yes");
}

static void workers_are_counted_by_the_machine_unless_told(void **state)
{
    (void)state;
    assert_taken("-public");
    assert_int_equal(config.workers, 0);
    assert_taken("-workers", "8");
    assert_int_equal(config.workers, 8);
    assert_refused("from 1 to 8", "-workers", "0");
    assert_refused("from 1 to 8", "-workers", "9");
}

static void backbone_is_an_http_url(void **state)
{
    static const char *const bad[] = {"",
                                      "192.0.2.1:8080",
                                      "ftp://a",
                                      "http://",
                                      "https:///x",
                                      "http://a:0",
                                      "http://a:99999",
                                      "http://a:b",
                                      "http://a b",
                                      "http://u@a",
                                      "http://a?x=1",
                                      "http://a#x",
                                      "http://[::1",
                                      "http://::1",
                                      "http://a\n",
                                      "http://:80"};
    static const char *const good[] = {"http://a",        "https://bb.example",
                                       "http://a:8080",   "http://[2001:db8::1]:8080",
                                       "http://a/prefix", "http://192.0.2.1"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused("no URL of a backbone", "-backbone", bad[i]);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_taken("-backbone", good[i]);
        assert_string_equal(config.backbones[0], good[i]);
    }
    assert_taken("-backbone", "http://a:1//");
    assert_string_equal(config.backbones[0], "http://a:1");
}

static void four_backbones_may_be_given_each_once(void **state)
{
    (void)state;
    assert_taken("-backbone", "http://a", "-backbone", "https://b", "-backbone", "http://c", "-backbone",
                 "http://d");
    assert_int_equal(config.backbone_count, 4);
    assert_string_equal(config.backbones[1], "https://b");
    assert_string_equal(config.backbones[3], "http://d");
    assert_refused("one too many: at most 4", "-backbone", "http://a", "-backbone", "http://b", "-backbone",
                   "http://c", "-backbone", "http://d", "-backbone", "http://e");
    assert_refused("given twice", "-backbone", "http://a", "-backbone", "http://a/");
}

static void proxies_are_urls_with_a_port_and_without_a_password(void **state)
{
    static const char *const bad[] = {
        "", "proxy:3128", "socks5://a:1", "http://", "http://a:1/path", "http://a b:1", "http://:80"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused("no URL of a proxy", "-backbone", "http://a", "-proxy", bad[i]);
    assert_refused("its port is missing", "-backbone", "http://a", "-proxy", "http://a");
    assert_refused("its port is missing", "-backbone", "http://a", "-proxy", "https://[fd00::1]");
    assert_refused("give -proxy-auth FILE", "-backbone", "http://a", "-proxy", "http://user:password@a:1");
    assert_null(strstr(printed, "password@"));
    assert_refused("give -backbone too", "-proxy", "http://a:1");
    assert_refused("give -backbone too", "-proxy-auth", "file");
    assert_taken("-backbone", "http://a", "-proxy", "https://[fd00::1]:3128", "-proxy-auth", "file");
    assert_string_equal(config.proxy, "https://[fd00::1]:3128");
    assert_string_equal(config.proxy_auth, "file");
    assert_taken("-backbone", "http://a", "-proxy", "off");
    assert_string_equal(config.proxy, CONFIG_PROXY_OFF);
}

static void connect_names_id_host_and_port(void **state)
{
    static const struct {
        const char *text, *host;
        int port;
    } good[] = {{ID_1, "", 8443},
                {ID_1 "@192.0.2.1", "192.0.2.1", 8443},
                {ID_1 "@site-a.example:9000", "site-a.example", 9000},
                {ID_1 "@[2001:db8::1]", "2001:db8::1", 8443},
                {ID_1 "@[2001:db8::1]:9000", "2001:db8::1", 9000}};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_taken("-backbone", "http://a", "-connect", good[i].text);
        assert_string_equal(config.connect[0].host, good[i].host);
        assert_int_equal(config.connect[0].port, good[i].port);
    }
}

static void stun_names_host_and_port_and_repeats(void **state)
{
    (void)state;
    assert_taken("-stun", "stun.example", "-stun", "192.0.2.1:19302", "-stun", "[fd00::4]", "-stun",
                 "[fd00::4]:53");
    assert_int_equal(config.stun_count, 4);
    assert_string_equal(config.stun[0].name, "stun.example");
    assert_int_equal(config.stun[0].port, 3478);
    assert_string_equal(config.stun[1].name, "192.0.2.1");
    assert_int_equal(config.stun[1].port, 19302);
    assert_string_equal(config.stun[2].name, "fd00::4");
    assert_int_equal(config.stun[2].port, 3478);
    assert_int_equal(config.stun[3].port, 53);
}

static void doors_name_where_they_are_and_where_they_lead(void **state)
{
    (void)state;
    assert_taken("-tap-ip", "10.0.0.1", "-forward", "tcp:8080:10.0.0.2:80", "-forward",
                 "tcp:[::1]:8080:[fd00::2]:80", "-forward", "tcp:1:DB.lab.internal.:2", "-listen",
                 "tcp:22:localhost:2222", "-listen", "tcp:23:[::1]:2323");
    assert_int_equal(config.forward_count, 3);
    assert_string_equal(config.forward[2].to.name, "db.lab.internal");
    assert_false(config.forward[2].udp);
    assert_true(addr_is_loopback(&config.forward[0].at));
    assert_int_equal(config.forward[0].at.port, 8080);
    assert_string_equal(config.forward[0].to.name, "10.0.0.2");
    assert_int_equal(config.forward[0].to.port, 80);
    assert_int_equal(config.forward[1].at.family, 6);
    assert_string_equal(config.forward[1].to.name, "fd00::2");
    assert_int_equal(config.listen_count, 2);
    assert_int_equal(config.listen[0].at.family, 0);
    assert_int_equal(config.listen[0].at.port, 22);
    assert_string_equal(config.listen[0].to.name, "localhost");
    assert_string_equal(config.listen[1].to.name, "::1");
    assert_int_equal(config.listen[1].to.port, 2323);
    assert_taken("-tap-ip", "10.0.0.1", "-forward", "udp:5353:10.0.0.2:53");
    assert_true(config.forward[0].udp && config.forward[0].to.port == 53);
}

static void malformed_doors_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "tcp",
                                      "tcp:1",
                                      "tcp:1:10.0.0.2",
                                      "tcp:1:10.0.0.2:",
                                      "tcp:::",
                                      "tcp:1:[::2:3",
                                      "tcp:1:[::2]3:4",
                                      "tcp:a:1:10.0.0.2:80",
                                      "tcp:1:10.0.0.2:3:4:5",
                                      "tcp:1:a b:80",
                                      "tcp:1:fd00::2:80"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(parse("-tap-ip", "10.0.0.1", "-forward", bad[i]), FLAGS_EXIT_USAGE);
        assert_int_equal(parse("-tap-ip", "10.0.0.1", "-listen", bad[i]), FLAGS_EXIT_USAGE);
    }
    assert_refused("its protocol is unknown: give tcp or udp", "-forward", "sctp:1:10.0.0.2:80");
    assert_refused("its protocol is unknown: give tcp", "-listen", "udp:1:localhost:80");
    assert_refused("udp leads to an address alone", "-forward", "udp:1:db:80");
    assert_refused("no port", "-forward", "tcp:0:10.0.0.2:80");
    assert_refused("no port", "-listen", "tcp:1:localhost:65536");
    assert_refused("listens beyond this machine", "-forward", "tcp:0.0.0.0:1:10.0.0.2:80");
    assert_refused("listens beyond this machine", "-forward", "tcp:[::]:1:10.0.0.2:80");
    assert_refused("leads to this machine itself", "-forward", "tcp:1:localhost:80");
    assert_refused("leads to this machine itself", "-forward", "tcp:1:127.0.0.1:80");
    assert_refused("leads to a name: give localhost", "-listen", "tcp:1:x:80");
    assert_refused("leads to no host", "-listen", "tcp:1:0.0.0.0:80");
    assert_refused("give tcp:PORT:HOST:PORT", "-listen", "tcp:127.0.0.1:1:localhost:80");
}

static void socks_serves_loopback_or_who_knows_the_password(void **state)
{
    (void)state;
    assert_taken("-tap-ip", "10.0.0.1", "-socks", "1080");
    assert_true(addr_is_loopback(&config.socks));
    assert_int_equal(config.socks.port, 1080);
    assert_taken("-tap-ip", "10.0.0.1", "-socks", "[::1]:1080", "-socks-direct");
    assert_true(config.socks.family == 6 && config.socks_direct);
    assert_taken("-tap-ip", "10.0.0.1", "-socks", "0.0.0.0:1080", "-socks-auth", "words");
    assert_string_equal(config.socks_auth, "words");
    assert_refused("-socks 0.0.0.0:1080: everybody there could use it: give -socks-auth FILE", "-socks",
                   "0.0.0.0:1080");
    assert_refused("give -socks or -http-proxy too", "-tap-ip", "10.0.0.1", "-socks-auth", "words");
    assert_refused("give -socks or -http-proxy too", "-tap-ip", "10.0.0.1", "-socks-direct");
    assert_taken("-tap-ip", "10.0.0.1", "-http-proxy", "3128", "-socks-direct");
    assert_int_equal(config.http_proxy.port, 3128);
    assert_refused("-http-proxy 192.0.2.1:3128: everybody there could use it", "-http-proxy",
                   "192.0.2.1:3128", "-socks", "1080");
    static const char *const bad[] = {"",          ":",          "x",        "0",      "65536",
                                      "127.0.0.1", "127.0.0.1:", "::1:1080", "a:1080", "1:2:3"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_refused("no port: give", "-socks", bad[i]);
}

static void malformed_stun_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ":3478", "a b", "[fd00::4", "[192.0.2.1]", "-a"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_refused("no host: give HOST or HOST:PORT", "-stun", bad[i]);
    assert_refused("needs brackets: give [fd00::4]", "-stun", "fd00::4");
    assert_refused("no port", "-stun", "a:0");
    assert_refused("one too many: at most 8", "-stun", "a", "-stun", "a", "-stun", "a", "-stun", "a", "-stun",
                   "a", "-stun", "a", "-stun", "a", "-stun", "a", "-stun", "a");
}

static void malformed_connect_is_refused(void **state)
{
    static const char *const bad_ids[] = {"", "abc", ID_1 "0", "g123456789abcdef0123456789abcdef01234567",
                                          "@host"};
    static const char *const bad_hosts[] = {ID_1 "@",        ID_1 "@:80", ID_1 "@[::1", ID_1 "@[1.2.3.4]",
                                            ID_1 "@[::1]80", ID_1 "@a b", ID_1 "@-x",   ID_1 "@a@b"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad_ids) / sizeof(bad_ids[0]); i++)
        assert_refused("no node id: give the 40 hex digits", "-connect", bad_ids[i]);
    for (size_t i = 0; i < sizeof(bad_hosts) / sizeof(bad_hosts[0]); i++)
        assert_refused("no ", "-connect", bad_hosts[i]);
    assert_refused("no port", "-connect", ID_1 "@host:0");
    assert_refused("needs brackets", "-connect", ID_1 "@fd12::f");
    assert_refused("needs brackets", "-connect", ID_1 "@::1");
    assert_refused("needs brackets", "-connect", ID_1 "@fd12::f:8443");
    assert_refused("no node id", "-allow", "abc");
}

static void ids_are_given_once(void **state)
{
    (void)state;
    assert_refused("twice", "-connect", ID_1 "@a", "-connect", ID_1 "@b");
    assert_refused("twice", "-allow", ID_1, "-allow", "0123456789ABCDEF0123456789abcdef01234567");
    assert_taken("-connect", ID_1 "@a", "-connect", ID_2 "@a", "-allow", ID_1);
    assert_int_equal(config.connect_count, 2);
    assert_int_equal(config.allow_count, 1);
}

static void more_peers_than_there_is_room_for_are_refused(void **state)
{
    static char texts[CONFIG_CONNECT_MAX + 1][ID_TEXT_MAX];
    static const char *words[2 * (CONFIG_CONNECT_MAX + 1) + 2];
    (void)state;
    words[0] = "shadowmesh-l2";
    for (unsigned i = 0; i <= CONFIG_CONNECT_MAX; i++) {
        snprintf(texts[i], sizeof(texts[i]), "%040x", i);
        words[1 + 2 * i] = "-allow";
        words[2 + 2 * i] = texts[i];
    }
    assert_int_equal(parse_words(stderr, words), FLAGS_EXIT_USAGE);
    assert_non_null(strstr(printed, "at most 256"));
    words[1 + 2 * CONFIG_CONNECT_MAX] = NULL;
    assert_int_equal(parse_words(stderr, words), FLAGS_RUN);
}

static void peer_that_nobody_can_find_is_warned_about(void **state)
{
    (void)state;
    assert_taken("-connect", ID_1);
    assert_non_null(strstr(printed, "warning: -connect " ID_1));
}

static void name_is_printable_text(void **state)
{
    char longest[65];
    (void)state;
    memset(longest, 'x', 64);
    longest[64] = '\0';
    assert_refused("no name", "-name", longest);
    longest[63] = '\0';
    assert_taken("-name", longest);
    assert_taken("-name", "Köln 東京");
    assert_refused("no name", "-name", "");
    assert_refused("no name", "-name", "a\033[31mb");
    assert_refused("no name", "-name", "\xff\xfe");
}

static void refusal_never_repeats_control_characters(void **state)
{
    (void)state;
    assert_refused("a?[31m?b", "-tap-ip", "a\033[31m\nb");
}

static void test_options_shorten_the_periods(void **state)
{
    (void)state;
    assert_taken("-test-ratchet-seconds", "1", "-test-rehandshake-seconds", "2");
    assert_int_equal(config.ratchet_s, 1);
    assert_int_equal(config.rehandshake_s, 2);
    assert_taken("-test-control-idle-seconds", "3");
    assert_int_equal(config.control_idle_s, 3);
    assert_taken("-test-certificate-seconds", "8");
    assert_int_equal(config.certificate_s, 8);
    assert_refused("seconds", "-test-certificate-seconds", "7");
    assert_taken("-test-quiet-seconds", "4");
    assert_int_equal(config.quiet_s, 4);
    assert_refused("seconds", "-test-control-idle-seconds", "0");
    assert_refused("seconds", "-test-quiet-seconds", "0");
    assert_refused("seconds", "-test-ratchet-seconds", "0");
}

/* Writes the file of -config. */
static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void a_file_stands_for_flags(void **state)
{
    char path[] = "/tmp/test_config.XXXXXX";
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_file(path,
               "port = 1000 # a comment\ntap-ip = 10.0.0.1\nconnect = " ID_1 "@10.1.1.1\npublic = true\n");
    assert_taken("-config", path);
    assert_int_equal(config.port, 1000);
    assert_true(config.is_public && !config.check);
    assert_taken("-port", "7", "-config", path, "-tap-netmask", "16", "-connect", ID_2, "-check");
    assert_int_equal(config.port, 1000); /* in the order in which they stand */
    assert_int_equal(config.tap_address.bits, 16);
    assert_int_equal(config.connect_count, 2);
    assert_true(config.check);
    assert_taken("-config", path, "-port", "7");
    assert_int_equal(config.port, 7);
    assert_refused("this id is given twice", "-connect", ID_1 "@10.1.1.1", "-config", path);
    write_file(path, "port = 1000\nproxy = http://name:password@10.0.0.1:80\nbackbone = http://b\n");
    assert_refused("-proxy-auth", "-config", path);
    assert_null(strstr(printed, "password@"));
    unlink(path);
    assert_refused("No such file", "-config", path);
}

static void every_flag_says_whether_a_running_node_takes_it(void **state)
{
    const struct flags *f = config_flags();
    (void)state;
    for (size_t i = 0; i < f->count; i++)
        if (f->rows[i].name && (f->rows[i].reload == FLAG_UNDECIDED ||
                                (f->rows[i].field.size == 0 && strcmp(f->rows[i].name, "config") != 0)))
            fail_msg("-%s: RELOADS or RESTARTS, with its member of struct config?", f->rows[i].name);
}

/* ---- the same flags again ---- */

static char said[1024];

static void on_said(void *context, const char *line)
{
    assert_ptr_equal(context, said);
    snprintf(said, sizeof(said), "%s", line);
}

/* Names of the rows that differ from config, after the file has another text. */
static const char *differences_with(const char *path, const char *text, enum flags_result result)
{
    static char names[256];
    static struct config again;
    write_file(path, text);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    const struct flags_again how = {&config.source, &fd, on_said, said};
    names[0] = said[0] = '\0';
    assert_int_equal(config_parse_again(&how, &again), result);
    assert_int_equal(fcntl(fd, F_GETFD), -1); /* taken */
    uint64_t rows = flags_differ(config_flags(), &config, &again);
    for (size_t i = 0; result == FLAGS_RUN && i < config_flags()->count; i++)
        if (rows >> i & 1)
            snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s ",
                     config_flags()->rows[i].name);
    return names;
}

#define ALL                                                                                                  \
    "name = a\nip = 192.0.2.1\nstun = a.example:1\nhost-route = 10.1.1.1\nbackbone = http://b\n"             \
    "proxy = http://10.0.0.1:80\nkeydir = k\nrun = r\ntap = t0\nallow = " ID_2 "\n"

static void what_has_changed_in_the_file_is_found(void **state)
{
    char path[] = "/tmp/test_config.XXXXXX";
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_file(path, ALL "connect = " ID_1 "@10.1.1.1\n");
    assert_taken("-config", path, "-name", "me", "-tap-ip", "10.0.0.1");
    assert_int_equal(config.source.file_count, 1);
    assert_string_equal(differences_with(path, ALL "connect = " ID_1 "@10.1.1.1\n", FLAGS_RUN), "");
    assert_string_equal(
        differences_with(path, ALL "connect = " ID_1 "@10.1.1.1\nname = a-long-one\n", FLAGS_RUN),
        ""); /* what stands behind it counts */
    assert_string_equal(differences_with(path, ALL "connect = " ID_1 "\n", FLAGS_RUN), "connect ");
    assert_string_equal(differences_with(path, ALL "v = true\n", FLAGS_RUN), "connect v ");
    assert_string_equal(differences_with(path, "", FLAGS_RUN),
                        "tap host-route backbone proxy connect allow ip stun keydir run ");
    assert_string_equal(differences_with(path, ALL "port = 9444\n", FLAGS_RUN), "connect port udp-port ");
    unlink(path);
}

static void what_is_wrong_in_a_file_that_is_read_again_is_said(void **state)
{
    char path[] = "/tmp/test_config.XXXXXX", words[128];
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_taken("-config", path, "-tap-ip", "10.0.0.1");
    differences_with(path, "# one\nportt = 1\n", FLAGS_EXIT_USAGE);
    snprintf(words, sizeof(words), "-config %s: line 2: unknown flag portt: did you mean port?", path);
    assert_string_equal(said, words);
    differences_with(path, "mesh = true\n", FLAGS_EXIT_USAGE);
    assert_string_equal(said, "-mesh: there is nobody to connect to: give -allow ID for each member");
    differences_with(path, "connect = " ID_1 "\nlan = false\n", FLAGS_RUN);
    assert_int_equal(strncmp(said, "warning: -connect " ID_1, 18 + 40), 0);
    snprintf(words, sizeof(words), "config = %s\n", path);
    differences_with(path, words, FLAGS_EXIT_USAGE);
    assert_non_null(strstr(said, "line 1: config = "));
    unlink(path);
}

/* That nobody reads the second of them does not keep it open. */
static void files_behind_a_wrong_one_are_closed(void **state)
{
    char path[] = "/tmp/test_config.XXXXXX";
    static struct config again;
    (void)state;
    int fds[2] = {mkstemp(path)};
    assert_true(fds[0] >= 0);
    assert_taken("-config", path, "-config", path);
    assert_int_equal(config.source.file_count, 2);
    assert_int_equal(write(fds[0], "nonsense\n", 9), 9);
    close(fds[0]);
    fds[0] = open(path, O_RDONLY | O_CLOEXEC);
    fds[1] = open(path, O_RDONLY | O_CLOEXEC);
    const struct flags_again how = {&config.source, fds, on_said, said};
    assert_int_equal(config_parse_again(&how, &again), FLAGS_EXIT_USAGE);
    assert_int_equal(fcntl(fds[0], F_GETFD), -1);
    assert_int_equal(fcntl(fds[1], F_GETFD), -1);
    unlink(path);
}

static void four_files_may_be_given(void **state)
{
    char path[] = "/tmp/test_config.XXXXXX";
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_taken("-config", path, "-config", path, "-config", path, "-config", path);
    assert_refused("one too many", "-config", path, "-config", path, "-config", path, "-config", path,
                   "-config", path);
    unlink(path);
}

static void help_names_every_flag_but_the_hidden(void **state)
{
    static const char *const names[] = {
        "keydir", "generate-keys", "backbone", "ip",      "port",    "udp-port", "control-port",   "tap",
        "tap-ip", "tap-netmask",   "tap-mtu",  "public",  "connect", "allow",    "profile",        "v",
        "name",   "run",           "help",     "version", "workers", "sandbox",  "cipher-library", "carrier",
        "relay",  "relay-rate",    "portmap",  "lan",     "config",  "check",    "aead",           "network",
        "dns",    "tun",           "tun-fd"};
    (void)state;
    const char *const words[] = {"shadowmesh-l2", "--help", NULL};
    assert_int_equal(parse_words(stdout, words), FLAGS_EXIT_OK);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char line[64];
        snprintf(line, sizeof(line), "\n  -%s ", names[i]);
        if (!strstr(printed, line))
            fail_msg("-%s is not explained", names[i]);
    }
    assert_null(strstr(printed, "-test-"));
}

static void version_is_printed(void **state)
{
    (void)state;
    const char *const words[] = {"shadowmesh-l2", "-version", NULL};
    assert_int_equal(parse_words(stdout, words), FLAGS_EXIT_OK);
    assert_string_equal(printed, "shadowmesh-l2 " SHADOWMESH_VERSION "\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_given_leaves_documented_defaults),
        cmocka_unit_test(host_routes_are_allowed_by_address_or_turned_off),
        cmocka_unit_test(network_is_a_label),
        cmocka_unit_test(reference_scenario_is_read),
        cmocka_unit_test(every_spelling_of_a_flag_is_the_same),
        cmocka_unit_test(unknown_flag_is_refused_with_a_guess),
        cmocka_unit_test(missing_value_is_refused),
        cmocka_unit_test(ports_run_from_1_to_65535),
        cmocka_unit_test(netmask_is_bits_or_dotted_and_contiguous),
        cmocka_unit_test(netmask_of_ipv6_is_bits),
        cmocka_unit_test(netmask_may_be_in_the_address),
        cmocka_unit_test(netmask_alone_is_refused),
        cmocka_unit_test(addresses_are_of_hosts),
        cmocka_unit_test(a_given_device_is_the_only_one_and_has_an_address),
        cmocka_unit_test(device_names_are_the_kernels),
        cmocka_unit_test(a_device_is_a_tap_or_a_tun),
        cmocka_unit_test(mtu_is_bounded),
        cmocka_unit_test(who_is_not_root_has_a_folder_of_its_own),
        cmocka_unit_test(local_network_hears_of_whom_connect_seeks_unless_more_or_less_is_said),
        cmocka_unit_test(a_full_mesh_needs_its_members),
        cmocka_unit_test(carriers_are_chosen_by_name),
        cmocka_unit_test(a_node_relays_when_told_at_a_rate),
        cmocka_unit_test(names_are_told_by_the_way_that_is_named),
        cmocka_unit_test(router_is_asked_for_ports_unless_that_is_off),
        cmocka_unit_test(the_cipher_library_is_chosen_by_name),
        cmocka_unit_test(the_aead_is_chosen_by_name),
        cmocka_unit_test(the_sandbox_is_on_unless_told),
        cmocka_unit_test(workers_are_counted_by_the_machine_unless_told),
        cmocka_unit_test(backbone_is_an_http_url),
        cmocka_unit_test(four_backbones_may_be_given_each_once),
        cmocka_unit_test(proxies_are_urls_with_a_port_and_without_a_password),
        cmocka_unit_test(connect_names_id_host_and_port),
        cmocka_unit_test(malformed_connect_is_refused),
        cmocka_unit_test(stun_names_host_and_port_and_repeats),
        cmocka_unit_test(malformed_stun_is_refused),
        cmocka_unit_test(doors_name_where_they_are_and_where_they_lead),
        cmocka_unit_test(malformed_doors_are_refused),
        cmocka_unit_test(socks_serves_loopback_or_who_knows_the_password),
        cmocka_unit_test(ids_are_given_once),
        cmocka_unit_test(more_peers_than_there_is_room_for_are_refused),
        cmocka_unit_test(peer_that_nobody_can_find_is_warned_about),
        cmocka_unit_test(name_is_printable_text),
        cmocka_unit_test(refusal_never_repeats_control_characters),
        cmocka_unit_test(test_options_shorten_the_periods),
        cmocka_unit_test(a_file_stands_for_flags),
        cmocka_unit_test(every_flag_says_whether_a_running_node_takes_it),
        cmocka_unit_test(what_has_changed_in_the_file_is_found),
        cmocka_unit_test(what_is_wrong_in_a_file_that_is_read_again_is_said),
        cmocka_unit_test(files_behind_a_wrong_one_are_closed),
        cmocka_unit_test(four_files_may_be_given),
        cmocka_unit_test(help_names_every_flag_but_the_hidden),
        cmocka_unit_test(version_is_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
