-- What is remembered of a gap, so that poison is not retried for ever; what operators ordered; which ETLs are taken for broken.

ALTER TABLE gap_states ADD COLUMN failed_runs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE gap_states ADD COLUMN probes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE gap_states ADD COLUMN refunded INTEGER NOT NULL DEFAULT 0;
ALTER TABLE gap_states ADD COLUMN not_ready INTEGER NOT NULL DEFAULT 0;
ALTER TABLE gap_states ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
ALTER TABLE gap_states ADD COLUMN rest_since TEXT;
ALTER TABLE gap_states ADD COLUMN rest_until TEXT;
ALTER TABLE gap_states ADD COLUMN rest_reason TEXT CHECK (rest_reason IN ('failed', 'not_ready'));
ALTER TABLE gap_states ADD COLUMN quarantined_at TEXT;
ALTER TABLE gap_states ADD COLUMN quarantine_reason TEXT CHECK (quarantine_reason IN ('failures', 'permanent', 'crashes'));
ALTER TABLE gap_states ADD COLUMN released INTEGER NOT NULL DEFAULT 0;
ALTER TABLE gap_states ADD COLUMN fingerprint TEXT;
ALTER TABLE gap_states ADD COLUMN error TEXT;
ALTER TABLE gap_states ADD COLUMN skipped_at TEXT;
ALTER TABLE gap_states ADD COLUMN skip_until TEXT;
ALTER TABLE gap_states ADD COLUMN skipped_by TEXT;
ALTER TABLE gap_states ADD COLUMN skip_reason TEXT;
ALTER TABLE gap_states ADD COLUMN forced_at TEXT;
-- Whether any of the columns above says something. Kept by what writes them, so that few rows are read where most gaps are done.
ALTER TABLE gap_states ADD COLUMN noted INTEGER NOT NULL DEFAULT 0;
CREATE INDEX gap_states_noted ON gap_states (gap_key) WHERE noted;

ALTER TABLE etl_jobs ADD COLUMN fingerprint TEXT;
-- The pool that the attempt under way uses.
ALTER TABLE etl_jobs ADD COLUMN pool TEXT;
ALTER TABLE etl_jobs ADD COLUMN cancel_by TEXT;
ALTER TABLE etl_jobs ADD COLUMN cancel_reason TEXT;
CREATE INDEX etl_jobs_pool ON etl_jobs (pool) WHERE pool IS NOT NULL;

-- Orders, in the order in which they were given; rows are only ever added.
CREATE TABLE overrides (
    id      INTEGER PRIMARY KEY,
    gap_key TEXT NOT NULL,
    kind    TEXT NOT NULL CHECK (kind IN ('retry', 'skip', 'unskip', 'cancel', 'force')),
    job_id  TEXT,
    actor   TEXT NOT NULL,
    reason  TEXT NOT NULL,
    at      TEXT NOT NULL,
    until   TEXT
);
CREATE INDEX overrides_gap ON overrides (gap_key, id);

-- The open breakers; no row is a closed one.
CREATE TABLE breakers (
    etl        TEXT NOT NULL PRIMARY KEY,
    opened_at  TEXT NOT NULL,
    banks      TEXT NOT NULL,
    etl_digest TEXT NOT NULL,
    probed     TEXT,
    probed_at  TEXT
);
