-- How long the last successes of an ETL or source took.
CREATE INDEX etl_jobs_successes ON etl_orch.etl_jobs (etl, ended_at) WHERE state = 'succeeded';
