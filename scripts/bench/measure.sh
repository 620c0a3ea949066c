# shellcheck shell=bash disable=SC2154 # read by scripts/bench.sh
# Measuring. A result is a line: what was measured, who did it, the size of the task, the value (seconds, unless it says otherwise), seconds of
# the processors, peak memory in KiB.

result() {
    local IFS=$'\t'
    echo "$*" >>"$dir/results"
}

# Runs the command that a competitor consists of. It must succeed.
timed() {
    "$measure" "$dir/times.$competitor" "$@" >"$dir/out" 2>&1 || { cat "$dir/out" >&2; fail "this failed: $*"; }
}

# Has competitors do the same task in turns, and notes the median of each: what, size, rounds, competitors. A competitor is a function with
# arguments that calls `timed`; `before_` with its name prepares it.
in_turns() {
    local what=$1 size=$2 rounds=${quick:+1} call competitor
    rounds=${rounds:-$3}
    shift 3
    rm -f "$dir"/times.*
    for _ in $(seq "$rounds"); do
        for call; do
            competitor=${call// /_}
            # shellcheck disable=SC2086 # a function and its arguments
            ! declare -F "before_${call%% *}" >/dev/null || before_$call
            # shellcheck disable=SC2086
            $call
        done
    done
    for call; do
        competitor=${call// /_}
        result "$what" "$competitor" "$size" "$(median 1)" "$(median 2)" "$(cut -f 3 "$dir/times.$competitor" | sort -n | tail -n 1)"
    done
}

# The median of a column of the competitor's times.
median() {
    cut -f "$1" "$dir/times.$competitor" | sort -n | awk '{ at[NR] = $1 } END { print at[int((NR + 1) / 2)] }'
}
