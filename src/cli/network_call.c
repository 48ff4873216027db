/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/network_call.h"

#include "cli/api_client.h"
#include "cli/nodes.h"
#include "cli/place.h"
#include "cli/service.h"

#define TIMEOUT_MS 5000

/* Its id by its network's name. */
static enum cli_exit find(const struct cli_options *options, const char *verb, struct node_id *out)
{
    struct place p;
    const char *wrong = place_init(options, options->words[0], &p);
    if (wrong) {
        cli_complain("%s %s: %s", verb, options->words[0], wrong);
        return CLI_USAGE;
    }
    json_t *status = service_status(&p);
    enum cli_exit verdict = status && id_parse(nodes_text(status, "id"), out) == 0 ? CLI_OK : CLI_NO_NODE;
    if (verdict != CLI_OK)
        cli_complain("%s %s: no node of that network answers here: `shadowmesh up %s` starts it", verb,
                     p.network, p.network);
    json_decref(status);
    return verdict;
}

enum cli_exit network_call(const struct cli_options *options, const char *verb, json_t *request,
                           json_t **result)
{
    char error[API_ERROR_MAX];
    struct node_id id;
    enum cli_exit verdict = find(options, verb, &id);
    if (verdict != CLI_OK) {
        json_decref(request);
        return verdict;
    }
    int err = api_client_call(options->run_dir, &id, request, TIMEOUT_MS, result, error);
    if (err == ERR_PERMISSION)
        cli_complain("%s: only root and the user that runs the node may: try sudo", verb);
    else if (err)
        nodes_complain(options, &id, err, error);
    return err ? CLI_FAILURE : CLI_OK;
}
