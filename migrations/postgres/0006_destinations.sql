-- Where the report of a job is to be put, until nothing of it is left beside that place.

ALTER TABLE etl_orch.etl_jobs ADD COLUMN destination TEXT;
CREATE INDEX etl_jobs_unplaced ON etl_orch.etl_jobs (gap_key) WHERE destination IS NOT NULL;
