-- Why gaps were not made, as runs decided: a row for each change, from when until when it held. What was to be made has a job.

CREATE TABLE etl_orch.decisions (
    gap_key  text NOT NULL,
    since    timestamptz NOT NULL,
    -- NULL: no later run has decided otherwise.
    until    timestamptz,
    run_id   text NOT NULL REFERENCES etl_orch.etl_runs (id) ON DELETE CASCADE,
    decision text NOT NULL,
    -- The decision with its reason.
    data     jsonb NOT NULL,
    PRIMARY KEY (gap_key, since)
);
CREATE INDEX decisions_in_force ON etl_orch.decisions (gap_key) WHERE until IS NULL;
CREATE INDEX decisions_run ON etl_orch.decisions (run_id);

-- How many gaps the run left for later ones by its max_jobs. They are not named.
ALTER TABLE etl_orch.etl_runs ADD COLUMN capped bigint;
