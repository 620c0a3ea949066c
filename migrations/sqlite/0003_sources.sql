-- Disclosure sources: what is remembered of each, and the queue of their windows.

CREATE TABLE sources (
    source       TEXT NOT NULL PRIMARY KEY,
    -- Everything before this was collected, without a hole.
    frontier     TEXT,
    paused_at    TEXT,
    paused_by    TEXT,
    pause_reason TEXT,
    -- The last success.
    last_at      TEXT,
    last_start   TEXT,
    last_end     TEXT,
    last_seen    TEXT CHECK (last_seen IN ('reported', 'verified')),
    last_records INTEGER,
    last_message TEXT,
    last_job     TEXT,
    -- Successes in a row that said they had collected nothing.
    empty        INTEGER NOT NULL DEFAULT 0
);

-- Whether a window is being collected is not stored here: it is while its source's gap has a running job.
CREATE TABLE disclosure_queue (
    source       TEXT NOT NULL,
    window_start TEXT NOT NULL,
    window_end   TEXT NOT NULL,
    state        TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'collected')),
    queued_at    TEXT NOT NULL,
    -- An operator asked for it, and no success has answered that. While no job has claimed it since, it goes before a rest.
    requested_by TEXT,
    requested_at TEXT,
    -- The job that last claimed it.
    job_id       TEXT,
    -- The service's id of a job that was started for it and whose end was not seen.
    remote_id    TEXT,
    collected_at TEXT,
    PRIMARY KEY (source, window_start, window_end),
    CHECK (window_start < window_end)
);
CREATE INDEX disclosure_queue_queued ON disclosure_queue (source, window_start) WHERE state = 'queued';
CREATE INDEX disclosure_queue_claimed ON disclosure_queue (job_id) WHERE state = 'queued' AND job_id IS NOT NULL;
CREATE INDEX disclosure_queue_collected ON disclosure_queue (source, window_end) WHERE state = 'collected';

ALTER TABLE etl_jobs ADD COLUMN window_start TEXT;
ALTER TABLE etl_jobs ADD COLUMN window_end TEXT;

ALTER TABLE etl_attempts ADD COLUMN remote_id TEXT;

-- A CHECK can be changed only by making the table anew.
CREATE TABLE overrides_of_all_kinds (
    id      INTEGER PRIMARY KEY,
    gap_key TEXT NOT NULL,
    kind    TEXT NOT NULL CHECK (kind IN ('retry', 'skip', 'unskip', 'cancel', 'force', 'pause', 'resume', 'collect')),
    job_id  TEXT,
    actor   TEXT NOT NULL,
    reason  TEXT NOT NULL,
    at      TEXT NOT NULL,
    until   TEXT
);
INSERT INTO overrides_of_all_kinds (id, gap_key, kind, job_id, actor, reason, at, until)
    SELECT id, gap_key, kind, job_id, actor, reason, at, until FROM overrides;
DROP TABLE overrides;
ALTER TABLE overrides_of_all_kinds RENAME TO overrides;
CREATE INDEX overrides_gap ON overrides (gap_key, id);
