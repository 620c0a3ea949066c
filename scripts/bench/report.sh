# shellcheck shell=bash disable=SC2154 # read by scripts/bench.sh
# The results as a table, as plots, and in the manual.

page=docs/performance.md
plots=docs/performance

# Reads the results: value, processor time and memory by part, what, who and size.
declare -A values cpus memories
declare -A names=([sqlite]=SQLite [postgres]=PostgreSQL)
load() {
    local file what who size value cpu memory key
    for file in "$results"/*.tsv; do
        [ -e "$file" ] || continue
        while IFS=$'\t' read -r what who size value cpu memory; do
            key="$(basename "$file" .tsv) $what $who $size"
            values[$key]=$value cpus[$key]=$cpu memories[$key]=$memory
        done <"$file"
    done
}

# Seconds and the processors' seconds, as people read them.
took() {
    awk -v value="$1" -v cpu="$2" 'function span(s) { return s < 0.1 ? sprintf("%.1f ms", s * 1000) : sprintf("%.2f s", s) }
        BEGIN { printf "%s", span(value); if (cpu > 0) printf " (%s)", span(cpu) }'
}

# A line of the table: what it says, ours, the rival's name, the rival, the limit of the ratio or nothing. Ours and the rival are keys; a rival may be
# a number of seconds. What was not measured has no line.
row() {
    local rival=${values[$4]-$4} rival_cpu=${cpus[$4]-0} ratio
    [ -n "${values[$2]-}" ] && [[ $rival =~ ^[0-9.]+$ ]] || return 0
    ratio=$(awk -v ours="${values[$2]}" -v rival="$rival" -v limit="${5-}" 'BEGIN {
        printf "%.2f | %s", ours / rival, limit == "" ? "" : "≤ " limit (ours <= limit * rival ? "" : " **missed**") }')
    echo "| $1 | $(took "${values[$2]}" "${cpus[$2]}") | $3: $(took "$rival" "$rival_cpu") | $ratio |"
}

# A line with a limit of its own: what it says, key, limit in seconds or nothing.
alone() {
    [ -n "${values[$2]-}" ] || return 0
    local limit=
    [ -z "${3-}" ] || limit=$(awk -v ours="${values[$2]}" -v limit="$3" 'BEGIN {
        printf "≤ %g ms%s", limit * 1000, ours <= limit ? "" : " **missed**" }')
    echo "| $1 | $(took "${values[$2]}" "${cpus[$2]}") | | | $limit |"
}

# A line with a size: what it says, number, divisor, unit, limit or nothing.
sized() {
    [ -n "${2-}" ] || return 0
    awk -v what="$1" -v number="$2" -v divisor="$3" -v unit="$4" -v limit="${5-}" 'BEGIN {
        size = number / divisor
        printf "| %s | %.1f %s | | | %s |\n", what, size, unit, limit == "" ? "" : "≤ " limit " " unit (size <= limit ? "" : " **missed**") }'
}

thousands() { sed -E ':a; s/([0-9])([0-9]{3})($|[^0-9])/\1,\2\3/; ta' <<<"$1"; }

rows_of_jobs() {
    local jobs kind durability limit
    for jobs in 1000 10000; do
        for kind in sqlite postgres; do
            for durability in full relaxed; do
                limit=
                [ "$jobs $kind $durability" != "1000 sqlite full" ] || limit=1.5
                row "$(thousands $jobs) jobs, ${names[$kind]}, \`$durability\`" "jobs copies ours_${kind}_$durability $jobs" "xargs" "jobs copies xargs_cp $jobs" $limit
                row "… against the floor" "jobs copies ours_${kind}_$durability $jobs" "floor" "jobs copies floor_$durability $jobs"
            done
        done
        row "$(thousands $jobs) jobs, SQLite, \`full\`" "jobs copies ours_sqlite_full $jobs" "parallel" "jobs copies parallel_cp $jobs"
    done
}

rows_of_gaps() {
    local rows limit
    for rows in 10000 100000 1000000 10000000; do
        limit=
        [ $rows != 1000000 ] || limit=1.2
        row "gaps, $(thousands $rows) rows, PostgreSQL" "gaps rows ours_postgres $rows" "psql" "gaps rows psql_asks_anti_joins $rows" $limit
        row "… with the counts" "gaps rows ours_postgres $rows" "psql" "gaps rows psql_asks_with_counts $rows"
        sized "… peak memory" "${memories[gaps rows ours_postgres $rows]-}" 1024 MiB 40
        row "gaps, $(thousands $rows) rows, SQLite" "gaps rows ours_sqlite $rows" "sqlite3" "gaps rows sqlite3_asks_anti_joins $rows"
        row "… with the counts" "gaps rows ours_sqlite $rows" "sqlite3" "gaps rows sqlite3_asks_with_counts $rows"
        sized "… peak memory" "${memories[gaps rows ours_sqlite $rows]-}" 1024 MiB 40
    done
}

rows_of_looks() {
    local look
    while IFS=: read -r look what; do
        alone "history of 500 runs × 60 jobs: $what" "history look $look 500" 0.05
    done <<'END'
jobs:`jobs`
failed_jobs:`jobs --failed`
jobs_of_gap:`jobs` of a gap
jobs_of_run:`jobs` of a run
runs:`runs`
logs:`logs` of a gap
trace_job:`trace` of a job
trace_run:`trace` of a run
why:`why` of a gap
why_all:`why` of 1,120 missing reports
END
}

table() {
    local runs
    printf '| what | etl-orch | rival | ratio | limit |\n|---|---:|---:|---:|---:|\n'
    rows_of_jobs
    rows_of_gaps
    alone "nothing to do, 14 banks × 40 periods, SQLite" "idle nothing ours_sqlite 560" 0.015
    alone "… PostgreSQL" "idle nothing ours_postgres 560" 0.03
    alone "nothing to do, 200 banks × 400 periods, SQLite" "idle nothing ours_sqlite 80000"
    alone "… PostgreSQL" "idle nothing ours_postgres 80000"
    for runs in 10 100 500 2000 10000; do
        alone "nothing to do, $(thousands $runs) runs on record, SQLite" "history idle idle $runs" 0.015
    done
    row "56 jobs of 0.5 s in 14 chains, 8 at once" "makespan naps chains 8" ideal 4 1.05
    row "28 jobs of 0.5 s, 8 at once" "makespan naps wide 8" ideal 2 1.05
    rows_of_looks
    row "start, \`--version\`" "program start ours 1" "\`true\`" "program start true_program 1"
    sized "database per 1,000 jobs, SQLite" "${values[growth bytes sqlite 1000]-}" 1048576 MiB
    sized "… PostgreSQL" "${values[growth bytes postgres 1000]-}" 1048576 MiB
    sized "database of 1,120 reports and 500 runs × 60 jobs" "${values[history bytes before_prune 500]-}" 1048576 MiB
    sized "… after \`prune\` of all of the history" "${values[history bytes after_prune 500]-}" 1048576 MiB
    sized "binary, stripped" "${values[program bytes stripped 1]-}" 1048576 MiB 15
    if [ -n "${values[syncs appends syncs 300]-}" ]; then
        sized "a small append that is on disk (this disk)" "${values[syncs appends syncs 300]}" 0.3 ms
    fi
}

print_table() {
    load
    cat "$results/machine.txt"
    echo
    table
}

# Puts what stdin has between the marks of the page.
fill_in() {
    local mark=$1
    awk -v mark="$mark" -v new="$(cat)" '
        $0 == "<!-- " mark " -->" { print; print new; skips = 1; next }
        $0 == "<!-- end of " mark " -->" { skips = 0 }
        !skips' "$page" >"$dir/page"
    cat "$dir/page" >"$page"
}

# What was measured, and what `cargo test --test cost` counted. The rest of the page stays as it is.
write_page() {
    local counts=("$results/counts_sqlite.md" "$results/counts_postgres.md")
    [ -e "$results/machine.txt" ] || [ -e "${counts[0]}" ] || fail "nothing is measured yet"
    if [ -e "$results/machine.txt" ]; then
        print_table | fill_in results
        draw_plots
    fi
    if [ -e "${counts[0]}" ] && [ -e "${counts[1]}" ]; then
        { printf 'On SQLite:\n\n'; cat "${counts[0]}"; printf '\nOn PostgreSQL:\n\n'; cat "${counts[1]}"; } | fold -s -w 118 | sed 's/ *$//' |
            fill_in counts
    fi
}

draw_plots() {
    local part
    for part in gaps jobs history; do
        [ -s "$results/$part.tsv" ] || { say "no plots, as $part is not measured"; return; }
    done
    mkdir -p "$plots"
    RESULTS=$results PLOTS=$plots gnuplot scripts/bench/plots.gnuplot
    fill_in plots <<'END'

![How long finding the gaps takes with more rows](performance/planning.svg)

![How much memory finding the gaps takes with more rows](performance/memory.svg)

![How long a job takes in runs of more jobs](performance/jobs.svg)

![How long a run with nothing to do takes with more runs on record](performance/history.svg)

END
}
