-- What children say of their work: stages, log messages and metrics of an attempt. Written while it runs.

CREATE TABLE etl_orch.etl_stages (
    job_id     text NOT NULL,
    attempt    integer NOT NULL,
    n          integer NOT NULL,
    name       text NOT NULL,
    state      text NOT NULL CHECK (state IN ('started', 'running', 'complete', 'incomplete')),
    started_at timestamptz NOT NULL,
    -- NULL: nobody said that it ended.
    ended_at   timestamptz,
    records_read     bigint,
    records_written  bigint,
    records_rejected bigint,
    -- How many there may be.
    records_estimate bigint,
    -- Named counts: a JSON list of pairs, in the order in which they were named.
    counts     jsonb NOT NULL,
    PRIMARY KEY (job_id, attempt, n),
    FOREIGN KEY (job_id, attempt) REFERENCES etl_orch.etl_attempts (job_id, n) ON DELETE CASCADE
);

CREATE TABLE etl_orch.job_logs (
    job_id  text NOT NULL,
    attempt integer NOT NULL,
    n       integer NOT NULL,
    at      timestamptz NOT NULL,
    level   text NOT NULL CHECK (level IN ('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'omitted')),
    message text NOT NULL,
    PRIMARY KEY (job_id, attempt, n),
    FOREIGN KEY (job_id, attempt) REFERENCES etl_orch.etl_attempts (job_id, n) ON DELETE CASCADE
);

-- The sum of a metric in an attempt.
CREATE TABLE etl_orch.etl_metrics (
    job_id  text NOT NULL,
    attempt integer NOT NULL,
    name    text NOT NULL,
    value   double precision NOT NULL,
    run_id  text NOT NULL,
    PRIMARY KEY (job_id, attempt, name),
    FOREIGN KEY (job_id, attempt) REFERENCES etl_orch.etl_attempts (job_id, n) ON DELETE CASCADE
);
CREATE INDEX etl_metrics_run ON etl_orch.etl_metrics (run_id, name);
