/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A router's port mappings by UPnP (UPnP-gw-WANIPConnection), by libminiupnpc: SSDP, HTTP and XML. It blocks, and reads what
 * strangers wrote with others' code: in a process of its own (upnp_job.h). */

#include "base/addr.h"
#include "node/helper/helper_message.h"
#include "proto/portmap/mapper.h"

#define UPNP_WHERE_MAX 512 /* with its NUL */

struct upnp_request {
    struct addr client, gateway;   /* IPv4; ports 0 */
    uint16_t ports[MAPPER_PORTS];  /* ours */
    uint16_t wished[MAPPER_PORTS]; /* outer ones: those of before, or as ours; to end none: 0 */
    char where[UPNP_WHERE_MAX];    /* what answered before: "URL SERVICE"; empty: it is looked for */
    bool release;                  /* the mappings of wished are to end */
};

/* Fills a HELPER_PORTMAP, with data (where) in memory of this file's. Nobody but the gateway is asked, whoever answers. */
void upnp_gateway_ask(const struct upnp_request *request, struct helper_message *answer);

/* Ends the mappings that the answer tells, which nobody wants any more. */
void upnp_gateway_undo(const struct upnp_request *request, const struct helper_message *answer);
