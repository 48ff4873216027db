#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# dist.sh BUILD ARCH...: the programs as one file each, which need no library of the system that they are copied to:
# BUILD/shadowmesh-l2-linux-ARCH and the others, each with its SHA-256 beside it. Prints sizes.
set -eu
tools=$(dirname "$0")
build=$1
shift

say() { echo "dist.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# shellcheck source=tools/cross.sh
. "$tools/cross.sh"
mkdir -p "$build"
for arch in "$@"; do
    cross_facts "$arch"
    [ -e "build-dist-$arch/build.ninja" ] || "$tools/setup.sh" "build-dist-$arch" --static "$arch" -Dtests=false >&2
    # What the linker says of getaddrinfo and dlopen in static programs is thought of: net/process.h.
    ninja -C "build-dist-$arch" >"build-dist-$arch/log" 2>&1 || { tail -n 30 "build-dist-$arch/log" >&2; die "the build failed"; }
    for program in shadowmesh shadowmesh-l2 shadowmesh-backbone; do
        name=$program-linux-$arch
        "$cross_triplet-strip" -o "$build/$name" "build-dist-$arch/$program"
        (cd "$build" && sha256sum "$name" >"$name.sha256")
        echo "$build/$name: $(stat -c %s "$build/$name") bytes"
    done
done
