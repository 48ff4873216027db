#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Configures a build folder: setup.sh DIR [--arch ARCH] [meson options]. Finds OpenSSL >= 3.5 and intel-ipsec-mb first.
# For another ARCH of Debian's it makes the sysroot and Meson's cross file, too.
set -eu
tools=$(dirname "$0")
say() { echo "setup.sh: $*" >&2; }
die() { say "$*"; exit 1; }

dir=$1
shift
arch=
if [ "${1:-}" = --arch ]; then
    arch=$2
    shift 2
fi
openssl=$("$tools/openssl.sh" $arch)
if [ "$openssl" != system ]; then
    set -- --pkg-config-path "$openssl/lib/pkgconfig" -Dopenssl_prefix="$openssl" "$@"
fi
if [ -n "$arch" ]; then
    # shellcheck source=tools/cross.sh
    . "$tools/cross.sh"
    cross_facts "$arch"
    sysroot=$("$tools/sysroot.sh" "$arch")
    mkdir -p "$dir"
    cross_file "$sysroot" >"$dir/cross.ini"
    exec meson setup "$dir" --cross-file "$dir/cross.ini" "$@"
fi
ipsec_mb=$("$tools/ipsec_mb.sh")
if [ "$ipsec_mb" != system ]; then
    set -- -Dipsec_mb_prefix="$ipsec_mb" "$@"
fi
exec meson setup "$dir" "$@"
