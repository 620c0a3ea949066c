#!/usr/bin/env bash
# Measures what etl-orch costs, next to the plainest programs that do the same work, in the same run and in turns. Leaves the results in
# target/bench, a file for each part, and prints them as a table. A whole run takes about ten minutes on two cores; docs/performance.md says
# what is measured.
#
# Everything is in a temporary directory, with a PostgreSQL server of its own that listens on a Unix socket only.
set -euo pipefail
cd "$(dirname "$0")/.."

parts=(jobs syncs gaps idle makespan history growth program)
usage="usage: scripts/bench.sh [--large|--quick] [--only PART]...   (parts: ${parts[*]})
       --large also measures 10 million rows, 10,000 jobs and 10,000 past runs; --quick the smallest sizes once, to try these scripts
       scripts/bench.sh --report   puts the results into docs/performance.md, measures nothing"
large=
quick=
only=()
measures=yes
while [ $# -gt 0 ]; do
    case $1 in
        --large) large=yes ;;
        --quick) quick=yes ;;
        --only) only+=("${2-}"); shift ;;
        --report) measures= ;;
        *) echo "$usage" >&2; exit 2 ;;
    esac
    shift || { echo "$usage" >&2; exit 2; }
done
for part in "${only[@]}"; do
    [[ " ${parts[*]} " = *" $part "* ]] || { echo "$usage" >&2; exit 2; }
done
[ ${#only[@]} -eq 0 ] || parts=("${only[@]}")

results=$PWD/target/bench
mkdir -p "$results"
dir=$(mktemp -d)
clean_up() {
    [ ! -e "$dir/pg/postmaster.pid" ] || server "$bin/pg_ctl" -D "$dir/pg" -m immediate stop >/dev/null || true
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say() { echo "== $*" >&2; }

fail() {
    echo "scripts/bench.sh: $*" >&2
    exit 1
}

# shellcheck source=scripts/bench/prepare.sh
. scripts/bench/prepare.sh
# shellcheck source=scripts/bench/report.sh
. scripts/bench/report.sh

install_programs
if [ -z "$measures" ]; then
    write_page
    exit
fi

# shellcheck source=scripts/bench/measure.sh
. scripts/bench/measure.sh
# shellcheck source=scripts/bench/worlds.sh
. scripts/bench/worlds.sh
build
start_server
for part in "${parts[@]}"; do
    say "$part"
    : >"$dir/results"
    # shellcheck disable=SC1090 # one of the parts
    (. "scripts/bench/$part.sh")
    mv "$dir/results" "$results/$part.tsv"
done
describe_machine >"$results/machine.txt"
print_table
