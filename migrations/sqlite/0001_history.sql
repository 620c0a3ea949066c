-- Runs, their jobs and the jobs' attempts; and per gap the fence, which grows with every claim.
-- A run's claims are good until its lease ends, by the database's clock.
-- Times are RFC 3339 in UTC, of one length, so that they sort as text.

CREATE TABLE etl_runs (
    id          TEXT NOT NULL PRIMARY KEY,
    host        TEXT NOT NULL,
    boot_id     TEXT NOT NULL,
    pid         INTEGER NOT NULL,
    pid_started INTEGER NOT NULL,
    version     TEXT NOT NULL,
    options     TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('running', 'succeeded', 'failed', 'cancelled', 'lost')),
    started_at  TEXT NOT NULL,
    ended_at    TEXT,
    lease_until TEXT NOT NULL,
    planned     INTEGER,
    succeeded   INTEGER,
    failed      INTEGER,
    skipped     INTEGER,
    cancelled   INTEGER
);
CREATE INDEX etl_runs_newest ON etl_runs (started_at);
CREATE INDEX etl_runs_running ON etl_runs (id) WHERE state = 'running';

-- The owner of a claim is the owner of its run. A job that makes no report has no bank and no period.
CREATE TABLE etl_jobs (
    id          TEXT NOT NULL PRIMARY KEY,
    run_id      TEXT NOT NULL REFERENCES etl_runs (id) ON DELETE CASCADE,
    gap_key     TEXT NOT NULL,
    etl         TEXT NOT NULL,
    bank_key    TEXT,
    bank_id     INTEGER,
    fiscal_year INTEGER,
    quarter     TEXT,
    position    INTEGER NOT NULL,
    forced      INTEGER NOT NULL,
    state       TEXT NOT NULL
                CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'skipped', 'cancelled', 'lost')),
    fence       INTEGER,
    error       TEXT,
    queued_at   TEXT NOT NULL,
    started_at  TEXT,
    ended_at    TEXT,
    CHECK (state <> 'running' OR (fence IS NOT NULL AND started_at IS NOT NULL))
);
CREATE UNIQUE INDEX etl_jobs_one_running ON etl_jobs (gap_key) WHERE state = 'running';
CREATE INDEX etl_jobs_gap ON etl_jobs (gap_key, queued_at);
CREATE INDEX etl_jobs_run ON etl_jobs (run_id, position);
CREATE INDEX etl_jobs_newest ON etl_jobs (queued_at);

CREATE TABLE etl_attempts (
    job_id         TEXT NOT NULL REFERENCES etl_jobs (id) ON DELETE CASCADE,
    n              INTEGER NOT NULL,
    outcome        TEXT,
    outcome_number INTEGER,
    error          TEXT,
    pid            INTEGER,
    log            TEXT NOT NULL,
    tail           TEXT,
    started_at     TEXT NOT NULL,
    ended_at       TEXT,
    duration_ms    INTEGER,
    PRIMARY KEY (job_id, n)
);

CREATE TABLE gap_states (
    gap_key TEXT NOT NULL PRIMARY KEY,
    fence   INTEGER NOT NULL
);
