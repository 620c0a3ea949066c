# shellcheck shell=bash # read by scripts/bench.sh

# SQL of so many runs of 60 jobs each: number of runs, directory of logs. Every ninth job failed in two attempts. Each attempt has three stages, a
# metric and a message.
past_runs() {
    cat <<SQL
CREATE TEMP TABLE past AS
WITH RECURSIVE r(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM r WHERE n < $1 - 1),
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
    '$2/2024-12-01/' || id || '/' || t.n || '.log', 'reading' || char(10) || 'Connection timeout', started, ended, 9000
FROM past, (SELECT 1 AS n UNION ALL SELECT 2) t WHERE t.n = 1 OR failed;
INSERT INTO etl_stages (job_id, attempt, n, name, state, started_at, ended_at, records_read, records_written, counts)
SELECT id, 1, s.n, s.name, 'complete', started, ended, 594, 582, '[["flagged", 12]]'
FROM past, (SELECT 1 AS n, 'read' AS name UNION ALL SELECT 2, 'check' UNION ALL SELECT 3, 'write') s;
INSERT INTO etl_metrics (job_id, attempt, name, value, run_id) SELECT id, 1, 'llm_cost_usd', 0.25, run_id FROM past;
INSERT INTO job_logs (job_id, attempt, n, at, level, message) SELECT id, 1, 1, started, 'info', '594 phones checked' FROM past;
SQL
}
