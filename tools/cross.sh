# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# To be sourced by the scripts that build for another architecture of Debian's than this machine's: what each is called
# elsewhere. The sourcing script has say and die.

# cross_facts ARCH: sets cross_triplet, the compiler's prefix and the folder of its libraries; cross_cpu, Meson's and qemu's
# name of it; cross_endian; cross_openssl, the target of OpenSSL's Configure.
# shellcheck disable=SC2034 # the sourcing scripts use them
cross_facts() {
    case $1 in
    arm64) cross_triplet=aarch64-linux-gnu cross_cpu=aarch64 cross_openssl="linux-aarch64 enable-ec_nistp_64_gcc_128" ;;
    s390x) cross_triplet=s390x-linux-gnu cross_cpu=s390x cross_openssl=linux64-s390x ;;
    amd64) cross_triplet=x86_64-linux-gnu cross_cpu=x86_64 cross_openssl="linux-x86_64 enable-ec_nistp_64_gcc_128" ;;
    *) die "unknown architecture '$1': use amd64, arm64 or s390x" ;;
    esac
    cross_endian=little
    [ "$1" != s390x ] || cross_endian=big
}

# cross_flags SYSROOT: the compiler's, in words. Of itself it would look at the headers and libraries of its own package first.
cross_flags() {
    echo "--sysroot=$1 -isystem $1/usr/include/$cross_triplet -isystem $1/usr/include -B$1/usr/lib/$cross_triplet"
}

# cross_file SYSROOT: Meson's description of the compiler and of what runs its programs here.
cross_file() {
    run="exe_wrapper = ['qemu-$cross_cpu', '-L', '$1']"
    [ "$cross_cpu" != "$(uname -m)" ] || run=
    flags=$(cross_flags "$1" | sed "s/[^ ]*/'&'/g; s/ /, /g")
    cat <<INI
[binaries]
c = '$cross_triplet-gcc'
ar = '$cross_triplet-gcc-ar'
strip = '$cross_triplet-strip'
objcopy = '$cross_triplet-objcopy'
pkgconfig = 'pkg-config'
$run

[properties]
pkg_config_libdir = '$1/usr/lib/$cross_triplet/pkgconfig'
libraries = '$1/usr/lib/$cross_triplet'

[built-in options]
c_args = [$flags]
c_link_args = [$flags]

[host_machine]
system = 'linux'
cpu_family = '$cross_cpu'
cpu = '$cross_cpu'
endian = '$cross_endian'
INI
}
