# shellcheck shell=bash disable=SC2154 # read by scripts/bench.sh
# Jobs that only copy a small file, 4 at once, verified and with their whole history, against the same copies without any of it, and against the
# least that a job can cost.

echo "a small file" >"$dir/small"

# Kind, durability.
before_ours() {
    local world=jobs_$1_$2 durability=$2
    etls "cp, \"$dir/small\", \"{output}\"" Summary | fresh_world "$1" "$world" "$banks" "run: {max_parallel: 4, max_jobs: $jobs}"
    availability "$1" "$banks" 2015 "$last_year" | sql "$1" "$world"
}
ours() {
    timed "$binary" -q --config "$dir/jobs_$1_$2/etl-orch.yaml"
    [ "$(find "$dir/jobs_$1_$2/reports" -type f | wc -l)" = "$jobs" ] || fail "not all copies were made"
}

before_floor() { put_aside floor && mkdir "$dir/floor"; }
floor() { timed "$floor" jobs "$jobs" 4 "$1" "$dir/floor" "$dir/small"; }

before_xargs_cp() { put_aside copied && mkdir "$dir/copied"; }
xargs_cp() { timed xargs -P4 -n2 cp <"$dir/copies"; }

before_parallel_cp() { before_xargs_cp; }
parallel_cp() { timed parallel -j4 --colsep ' ' cp <"$dir/copies"; }

# Banks, last year (the first is 2015), rounds.
copies() {
    banks=$1 last_year=$2 jobs=$(($1 * ($2 - 2014) * 4))
    seq "$jobs" | sed "s|.*|$dir/small $dir/copied/&|" >"$dir/copies"
    in_turns copies "$jobs" "$3" "ours sqlite full" "floor full" xargs_cp parallel_cp "ours postgres full" "ours sqlite relaxed" \
        "floor relaxed" "ours postgres relaxed"
}
copies 5 2015 5
[ -n "$quick" ] || copies 25 2015 5
[ -n "$quick" ] || copies 25 2024 5
[ -z "$large" ] || copies 250 2024 2
