-- What tells the machine of a run from others of the same name. NULL: not known, or written by an earlier version.

ALTER TABLE etl_runs ADD COLUMN machine_id TEXT;
