CREATE TEMP TABLE n AS WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n LIMIT 500) SELECT n FROM n;
CREATE TEMP TABLE data AS SELECT b.n + 1 AS bank, 2017 + p.n / 4 AS year, 'Q' || (p.n % 4 + 1) AS quarter FROM n b, n p WHERE b.n < 14 AND p.n < 40;
INSERT INTO aegis_data_availability (bank_id, bank_name, bank_symbol, fiscal_year, quarter, database_names)
    SELECT bank, 'Bank', 'B' || bank, year, quarter, '["transcripts"]' FROM data;
INSERT INTO aegis_reports (report_name, report_description, report_type, bank_id, bank_name, bank_symbol, fiscal_year, quarter)
    SELECT 'N', 'D', e.value, bank, 'Bank', 'B' || bank, year, quarter
    FROM data, json_each('["call_summary", "key_themes", "cm_readthrough", "financial_ratios"]') e WHERE year || quarter < '2026Q4';
INSERT INTO etl_runs (id, host, boot_id, pid, pid_started, version, options, state, started_at, ended_at, lease_until, planned, succeeded, failed,
        skipped, cancelled)
    SELECT printf('%08x-0000-4000-8000-000000000000', n), 'host', 'b', 1, 1, '1', '{}', iif(n % 7, 'succeeded', 'failed'),
        strftime('%Y-%m-%dT%H:%M:%fZ', 'now', printf('-%d minutes', 15 * n + 15)), strftime('%Y-%m-%dT%H:%M:%fZ', 'now', printf('-%d minutes', 15 * n + 15 - n % 9)),
        strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), iif(n % 10, 0, 60), iif(n % 10, 0, 59), iif(n % 10, 0, 1), 0, 0 FROM n;
INSERT INTO etl_jobs (id, run_id, gap_key, etl, bank_key, bank_id, fiscal_year, quarter, position, forced, state, fence, queued_at, started_at, ended_at)
    SELECT printf('%08x-%04x-4000-8000-000000000000', r.n, j.n), printf('%08x-0000-4000-8000-000000000000', r.n), 'B1-CA/2025Q1/call_summary',
        iif(j.n % 2, 'call_summary', 'key_themes'), 'B1-CA', 1, 2025, 'Q1', j.n, 0, 'succeeded', 1,
        started_at, started_at, ended_at FROM n r JOIN n j JOIN etl_runs ON id = printf('%08x-0000-4000-8000-000000000000', r.n)
    WHERE r.n % 10 = 0 AND j.n < 60;
INSERT INTO etl_attempts (job_id, n, outcome, log, started_at, ended_at, duration_ms)
    SELECT id, 1, 'succeeded', '/log', started_at, ended_at, 60000 + fiscal_year FROM etl_jobs;
