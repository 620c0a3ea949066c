-- Whether a report was missing when `--force` asked for it: if it is there now, somebody else has made it.

ALTER TABLE gap_states ADD COLUMN forced_missing INTEGER NOT NULL DEFAULT 0;

CREATE INDEX overrides_forced ON overrides (at) WHERE kind = 'force';
