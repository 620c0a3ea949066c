# shellcheck shell=bash disable=SC2154 # read by scripts/bench.sh
# How long this disk takes for a small append that is to last.

syncs() { timed "$floor" syncs 300 "$dir"; }
in_turns appends 300 3 syncs
