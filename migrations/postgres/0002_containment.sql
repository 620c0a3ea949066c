-- What is remembered of a gap, so that poison is not retried for ever; what operators ordered; which ETLs are taken for broken.

ALTER TABLE etl_orch.gap_states
    ADD COLUMN failed_runs       integer NOT NULL DEFAULT 0,
    ADD COLUMN probes            integer NOT NULL DEFAULT 0,
    ADD COLUMN refunded          integer NOT NULL DEFAULT 0,
    ADD COLUMN not_ready         integer NOT NULL DEFAULT 0,
    ADD COLUMN lost              integer NOT NULL DEFAULT 0,
    ADD COLUMN rest_since        timestamptz,
    ADD COLUMN rest_until        timestamptz,
    ADD COLUMN rest_reason       text CHECK (rest_reason IN ('failed', 'not_ready')),
    ADD COLUMN quarantined_at    timestamptz,
    ADD COLUMN quarantine_reason text CHECK (quarantine_reason IN ('failures', 'permanent', 'crashes')),
    ADD COLUMN released          boolean NOT NULL DEFAULT FALSE,
    ADD COLUMN fingerprint       text,
    ADD COLUMN error             text,
    ADD COLUMN skipped_at        timestamptz,
    ADD COLUMN skip_until        timestamptz,
    ADD COLUMN skipped_by        text,
    ADD COLUMN skip_reason       text,
    ADD COLUMN forced_at         timestamptz,
    -- Whether any of the columns above says something. Kept by what writes them, so that few rows are read where most gaps are done.
    ADD COLUMN noted             boolean NOT NULL DEFAULT FALSE;
CREATE INDEX gap_states_noted ON etl_orch.gap_states (gap_key) WHERE noted;

ALTER TABLE etl_orch.etl_jobs
    ADD COLUMN fingerprint   text,
    -- The pool that the attempt under way uses.
    ADD COLUMN pool          text,
    ADD COLUMN cancel_by     text,
    ADD COLUMN cancel_reason text;
CREATE INDEX etl_jobs_pool ON etl_orch.etl_jobs (pool) WHERE pool IS NOT NULL;

-- Orders, in the order in which they were given; rows are only ever added.
CREATE TABLE etl_orch.overrides (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gap_key text NOT NULL,
    kind    text NOT NULL CHECK (kind IN ('retry', 'skip', 'unskip', 'cancel', 'force')),
    job_id  text,
    actor   text NOT NULL,
    reason  text NOT NULL,
    at      timestamptz NOT NULL,
    until   timestamptz
);
CREATE INDEX overrides_gap ON etl_orch.overrides (gap_key, id);

-- The open breakers; no row is a closed one.
CREATE TABLE etl_orch.breakers (
    etl        text PRIMARY KEY,
    opened_at  timestamptz NOT NULL,
    banks      jsonb NOT NULL,
    etl_digest text NOT NULL,
    probed     text,
    probed_at  timestamptz
);
