#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Prints where OpenSSL >= 3.5 is: "system", or the prefix of a build of our own. The build is made
# once per user from the source package of Debian's current stable release. Progress goes to stderr, the
# answer alone to stdout.
set -eu
tools=$(dirname "$0")

say() { echo "openssl.sh: $*" >&2; }
die() { say "$*"; exit 1; }

if pkg-config --exists 'openssl >= 3.5.0' 2>/dev/null; then
    echo system
    exit 0
fi

# shellcheck source=tools/stable.sh
. "$tools/stable.sh"
private_prefix openssl-3.5
say "this machine's OpenSSL is older than 3.5: building 3.5 once, in $prefix (2-4 minutes)"
log=$work/log
fail() { tail -n 30 "$log" >&2; die "$1"; }

stable_open "$work" "$log" deb-src || die "or install OpenSSL >= 3.5"
mkdir "$work/src"
(cd "$work/src" && apt-get -q source --download-only openssl >>"$log" 2>&1) || fail "cannot fetch the source of openssl"
dsc=$(ls "$work"/src/openssl_*.dsc)
case $(basename "$dsc") in
openssl_3.[0-4].*) fail "Debian's stable release has $(basename "$dsc" .dsc); 3.5 or later is needed" ;;
esac
(cd "$work/src" && dpkg-source -x "$dsc" tree >>"$log" 2>&1) || fail "cannot unpack $dsc"

cd "$work/src/tree"
# The ABI stays whole (no no-engine and the like): the system's libcurl loads this libssl too.
rm -rf "$prefix"
./Configure --prefix="$prefix" --libdir=lib --openssldir=/etc/ssl shared \
    enable-ec_nistp_64_gcc_128 no-tests no-docs \
    "-Wl,-rpath,$prefix/lib" >>"$log" 2>&1 || fail "Configure failed"
make -j"$(nproc)" >>"$log" 2>&1 || fail "the build failed"
make install_sw >>"$log" 2>&1 || fail "the installation failed"
"$prefix/bin/openssl" version >>"$log" 2>&1 || fail "the new openssl does not run"
say "$("$prefix/bin/openssl" version) is in $prefix"
private_done
