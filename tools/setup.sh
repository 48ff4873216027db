#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Configures a build folder: setup.sh DIR [--arch ARCH|--static ARCH] [meson options]. Finds OpenSSL >= 3.5 and
# intel-ipsec-mb first. For another ARCH of Debian's it makes the sysroot and Meson's cross file, too. For programs without
# shared libraries all of them are those of Debian's current stable release, whatever this machine's is.
set -eu
tools=$(dirname "$0")
say() { echo "setup.sh: $*" >&2; }
die() { say "$*"; exit 1; }

dir=$1
shift
kind=
arch=
case ${1:-} in
--arch | --static)
    kind=$1
    arch=$2
    shift 2
    # shellcheck source=tools/cross.sh
    . "$tools/cross.sh"
    cross_facts "$arch"
    mkdir -p "$dir"
    ;;
esac
if [ "$kind" = --static ]; then
    sysroot=$("$tools/sysroot.sh" "$arch" stable)
    libraries=$("$tools/static.sh" "$arch")
    cross_file "$sysroot" >"$dir/cross.ini"
    exec meson setup "$dir" --cross-file "$dir/cross.ini" --pkg-config-path "$libraries/lib/pkgconfig" -Dstatic=true \
        -Dprefer_static=true "$@"
fi
# shellcheck disable=SC2086 # one word, or none
openssl=$("$tools/openssl.sh" $arch)
if [ "$openssl" != system ]; then
    set -- --pkg-config-path "$openssl/lib/pkgconfig" -Dopenssl_prefix="$openssl" "$@"
fi
if [ -n "$arch" ]; then
    sysroot=$("$tools/sysroot.sh" "$arch")
    cross_file "$sysroot" >"$dir/cross.ini"
    exec meson setup "$dir" --cross-file "$dir/cross.ini" "$@"
fi
ipsec_mb=$("$tools/ipsec_mb.sh")
if [ "$ipsec_mb" != system ]; then
    set -- -Dipsec_mb_prefix="$ipsec_mb" "$@"
fi
exec meson setup "$dir" "$@"
