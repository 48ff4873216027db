/* SPDX-License-Identifier: Apache-2.0 */
/* The node asks an issuer, which shuts its key out (docs/PROTOCOL.md §27); the session's end is the answer. */
#include "cli/leaving.h"

#include "cli/api_client.h"
#include "cli/format.h"
#include "cli/nodes.h"
#include "cli/place.h"
#include "cli/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIMEOUT_MS 2000
#define TRIES      50 /* the node asks the issuer at each … */
#define PAUSE_MS   100
#define REMEDY     "`shadowmesh revoke %s` at an issuer frees the name and addresses of this node\n"

/* What it answers, for the caller to decref; NULL: it does not. */
static json_t *ask(const char *run_dir, const struct node_id *id)
{
    char error[API_ERROR_MAX];
    json_t *result = NULL;
    int err = api_client_call(run_dir, id, json_pack("{s:s}", "cmd", "leave"), TIMEOUT_MS, &result, error);
    return err ? NULL : result;
}

static void print(const char *state, const char *issuer, const char *name)
{
    if (strcmp(state, "left") == 0)
        printf("%s was told: the name and addresses of this node are free there, and its key is shut out\n",
               issuer[0] ? issuer : "an issuer");
    else if (strcmp(state, "issuer") == 0)
        printf("this node is an issuer: only the network's CA shuts out its key\n");
    else if (strcmp(state, "asked") == 0)
        printf("%s does not answer: " REMEDY, issuer[0] ? issuer : "an issuer", name);
    else
        printf("no issuer is connected, and nobody was told: " REMEDY, name);
}

/* Again and again, as what is said may be lost, until the state is another one than "asked". */
static void tell(const char *run_dir, const struct node_id *id, const char *name)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000};
    json_t *result = NULL;
    for (unsigned i = 0; i < TRIES; i++) {
        json_decref(result);
        result = ask(run_dir, id);
        if (!result || strcmp(nodes_text(result, "state"), "asked") != 0)
            break;
        nanosleep(&pause, NULL);
    }
    char *issuer = format_clean(nodes_text(result, "issuer"));
    print(nodes_text(result, "state"), issuer, name);
    free(issuer);
    json_decref(result);
}

void leaving_tell(const struct place *p, const char *run_dir)
{
    struct node_id id;
    json_t *status = place_is_member(p) ? service_status(p) : NULL;
    char *name = format_clean(nodes_text(status, "name"));
    if (place_is_member(p) && !status)
        printf("the node does not run, and nobody was told: " REMEDY, "NAME");
    else if (status && id_parse(nodes_text(status, "id"), &id) == 0)
        tell(run_dir, &id, name);
    free(name);
    json_decref(status);
}
