/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/place.h"

#include "cli/cli.h"
#include "crypto/certfile.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEYDIRS "/var/lib/shadowmesh"
#define LOGS    "/var/log"

/* False when it does not fit. */
__attribute__((format(printf, 2, 3))) static bool join(char out[PATH_MAX], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(out, PATH_MAX, format, args);
    va_end(args);
    return len >= 0 && len < PATH_MAX;
}

const char *place_run_dir(char out[PATH_MAX])
{
    const char *own = getenv("XDG_RUNTIME_DIR");
    bool is_there =
        geteuid() != 0 && own && own[0] == '/' && join(out, "%s/shadowmesh", own) && access(out, F_OK) == 0;
    return is_there ? out : PLACE_RUN;
}

/* Absolute, as a daemon may change its folder. */
static bool read_etc(const char *etc, char out[PATH_MAX])
{
    char here[PATH_MAX];
    if (etc[0] == '/')
        return join(out, "%s", etc);
    return getcwd(here, sizeof(here)) && join(out, "%s/%s", here, etc);
}

static bool fill(struct place *p)
{
    bool ok = join(p->dir, "%s/%s", p->etc, p->network) && join(p->conf, "%s/" PLACE_CONF, p->dir);
    if (p->standard)
        return ok && join(p->keydir_parent, KEYDIRS) && join(p->keydir, KEYDIRS "/%s", p->network) &&
               join(p->log, LOGS "/shadowmesh-%s" PLACE_LOG_END, p->network);
    return ok && join(p->keydir_parent, "%s", p->dir) && join(p->keydir, "%s/state", p->dir) &&
           join(p->log, "%s/node" PLACE_LOG_END, p->dir);
}

const char *place_init(const struct cli_options *options, const char *network, struct place *out)
{
    *out = (struct place){.run_dir = options->run_dir, .standard = strcmp(options->etc_dir, PLACE_ETC) == 0};
    if (!cert_label_ok(network))
        return "no name for a network: give letters a to z, digits and -, as in home or site-3";
    snprintf(out->network, sizeof(out->network), "%s", network);
    return read_etc(options->etc_dir, out->etc) && fill(out) ? NULL : "the path of -etc is too long";
}

const char *place_checked(const struct place *p)
{
    return p->standard ? p->network : p->conf;
}

bool place_exists(const struct place *p)
{
    return access(p->conf, F_OK) == 0;
}

bool place_is_member(const struct place *p)
{
    char path[PATH_MAX];
    return join(path, "%s/" CERTFILE_MEMBER, p->keydir) && access(path, F_OK) == 0;
}
