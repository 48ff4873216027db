/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the flags say of the device to be. Internal to the device. */

#include "net/tap.h"
#include "node/config/config.h"
#include <string.h>

static inline enum tap_layer device_layer_of(const struct config *config)
{
    return config->tun_name[0] || config->tun_fd ? TAP_IP : TAP_ETHERNET;
}

/* NULL: any. */
static inline const char *device_name_of(const struct config *config)
{
    bool is_tun = device_layer_of(config) == TAP_IP;
    const char *name = is_tun ? config->tun_name : config->tap_name;
    return name[0] && (!is_tun || strcmp(name, CONFIG_TUN_AUTO) != 0) ? name : NULL;
}
