-- Why gaps were not made, as runs decided: a row for each change, from when until when it held. What was to be made has a job.

CREATE TABLE decisions (
    gap_key  TEXT NOT NULL,
    since    TEXT NOT NULL,
    -- NULL: no later run has decided otherwise.
    until    TEXT,
    run_id   TEXT NOT NULL REFERENCES etl_runs (id) ON DELETE CASCADE,
    decision TEXT NOT NULL,
    -- The decision with its reason, as JSON.
    data     TEXT NOT NULL,
    PRIMARY KEY (gap_key, since)
);
CREATE INDEX decisions_in_force ON decisions (gap_key) WHERE until IS NULL;
CREATE INDEX decisions_run ON decisions (run_id);

-- How many gaps the run left for later ones by its max_jobs. They are not named.
ALTER TABLE etl_runs ADD COLUMN capped INTEGER;
