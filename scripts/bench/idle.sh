# shellcheck shell=bash disable=SC2154 # read by scripts/bench.sh
# Runs that find nothing to do, start to exit.

ours() { timed "$binary" -q --config "$dir/idle_$1/etl-orch.yaml"; }

# Banks, first year (the last is 2024), rounds.
nothing_to_do() {
    local kind
    for kind in sqlite postgres; do
        etls true Summary Themes | fresh_world $kind idle_$kind "$1"
        { availability $kind "$1" "$2" 2024; reports; } | sql $kind idle_$kind
        settle $kind idle_$kind
    done
    in_turns nothing $(($1 * (2025 - $2) * 4)) "$3" "ours sqlite" "ours postgres"
}
nothing_to_do 14 2015 50
[ -n "$quick" ] || nothing_to_do 200 1925 10
