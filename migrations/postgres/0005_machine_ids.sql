-- What tells the machine of a run from others of the same name. NULL: not known, or written by an earlier version.

ALTER TABLE etl_orch.etl_runs ADD COLUMN machine_id text;
