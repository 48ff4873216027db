/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh leave: the network is told, this machine's node ends, and all that `up` or `join` made here goes, keys included. */
#include "cli/cmd.h"

#include "base/err.h"
#include "cli/authority.h"
#include "cli/cli.h"
#include "cli/draft.h"
#include "cli/leaving.h"
#include "cli/place.h"
#include "cli/service.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_sure(const struct place *p, bool ca)
{
    char answer[16] = "";
    if (!isatty(STDIN_FILENO)) {
        cli_complain("leave %s: it removes keys: -yes says that this is meant", p->network);
        return false;
    }
    printf("%s and %s go, with this node's key%s.\nLeave the network %s? Type yes: ", p->dir, p->keydir,
           ca ? " and the key of the network's CA, of which there may be no other copy" : "", p->network);
    fflush(stdout);
    if (fgets(answer, sizeof(answer), stdin) && strcmp(answer, "yes\n") == 0)
        return true;
    puts("nothing was removed");
    return false;
}

static bool remove_folder(const char *parent, const char *name)
{
    int err = draft_remove(parent, name);
    if (!err || err == ERR_NOT_FOUND)
        return true;
    cli_complain("%s/%s cannot be removed: %s", parent, name, err == ERR_IO ? strerror(errno) : err_str(err));
    return false;
}

/* The configuration goes last: what is left over can be removed by the same verb. */
static bool remove_all(const struct place *p)
{
    if (p->standard && !remove_folder(p->keydir_parent, p->network))
        return false;
    if (p->standard)
        unlink(p->log);
    return remove_folder(p->etc, p->network);
}

int cmd_leave(const struct cli_options *options)
{
    struct place p;
    bool ran;
    const char *wrong = place_init(options, options->words[0], &p);
    if (wrong) {
        cli_complain("leave %s: %s", options->words[0], wrong);
        return CLI_USAGE;
    }
    if (access(p.dir, F_OK) != 0 && access(p.keydir, F_OK) != 0) {
        cli_complain("there is no network %s here: %s is missing", p.network, p.dir);
        return CLI_NO_NODE;
    }
    bool ca = authority_is_here(&p);
    if (!options->yes && !is_sure(&p, ca))
        return CLI_FAILURE;
    if (!ca) /* else the network may end with it: nobody is told */
        leaving_tell(&p, options->run_dir);
    if ((place_exists(&p) && !service_stop(&p, &ran)) || !remove_all(&p))
        return CLI_FAILURE;
    printf("network %s: left, its files are gone\n", p.network);
    return CLI_OK;
}
