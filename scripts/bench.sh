#!/usr/bin/env bash
# Measures what etl-orch costs, next to the plainest program that does the same work, in the same run and in turns, and
# prints a table. Takes about five minutes on two cores; with --large also the memory at 10 million rows.
#
# Everything is in a temporary directory, with a PostgreSQL server of its own that listens on a Unix socket only.
set -euo pipefail
cd "$(dirname "$0")/.."

large=
case ${1-} in
    '') ;;
    --large) large=yes ;;
    *) echo "usage: scripts/bench.sh [--large]" >&2; exit 2 ;;
esac

missing=
[ -x /usr/bin/time ] || missing="$missing time"
for program in parallel sqlite3 strip; do
    command -v $program >/dev/null || missing="$missing $program"
done
missing=${missing/strip/binutils}
find_server() {
    bin=$(find /usr/lib/postgresql -path '*/bin/initdb' -printf '%h\n' 2>/dev/null | sort -V | tail -n 1)
    [ -n "$bin" ] || bin=$(dirname "$(command -v initdb || echo .)")
}
find_server || true
[ -x "$bin/initdb" ] || missing="$missing postgresql"
if [ -n "$missing" ]; then
    command -v apt-get >/dev/null || { echo "scripts/bench.sh: install these first:$missing" >&2; exit 1; }
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -q >&2
    # shellcheck disable=SC2086 # a list of packages
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -q -y --no-install-recommends $missing >&2
    find_server
fi

cargo build --profile dist --locked >&2
binary=$PWD/target/dist/etl-orch

dir=$(mktemp -d)
clean_up() {
    [ ! -e "$dir/pg/postmaster.pid" ] || server "$bin/pg_ctl" -D "$dir/pg" -m immediate stop >/dev/null || true
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say() { echo "== $*" >&2; }

# The server refuses root.
server() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

start_server() {
    mkdir "$dir/pg" "$dir/socket"
    chmod 711 "$dir"
    [ "$(id -u)" != 0 ] || chown postgres "$dir/pg" "$dir/socket"
    server "$bin/initdb" -D "$dir/pg" -U postgres -A trust -E UTF8 --locale=C >/dev/null
    server "$bin/pg_ctl" -D "$dir/pg" -l "$dir/pg/log" -w start \
        -o "-k $dir/socket -c listen_addresses='' -c shared_buffers=512MB -c max_wal_size=4GB" >/dev/null
}

psql() { "$bin/psql" -h "$dir/socket" -U postgres -XqAt -v ON_ERROR_STOP=1 "$@"; }

# --- Measuring ------------------------------------------------------------------------------------------------------

# Microseconds that a command takes. It must succeed.
clock() {
    local from=${EPOCHREALTIME/./}
    "$@" >"$dir/out" 2>&1 || { echo "failed: $*" >&2; cat "$dir/out" >&2; exit 1; }
    echo $((${EPOCHREALTIME/./} - from))
}

# Peak memory of a command in KiB.
memory() {
    /usr/bin/time -f %M -o "$dir/time" "$@" >"$dir/out" 2>&1 || { echo "failed: $*" >&2; cat "$dir/out" >&2; exit 1; }
    tail -n 1 "$dir/time"
}

# Runs commands (functions) in turns, so many rounds; leaves the median of each in the variable of its name.
in_turns() {
    local rounds=$1 name
    shift
    rm -f "$dir"/times.*
    for _ in $(seq "$rounds"); do
        for name; do
            ! declare -F "before_$name" >/dev/null || "before_$name"
            clock "$name" >>"$dir/times.$name"
        done
    done
    for name; do
        printf -v "$name" %s "$(sort -n "$dir/times.$name" | awk '{ at[NR] = $1 } END { print at[int((NR + 1) / 2)] }')"
    done
}

table=
# A row of times in microseconds: what, ours, name of the rival, rival, limit of the ratio (or nothing).
row() {
    table+=$(awk -v what="$1" -v ours="$2" -v name="$3" -v rival="$4" -v limit="${5-}" 'BEGIN {
        ratio = ours / rival
        printf "| %s | %.2f s | %s: %.2f s | %.2f | %s |", what, ours / 1e6, name, rival / 1e6, ratio,
            limit == "" ? "" : "≤ " limit (ratio <= limit ? "" : " **missed**")
    }')$'\n'
}

# A row with a limit of its own: what, ours, unit, limit.
absolute() {
    table+=$(awk -v what="$1" -v ours="$2" -v unit="$3" -v limit="$4" 'BEGIN {
        printf "| %s | %.1f %s | | | ≤ %s %s%s |", what, ours, unit, limit, unit, ours <= limit ? "" : " **missed**"
    }')$'\n'
}

# A command that looks something up: what, microseconds.
looked_up() { absolute "$1" "$(awk -v us="$2" 'BEGIN { print us / 1000 }')" ms 50; }

# --- Worlds ---------------------------------------------------------------------------------------------------------

# A directory with a configuration: name, database URL, number of banks, further keys; the ETLs come from stdin.
world() {
    mkdir -p "$dir/$1"
    seq "$3" | awk '{ printf "B%04d-CA: {id: %d, name: \"Bank %d\"}\n", $1, $1, $1 }' >"$dir/$1/monitored_institutions.yaml"
    { printf 'database: {url: "%s"}\nstate_dir: var\n%s\n' "$2" "$4"; cat; } >"$dir/$1/etl-orch.yaml"
}

etl_orch() {
    local name=$1
    shift
    "$binary" "$@" --config "$dir/$name/etl-orch.yaml"
}

pg_url() { echo "postgres://postgres@localhost/$1?host=$dir/socket"; }

pg_database() {
    psql -d postgres -c "CREATE DATABASE $1"
    psql -d "$1" <<'SQL'
CREATE TABLE aegis_data_availability (
    bank_id integer NOT NULL, bank_name text NOT NULL, bank_symbol text NOT NULL, fiscal_year integer NOT NULL,
    quarter text NOT NULL, database_names text[], UNIQUE (bank_id, fiscal_year, quarter));
CREATE TABLE aegis_reports (
    id bigserial PRIMARY KEY, report_name text NOT NULL DEFAULT '', report_description text NOT NULL DEFAULT '',
    report_type text NOT NULL, bank_id integer, bank_name text NOT NULL DEFAULT '', bank_symbol text NOT NULL DEFAULT '',
    fiscal_year integer NOT NULL, quarter text NOT NULL, local_filepath text, markdown_content text,
    generation_date timestamp NOT NULL DEFAULT now(), generated_by text, execution_id uuid, metadata jsonb,
    UNIQUE (bank_id, fiscal_year, quarter, report_type));
SQL
}

# SQL that fills the availability table: banks, first and last year, how the tags are written.
availability() {
    cat <<SQL
INSERT INTO aegis_data_availability (bank_id, bank_name, bank_symbol, fiscal_year, quarter, database_names)
WITH RECURSIVE b(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM b WHERE n < $1),
    y(n) AS (SELECT $2 UNION ALL SELECT n + 1 FROM y WHERE n < $3),
    q(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM q WHERE n < 4)
SELECT b.n, 'Bank ' || b.n, 'B' || substr('000' || b.n, length('' || b.n)) || '-CA', y.n, 'Q' || q.n, $4 FROM b, y, q;
SQL
}

# SQL that makes all reports of these types.
reports() {
    local type
    for type; do
        cat <<SQL
INSERT INTO aegis_reports (bank_id, fiscal_year, quarter, report_type, report_name, report_description, bank_name, bank_symbol)
SELECT bank_id, fiscal_year, quarter, '$type', '$type', '', bank_name, bank_symbol FROM aegis_data_availability;
SQL
    done
}

# SQL of 500 runs of 60 jobs each, every ninth of which failed in two attempts. Each attempt has three stages, a metric and a message.
past_runs() {
    cat <<SQL
CREATE TEMP TABLE past AS
WITH RECURSIVE r(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM r WHERE n < 499),
    k(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM k WHERE n < 59)
SELECT r.n AS run, k.n AS position, (r.n * 60 + k.n) % 1120 AS gap, (r.n * 60 + k.n) % 9 = 0 AS failed,
    printf('%08x-0000-4000-8000-%012x', (r.n + 1000000) * 2654435761 % 4294967296, r.n) AS run_id,
    printf('%08x-0000-4000-9000-%012x', (r.n * 60 + k.n) * 2654435761 % 4294967296, r.n * 60 + k.n) AS id,
    strftime('%Y-%m-%dT%H:%M:%S.000000Z', '2024-12-01', (r.n * 15) || ' minutes') AS planned,
    strftime('%Y-%m-%dT%H:%M:%S.000000Z', '2024-12-01', (r.n * 15) || ' minutes', k.n || ' seconds') AS started,
    strftime('%Y-%m-%dT%H:%M:%S.000000Z', '2024-12-01', (r.n * 15) || ' minutes', (k.n + 9) || ' seconds') AS ended FROM r, k;
INSERT INTO etl_runs (id, host, boot_id, pid, pid_started, version, options, state, started_at, ended_at, lease_until, planned, succeeded, failed, skipped, cancelled)
SELECT run_id, 'bench', 'boot', 1, 1, '0.1.0', '{}', 'failed', planned, max(ended), max(ended), 60, 60 - sum(failed), sum(failed), 0, 0 FROM past GROUP BY run;
INSERT INTO etl_jobs (id, run_id, gap_key, etl, bank_key, bank_id, fiscal_year, quarter, position, forced, state, fence, error, queued_at, started_at, ended_at)
SELECT id, run_id, bank || '/' || year || quarter || '/' || etl, etl, bank, bank_id, year, quarter, position, 0,
    iif(failed, 'failed', 'succeeded'), run, iif(failed, 'exit code 1 - Connection timeout', NULL), planned, started, ended
FROM (SELECT *, gap % 14 + 1 AS bank_id, printf('B%04d-CA', gap % 14 + 1) AS bank, iif(gap < 560, 'summary', 'themes') AS etl,
    2015 + gap / 14 % 40 / 4 AS year, 'Q' || (gap / 14 % 4 + 1) AS quarter FROM past);
INSERT INTO etl_attempts (job_id, n, outcome, outcome_number, error, pid, log, tail, started_at, ended_at, duration_ms)
SELECT id, t.n, iif(failed, 'exit_code', 'succeeded'), iif(failed, 1, NULL), iif(failed, 'exit code 1', NULL), 4711,
    '$1/2024-12-01/' || id || '/' || t.n || '.log', 'reading' || char(10) || 'Connection timeout', started, ended, 9000
FROM past, (SELECT 1 AS n UNION ALL SELECT 2) t WHERE t.n = 1 OR failed;
INSERT INTO etl_stages (job_id, attempt, n, name, state, started_at, ended_at, records_read, records_written, counts)
SELECT id, 1, s.n, s.name, 'complete', started, ended, 594, 582, '[["flagged", 12]]'
FROM past, (SELECT 1 AS n, 'read' AS name UNION ALL SELECT 2, 'check' UNION ALL SELECT 3, 'write') s;
INSERT INTO etl_metrics (job_id, attempt, name, value, run_id) SELECT id, 1, 'llm_cost_usd', 0.25, run_id FROM past;
INSERT INTO job_logs (job_id, attempt, n, at, level, message) SELECT id, 1, 1, started, 'info', '594 phones checked' FROM past;
SQL
}

sqlite_tags="'[\"transcripts\"]'"
pg_tags="ARRAY['transcripts']"

two_etls() {
    local name
    echo "etls:"
    for name in Summary Themes; do
        printf '  %s:\n    report_type: %s\n    requires: [transcripts]\n    command: [%s]\n    output: "reports/{period}/{bank_symbol}_{etl}.md"\n' \
            "$(echo $name | tr ST st)" $name "$1"
    done
}

# --- What is measured -----------------------------------------------------------------------------------------------

start_server

say "1,000 jobs that copy a small file"
echo "a small file" >"$dir/small"
printf 'etls:\n  copy:\n    report_type: Copy\n    requires: [transcripts]\n    command: [cp, "%s/small", "{output}"]\n    output: "reports/{period}/{bank_symbol}.md"\n' \
    "$dir" >"$dir/copy.yaml"
keys="reports: {by: orchestrator}
run: {max_parallel: 4, max_jobs: 1000}"
world jobs sqlite://var/etl-orch.db 25 "$keys" <"$dir/copy.yaml"
pg_database jobs
world jobs_pg "$(pg_url jobs)" 25 "$keys" <"$dir/copy.yaml"
availability 25 2015 2024 "$pg_tags" | psql -d jobs
etl_orch jobs_pg init >/dev/null

before_copies() {
    rm -rf "$dir/jobs/var" "$dir/jobs/reports"
    etl_orch jobs init
    availability 25 2015 2024 "$sqlite_tags" | sqlite3 "$dir/jobs/var/etl-orch.db"
} >/dev/null
copies() { etl_orch jobs -q; }
before_copies_pg() {
    rm -rf "$dir/jobs_pg/var" "$dir/jobs_pg/reports"
    psql -d jobs -c 'TRUNCATE aegis_reports' -c 'TRUNCATE etl_orch.etl_runs, etl_orch.etl_jobs, etl_orch.etl_attempts, etl_orch.gap_states CASCADE'
}
copies_pg() { etl_orch jobs_pg -q; }
seq 1000 | sed "s|.*|$dir/small $dir/copied/&|" >"$dir/copies"
before_xargs_cp() { rm -rf "$dir/copied" && mkdir "$dir/copied"; }
xargs_cp() { xargs -P4 -n2 cp <"$dir/copies"; }
before_parallel_cp() { before_xargs_cp; }
parallel_cp() { parallel -j4 --colsep ' ' cp <"$dir/copies"; }
in_turns 5 copies xargs_cp parallel_cp copies_pg
[ "$(find "$dir/jobs/reports" -type f | wc -l)" = 1000 ] || { echo "not all copies were made" >&2; exit 1; }
# shellcheck disable=SC2154 # set by in_turns, here and below
{
    row "1,000 jobs of \`cp\`, 4 at once, SQLite" "$copies" "\`xargs -P4\`" "$xargs_cp" 1.5
    row "… against GNU parallel" "$copies" "\`parallel -j4\`" "$parallel_cp"
    row "… on PostgreSQL" "$copies_pg" "\`xargs -P4\`" "$xargs_cp"
}

say "gaps among 1 million rows"
anti_join() {
    local type
    for type in Summary Themes; do
        echo "SELECT a.bank_id, a.bank_symbol, a.fiscal_year, a.quarter FROM aegis_data_availability a
              WHERE a.database_names @> ARRAY['transcripts'] AND NOT EXISTS (
                  SELECT 1 FROM aegis_reports r WHERE r.bank_id = a.bank_id AND r.fiscal_year = a.fiscal_year
                  AND r.quarter = a.quarter AND r.report_type = '$type');"
    done
}
# Banks, first and last year.
gaps_world() {
    pg_database "$1"
    two_etls "true" | world "$1" "$(pg_url "$1")" "$2" "reports: {by: orchestrator}"
    { availability "$2" "$3" "$4" "$pg_tags"; reports Summary Themes; } | psql -d "$1"
    psql -d "$1" -c "DELETE FROM aegis_reports WHERE fiscal_year = $4 AND quarter = 'Q4' AND bank_id <= 20" -c 'VACUUM ANALYZE'
}
gaps_world rows_1k 25 2015 2024
gaps_world rows_1m 1000 2000 2249
anti_join >"$dir/anti_join.sql"
gaps() { etl_orch rows_1m --dry-run; }
psql_gaps() { psql -d rows_1m -f "$dir/anti_join.sql" -o "$dir/rows"; }
in_turns 5 gaps psql_gaps
etl_orch rows_1m --dry-run | grep -q 'GAPS IDENTIFIED: 40 ' || { echo "the gaps are not those that were made" >&2; exit 1; }
[ "$(wc -l <"$dir/rows")" = 40 ] || { echo "the rival did not find the gaps" >&2; exit 1; }
# shellcheck disable=SC2154
row "gaps among 1 M rows, 2 M reports, PostgreSQL" "$gaps" "\`psql\`, the same anti-joins" "$psql_gaps" 1.2
memory_of() {
    local kib
    kib=$(memory "$binary" --config "$dir/$1/etl-orch.yaml" --dry-run)
    absolute "peak memory of that, $2 rows" "$(awk -v kib="$kib" 'BEGIN { print kib / 1024 }')" MiB 40
}
memory_of rows_1k "1 k"
memory_of rows_1m "1 M"
psql -d postgres -c 'DROP DATABASE rows_1m'
if [ -n "$large" ]; then
    gaps_world rows_10m 2500 1900 2899
    memory_of rows_10m "10 M"
    psql -d postgres -c 'DROP DATABASE rows_10m'
fi

say "nothing to do"
two_etls "true" >"$dir/two.yaml"
world idle sqlite://var/etl-orch.db 14 "reports: {by: orchestrator}" <"$dir/two.yaml"
etl_orch idle init >/dev/null
{ availability 14 2015 2024 "$sqlite_tags"; reports Summary Themes; } | sqlite3 "$dir/idle/var/etl-orch.db"
pg_database idle
world idle_pg "$(pg_url idle)" 14 "reports: {by: orchestrator}" <"$dir/two.yaml"
{ availability 14 2015 2024 "$pg_tags"; reports Summary Themes; } | psql -d idle
etl_orch idle_pg init >/dev/null
psql -d idle -c 'VACUUM ANALYZE'
idle() { etl_orch idle -q; }
idle_pg() { etl_orch idle_pg -q; }
in_turns 50 idle idle_pg
# shellcheck disable=SC2154
{
    absolute "nothing to do, 14 banks × 40 periods, SQLite" "$(awk -v us="$idle" 'BEGIN { print us / 1000 }')" ms 15
    absolute "… PostgreSQL by socket" "$(awk -v us="$idle_pg" 'BEGIN { print us / 1000 }')" ms 30
}

say "jobs of half a second"
# shellcheck disable=SC2016 # for the shell of the job
nap='sh, -c, "sleep 0.5; echo done > \"$1\"", nap, "{output}"'
keys="reports: {by: orchestrator}
run: {max_parallel: 8}"
two_etls "$nap" | world chains sqlite://var/etl-orch.db 14 "$keys"
two_etls "$nap" | sed '/^  themes:/,$d' | world wide sqlite://var/etl-orch.db 28 "$keys"
naps_world() {
    rm -rf "${dir:?}/$1/var" "${dir:?}/$1/reports"
    etl_orch "$1" init
    # One quarter of each of the years.
    { availability "$2" 2024 "$3" "$sqlite_tags"; echo "DELETE FROM aegis_data_availability WHERE quarter <> 'Q1';"; } |
        sqlite3 "$dir/$1/var/etl-orch.db"
} >/dev/null
before_chains() { naps_world chains 14 2025; }
chains() { etl_orch chains -q; }
before_wide() { naps_world wide 28 2024; }
wide() { etl_orch wide -q; }
in_turns 3 chains wide
# 14 chains of 4 jobs; a chain keeps its place, so they go in two rounds of 4 jobs. 28 single jobs go in four rounds.
# shellcheck disable=SC2154
{
    row "56 jobs of 0.5 s in 14 chains, 8 at once" "$chains" "ideal" 4000000 1.05
    row "28 banks, one job of 0.5 s each, 8 at once" "$wide" "ideal" 2000000 1.05
}

say "a history of 500 runs of 60 jobs"
world history sqlite://var/etl-orch.db 14 "reports: {by: orchestrator}" <"$dir/two.yaml"
etl_orch history init >/dev/null
{ availability 14 2015 2024 "$sqlite_tags"; past_runs "$dir/history/var/logs"; } | sqlite3 "$dir/history/var/etl-orch.db"
[ "$(sqlite3 "$dir/history/var/etl-orch.db" "SELECT count(*) FROM etl_jobs")" = 30000 ] || { echo "there is no such history" >&2; exit 1; }
failed=$(sqlite3 "$dir/history/var/etl-orch.db" "SELECT id FROM etl_jobs WHERE state = 'failed' ORDER BY queued_at DESC LIMIT 1")
past_run=$(sqlite3 "$dir/history/var/etl-orch.db" "SELECT id FROM etl_runs ORDER BY started_at DESC LIMIT 1")
jobs() { etl_orch history jobs; }
failed_jobs() { etl_orch history jobs --failed; }
jobs_of_gap() { etl_orch history jobs B0001 2015 Q1 summary; }
jobs_of_run() { etl_orch history jobs --run "${past_run:0:8}" --limit 60; }
runs() { etl_orch history runs; }
logs() { etl_orch history logs B0001 2015 Q1 summary; }
trace_job() { etl_orch history trace "${failed:0:8}"; }
trace_run() { etl_orch history trace "${past_run:0:8}"; }
why() { etl_orch history why B0001 2015 Q1 summary; }
why_all() { etl_orch history why; }
in_turns 20 jobs failed_jobs jobs_of_gap jobs_of_run runs logs trace_job trace_run why why_all
# shellcheck disable=SC2154
{
    looked_up "history of 500 runs × 60 jobs: \`jobs\`" "$jobs"
    looked_up "… \`jobs --failed\`" "$failed_jobs"
    looked_up "… \`jobs\` of a gap" "$jobs_of_gap"
    looked_up "… \`jobs\` of a run" "$jobs_of_run"
    looked_up "… \`runs\`" "$runs"
    looked_up "… \`logs\` of a gap" "$logs"
    looked_up "… \`trace\` of a job" "$trace_job"
    looked_up "… \`trace\` of a run" "$trace_run"
    looked_up "… \`why\` of a gap" "$why"
    looked_up "… \`why\` of all that is missing, 1,120 reports" "$why_all"
}

strip -o "$dir/stripped" "$binary"
absolute "binary, stripped" "$(stat -c %s "$dir/stripped" | awk '{ print $1 / 1048576 }')" MiB 15

printf '| what | ours | rival | ratio | limit |\n|---|---:|---:|---:|---:|\n%s' "$table"
