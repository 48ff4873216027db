#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# sysroot.sh ARCH [RELEASE]: prints a folder with the headers and libraries of Debian's architecture ARCH, for a compiler and
# for qemu-user. They are the packages that deps.sh names, of this machine's release or of RELEASE, with all that they depend
# on: fetched and unpacked once per user and set of versions, and never installed. What is the newest is asked once a day; when
# that cannot be read, the newest folder that is there serves on. Progress goes to stderr, the answer alone to stdout.
set -eu
tools=$(dirname "$0")
arch=$1

say() { echo "sysroot.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# shellcheck source=tools/stable.sh
. "$tools/stable.sh"
release=${2:-$(. /etc/os-release && echo "${VERSION_CODENAME:-}")}
asked=$private_root/sysroot-$arch-$release.asked
if [ -n "$(find "$asked" -mtime -1 2>/dev/null)" ] && [ -e "$private_root/$(cat "$asked")/.complete" ]; then
    echo "$private_root/$(cat "$asked")"
    exit 0
fi

# The one that was made last, when a newer one cannot be had.
made() {
    name=$(cat "$asked" 2>/dev/null || true)
    [ -n "$name" ] && [ -e "$private_root/$name/.complete" ] || die "$1: try again with a network"
    say "$1; going on with $name, which may lack the newest fixes"
    echo "$private_root/$name"
    exit 0
}

unpack() { # FOLDER: headers, libraries and loader, and nothing that a program would look up instead of this machine's
    mkdir -p "$1/usr/lib" "$1/usr/lib64"
    ln -s usr/lib usr/lib64 "$1"
    for package in "$work"/apt/cache/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" |
            tar -x --keep-directory-symlink --wildcards -C "$1" './usr/include*' './usr/lib*/*' './lib*/*' 2>>"$log" || true
    done
    find "$1" -type l -lname '/*' | while read -r link; do
        ln -snf "$1$(readlink "$link")" "$link"
    done
}

private_lock "sysroot-$arch-$release"
log=$work/log
stable_open "$work" "$log" deb "$release" "$arch" || made "cannot ask for Debian's packages of $arch"
packages="libc6-dev $("$tools/deps.sh" --print libraries)"
version=$(apt-cache policy libssl-dev | sed -n 's/^  Candidate: //p')
! dpkg --compare-versions "$version" ge 3.5 || packages="$packages libssl-dev"
# Locales are in a machine's byte order: this machine's serve the other ones.
[ "$arch" != s390x ] || packages="$packages libc-bin"
[ "$arch" != amd64 ] || packages="$packages libipsec-mb-dev"
# shellcheck disable=SC2086
apt-get -q --print-uris install $packages 2>>"$log" | sed -n "s/^'[^']*' //p" >"$work/uris" ||
    made "cannot resolve Debian's packages of $arch"
name=sysroot-$arch-$release-$(sha256sum "$work/uris" | cut -c 1-12)
prefix=$private_root/$name
if [ ! -e "$prefix/.complete" ]; then
    say "fetching the libraries of $arch once, into $prefix ($(wc -l <"$work/uris") packages)"
    # shellcheck disable=SC2086
    apt-get -q -y --download-only install $packages >>"$log" 2>&1 || {
        tail -n 10 "$log" >&2
        made "cannot fetch Debian's packages of $arch"
    }
    rm -rf "$prefix"
    unpack "$prefix"
    sed -i "s|^\([a-z_]*\)=/usr|\1=$prefix/usr|" "$prefix"/usr/lib/*/pkgconfig/*.pc
    touch "$prefix/.complete"
fi
echo "$name" >"$asked"
echo "$prefix"
