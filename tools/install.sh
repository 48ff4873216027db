#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# install.sh BUILD PREFIX DESTDIR: installs the programs, their manual pages and, where they were built with a private
# OpenSSL, a copy of its two libraries in PREFIX/lib/shadowmesh, which is where the installed programs look for them.
set -eu
build=$1 prefix=$2 destdir=$3

configured() { # OPTION
    meson introspect "$build" --buildoptions | /usr/bin/python3 -c '
import json, sys
print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == sys.argv[1]))' "$1"
}

[ "$(configured prefix)" = "$prefix" ] || meson configure "$build" -Dprefix="$prefix"
DESTDIR=$destdir meson install -C "$build" --quiet
openssl=$(configured openssl_prefix)
if [ -n "$openssl" ]; then
    install -d "$destdir$prefix/lib/shadowmesh"
    install -m 644 "$openssl/lib/libssl.so.3" "$openssl/lib/libcrypto.so.3" "$destdir$prefix/lib/shadowmesh/"
fi
echo "installed in $destdir$prefix: shadowmesh, shadowmesh-l2, shadowmesh-backbone, and a manual page for each"
