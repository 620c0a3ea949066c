# shellcheck shell=bash disable=SC2154 # read by scripts/bench.sh
# Jobs of half a second, 8 at once: 14 chains of 4 jobs, which take 4 seconds, and 28 single jobs, which take 2.

# shellcheck disable=SC2016 # for the shell of the job
nap='sh, -c, "sleep 0.5; echo done > \"$1\"", nap, "{output}"'

# Banks, last year (the first is 2024), types of reports. There is one quarter of each year.
prepare_naps() {
    local banks=$1 last_year=$2
    shift 2
    etls "$nap" "$@" | fresh_world sqlite naps "$banks" "run: {max_parallel: 8}"
    { availability sqlite "$banks" 2024 "$last_year"; echo "DELETE FROM aegis_data_availability WHERE quarter <> 'Q1';"; } | sql sqlite naps
}
before_chains() { prepare_naps 14 2025 Summary Themes; }
chains() { timed "$binary" -q --config "$dir/naps/etl-orch.yaml"; }
before_wide() { prepare_naps 28 2024 Summary; }
wide() { timed "$binary" -q --config "$dir/naps/etl-orch.yaml"; }
in_turns naps 8 3 chains wide
