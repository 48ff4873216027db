#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# unpacked.sh ARCH RELEASE PACKAGE...: prints a folder that has Debian's packages of that release, with all that they
# depend on, unpacked and nothing else: no script of theirs has run, and nothing here is installed. Fetched once per user
# and list of packages. Progress goes to stderr, the answer alone to stdout.
set -eu
tools=$(dirname "$0")
arch=$1
release=$2
shift 2

say() { echo "unpacked.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# shellcheck source=tools/stable.sh
. "$tools/stable.sh"
private_prefix "unpacked-$arch-$release-$(echo "$*" | sha256sum | cut -c 1-12)"
log=$work/log
stable_open "$work" "$log" deb "$release" "$arch" || die "cannot ask for Debian's packages: try again with a network"
say "fetching $* of $release for $arch once, into $prefix"
apt-get -q -y --download-only install "$@" >>"$log" 2>&1 || { tail -n 10 "$log" >&2; die "cannot fetch them"; }
rm -rf "$prefix"
mkdir -p "$prefix"
for package in "$work"/apt/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$prefix"
done
private_done
