#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# install.sh BUILD PREFIX DESTDIR: installs the programs, their manual pages, units for systemd and, where they were built with
# libraries of a private prefix, copies of those in PREFIX/lib/shadowmesh, which is where the installed programs look.
set -eu
build=$1 prefix=$2 destdir=$3

configured() { # OPTION
    meson introspect "$build" --buildoptions | /usr/bin/python3 -c '
import json, sys
print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == sys.argv[1]))' "$1"
}

[ "$(configured prefix)" = "$prefix" ] || meson configure "$build" -Dprefix="$prefix"
DESTDIR=$destdir meson install -C "$build" --quiet
private() { # OPTION LIBRARY...
    from=$(configured "$1")
    shift
    [ -n "$from" ] || return 0
    for library in "$@"; do
        install -D -m 644 "$from/lib/$library" "$destdir$prefix/lib/shadowmesh/$library"
    done
}
private openssl_prefix libssl.so.3 libcrypto.so.3
private ipsec_mb_prefix libIPSec_MB.so.2
echo "installed in $destdir$prefix: shadowmesh, shadowmesh-l2, shadowmesh-backbone, a manual page for each, units for systemd"
