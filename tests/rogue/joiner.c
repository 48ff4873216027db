/* SPDX-License-Identifier: Apache-2.0 */
/* A joiner without a conscience: it has a token, good or bad, and goes to the issuer with it, again and again, each time with a
 * new key. What it does wrong is one lie of a table. docs/PROTOCOL.md §26.
 *
 *   joiner CONTROL_ADDRESS:PORT LIE TIMES SECONDS <TOKEN
 *
 * Ends after so many times, or as soon as so many seconds are over, and prints one line of JSON: how often it came, got a
 * certificate, was refused, by code, and had its channel ended without a word; how many it holds; and the last words. */

#include "puppet.h"

#include "base/clock.h"
#include "crypto/secret.h"
#include "crypto/token.h"
#include "proto/network/issuing.h"
#include "puppet_channel.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CODES     32
#define HELD      1024  /* channels that are left open */
#define TOO_LONG  65535 /* what a prefix can say, and no message has */
#define UNDECODED 2000  /* bytes of noise in one message */
#define WAITS     4     /* of PUPPET_TIMEOUT_MS, for what the issuer ends itself after one of them */

struct joiner {
    struct puppet puppet;
    struct token token;
    struct identity *key; /* of the token's seed */
    uint8_t exporter[KDF_LEN];
    uint8_t signature[IDENTITY_SIGNATURE_LEN];
    unsigned dialled, joined, ended, codes[CODES];
    char text[MESSAGE_TEXT_MAX + 1];
};

struct lie {
    const char *name;
    void (*tell)(struct joiner *j);
    bool holds; /* it waits for no answer, and goes on with the next channel beside this one */
};

static struct puppet held[HELD];
static unsigned held_count;

static void die(const char *what)
{
    fprintf(stderr, "joiner: %s\n", what);
    exit(1);
}

/* ---- what an honest one says ---- */

static void ask_for(struct joiner *j, const struct node_id *network)
{
    struct message m = {.type = MESSAGE_JOIN_ASK, .join_ask = {*network}};
    (void)puppet_say(&j->puppet, &m);
}

/* ISSUER is the last that it says to that. False: it says something else. */
static bool meet(struct joiner *j)
{
    struct message m = {0};
    size_t len;
    ask_for(j, &j->token.network);
    return puppet_await(&j->puppet, &m, &len) && m.type == MESSAGE_NETWORK &&
           puppet_await(&j->puppet, &m, &len) && m.type == MESSAGE_ISSUER;
}

static void sign(struct joiner *j, const struct node_id *joiner, const struct node_id *network)
{
    uint8_t proof[ISSUING_PROOF_LEN];
    issuing_proof(j->exporter, joiner, network, proof);
    if (identity_sign(j->key, issuing_context, proof, sizeof(proof), j->signature))
        die("cannot sign");
}

static void prove(struct joiner *j)
{
    struct message m = {.type = MESSAGE_JOIN,
                        .join = {.key = {identity_spki(j->key), IDENTITY_SPKI_LEN},
                                 .signature = {j->signature, sizeof(j->signature)}}};
    (void)puppet_say(&j->puppet, &m);
}

static void join(struct joiner *j, const struct node_id *joiner, const struct node_id *network)
{
    if (!meet(j))
        return;
    sign(j, joiner, network);
    prove(j);
}

/* ---- the lies ---- */

static void nothing(struct joiner *j)
{
    join(j, identity_id(j->puppet.me), &j->token.network);
}

static void altered_proof(struct joiner *j)
{
    if (!meet(j))
        return;
    sign(j, identity_id(j->puppet.me), &j->token.network);
    j->signature[sizeof(j->signature) / 2] ^= 4;
    prove(j);
}

/* What it signed in a channel that it gave up. */
static void replayed_proof(struct joiner *j)
{
    static bool has_one;
    if (!meet(j))
        return;
    if (!has_one)
        sign(j, identity_id(j->puppet.me), &j->token.network);
    if (has_one)
        prove(j);
    else
        puppet_hang_up(&j->puppet);
    has_one = true;
}

static void others_proof(struct joiner *j)
{
    join(j, &j->token.issuer, &j->token.network);
}

static void networks_proof(struct joiner *j)
{
    struct node_id other = j->token.network;
    other.bytes[0] ^= 1;
    join(j, identity_id(j->puppet.me), &other);
}

static void unasked_proof(struct joiner *j)
{
    sign(j, identity_id(j->puppet.me), &j->token.network);
    prove(j);
}

static void two_questions(struct joiner *j)
{
    ask_for(j, &j->token.network);
    ask_for(j, &j->token.network);
}

static void other_network(struct joiner *j)
{
    struct node_id other = j->token.network;
    other.bytes[19] ^= 0x80;
    ask_for(j, &other);
}

static void half_message(struct joiner *j)
{
    static const uint8_t begun[] = {0x1f, 0x00, 0x82, MESSAGE_JOIN};
    if (meet(j))
        (void)puppet_say_raw(&j->puppet, begun, sizeof(begun));
}

static void oversized_message(struct joiner *j)
{
    static const uint8_t bytes[2 + TOO_LONG] = {0xff, 0xff};
    if (meet(j))
        (void)puppet_say_raw(&j->puppet, bytes, sizeof(bytes));
}

static void noise(struct joiner *j)
{
    uint8_t bytes[UNDECODED];
    secret_random(bytes, sizeof(bytes));
    bytes[0] = 0x82; /* an array, as messages are */
    bytes[1] = MESSAGE_JOIN;
    if (meet(j))
        (void)puppet_say_bytes(&j->puppet, bytes, sizeof(bytes));
}

static void question_alone(struct joiner *j)
{
    (void)meet(j);
}

static const struct lie lies[] = {
    {"nothing", nothing, false},
    {"altered-proof", altered_proof, false},
    {"replayed-proof", replayed_proof, false},
    {"others-proof", others_proof, false},
    {"networks-proof", networks_proof, false},
    {"unasked-proof", unasked_proof, false},
    {"two-questions", two_questions, false},
    {"other-network", other_network, false},
    {"half-message", half_message, false},
    {"oversized-message", oversized_message, false},
    {"noise", noise, false},
    {"many", question_alone, true},
};

/* ---- one time after the other ---- */

static void count_answer(struct joiner *j, const struct message *m)
{
    if (m->type == MESSAGE_JOINED)
        j->joined++;
    if (m->type != MESSAGE_REFUSE)
        return;
    j->codes[m->refuse.code % CODES]++;
    snprintf(j->text, sizeof(j->text), "%s", m->refuse.text);
}

/* Until it says what comes of it, or ends the channel. */
static void listen_to(struct joiner *j)
{
    struct message m = {0};
    size_t len;
    for (unsigned waits = 0; waits < WAITS && puppet_connected(&j->puppet);) {
        if (!puppet_await(&j->puppet, &m, &len))
            waits++;
        else if (m.type == MESSAGE_JOINED || m.type == MESSAGE_REFUSE) {
            count_answer(j, &m);
            return;
        }
    }
    if (!puppet_connected(&j->puppet))
        j->ended++;
}

static void finish(struct joiner *j, const struct lie *lie)
{
    if (lie->holds && held_count < HELD && puppet_connected(&j->puppet)) {
        held[held_count++] = j->puppet;
        return;
    }
    listen_to(j);
    puppet_close(&j->puppet);
}

static void come(struct joiner *j, const struct addr *control, const struct lie *lie)
{
    static const uint8_t context[] = {'j', 'o', 'i', 'n'};
    struct identity *me;
    if (identity_generate(&me) || puppet_open_as(&j->puppet, me, &j->token.issuer, control, control))
        die("cannot start");
    j->dialled++;
    if (puppet_secure(&j->puppet) &&
        tls_export(j->puppet.tls, context, sizeof(context), j->exporter, KDF_LEN) == 0)
        lie->tell(j);
    finish(j, lie);
}

static void read_token(struct joiner *j)
{
    char text[TOKEN_TEXT_MAX];
    if (!fgets(text, sizeof(text), stdin) || token_decode(text, strcspn(text, "\n"), &j->token) ||
        identity_from_seed(j->token.seed, &j->key))
        die("no token on standard input");
}

static void print(const struct joiner *j)
{
    const char *comma = "";
    printf("{\"dialled\": %u, \"joined\": %u, \"ended\": %u, \"held\": %u, \"codes\": {", j->dialled,
           j->joined, j->ended, held_count);
    for (unsigned i = 0; i < CODES; i++) {
        if (!j->codes[i])
            continue;
        printf("%s\"%u\": %u", comma, i, j->codes[i]);
        comma = ", ";
    }
    printf("}, \"text\": \"%s\"}\n", j->text);
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
    static struct joiner j;
    struct addr control;
    if (argc != 5 || addr_parse(argv[1], 0, &control))
        die("usage: joiner CONTROL_ADDRESS:PORT LIE TIMES SECONDS <TOKEN");
    signal(SIGPIPE, SIG_IGN);
    const struct lie *lie = find(argv[2]);
    uint64_t end_us = clock_monotonic_us() + strtoull(argv[4], NULL, 10) * USEC_PER_SEC;
    read_token(&j);
    for (unsigned i = (unsigned)atoi(argv[3]); i-- > 0 && clock_monotonic_us() < end_us;)
        come(&j, &control, lie);
    print(&j);
    return 0;
}
