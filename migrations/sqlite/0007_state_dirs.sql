-- Where a run keeps what the database did not take. NULL: written by an earlier version.

ALTER TABLE etl_runs ADD COLUMN state_dir TEXT;
