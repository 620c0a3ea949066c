-- Whether a report was missing when `--force` asked for it: if it is there now, somebody else has made it.

ALTER TABLE etl_orch.gap_states ADD COLUMN forced_missing boolean NOT NULL DEFAULT FALSE;

CREATE INDEX overrides_forced ON etl_orch.overrides (at) WHERE kind = 'force';
