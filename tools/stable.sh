# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# To be sourced by the scripts that fetch a newer library than this release has: a place for it, and apt-get on the
# packages of Debian's current stable release and its security suite, by the keyring this machine already trusts, without
# touching its own lists. The release comes from this machine's mirror. The sourcing script has say.

# Where this user's private libraries lie, each in a folder that is whole once it has a file .complete.
private_root=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/shadowmesh

# private_lock NAME: two runs at once wait for each other. Sets work, a folder in private_root that goes with the script.
# What an interrupted run left, the script removes when it has what it needs.
private_lock() {
    mkdir -p "$private_root"
    exec 9>"$private_root/$1.lock"
    flock 9
    work=$(mktemp -d "$private_root/$1.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' INT TERM
}

# private_prefix NAME: sets prefix, the folder of one library: one that is whole, is the script's answer and its end.
private_prefix() {
    prefix=$private_root/$1
    private_answer
    private_lock "$1"
    private_answer
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

# Security updates come from their one place: mirrors of it lag, and on the day of a fix that counts.
stable_security=http://security.debian.org/debian-security

stable_mirror() {
    # shellcheck disable=SC2016 # apt's variables, not ours
    apt-get indextargets --format '$(ORIGIN)|$(CODENAME)|$(REPO_URI)' 'Created-By: Packages' |
        awk -F'|' '$1 == "Debian" && $2 !~ /-/ { print $3; exit }'
}

# The lines of apt.conf for another architecture: with a state of its own, in which nothing is installed, so that this
# machine's architectures stay as they are.
stable_foreign() {
    cat <<CONF
APT::Architecture "$1";
APT::Architectures { "$1"; };
APT::Install-Recommends "false";
Dir::State::status "/dev/null";
CONF
}

# stable_open WORK LOG TYPE [RELEASE [ARCH]]: apt-get and apt-cache in this shell see the packages of TYPE (deb or deb-src) of
# stable, or of RELEASE, and of its security suite alone; of the release alone, with a line that says so, when the suite
# cannot be read. Those of ARCH, as if none were installed, where it is given. Returns 1 and has said why when neither can be
# read. WORK is an empty folder of the caller's, who removes it.
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
    stable_line="$3 [signed-by=$stable_keyring] $stable_uri ${4:-stable} main"
    security_line="$3 [signed-by=$stable_keyring] $stable_security ${4:-stable}-security main"
    printf '%s\n' "$stable_line" "$security_line" >"$1/apt/sources.list"
    cat >"$1/apt/apt.conf" <<CONF
Dir::Etc::SourceList "$1/apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$1/apt/lists";
Dir::Cache "$1/apt/cache";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::http::Timeout "20";
Acquire::Languages "none";
CONF
    [ -z "${5:-}" ] || stable_foreign "$5" >>"$1/apt/apt.conf"
    export APT_CONFIG="$1/apt/apt.conf"
    apt-get -q update >"$2" 2>&1 && return
    echo "$stable_line" >"$1/apt/sources.list"
    if apt-get -q update >"$2" 2>&1; then
        say "cannot read $stable_security: security updates of the last weeks may be missing"
        return
    fi
    tail -n 30 "$2" >&2
    say "cannot read the package list of Debian's ${4:-stable} release"
    return 1
}
