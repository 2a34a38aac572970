DROP INDEX key_states_version;
ALTER TABLE key_states DROP COLUMN version;
