#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Configures a build folder: setup.sh DIR [meson options]. Finds OpenSSL >= 3.5 first.
set -eu
dir=$1
shift
prefix=$("$(dirname "$0")/openssl.sh")
if [ "$prefix" = system ]; then
    exec meson setup "$dir" "$@"
fi
exec meson setup "$dir" --pkg-config-path "$prefix/lib/pkgconfig" -Dopenssl_prefix="$prefix" "$@"
