-- The number of the write that made the row what it is. Control planes read what others have written by it.
ALTER TABLE key_states ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
CREATE INDEX key_states_version ON key_states (version);
