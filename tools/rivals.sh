#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Prints the folder of the programs that `make bench` compares with and this release has old or not at all: wireguard-go
# and nebula of Debian's current stable release, unpacked for this user alone, with
# the packages' versions in the file `versions`. Being Go they need little of the system, and run on an older one.
# Progress goes to stderr, the answer alone to stdout.
set -eu
tools=$(dirname "$0")

say() { echo "rivals.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# shellcheck source=tools/stable.sh
. "$tools/stable.sh"
private_prefix rivals

stable_open "$work" "$work/log" deb || die "cannot ask for Debian's newest wireguard-go and nebula"
say "fetching wireguard-go and nebula once, to $prefix"
(cd "$work" && apt-get -q download wireguard-go nebula >>"$work/log" 2>&1) || die "they cannot be fetched: $(tail -n 1 "$work/log")"
for package in "$work"/*.deb; do
    dpkg-deb -x "$package" "$work/out"
    dpkg-deb -W "$package" >>"$work/out/usr/bin/versions"
done
rm -rf "$prefix"
mv "$work/out/usr/bin" "$prefix"
private_done
