-- Windows of sources that an operator gave up: the frontier passes them, and nothing collects them unless somebody asks for them again.

-- A CHECK can be changed only by making the table anew.
CREATE TABLE disclosure_queue_with_given_up (
    source       TEXT NOT NULL,
    window_start TEXT NOT NULL,
    window_end   TEXT NOT NULL,
    state        TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'collected', 'given_up')),
    queued_at    TEXT NOT NULL,
    -- An operator asked for it, and no success has answered that. While no job has claimed it since, it goes before a rest.
    requested_by TEXT,
    requested_at TEXT,
    -- The job that last claimed it.
    job_id       TEXT,
    -- The service's id of a job that was started for it and whose end was not seen.
    remote_id    TEXT,
    collected_at TEXT,
    -- Kept until a success, also where somebody asked for the window again.
    given_up_at    TEXT,
    given_up_by    TEXT,
    give_up_reason TEXT,
    PRIMARY KEY (source, window_start, window_end),
    CHECK (window_start < window_end)
);
INSERT INTO disclosure_queue_with_given_up
        (source, window_start, window_end, state, queued_at, requested_by, requested_at, job_id, remote_id, collected_at)
    SELECT source, window_start, window_end, state, queued_at, requested_by, requested_at, job_id, remote_id, collected_at
    FROM disclosure_queue;
DROP TABLE disclosure_queue;
ALTER TABLE disclosure_queue_with_given_up RENAME TO disclosure_queue;
CREATE INDEX disclosure_queue_queued ON disclosure_queue (source, window_start) WHERE state = 'queued';
CREATE INDEX disclosure_queue_claimed ON disclosure_queue (job_id) WHERE state = 'queued' AND job_id IS NOT NULL;
CREATE INDEX disclosure_queue_collected ON disclosure_queue (source, window_end) WHERE state = 'collected';
CREATE INDEX disclosure_queue_given_up ON disclosure_queue (source, window_start) WHERE state = 'given_up';

CREATE TABLE overrides_of_all_kinds (
    id      INTEGER PRIMARY KEY,
    gap_key TEXT NOT NULL,
    kind    TEXT NOT NULL CHECK (kind IN ('retry', 'skip', 'unskip', 'cancel', 'force', 'pause', 'resume', 'collect', 'give_up')),
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
CREATE INDEX overrides_forced ON overrides (at) WHERE kind = 'force';
