#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# deps.sh SET...: installs the Debian packages of the sets (build, arm64, s390x, dist, emulator, demo, check, long, model,
# threads, bench) that are missing, with apt-get, as root or through sudo. Asks nothing, starts no service, and is silent
# and quick when nothing is missing.
# Debian 12 and 13; on other systems it names what it would have installed and leaves that to the person.
# deps.sh --print SET...: prints their names, and those of the set libraries, which are headers and libraries alone.
set -eu

say() { echo "deps.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# Alternatives are written a|b: any one installed will do, else the first that this release has.
libraries="libuv1-dev liburcu-dev libmicrohttpd-dev libcurl4-openssl-dev libjansson-dev libcbor-dev libsqlite3-dev
    libhiredis-dev libmnl-dev libseccomp-dev libcap-ng-dev libinih-dev libminiupnpc-dev libcmocka-dev"
build="build-essential pkg-config meson ninja-build libqrencode-dev $libraries"
# The compilers for others, and what runs their programs; the libraries are tools/sysroot.sh's.
arm64="gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user debian-archive-keyring util-linux"
s390x="gcc-s390x-linux-gnu libc6-dev-s390x-cross qemu-user debian-archive-keyring util-linux"
# For tools/openssl.sh, where the system's OpenSSL is older than 3.5.
private_openssl="ca-certificates dpkg-dev debian-archive-keyring perl util-linux xz-utils"
# For programs without shared libraries (tools/static.sh).
dist="cmake"
# For a machine of another architecture (tests/netns/machine.py).
emulator="qemu-system-arm cpio debian-archive-keyring util-linux"
demo="iproute2 iputils-ping iperf3 curl"
# What searches the model of the protocol (docs/model).
model="maude python3"
# What searches those of what threads share (docs/model/threads).
threads="spin python3"
check="$demo $model clang clang-format libclang-rt-dev|libclang-rt-14-dev|libclang-rt-19-dev python3 python3-pytest python3-pytest-xdist python3-scapy
    python3-cbor2
    procps util-linux nftables ethtool tcpdump tshark socat openssl openvpn dnsmasq-base
    isc-dhcp-client|udhcpc prometheus valgrind nginx-light|nginx haproxy caddy squid tinyproxy coturn gcovr
    miniupnpd-nftables redis-server|valkey-server systemd systemd-container"
# What only the long checks need.
long="ffmpeg"
# What the own programs are compared with, and what measures.
bench="$demo python3 nftables ethtool openssl valgrind openvpn tinc n2n fastd wireguard-tools debian-archive-keyring"

installed() { # PACKAGE
    case $have in *" $1 "*) ;; *) return 1 ;; esac
}

candidate() { # PACKAGE: the version apt would install
    LC_ALL=C apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \([^(].*\)/\1/p'
}

# What OpenSSL >= 3.5 takes here: its headers where the release has it, else what is needed to build it.
openssl_packages() {
    pkg-config --exists 'openssl >= 3.5.0' 2>/dev/null && return
    version=$(candidate libssl-dev)
    if [ -n "$version" ] && dpkg --compare-versions "$version" ge 3.5; then
        echo libssl-dev
    else
        echo "$private_openssl"
    fi
}

# What intel-ipsec-mb >= 2.0 takes here, likewise (tools/ipsec_mb.sh). Other machines than x86-64 do not have it.
ipsec_mb_packages() {
    [ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || return 0
    version=$(candidate libipsec-mb-dev)
    if [ -n "$version" ] && dpkg --compare-versions "$version" ge 2.0; then
        echo libipsec-mb-dev
    else
        echo "debian-archive-keyring util-linux"
    fi
}

packages() { # SET...
    for set in "$@"; do
        case $set in
        libraries) echo "$libraries" ;;
        build) echo "$build" "$(openssl_packages)" "$(ipsec_mb_packages)" ;;
        arm64) echo "$arm64" "$private_openssl" ;;
        s390x) echo "$s390x" "$private_openssl" ;;
        dist) echo "$dist" "$private_openssl" ;;
        emulator) echo "$emulator" ;;
        demo) echo "$demo" ;;
        check) echo "$check" ;;
        long) echo "$long" ;;
        model) echo "$model" ;;
        threads) echo "$threads" ;;
        bench) echo "$bench" ;;
        *) die "unknown set '$set': use build, arm64, s390x, dist, emulator, demo, check, long, model, threads or bench" ;;
        esac
    done
}

# Prints, of each group of alternatives without an installed one, the first that can be had.
missing() { # PACKAGE...
    for group in "$@"; do
        found=no first=
        for package in $(echo "$group" | tr '|' ' '); do
            if installed "$package"; then
                found=yes
                break
            fi
            if [ -z "$first" ] && { [ "$package" = "$group" ] || [ -n "$(candidate "$package")" ]; }; then
                first=$package
            fi
        done
        [ $found = yes ] || echo "${first:-${group%%|*}}"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        command -v sudo >/dev/null || die "packages are missing and this is not root: run as root, or install sudo"
        sudo "$@"
    fi
}

[ $# -gt 0 ] || die "usage: deps.sh SET... (build, arm64, s390x, dist, emulator, demo, check, long, model, threads, bench)"
if [ "$1" = --print ]; then
    shift
    packages "$@"
    exit
fi
for set in "$@"; do
    packages "$set" >/dev/null || exit 1
done
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "this is no Debian system; the programs and headers of these packages are needed:"
    packages "$@" >&2
    exit 0
fi
have=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | tr '\n' ' ')"
# shellcheck disable=SC2046
needed=$(missing $(packages "$@"))
[ -n "$needed" ] || exit 0

log=$(mktemp)
policy=/usr/sbin/policy-rc.d
made_policy=no
cleanup() {
    rm -f "$log"
    [ $made_policy = no ] || as_root rm -f $policy
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" \
        >"$log" 2>&1 </dev/null
}
say "reading the package lists"
apt update || say "some package lists could not be read: $(grep -m 1 '^[EW]:' "$log" || true)"
# With lists, the choices between releases may come out differently.
# shellcheck disable=SC2046
needed=$(missing $(packages "$@"))
say "installing $(echo "$needed" | tr '\n' ' ')"
# No daemon that comes along is started: this is what Debian's tools ask before they start one.
if [ ! -e $policy ]; then
    made_policy=yes
    printf '#!/bin/sh\nexit 101\n' | as_root sh -c "cat >$policy && chmod 755 $policy"
fi
# shellcheck disable=SC2086
apt install --no-install-recommends $needed || {
    tail -n 20 "$log" >&2
    die "apt-get could not install them; the lines above say why"
}
