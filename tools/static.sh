#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# static.sh ARCH: prints the prefix of the libraries that a program without any shared library needs and Debian has not got
# so: a libcurl that speaks HTTP alone, a libmicrohttpd without TLS, and libcbor. They are built once per user and set of
# versions, of the sources of Debian's current stable release, against its sysroot. Progress goes to stderr, the answer
# alone to stdout.
set -eu
tools=$(cd "$(dirname "$0")" && pwd)
arch=$1

say() { echo "static.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# shellcheck source=tools/stable.sh
. "$tools/stable.sh"
# shellcheck source=tools/cross.sh
. "$tools/cross.sh"
cross_facts "$arch"
sysroot=$("$tools/sysroot.sh" "$arch" stable)
private_prefix "$(basename "$sysroot" | sed 's/^sysroot/static/')"
log=$work/log
fail() { tail -n 30 "$log" >&2; die "$1"; }

source_of() { # PACKAGE: unpacks its newest version that can be fetched into src/PACKAGE
    for version in $(apt-cache madison "$1" | awk '{ print $3 }' | sort -Vru); do
        apt-get -q source --download-only "$1=$version" >>"$log" 2>&1 || {
            say "$1 $version is announced and cannot be fetched yet: trying the one before"
            continue
        }
        dpkg-source -x "$1_${version#*:}.dsc" "src/$1" >>"$log" 2>&1 || fail "cannot unpack $1 $version"
        return
    done
    die "cannot fetch the source of $1"
}

# What Debian changes of libcbor is how it is packed: the archive of its makers alone is enough.
source_of_cbor() {
    apt-get -q source --download-only --tar-only libcbor >>"$log" 2>&1 || fail "cannot fetch the source of libcbor"
    mkdir src/libcbor
    tar -x --strip-components 1 -C src/libcbor -f libcbor_*.orig.tar.gz
}

# configured PACKAGE OPTION...: by its configure, as its makers left it: nothing of it is to be made anew. It is never told that
# it builds for this machine, lest it run something with the sysroot's libraries.
configured() {
    package=$1
    shift
    (
        cd "src/$package"
        find . -exec touch -r configure {} +
        ./configure --build="$(uname -m)-this-linux-gnu" --host="$cross_triplet" --prefix="$prefix" --disable-shared --enable-static "$@" &&
            make -j"$(nproc)" && make install DESTDIR="$work/out"
    ) >>"$log" 2>&1 || fail "the build of $package failed"
}

stable_open "$work" "$log" deb-src || die "the sources cannot be asked for"
cd "$work"
mkdir src
say "building libcurl, libmicrohttpd and libcbor for $arch once, into $prefix (1-2 minutes)"
source_of curl
source_of libmicrohttpd
source_of_cbor
flags=$(cross_flags "$sysroot")
CC="$cross_triplet-gcc $flags"
CFLAGS="-O2 -g0 -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2 -ffile-prefix-map=$work=."
PKG_CONFIG_LIBDIR=$sysroot/usr/lib/$cross_triplet/pkgconfig
export CC CFLAGS PKG_CONFIG_LIBDIR
configured libmicrohttpd --disable-https --disable-doc --disable-examples --disable-curl --disable-tools
# As the system's libcurl where that serves us: HTTP and WebSocket, by proxies too, TLS by OpenSSL, names by getaddrinfo.
configured curl --with-openssl --with-ca-bundle=/etc/ssl/certs/ca-certificates.crt --with-ca-path=/etc/ssl/certs \
    --enable-websockets --enable-threaded-resolver --disable-docs --disable-manual --disable-ldap --disable-ldaps \
    --disable-ftp --disable-file --disable-dict --disable-gopher --disable-imap --disable-mqtt --disable-pop3 \
    --disable-rtsp --disable-smb --disable-smtp --disable-telnet --disable-tftp --without-libpsl --without-zlib \
    --without-brotli --without-zstd --without-nghttp2 --without-libidn2 --without-librtmp --without-libssh2
cmake -S src/libcbor -B cbor -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_C_COMPILER="$cross_triplet-gcc" \
    -DCMAKE_C_FLAGS="$flags $CFLAGS" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" \
    -DCMAKE_INSTALL_LIBDIR=lib -DBUILD_SHARED_LIBS=OFF -DWITH_EXAMPLES=OFF >>"$log" 2>&1 &&
    make -C cbor cbor >>"$log" 2>&1 && make -C cbor install DESTDIR="$work/out" >>"$log" 2>&1 ||
    fail "the build of libcbor failed"
rm -rf "$prefix"
mv "$work/out$prefix" "$prefix"
private_done
