#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# fuzz.sh BUILD SECONDS: runs every fuzz target for SECONDS under libFuzzer, ASan and UBSan, starting from the committed
# corpus. What it finds new stays in BUILD/corpus; a crashing input is left in BUILD/crashes and named.
set -eu
build=$1 seconds=$2
cd "$(dirname "$0")/.."

if [ ! -e "$build/build.ninja" ]; then
    CC=clang tools/setup.sh "$build" -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
fi
ninja -C "$build"
mkdir -p "$build/crashes"
failed=0
for program in "$build"/tests/fuzz/fuzz_*; do
    case $program in *.p | *"*") continue ;; esac
    target=${program##*/fuzz_}
    mkdir -p "$build/corpus/$target"
    if "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 \
        -artifact_prefix="$build/crashes/$target-" "$build/corpus/$target" "tests/fuzz/corpus/$target" \
        >"$build/fuzz-$target.log" 2>&1; then
        echo "$target: nothing found; $(grep -c . "$build/fuzz-$target.log" || true) lines in $build/fuzz-$target.log"
    else
        tail -n 40 "$build/fuzz-$target.log"
        echo "$target: FAILED; the input is in $build/crashes/"
        failed=1
    fi
done
exit $failed
