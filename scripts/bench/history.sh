# shellcheck shell=bash disable=SC2154 # read by scripts/bench.sh
# A long history: what looks something up, runs that find nothing to do, and what is left of it once what is over was removed.

# shellcheck source=scripts/bench/past_runs.sh
. scripts/bench/past_runs.sh

# All reports are there: number of past runs, how long they are kept.
after_runs() {
    etls true Summary Themes | fresh_world sqlite history 14 "retention: {history: $2}"
    { availability sqlite 14 2015 2024; reports; past_runs "$1" "$dir/history/var/logs"; } | sql sqlite history
    [ "$(echo "SELECT count(*) FROM etl_jobs" | sql sqlite history)" = $(($1 * 60)) ] || fail "there is no such history"
}

idle() { timed "$binary" -q --config "$dir/history/etl-orch.yaml"; }
sizes="10 100 500 2000 ${large:+10000}"
[ -z "$quick" ] || sizes="10 100"
for runs in $sizes; do
    after_runs "$runs" forever
    in_turns idle "$runs" 20 idle
done

after_runs 500 forever
failed=$(echo "SELECT id FROM etl_jobs WHERE state = 'failed' ORDER BY queued_at DESC LIMIT 1" | sql sqlite history)
past_run=$(echo "SELECT id FROM etl_runs ORDER BY started_at DESC LIMIT 1" | sql sqlite history)
echo "DELETE FROM aegis_reports;" | sql sqlite history
look() {
    timed "$binary" "$@" --config "$dir/history/etl-orch.yaml"
}
jobs() { look jobs; }
failed_jobs() { look jobs --failed; }
jobs_of_gap() { look jobs B0001 2015 Q1 summary; }
jobs_of_run() { look jobs --run "${past_run:0:8}" --limit 60; }
runs() { look runs; }
logs() { look logs B0001 2015 Q1 summary; }
trace_job() { look trace "${failed:0:8}"; }
trace_run() { look trace "${past_run:0:8}"; }
why() { look why B0001 2015 Q1 summary; }
why_all() { look why; }
in_turns look 500 20 jobs failed_jobs jobs_of_gap jobs_of_run runs logs trace_job trace_run why why_all

file_size() { stat -c %s "$dir/history/var/etl-orch.db"; }
after_runs 500 30d
result bytes before_prune 500 "$(file_size)" 0 0
etl_orch history prune >"$dir/out"
result bytes after_prune 500 "$(file_size)" 0 0
