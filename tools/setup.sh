#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Configures a build folder: setup.sh DIR [meson options]. Finds OpenSSL >= 3.5 and intel-ipsec-mb first.
set -eu
tools=$(dirname "$0")
dir=$1
shift
openssl=$("$tools/openssl.sh")
if [ "$openssl" != system ]; then
    set -- --pkg-config-path "$openssl/lib/pkgconfig" -Dopenssl_prefix="$openssl" "$@"
fi
ipsec_mb=$("$tools/ipsec_mb.sh")
if [ "$ipsec_mb" != system ]; then
    set -- -Dipsec_mb_prefix="$ipsec_mb" "$@"
fi
exec meson setup "$dir" "$@"
