#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# demo.sh BUILD: what `make demo` shows. Makes an internet of network namespaces, starts a backbone and two
# nodes there with the flags of the reference scenario, pings and measures through the tunnel, prints what the nodes say
# of themselves, and takes everything down again. Exits 0 only if all of it worked. Nothing leaves the namespaces.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}

if [ "$(id -u)" != 0 ]; then
    echo "The demo makes network namespaces, which needs root: going on with sudo"
    exec sudo "$(readlink -f "$0")" "$build"
fi

l2=$build/shadowmesh-l2 backbone=$build/shadowmesh-backbone command=$build/shadowmesh
me=smdemo-$$
dir=$(mktemp -d "/tmp/$me.XXXX")
pids=()

cleanup() {
    local code=$?
    trap - EXIT INT TERM HUP
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do
        for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
        kill -9 "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    for host in site-a site-b server inet; do ip netns del "$me-$host" 2>/dev/null || true; done
    if [ "$code" != 0 ]; then
        echo
        for log in "$dir"/*.log; do
            [ -e "$log" ] || continue
            echo "--- the end of $(basename "$log")"
            tail -n 15 "$log"
        done
        echo
        echo "The demo FAILED."
    fi
    rm -rf "$dir"
    exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Runs in a host's namespace.
on() { local host=$1; shift; ip netns exec "$me-$host" "$@"; }
# Shows a command as one would type it on that host, then runs it.
show() { local host=$1; shift; printf '\n%s$ %s\n' "$host" "$*"; on "$host" "$@"; }
# In the background, as a process whose pid is the program's own: a shell between would take the signal for itself.
run() {
    local host=$1 log=$2
    shift 2
    ip netns exec "$me-$host" "$@" >"$dir/$log.log" 2>&1 &
    pids+=($!)
}

# The same, shown as one would type it.
start() {
    local host=$1 log=$2
    shift 2
    printf '\n%s$ %s &\n' "$host" "$(echo "$*" | sed "s|$build/|./|; s|$dir/||g; s| -run [^ ]*||; s| -connect| \\\\\\n         -connect|; s| -tap-ip| \\\\\\n         -tap-ip|")"
    run "$host" "$log" "$@"
}
# Waits until the rest of the line succeeds.
await() {
    local what=$1
    shift
    for _ in $(seq 100); do
        if "$@" >/dev/null 2>&1; then return; fi
        for pid in "${pids[@]}"; do
            kill -0 "$pid" 2>/dev/null || { echo "A program ended while waiting for $what."; exit 1; }
        done
        sleep 0.1
    done
    echo "Waited 10 s for $what: it did not come."
    exit 1
}
# attach HOST SUBNET: a wire between HOST and the internet.
attach() {
    ip netns add "$me-$1"
    on "$1" ip link set lo up
    ip link add eth0 netns "$me-$1" type veth peer name "$1" netns "$me-inet"
    on "$1" ip addr add "$2.2/24" dev eth0
    on "$1" ip link set eth0 up
    on inet ip addr add "$2.1/24" dev "$1"
    on inet ip link set "$1" up
    on "$1" ip route add default via "$2.1"
}

cat <<'DRAWING'

Two sites and a backbone, each in a network namespace of its own:

    site-a 198.51.100.2 ───┐               ┌─── site-b 198.51.101.2
    tap0   10.10.10.4/24   ├─── internet ───┤    tap0   10.10.10.3/24
                           └─── server ────┘
                                203.0.113.2, the backbone

The nodes ask the backbone for each other's address, then talk directly: Ethernet frames, sealed end to end.
DRAWING

ip netns add "$me-inet"
on inet sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; ip link set lo up'
attach site-a 198.51.100
attach site-b 198.51.101
attach server 203.0.113

start server backbone "$backbone" -listen 8080 -data "$dir/backbone-data"
await "the backbone" on server curl -sf -m 2 http://203.0.113.2:8080/health

id_a=$("$l2" -keydir "$dir/keys-a" -generate-keys 2>&1 | sed -n 's/^Peer ID: //p')
[ -n "$id_a" ] || { echo "site-a has no keys."; exit 1; }
printf '\nsite-a$ ./shadowmesh-l2 -keydir keys-a -generate-keys\nPeer ID: %s\n' "$id_a"

start site-a site-a "$l2" -keydir "$dir/keys-a" -run "$dir/run" -name site-a -backbone http://203.0.113.2:8080 -ip 198.51.100.2 -port 9443 \
    -tap-ip 10.10.10.4 -tap-netmask 24 -public
start site-b site-b "$l2" -keydir "$dir/keys-b" -run "$dir/run" -name site-b -backbone http://203.0.113.2:8080 -ip 198.51.101.2 -port 9443 \
    -tap-ip 10.10.10.3 -tap-netmask 24 -connect "$id_a"
await "the two nodes to find each other" on site-b ping -n -c 1 -W 0.3 10.10.10.4

show site-b ping -n -c 10 -i 0.2 10.10.10.4 | tee "$dir/ping"
grep -q ' 0% packet loss' "$dir/ping" || { echo "Pings were lost."; exit 1; }

run site-a iperf3 iperf3 -s --forceflush -B 10.10.10.4
await "iperf3's server" grep -q listening "$dir/iperf3.log"
show site-b iperf3 -c 10.10.10.4 -t 5 -f g
show site-b iperf3 -c 10.10.10.4 -t 5 -f g -R

printf '\nsite-a$ ./shadowmesh status      # every node that runs on this machine\n'
"$command" status -run "$dir/run"

cat <<'END'

All of it worked. What to do next: README.md has the same commands for two real machines.
END
