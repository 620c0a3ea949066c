-- Windows of sources that an operator gave up: the frontier passes them, and nothing collects them unless somebody asks for them again.

ALTER TABLE etl_orch.disclosure_queue
    -- Kept until a success, also where somebody asked for the window again.
    ADD COLUMN given_up_at    timestamptz,
    ADD COLUMN given_up_by    text,
    ADD COLUMN give_up_reason text,
    DROP CONSTRAINT disclosure_queue_state_check,
    ADD CONSTRAINT disclosure_queue_state_check CHECK (state IN ('queued', 'collected', 'given_up'));
CREATE INDEX disclosure_queue_given_up ON etl_orch.disclosure_queue (source, window_start) WHERE state = 'given_up';

ALTER TABLE etl_orch.overrides
    DROP CONSTRAINT overrides_kind_check,
    ADD CONSTRAINT overrides_kind_check
        CHECK (kind IN ('retry', 'skip', 'unskip', 'cancel', 'force', 'pause', 'resume', 'collect', 'give_up'));
