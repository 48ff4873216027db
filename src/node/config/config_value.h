/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One flag's value each, from text. Every reader returns NULL, or what is wrong with the text and how to mend
 * it: a phrase that completes "-flag TEXT: …". Any thread. */

#include "node/config/config.h"

/* 1 to 65535. */
const char *config_read_port(const char *text, uint16_t *out) must_check;

/* A number from min to max; hint is what the person reads when it is not. */
const char *config_read_number(const char *text, unsigned min, unsigned max, const char *hint,
                               unsigned *out) must_check;

/* "24", "255.255.255.0" or "64" for the family (4 or 6). */
const char *config_read_netmask(const char *text, unsigned family, uint8_t *bits) must_check;

/* An address of a host, without a port. */
const char *config_read_host_address(const char *text, struct addr *out) must_check;

/* The device's address, "10.10.10.3" or "10.10.10.3/24"; bits stays as it is without a slash. */
const char *config_read_tap_address(const char *text, struct addr_prefix *out, bool *has_bits) must_check;

/* "http://HOST[:PORT][/PATH]" or https; trailing slashes are cut. */
const char *config_read_url(const char *text, char *out, size_t cap) must_check;

/* "http://HOST:PORT" or https, without a name and a password; or CONFIG_PROXY_OFF. */
const char *config_read_proxy(const char *text, char *out, size_t cap) must_check;

/* A network interface's name. */
const char *config_read_device(const char *text, char out[IFNAMSIZ]) must_check;

/* A name for people: 1 to cap - 1 bytes of UTF-8 without control characters. */
const char *config_read_name(const char *text, char *out, size_t cap) must_check;

/* The name of a network: an LDH label. */
const char *config_read_network(const char *text, char *out, size_t cap) must_check;

/* A path that fits out. */
const char *config_read_path(const char *text, char *out, size_t cap) must_check;

const char *config_read_id(const char *text, struct node_id *out) must_check;

/* "HOST[:PORT]" of a STUN server; HOST as below. */
const char *config_read_stun(const char *text, struct config_host *out) must_check;

/* "ID[@HOST[:PORT]]": HOST is a name, an IPv4 address or an IPv6 address in brackets. */
const char *config_read_connect(const char *text, struct config_connect *out) must_check;
