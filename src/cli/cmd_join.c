/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh join: this machine's node comes into a network by a token. The node does it; this verb makes its files, starts it
 * and tells how far it is (join_report.h). */
#include "cli/cmd.h"

#include "cli/adopted.h"
#include "cli/cli.h"
#include "cli/flag_values.h"
#include "cli/join_report.h"
#include "cli/making.h"
#include "cli/node_conf.h"
#include "cli/own_name.h"
#include "cli/place.h"
#include "cli/service.h"
#include "cli/token_input.h"
#include "crypto/keyfile.h"
#include "crypto/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Those of the token first. */
static void fill_conf(const struct token *token, struct node_conf *conf)
{
    for (unsigned i = 0; i < token->place_count; i++)
        if (!token->places[i].addr.family && conf->backbone_count < NODE_CONF_BACKBONES_MAX)
            conf->backbones[conf->backbone_count++] = token->places[i].url;
}

/* A node without a key makes itself one. */
static bool put_key(struct making *m, const struct identity *key)
{
    int err = key ? identity_save(key, m->keydir_path) : 0;
    return err ? making_fail(m, IDENTITY_KEY_FILE, err) : true;
}

static bool write_all(struct making *m, const struct node_conf *conf, const struct identity *key,
                      const char *token)
{
    char *text = node_conf_text(conf);
    bool ok = making_put(m, PLACE_CONF, text) && put_key(m, key) &&
              making_put_secret(m, PLACE_TOKEN, token, strlen(token)) && making_publish(m);
    free(text);
    return ok;
}

static bool make(const struct cli_options *o, const struct place *p, const struct token *token,
                 const char *text)
{
    char name[CERT_LABEL_MAX];
    struct node_conf conf = {.network = p->network,
                             .checked = place_checked(p),
                             .name = o->name ? own_name_choose(o->name, name) : NULL};
    struct identity *key = NULL;
    struct making m;
    if (o->name && !conf.name)
        return false;
    fill_conf(token, &conf);
    if (!flag_values_take(o, &conf) || !adopted_key(o, "join", &key))
        return false;
    node_conf_choose(&conf, p->etc);
    bool ok = making_begin(p, &m) && write_all(&m, &conf, key, text);
    identity_free(key);
    return ok;
}

/* One that never became a member gives way to a new token. */
static bool make_room(const struct place *p)
{
    bool ran;
    if (!place_exists(p))
        return true;
    if (place_is_member(p)) {
        cli_complain("this machine is a member of a network %s already: `shadowmesh up %s` starts it, "
                     "`shadowmesh leave %s` "
                     "makes room for another one",
                     p->network, p->network, p->network);
        return false;
    }
    if (!service_stop(p, &ran))
        return false;
    int err = p->standard ? draft_remove(p->keydir_parent, p->network) : 0;
    if (!err || err == ERR_NOT_FOUND)
        err = draft_remove(p->etc, p->network);
    if (err)
        cli_complain("%s cannot be removed: %s", p->dir, err == ERR_IO ? strerror(errno) : err_str(err));
    return !err;
}

static int run(const struct cli_options *o, const struct token *token, const char *text)
{
    struct place p;
    const char *wrong = place_init(o, token->name, &p);
    if (wrong) {
        cli_complain("join: %s", wrong);
        return CLI_USAGE;
    }
    if (!make_room(&p) || !make(o, &p, token, text))
        return CLI_FAILURE;
    if (o->foreground) {
        service_become(&p);
        return CLI_FAILURE;
    }
    return service_start(&p) ? join_report(&p) : CLI_FAILURE;
}

/* The words lie where ps(1) reads them. */
static char *word_of(const struct cli_options *o)
{
    return o->word_count ? (char *)(uintptr_t)o->words[0] : NULL;
}

int cmd_join(const struct cli_options *options)
{
    struct token token;
    char text[TOKEN_TEXT_MAX];
    int code = CLI_USAGE;
    if (token_input(word_of(options), &token, text))
        code = run(options, &token, text);
    secret_wipe(&token, sizeof(token));
    secret_wipe(text, sizeof(text));
    return code;
}
