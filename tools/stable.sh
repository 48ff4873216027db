# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# To be sourced by the scripts that fetch a newer library than this release has: a place for it, and apt-get on the
# packages of Debian's current stable release, by the mirror and the keyring this machine already trusts, without touching
# its own lists. The sourcing script has say.

# private_prefix NAME: sets prefix, a folder of this user's for one library, which is whole once private_done was called:
# one that is, is the script's answer and its end. Two runs at once wait for each other. What an interrupted one left there,
# the script removes when it has what it needs. Sets work, a folder that goes with the script.
private_prefix() {
    prefix=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/shadowmesh/$1
    private_answer
    mkdir -p "$(dirname "$prefix")"
    exec 9>"$prefix.lock"
    flock 9
    private_answer
    work=$(mktemp -d "$prefix.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' INT TERM
}

private_answer() {
    [ -e "$prefix/.complete" ] || return 0
    echo "$prefix"
    exit 0
}

private_done() {
    touch "$prefix/.complete"
    echo "$prefix"
}

stable_mirror() {
    # shellcheck disable=SC2016 # apt's variables, not ours
    apt-get indextargets --format '$(ORIGIN)|$(CODENAME)|$(REPO_URI)' 'Created-By: Packages' |
        awk -F'|' '$1 == "Debian" && $2 !~ /-/ { print $3; exit }'
}

# stable_open WORK LOG TYPE: apt-get and apt-cache in this shell see stable's packages of TYPE (deb or deb-src) alone.
# Returns 1 and has said why when they cannot be read. WORK is an empty folder of the caller's, who removes it.
stable_open() {
    stable_uri=$(stable_mirror)
    if [ -z "$stable_uri" ] && [ "$(id -u)" = 0 ]; then
        # An image whose package lists were removed: apt knows its mirrors' origin only from them.
        apt-get -q update >/dev/null 2>&1 || true
        stable_uri=$(stable_mirror)
    fi
    if [ -z "$stable_uri" ]; then
        say "no Debian mirror among this machine's apt sources: run 'apt-get update'"
        return 1
    fi
    stable_keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    if [ ! -r "$stable_keyring" ]; then
        say "$stable_keyring is missing: apt-get install debian-archive-keyring"
        return 1
    fi
    mkdir -p "$1/apt/lists/partial" "$1/apt/cache/archives/partial"
    echo "$3 [signed-by=$stable_keyring] $stable_uri stable main" >"$1/apt/sources.list"
    cat >"$1/apt/apt.conf" <<CONF
Dir::Etc::SourceList "$1/apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$1/apt/lists";
Dir::Cache "$1/apt/cache";
APT::Sandbox::User "root";
CONF
    export APT_CONFIG="$1/apt/apt.conf"
    apt-get -q update >"$2" 2>&1 && return
    tail -n 30 "$2" >&2
    say "cannot read the package list of Debian's stable release"
    return 1
}
