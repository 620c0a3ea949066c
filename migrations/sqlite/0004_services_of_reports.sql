-- Services also make reports: the id of a job that was triggered for one, and whose end was not seen.

ALTER TABLE gap_states ADD COLUMN remote_id TEXT;
