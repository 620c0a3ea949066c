-- Disclosure sources: what is remembered of each, and the queue of their windows.

CREATE TABLE etl_orch.sources (
    source       text PRIMARY KEY,
    -- Everything before this was collected, without a hole.
    frontier     timestamptz,
    paused_at    timestamptz,
    paused_by    text,
    pause_reason text,
    -- The last success.
    last_at      timestamptz,
    last_start   timestamptz,
    last_end     timestamptz,
    last_seen    text CHECK (last_seen IN ('reported', 'verified')),
    last_records bigint,
    last_message text,
    last_job     text,
    -- Successes in a row that said they had collected nothing.
    empty        integer NOT NULL DEFAULT 0
);

-- Whether a window is being collected is not stored here: it is while its source's gap has a running job.
CREATE TABLE etl_orch.disclosure_queue (
    source       text NOT NULL,
    window_start timestamptz NOT NULL,
    window_end   timestamptz NOT NULL,
    state        text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'collected')),
    queued_at    timestamptz NOT NULL,
    -- An operator asked for it, and no success has answered that. While no job has claimed it since, it goes before a rest.
    requested_by text,
    requested_at timestamptz,
    -- The job that last claimed it.
    job_id       text,
    -- The service's id of a job that was started for it and whose end was not seen.
    remote_id    text,
    collected_at timestamptz,
    PRIMARY KEY (source, window_start, window_end),
    CHECK (window_start < window_end)
);
CREATE INDEX disclosure_queue_queued ON etl_orch.disclosure_queue (source, window_start) WHERE state = 'queued';
CREATE INDEX disclosure_queue_claimed ON etl_orch.disclosure_queue (job_id) WHERE state = 'queued' AND job_id IS NOT NULL;
CREATE INDEX disclosure_queue_collected ON etl_orch.disclosure_queue (source, window_end) WHERE state = 'collected';

ALTER TABLE etl_orch.etl_jobs
    ADD COLUMN window_start timestamptz,
    ADD COLUMN window_end   timestamptz;

ALTER TABLE etl_orch.etl_attempts ADD COLUMN remote_id text;

ALTER TABLE etl_orch.overrides
    DROP CONSTRAINT overrides_kind_check,
    ADD CONSTRAINT overrides_kind_check
        CHECK (kind IN ('retry', 'skip', 'unskip', 'cancel', 'force', 'pause', 'resume', 'collect'));
