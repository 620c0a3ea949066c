-- Runs, their jobs and the jobs' attempts; and per gap the fence, which grows with every claim.
-- A run's claims are good until its lease ends, by the database's clock.

CREATE TABLE etl_orch.etl_runs (
    id          text PRIMARY KEY,
    host        text NOT NULL,
    boot_id     text NOT NULL,
    pid         bigint NOT NULL,
    pid_started bigint NOT NULL,
    version     text NOT NULL,
    options     jsonb NOT NULL,
    state       text NOT NULL CHECK (state IN ('running', 'succeeded', 'failed', 'cancelled', 'lost')),
    started_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    lease_until timestamptz NOT NULL,
    planned     bigint,
    succeeded   bigint,
    failed      bigint,
    skipped     bigint,
    cancelled   bigint
);
CREATE INDEX etl_runs_newest ON etl_orch.etl_runs (started_at);
CREATE INDEX etl_runs_running ON etl_orch.etl_runs (id) WHERE state = 'running';

-- The owner of a claim is the owner of its run. A job that makes no report has no bank and no period.
CREATE TABLE etl_orch.etl_jobs (
    id          text PRIMARY KEY,
    run_id      text NOT NULL REFERENCES etl_orch.etl_runs (id) ON DELETE CASCADE,
    gap_key     text NOT NULL,
    etl         text NOT NULL,
    bank_key    text,
    bank_id     bigint,
    fiscal_year integer,
    quarter     text,
    position    bigint NOT NULL,
    forced      boolean NOT NULL,
    state       text NOT NULL
                CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'skipped', 'cancelled', 'lost')),
    fence       bigint,
    error       text,
    queued_at   timestamptz NOT NULL,
    started_at  timestamptz,
    ended_at    timestamptz,
    CHECK (state <> 'running' OR (fence IS NOT NULL AND started_at IS NOT NULL))
);
CREATE UNIQUE INDEX etl_jobs_one_running ON etl_orch.etl_jobs (gap_key) WHERE state = 'running';
CREATE INDEX etl_jobs_gap ON etl_orch.etl_jobs (gap_key, queued_at);
CREATE INDEX etl_jobs_run ON etl_orch.etl_jobs (run_id, position);
CREATE INDEX etl_jobs_newest ON etl_orch.etl_jobs (queued_at);

CREATE TABLE etl_orch.etl_attempts (
    job_id         text NOT NULL REFERENCES etl_orch.etl_jobs (id) ON DELETE CASCADE,
    n              integer NOT NULL,
    outcome        text,
    outcome_number integer,
    error          text,
    pid            bigint,
    log            text NOT NULL,
    tail           text,
    started_at     timestamptz NOT NULL,
    ended_at       timestamptz,
    duration_ms    bigint,
    PRIMARY KEY (job_id, n)
);

CREATE TABLE etl_orch.gap_states (
    gap_key text PRIMARY KEY,
    fence   bigint NOT NULL
);
