#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# uninstall.sh BUILD PREFIX DESTDIR: removes what install.sh puts there, and folders of the programs' own that are
# then empty. Keys and a backbone's data stay: they are where -keydir and -data say.
set -eu
build=$1 prefix=$2 destdir=$3

# What Meson would install, below PREFIX instead of the one that the build was configured with.
installed() {
    meson introspect "$build" --installed --buildoptions | /usr/bin/python3 -c '
import json, os, sys
told = json.load(sys.stdin)
old = next(o["value"] for o in told["buildoptions"] if o["name"] == "prefix")
for path in told["installed"].values():
    print(os.path.relpath(path, old))'
}

files=$(installed) # no name holds a blank
for file in $files; do
    rm -f "$destdir$prefix/$file"
done
# The same libraries as in install.sh.
own=$destdir$prefix/lib/shadowmesh
rm -f "$own/libssl.so.3" "$own/libcrypto.so.3" "$own/libIPSec_MB.so.2"
for folder in "$own" "$destdir$prefix/share/shadowmesh"; do
    [ ! -d "$folder" ] || rmdir --ignore-fail-on-non-empty "$folder"
done
echo "removed from $destdir$prefix: shadowmesh, shadowmesh-l2, shadowmesh-backbone, a manual page for each, units for systemd"
