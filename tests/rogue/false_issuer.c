/* SPDX-License-Identifier: Apache-2.0 */
/* An issuer without a conscience: it has its key and its certificates (as founder makes them), and tells whoever joins one lie.
 * docs/PROTOCOL.md §26.
 *
 *   false_issuer KEYDIR OTHER ADDRESS:PORT LIE
 *
 * OTHER is the KEYDIR of a node of another network. Prints a token that leads to it, then a line for each connection that it took.
 * One joiner at a time; ends when it is killed. */

#include "puppet.h"

#include "base/folder.h"
#include "crypto/certfile.h"
#include "crypto/keyfile.h"
#include "crypto/secret.h"
#include "crypto/token.h"
#include "puppet_channel.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TOO_LONG 65535 /* what a prefix can say, and no message has */
#define NOISE    2000
#define FLOOD    4096 /* messages, unless the joiner has ended the channel before */

struct certificate {
    uint8_t der[CERT_MAX];
    size_t len;
};

/* What a KEYDIR has. */
struct papers {
    struct certificate ca, own, member;
};

struct issuer {
    struct puppet puppet;
    struct papers mine, others;
    int listener;
};

struct lie {
    const char *name;
    void (*tell)(struct issuer *is);
};

static void die(const char *what)
{
    fprintf(stderr, "false_issuer: %s\n", what);
    exit(1);
}

static void say(struct issuer *is, enum message_type type, const struct certificate *c)
{
    struct message m = {.type = type};
    m.certificate = (struct slice){c->der, c->len};
    (void)puppet_say(&is->puppet, &m);
}

static void await(struct issuer *is, enum message_type type)
{
    struct message m = {0};
    size_t len;
    while (m.type != type && puppet_await(&is->puppet, &m, &len))
        continue;
}

/* ---- the lies ---- */

static void other_network(struct issuer *is)
{
    say(is, MESSAGE_NETWORK, &is->others.ca);
    say(is, MESSAGE_ISSUER, &is->others.own);
}

static void other_issuer(struct issuer *is)
{
    say(is, MESSAGE_NETWORK, &is->mine.ca);
    say(is, MESSAGE_ISSUER, &is->others.own);
}

static void no_issuers_certificate(struct issuer *is)
{
    say(is, MESSAGE_NETWORK, &is->mine.ca);
    say(is, MESSAGE_ISSUER, &is->mine.member);
}

/* A certificate that holds, and is its own. */
static void others_certificate(struct issuer *is)
{
    say(is, MESSAGE_NETWORK, &is->mine.ca);
    say(is, MESSAGE_ISSUER, &is->mine.own);
    await(is, MESSAGE_JOIN);
    say(is, MESSAGE_JOINED, &is->mine.member);
}

static void half_message(struct issuer *is)
{
    static const uint8_t begun[] = {0x1f, 0x00, 0xa2, 0x00, MESSAGE_NETWORK};
    (void)puppet_say_raw(&is->puppet, begun, sizeof(begun));
}

static void oversized_message(struct issuer *is)
{
    static const uint8_t bytes[2 + TOO_LONG] = {0xff, 0xff};
    (void)puppet_say_raw(&is->puppet, bytes, sizeof(bytes));
}

static void noise(struct issuer *is)
{
    uint8_t bytes[NOISE];
    secret_random(bytes, sizeof(bytes));
    (void)puppet_say_bytes(&is->puppet, bytes, sizeof(bytes));
}

static void flood(struct issuer *is)
{
    for (unsigned i = 0; i < FLOOD && puppet_connected(&is->puppet); i++)
        say(is, MESSAGE_NETWORK, &is->mine.ca);
}

static const struct lie lies[] = {
    {"other-network", other_network},
    {"other-issuer", other_issuer},
    {"no-issuers-certificate", no_issuers_certificate},
    {"others-certificate", others_certificate},
    {"half-message", half_message},
    {"oversized-message", oversized_message},
    {"noise", noise},
    {"flood", flood},
};

/* ---- one after the other ---- */

static void read_papers(const char *keydir, struct papers *out)
{
    int dir;
    if (folder_open(keydir, &dir) || certfile_read(dir, CERTFILE_CA, out->ca.der, &out->ca.len) ||
        certfile_read(dir, CERTFILE_OWN_ISSUER, out->own.der, &out->own.len) ||
        certfile_read(dir, CERTFILE_MEMBER, out->member.der, &out->member.len))
        die("no certificates of an issuer");
    close(dir);
}

static void print_token(const struct issuer *is, const struct addr *at)
{
    struct token t = {.issuer = *identity_id(is->puppet.me), .place_count = 1};
    char text[TOKEN_TEXT_MAX];
    struct cert ca;
    if (cert_decode(is->mine.ca.der, is->mine.ca.len, &ca))
        die("no CA");
    t.network = ca.id;
    snprintf(t.name, sizeof(t.name), "%s", ca.network);
    t.places[0].addr = *at;
    secret_random(t.seed, sizeof(t.seed));
    if (token_encode(&t, text))
        die("no token");
    puts(text);
    fflush(stdout);
}

static void listen_at(struct issuer *is, const struct addr *at)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(at, false, &sa);
    is->listener = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (is->listener < 0 || setsockopt(is->listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) ||
        bind(is->listener, (struct sockaddr *)&sa, len) || listen(is->listener, 16))
        die("cannot listen");
}

/* What it says and when it ends the channel is the joiner's: the lie is told, and the rest listened to. */
static void serve(struct issuer *is, const struct lie *lie)
{
    int tcp = accept(is->listener, NULL, NULL);
    if (tcp < 0)
        die("cannot accept");
    if (puppet_answer(&is->puppet, tcp)) {
        await(is, MESSAGE_JOIN_ASK);
        lie->tell(is);
        await(is, MESSAGE_BYE); /* which no joiner says */
    }
    puppet_hang_up(&is->puppet);
    puts("taken");
    fflush(stdout);
}

static const struct lie *find(const char *name)
{
    for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++)
        if (strcmp(lies[i].name, name) == 0)
            return &lies[i];
    die("no such lie");
    return NULL;
}

int main(int argc, char **argv)
{
    static struct issuer is;
    struct addr at;
    if (argc != 5 || addr_parse(argv[3], 0, &at))
        die("usage: false_issuer KEYDIR OTHER ADDRESS:PORT LIE");
    signal(SIGPIPE, SIG_IGN);
    const struct lie *lie = find(argv[4]);
    read_papers(argv[1], &is.mine);
    read_papers(argv[2], &is.others);
    if (puppet_open(&is.puppet, argv[1], &(struct node_id){0}, &at, &at))
        die("cannot start");
    listen_at(&is, &at);
    print_token(&is, &at);
    for (;;)
        serve(&is, lie);
}
