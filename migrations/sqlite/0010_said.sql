-- What children say of their work: stages, log messages and metrics of an attempt. Written while it runs.

CREATE TABLE etl_stages (
    job_id     TEXT NOT NULL,
    attempt    INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    name       TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('started', 'running', 'complete', 'incomplete')),
    started_at TEXT NOT NULL,
    -- NULL: nobody said that it ended.
    ended_at   TEXT,
    records_read     INTEGER,
    records_written  INTEGER,
    records_rejected INTEGER,
    -- How many there may be.
    records_estimate INTEGER,
    -- Named counts: a JSON list of pairs, in the order in which they were named.
    counts     TEXT NOT NULL,
    PRIMARY KEY (job_id, attempt, n),
    FOREIGN KEY (job_id, attempt) REFERENCES etl_attempts (job_id, n) ON DELETE CASCADE
);

CREATE TABLE job_logs (
    job_id  TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    n       INTEGER NOT NULL,
    at      TEXT NOT NULL,
    level   TEXT NOT NULL CHECK (level IN ('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'omitted')),
    message TEXT NOT NULL,
    PRIMARY KEY (job_id, attempt, n),
    FOREIGN KEY (job_id, attempt) REFERENCES etl_attempts (job_id, n) ON DELETE CASCADE
);

-- The sum of a metric in an attempt.
CREATE TABLE etl_metrics (
    job_id  TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    name    TEXT NOT NULL,
    value   REAL NOT NULL,
    run_id  TEXT NOT NULL,
    PRIMARY KEY (job_id, attempt, name),
    FOREIGN KEY (job_id, attempt) REFERENCES etl_attempts (job_id, n) ON DELETE CASCADE
);
CREATE INDEX etl_metrics_run ON etl_metrics (run_id, name);
