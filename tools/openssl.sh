#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# openssl.sh [ARCH]: prints where OpenSSL >= 3.5 is: "system", or the prefix of a build of our own. The build is made
# once per user and version from the newest source package that Debian's current stable release or its security suite
# has. What they have is asked once a day; when they cannot be read, the newest build that is there serves on. For another
# ARCH of Debian's, "system" is its sysroot, and the build a cross build. Progress goes to stderr, the answer alone to
# stdout.
set -eu
tools=$(dirname "$0")

say() { echo "openssl.sh: $*" >&2; }
die() { say "$*"; exit 1; }

arch=${1:-}
cross="" run="" target=enable-ec_nistp_64_gcc_128
of=openssl${arch:+-$arch}
if [ -n "$arch" ]; then
    # shellcheck source=tools/cross.sh
    . "$tools/cross.sh"
    cross_facts "$arch"
    sysroot=$("$tools/sysroot.sh" "$arch")
    cross=$cross_triplet- run="qemu-$cross_cpu -L $sysroot" target=$cross_openssl
    export PKG_CONFIG_LIBDIR="$sysroot/usr/lib/$cross_triplet/pkgconfig"
fi

if pkg-config --exists 'openssl >= 3.5.0' 2>/dev/null; then
    echo system
    exit 0
fi

# shellcheck source=tools/stable.sh
. "$tools/stable.sh"
asked=$private_root/$of.asked # names the build that was the newest when the suites were last read
if [ -n "$(find "$asked" -mtime -1 2>/dev/null)" ] && [ -e "$private_root/$(cat "$asked")/.complete" ]; then
    echo "$private_root/$(cat "$asked")"
    exit 0
fi

# The newest build that is whole, when a newer one cannot be had.
built() {
    name=$(cd "$private_root" && ls -d "$of"-3.*/.complete 2>/dev/null | sed 's|/.*||' | sort -V | tail -n 1)
    [ -n "$name" ] || die "$1: install OpenSSL >= 3.5, or try again with a network"
    say "$1; going on with $name, which may lack the newest fixes"
    echo "$private_root/$name"
    exit 0
}

private_lock "$of"
log=$work/log
fail() { tail -n 30 "$log" >&2; die "$1"; }

stable_open "$work" "$log" deb-src || built "cannot ask for Debian's newest OpenSSL"
mkdir "$work/src"
version=
for candidate in $(apt-cache madison openssl | awk '{ print $3 }' | grep '^3\.5\.' | sort -Vru); do
    (cd "$work/src" && apt-get -q source --download-only "openssl=$candidate" >>"$log" 2>&1) || {
        say "openssl $candidate is announced and cannot be fetched yet: trying the one before"
        continue
    }
    version=$candidate
    break
done
[ -n "$version" ] || built "Debian's stable release has no OpenSSL 3.5 that can be fetched"

name=$of-$(echo "$version" | tr '~:' '__')
prefix=$private_root/$name
if [ ! -e "$prefix/.complete" ]; then
    say "the OpenSSL of ${arch:-this machine} is older than 3.5: building $version once, in $prefix (2-4 minutes)"
    dpkg-source -x "$work/src/openssl_$version.dsc" "$work/src/tree" >>"$log" 2>&1 || fail "cannot unpack openssl $version"
    # Nothing of this user, folder or hour gets into the libraries: where they lie is the .pc files' matter alone.
    # The ABI stays whole (no no-engine and the like): the system's libcurl loads this libssl too.
    SOURCE_DATE_EPOCH=$(cd "$work/src/tree" && dpkg-parsechangelog -S Timestamp)
    export SOURCE_DATE_EPOCH
    cd "$work/src/tree"
    # shellcheck disable=SC2086 # some words, or none
    ./Configure $target ${cross:+"--cross-compile-prefix=$cross"} --prefix=/usr/lib/shadowmesh --libdir=lib \
        --openssldir=/etc/ssl shared no-tests no-docs '-Wl,-rpath,\$$ORIGIN:\$$ORIGIN/../lib' >>"$log" 2>&1 || fail "Configure failed"
    make -j"$(nproc)" >>"$log" 2>&1 || fail "the build failed"
    make install_sw DESTDIR="$work/out" >>"$log" 2>&1 || fail "the installation failed"
    sed -i "s|^prefix=.*|prefix=$prefix|" "$work"/out/usr/lib/shadowmesh/lib/pkgconfig/*.pc
    rm -rf "$prefix"
    mv "$work/out/usr/lib/shadowmesh" "$prefix"
    # shellcheck disable=SC2086
    $run "$prefix/bin/openssl" version >>"$log" 2>&1 || fail "the new openssl does not run"
    touch "$prefix/.complete"
    say "OpenSSL $version is in $prefix"
fi
echo "$name" >"$asked"
echo "$prefix"
