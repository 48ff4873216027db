/* SPDX-License-Identifier: Apache-2.0 */
#include "node/network/joining.h"

#include "base/clock.h"
#include "base/folder.h"
#include "base/log.h"
#include "crypto/certfile.h"
#include "crypto/secret.h"
#include "crypto/token.h"
#include "node/config/config.h"
#include "node/network/network_files.h"
#include "proto/mesh/mesh.h"
#include "proto/network/asking.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AGAIN_US  (3 * USEC_PER_SEC)         /* between questions to an issuer that has not decided yet */
#define TEXT_MAX  (MESH_PEER_ERROR_MAX + 48) /* a reason of either, and what it is of */
#define TRIES_MAX 2                          /* names of a node that nobody named */

struct joining {
    const struct config *config;
    const struct identity *me;
    struct mesh *mesh; /* NULL until it begins */
    struct asking *asking;
    struct token token; /* its secret is there until this node is a member */
    int dir;
    unsigned tries; /* other names */
    const char *step;
    char text[TEXT_MAX];
    bool refused, waits;
    uint64_t asked_us;
};

/* ---- the token ---- */

static int tell_token(const struct config *c, int err)
{
    const char *why = err == ERR_EXPOSED       ? "others can read it: chmod 600"
                      : err == ERR_MISMATCH    ? "it was cut or altered on the way"
                      : err == ERR_UNSUPPORTED ? "it is of another version"
                      : err == ERR_FORMAT      ? "it is no token"
                      : err == ERR_IO          ? strerror(errno)
                                               : err_str(err);
    log_error("-network %s: %s/" NETWORK_TOKEN_FILE ": %s; `shadowmesh join` takes another one", c->network,
              c->keydir, why);
    return err;
}

static int read_token(struct joining *j)
{
    char text[TOKEN_TEXT_MAX + 1];
    size_t len = 0;
    int err = folder_read(j->dir, NETWORK_TOKEN_FILE, OWN_FILE_PRIVATE, (uint8_t *)text, sizeof(text), &len);
    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    if (!err)
        err = token_decode(text, len, &j->token);
    secret_wipe(text, sizeof(text));
    if (err)
        return tell_token(j->config, err);
    if (strcmp(j->token.name, j->config->network) == 0)
        return 0;
    log_error("-network %s: %s/" NETWORK_TOKEN_FILE " is for the network %s", j->config->network,
              j->config->keydir, j->token.name);
    return ERR_MISMATCH;
}

/* ---- the name ---- */

/* What a person said, or the host's name as a label; empty where that is none. A name that is taken gets a part of our id. */
static void wish(const struct joining *j, char out[CERT_LABEL_MAX])
{
    char hex[ID_TEXT_MAX];
    size_t len = 0;
    for (const char *at = j->config->name; *at && *at != '.' && len < CERT_LABEL_MAX - 6; at++)
        out[len++] = (char)tolower((unsigned char)*at);
    out[len] = '\0';
    if (j->tries)
        snprintf(out + len, CERT_LABEL_MAX - len, "-%.4s", id_format(identity_id(j->me), hex));
    if (j->config->named)
        snprintf(out, CERT_LABEL_MAX, "%s", j->config->name);
    if (!cert_name_ok(out))
        out[0] = '\0';
}

static int make_asking(struct joining *j)
{
    char name[CERT_LABEL_MAX];
    wish(j, name);
    int err = asking_join(&j->token, j->me, name, &j->asking);
    if (err)
        log_error("-network %s: %s", j->config->network, err_str(err));
    return err;
}

int joining_open(const struct config *config, int dir, const struct identity *me, struct joining **out)
{
    struct joining *j = calloc(1, sizeof(*j));
    if (!j) {
        log_error("out of memory");
        return ERR_NOMEM;
    }
    *j = (struct joining){.config = config, .me = me, .dir = dir, .step = "searching"};
    int err = read_token(j);
    if (!err)
        err = make_asking(j);
    if (err)
        joining_close(j);
    else
        *out = j;
    return err;
}

void joining_close(struct joining *j)
{
    if (!j)
        return;
    asking_free(j->asking);
    secret_wipe(&j->token, sizeof(j->token));
    free(j);
}

/* ---- asking ---- */

static int ask(struct joining *j)
{
    j->asked_us = clock_monotonic_us();
    asking_set_clock(j->asking, clock_unix_s());
    return mesh_ask(j->mesh, &j->token.issuer, j->asking, j->asked_us);
}

int joining_begin(struct joining *j, struct mesh *mesh)
{
    struct addr places[TOKEN_PLACES_MAX];
    unsigned count = 0;
    int err = mesh_connect(mesh, &j->token.issuer);
    for (unsigned i = 0; i < j->token.place_count; i++)
        if (j->token.places[i].addr.family)
            places[count++] = j->token.places[i].addr;
    if (err)
        return err;
    j->mesh = mesh;
    mesh_set_given_addresses(mesh, &j->token.issuer, places, count, clock_monotonic_us());
    log_info("network %s: joining, by an issuer that the token names", j->config->network);
    return ask(j);
}

/* ---- answers ---- */

static void end_refused(struct joining *j)
{
    j->refused = true;
    log_error("network %s: cannot join: %s", j->config->network, j->text);
    (void)!mesh_ask(j->mesh, &j->token.issuer, NULL, clock_monotonic_us());
    (void)!mesh_disconnect(j->mesh, &j->token.issuer, clock_monotonic_us());
}

/* Nobody chose the name: another one will do. */
static bool try_other_name(struct joining *j)
{
    struct asking *last = j->asking;
    if (j->config->named || ++j->tries >= TRIES_MAX)
        return false;
    bool made = make_asking(j) == 0;
    if (made)
        (void)!ask(j); /* the mesh lets go of the last one */
    else
        j->asking = last;
    asking_free(made ? last : NULL);
    return made;
}

static void on_refused(struct joining *j)
{
    int code = asking_code(j->asking);
    j->waits = code == REFUSE_WAITS || code == REFUSE_LATER || code == REFUSE_FULL;
    snprintf(j->text, sizeof(j->text), "%s%s", code ? "" : "the issuer: ", asking_reason(j->asking));
    if (code == REFUSE_WAITS)
        j->step = "approval";
    if (code == REFUSE_NAME_TAKEN && try_other_name(j))
        j->text[0] = '\0';
    else if (!j->waits)
        end_refused(j);
}

static bool put(struct joining *j, const char *name, struct slice der)
{
    int err = certfile_write(j->dir, name, der.data, der.len);
    if (!err)
        return true;
    snprintf(j->text, sizeof(j->text), "%.100s/%s cannot be written: %s", j->config->keydir, name,
             err == ERR_IO ? strerror(errno) : err_str(err));
    return false;
}

/* The member's own comes last: with it the others are there, too. */
static bool keep(struct joining *j)
{
    const struct membership_chain chain = asking_chain(j->asking);
    if (!put(j, CERTFILE_CA, chain.ca) || !put(j, CERTFILE_ISSUER, chain.issuer) ||
        !put(j, CERTFILE_MEMBER, chain.member)) {
        end_refused(j);
        return false;
    }
    unlinkat(j->dir, NETWORK_TOKEN_FILE, 0);
    return true;
}

bool joining_on_asked(struct joining *j)
{
    if (j->refused)
        return false;
    switch (asking_state(j->asking)) {
    case ASKING_IDLE:
        break;
    case ASKING_ISSUER:
        j->step = j->waits ? j->step : "issuer";
        break;
    case ASKING_PROVING:
        j->step = j->waits ? j->step : "proving";
        break;
    case ASKING_DONE:
        return keep(j);
    case ASKING_REFUSED:
        on_refused(j);
        break;
    }
    return false;
}

/* Nobody has refused anything: why the issuer is not even reached. */
static void tell_dial(struct joining *j)
{
    struct mesh_peer issuer;
    j->text[0] = '\0';
    if (mesh_view_peer(j->mesh, &j->token.issuer, &issuer) && issuer.error[0])
        snprintf(j->text, sizeof(j->text), "the issuer is not reached: %s; retrying", issuer.error);
}

void joining_tick(struct joining *j, uint64_t now_us)
{
    if (j->refused || !j->mesh)
        return;
    if (!j->waits)
        tell_dial(j);
    else if (now_us - j->asked_us >= AGAIN_US)
        (void)!ask(j);
}

struct joining_status joining_status(const struct joining *j)
{
    return (struct joining_status){j->step, j->text, j->refused};
}
