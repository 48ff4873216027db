/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A process for each thing that is asked by UPnP: what a router writes there breaks, or holds up, nobody else. */

#include "node/helper/helper_channel.h"

struct upnp_request;

#define UPNP_JOB_PATIENCE_S 20u /* with the search */
#define UPNP_JOB_LAST_S     1u  /* to end mappings */

struct upnp_job {
    int fd; /* readable when it ends; -1: none runs */
};

#define UPNP_JOB_NONE                                                                                        \
    (struct upnp_job)                                                                                        \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

/* Forks it; before the process makes a thread. ERR_IO with errno set. */
int upnp_job_start(struct upnp_job *job, const struct upnp_request *request) must_check;

/* A job that has not answered yet ends what it then is given. It is readable. */
void upnp_job_hear_no_more(const struct upnp_job *job);

/* Once it is readable: the answer (upnp_gateway_ask), whose data lies in packet; one of a job that broke off says so.
 * No job runs then. */
const struct helper_message *upnp_job_finish(struct upnp_job *job, struct helper_packet *packet);
