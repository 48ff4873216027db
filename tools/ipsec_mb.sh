#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Prints where intel-ipsec-mb is to be taken from: "system", or the prefix of a copy of our own. From 2.0 on it has
# AES-GCM for CPUs with VAES and without AVX-512, in little more than half the time. A release that has an older one gets
# the signed binary packages of Debian's current stable release, unpacked once per user; they need nothing of a newer
# system. A build goes without the library, or with the older one, when they cannot be had. Progress goes to stderr, the
# answer alone to stdout.
set -eu
tools=$(dirname "$0")

say() { echo "ipsec_mb.sh: $*" >&2; }

version=$(dpkg-query -W -f '${Version}' libipsec-mb-dev 2>/dev/null || true)
if [ "$(dpkg --print-architecture 2>/dev/null)" != amd64 ] || dpkg --compare-versions "${version:-0}" ge 2.0; then
    echo system
    exit 0
fi

# shellcheck source=tools/stable.sh
. "$tools/stable.sh"
private_prefix ipsec-mb-2
without() {
    say "$1; going on with ${version:-none at all}: encryption is slower on CPUs with VAES"
    echo system
    exit 0
}

say "fetching intel-ipsec-mb 2 once, into $prefix"
stable_open "$work" "$work/log" deb || without "it cannot be fetched"
library=$(apt-cache show libipsec-mb-dev 2>/dev/null | sed -n 's/^Depends:.*\(libipsec-mb[0-9][0-9]*\).*/\1/p' | head -n 1)
[ "$library" = libipsec-mb2 ] || without "Debian's stable release has ${library:-none}, not libipsec-mb2"
cd "$work"
apt-get -q download "$library" libipsec-mb-dev >>log 2>&1 || { tail -n 10 log >&2; without "it cannot be fetched"; }
for package in *.deb; do
    dpkg-deb -x "$package" tree
done
rm -rf "$prefix"
mkdir "$prefix"
mv tree/usr/include "$prefix/include"
mv tree/usr/lib/*-linux-gnu "$prefix/lib"
rm "$prefix"/lib/*.a
say "$(basename "$prefix"/lib/libIPSec_MB.so.2.*) is in $prefix"
private_done
