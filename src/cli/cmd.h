/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The verbs of `shadowmesh`: one file each, cmd_*.c. Each returns an exit code (cli.h). */

struct cli_options;

int cmd_up(const struct cli_options *options);
int cmd_join(const struct cli_options *options);
int cmd_down(const struct cli_options *options);
int cmd_promote(const struct cli_options *options);
int cmd_ca(const struct cli_options *options);
int cmd_backup(const struct cli_options *options);
int cmd_restore(const struct cli_options *options);
int cmd_leave(const struct cli_options *options);
int cmd_status(const struct cli_options *options);
int cmd_peers(const struct cli_options *options);
int cmd_members(const struct cli_options *options);
int cmd_log(const struct cli_options *options);
int cmd_revoke(const struct cli_options *options);
int cmd_fdb(const struct cli_options *options);
int cmd_ping(const struct cli_options *options);
int cmd_allow(const struct cli_options *options);
int cmd_disallow(const struct cli_options *options);
int cmd_connect(const struct cli_options *options);
int cmd_disconnect(const struct cli_options *options);
int cmd_check(const struct cli_options *options);
int cmd_reload(const struct cli_options *options);
int cmd_set(const struct cli_options *options);
int cmd_netcheck(const struct cli_options *options);
int cmd_id(const struct cli_options *options);
int cmd_invite(const struct cli_options *options);
int cmd_invites(const struct cli_options *options);
int cmd_approve(const struct cli_options *options);
int cmd_run(const struct cli_options *options);
int cmd_version(const struct cli_options *options);
